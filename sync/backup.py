"""Backups: one file with all that this installation keeps, of one instant, while it goes on working.

A ZIP archive: every table as lines of JSON, a manifest with counts and hashes, the keys of the installation, and the
attachments: inside, or in a folder beside it that many backups share. It can be restored on SQLite and on PostgreSQL,
whichever it came from. It appears under its name only when it is complete, read back and durable."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Table, select, update
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import epochs, install
from sync.attach import BlobStore
from sync.durable import fsync
from sync.engine import in_transaction, reader, snapshots
from sync.identity import uuid7
from sync.models import Backup, Base, Blob, Installation, Project, RemovedBlob

FORMAT, VERSION = "lapangan-backup", 1
MANIFEST = "manifest.json"
BESIDE = "files"
"""The folder of attachments that backups in one place share."""
ROWS_AT_ONCE = 1000
SUM = 2**256

Heads = Mapping[str, int]
Told = Callable[[str, int], None]
"""(what, how many rows or files of it so far)."""


class DatabaseDamaged(Problem):
    """The database file is damaged. Keep it, restore the latest backup, and ask the devices to send again."""

    kind = Kind.CONFLICT
    slug = "backup/database-damaged"


class NoShelf(Problem):
    """This process does not know where backups go. Set LAPANGAN_BACKUP_FOLDER, or run: lapangan backup FILE"""

    slug = "backup/no-shelf"


class FileExists(Problem):
    """There is a file of this name already. Choose another name for the backup."""

    kind = Kind.CONFLICT
    slug = "backup/file-exists"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many lines, and the sum of their SHA-256: the same in whichever order they come."""

    rows: int = 0
    total: int = 0

    def add(self, line: bytes) -> Counted:
        return Counted(self.rows + 1, (self.total + int.from_bytes(hashlib.sha256(line).digest(), "big")) % SUM)

    def shown(self) -> dict[str, Any]:
        return {"rows": self.rows, "sha256": f"{self.total:064x}"}


@dataclass(slots=True)
class Manifest:
    """What a backup says of itself."""

    backup_id: str
    server_id: str
    epoch: int
    revision: str
    made_at: datetime
    heads: dict[str, int]
    """project_id -> head."""
    tables: dict[str, Counted] = field(default_factory=dict)
    files: int = 0
    files_size: int = 0
    files_missing: int = 0
    is_inside: bool = True
    """The attachments are in the archive, not beside it."""
    keys: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(counted.rows for counted in self.tables.values())

    def dump(self) -> bytes:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        tables = {str(name): counted.shown() for name, counted in self.tables.items()}
        shape = {"format": FORMAT, "version": VERSION, **told, "tables": tables}
        return orjson.dumps(shape, option=orjson.OPT_INDENT_2)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the scheduled backups go, and how many of them stay."""

    folder: Path
    kept: int = 14
    keys: tuple[Path, ...] = ()
    """Files beside the database without which it is not the same installation, such as the secret key."""


def back_up(
    engine: Engine,
    blobs: BlobStore,
    file: Path,
    *,
    keys: Sequence[Path] = (),
    is_inside: bool = True,
    cause: str = "person",
    told: Told = lambda _what, _count: None,
    now: datetime,
) -> Backup:
    """The file holds this installation as it is now; devices may forget what it covers.

    `is_inside` False puts attachments into a folder beside it, each once. Refuses FileExists, DatabaseDamaged."""
    if file.exists():
        raise FileExists(str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    in_transaction(engine, epochs.await_backup)
    try:
        with _snapshot(engine) as connection:
            manifest = _manifest(connection, now, is_inside=is_inside)
            _write(connection, manifest, partial, blobs, keys, told)
        _settle(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    kept: Backup = in_transaction(engine, lambda session: keep(session, manifest, file, cause=cause))
    return kept


def keep(session: Session, manifest: Manifest, file: Path, *, cause: str) -> Backup:
    """The backup counts from now on: what it holds is durable."""
    row = Backup(
        backup_id=manifest.backup_id,
        made_at=manifest.made_at,
        cause=cause,
        file=str(file),
        size=file.stat().st_size,
        epoch=manifest.epoch,
        heads=dict(manifest.heads),
        rows=manifest.rows,
        files=manifest.files,
        files_missing=manifest.files_missing,
    )
    session.add(row)
    for project_id, head in manifest.heads.items():
        session.execute(update(Project).where(Project.project_id == project_id).values(durable_seq=head))
    session.flush()
    return row


def latest(session: Session) -> Backup | None:
    """The one that holds most."""
    return next(iter(listed(session)), None)


def listed(session: Session) -> list[Backup]:
    """Those that hold most first. A clock may have stood at 1970 after a power cut: the feed's numbers say which of two
    is the later, and only where they are the same the clock does."""
    rows = session.scalars(select(Backup)).all()
    return sorted(rows, key=lambda row: (row.epoch, sum(row.heads.values()), row.made_at, row.backup_id), reverse=True)


def count(connection: Connection, table: Table) -> Counted:
    """The fingerprint of a table."""
    counted = Counted()
    for line in lines(connection, table):
        counted = counted.add(line)
    return counted


def lines(connection: Connection, table: Table) -> Iterator[bytes]:
    """The rows of a table as a backup writes them."""
    names = [str(column.name) for column in table.columns]  # reflected ones carry how they are to be quoted
    for row in connection.execute(select(table), execution_options={"yield_per": ROWS_AT_ONCE}):
        shown = dict(zip(names, row, strict=True))
        yield orjson.dumps(shown, default=_as_json, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def file_place(manifest: Manifest, file: Path, project_id: str, sha256: str) -> tuple[str, Path]:
    """Of an attachment: its name inside the archive, its path beside it."""
    return f"{BESIDE}/{project_id}/{sha256}", _beside(file.parent, project_id, sha256)


def _beside(folder: Path, project_id: str, sha256: str) -> Path:
    return folder / BESIDE / project_id / sha256[:2] / sha256


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """One instant of the database; others go on writing."""
    # Writers do not wait for it: WAL on SQLite, a snapshot on PostgreSQL.
    with snapshots(engine).connect() as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if said != "ok":
                raise DatabaseDamaged(str(said))
        yield connection


def _manifest(connection: Connection, now: datetime, *, is_inside: bool) -> Manifest:
    with Session(connection) as session:
        installation = session.scalars(select(Installation)).one()
        heads = dict(session.execute(select(Project.project_id, Project.head)).all())
        epoch, server_id = installation.epoch, installation.server_id
    return Manifest(uuid7(), server_id, epoch, install.newest_revision(), now, heads, is_inside=is_inside)


def _write(
    connection: Connection, manifest: Manifest, partial: Path, blobs: BlobStore, keys: Sequence[Path], told: Told
) -> None:
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds what people said in confidence
    with os.fdopen(handle, "w+b") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for table in Base.metadata.sorted_tables:
                manifest.tables[table.name] = _write_table(archive, connection, table)
                told(table.name, manifest.tables[table.name].rows)
            for project_id, sha256 in connection.execute(select(Blob.project_id, Blob.sha256)):
                _write_file(archive, manifest, partial, blobs, project_id, sha256)
                told("", manifest.files)
            for key in (key for key in keys if key.is_file()):
                archive.write(key, f"keys/{key.name}")
                manifest.keys.append(key.name)
            archive.writestr(MANIFEST, manifest.dump())
        broken = zipfile.ZipFile(out).testzip()
        if broken is not None:
            raise OSError(f"{partial}: {broken} cannot be read back")
        out.flush()
        os.fsync(out.fileno())


def _write_table(archive: zipfile.ZipFile, connection: Connection, table: Table) -> Counted:
    counted = Counted()
    with archive.open(f"tables/{table.name}.ndjson", "w", force_zip64=True) as out:
        for line in lines(connection, table):
            counted = counted.add(line)
            out.write(line + b"\n")
    return counted


def _write_file(
    archive: zipfile.ZipFile, manifest: Manifest, partial: Path, blobs: BlobStore, project_id: str, sha256: str
) -> None:
    source = blobs.local(project_id, sha256)
    if source is None:
        # A damaged store must not keep the rest from being saved; the page of backups and the doctor say it.
        manifest.files_missing += 1
        return
    name, place = file_place(manifest, partial, project_id, sha256)
    if manifest.is_inside:
        archive.write(source, name, zipfile.ZIP_STORED)  # photos and sound are compressed already
    elif not place.is_file():
        _copy(source, place)
    manifest.files += 1
    manifest.files_size += source.stat().st_size


def _copy(source: Path, place: Path) -> None:
    """The file under its second name; on one disk without taking room."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(source, place)
    except OSError:  # another disk, or one that knows no links
        partial = place.with_name(f".{place.name}.partial")
        shutil.copyfile(source, partial)
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.replace(place)
    fsync(place.parent)


def _settle(partial: Path, file: Path) -> None:
    partial.replace(file)
    fsync(file.parent)


def _as_json(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def tidy(engine: Engine, shelf: Shelf) -> int:
    """Of the scheduled backups on the shelf the first of the list stay; how many went. Their rows stay as history.

    With the last backup that holds it goes a file that was deleted here on purpose."""
    with Session(reader(engine)) as session:
        rows = listed(session)
    on_shelf = [Path(row.file) for row in rows if row.cause == "schedule" and Path(row.file).parent == shelf.folder]
    gone = [file for file in on_shelf if file.is_file()][max(shelf.kept, 1) :]
    for file in gone:
        file.unlink(missing_ok=True)
    for place in _let_go(engine, shelf.folder):
        place.unlink(missing_ok=True)
    return len(gone)


def _let_go(engine: Engine, folder: Path) -> list[Path]:
    """The files beside the backups that were deleted on purpose and that no backup there holds."""
    with Session(reader(engine)) as session:
        rows = session.execute(select(RemovedBlob.project_id, RemovedBlob.sha256)).all()
    removed = {(row.project_id, row.sha256): _beside(folder, *row) for row in rows}
    lying = {key: place for key, place in removed.items() if place.is_file()}
    if not lying or any(folder.glob(".*.partial")):
        return []  # what is being made may hold them
    try:
        held = {key for file in folder.glob("*.zip") for key in _held(file)}
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return []  # nobody knows what this one holds
    return [place for key, place in lying.items() if key not in held]


def _held(file: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(file) as archive, archive.open(f"tables/{Blob.__tablename__}.ndjson") as lines_:
        for row in map(orjson.loads, lines_):
            yield row["project_id"], row["sha256"]
