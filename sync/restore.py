"""Restore a backup into an empty place, checked row by row and file by file; or only try whether it could be.

The restored database opens a new epoch in the transaction that brings its rows: there is no moment at which it could be
taken for the one that went on after the backup."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import Connection, DateTime, Engine, LargeBinary, MetaData, Table, func, insert, inspect, select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import epochs, install
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.backup import FORMAT, MANIFEST, ROWS_AT_ONCE, VERSION, Counted, Manifest, count, file_place, keep
from sync.engine import connect, in_transaction, reader
from sync.models import Account, Backup, Project
from sync.models.base import Instant

CHUNK = 256 * 1024
LARGEST_MANIFEST = 16 * 2**20
SHOWN = 5


class NotABackup(Problem):
    """This file is not a backup of Lapangan, or not a whole one. Choose the file that `lapangan backup` made."""

    slug = "backup/not-a-backup"


class BackupDamaged(Problem):
    """This backup is damaged: what is in it is not what was put in. Nothing was restored; take an earlier one."""

    kind = Kind.CONFLICT
    slug = "backup/damaged"


class NewerBackup(Problem):
    """This backup was made by a newer version of the program. Install that version, then restore it."""

    kind = Kind.CONFLICT
    slug = "backup/newer"


class FilesMissing(Problem):
    """Attachments of this backup are not there. Put the folder "files" that lay beside it there again, then repeat."""

    kind = Kind.CONFLICT
    slug = "backup/files-missing"


class NotEmpty(Problem):
    """There are data here already, and a restore overwrites nothing. Choose an empty data folder and database."""

    kind = Kind.CONFLICT
    slug = "backup/not-empty"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is here now. `heads` by project: up to there the old epoch counts."""

    manifest: Manifest
    epoch: int
    seconds: float

    @property
    def heads(self) -> Mapping[str, int]:
        return self.manifest.heads


@dataclass(frozen=True, slots=True)
class Drilled:
    """A backup that could be restored: every row and every file is what it was."""

    manifest: Manifest
    seconds: float


def restore(engine: Engine, blobs: BlobStore, file: Path, *, key_folder: Path | None = None, now: datetime) -> Restored:
    """This empty installation is the one of the backup, in a new epoch.

    Refuses NotABackup, NewerBackup, NotEmpty, FilesMissing, BackupDamaged; then nothing of it is here."""
    began = time.monotonic()
    with _opened(file) as (archive, manifest):
        _refuse_unempty(engine, blobs)
        _require_files(archive, manifest, file)
        for project_id, sha256, chunks in _files(archive, manifest, file):
            with closing(chunks):
                _keep_file(blobs, project_id, sha256, chunks)
        epoch = _load(engine, archive, manifest, lambda session: _open(session, manifest, file, now))
        install.upgrade(engine)
        in_transaction(engine, lambda session: epochs.note_epoch(session, epoch, actor=SYSTEM, now=now))
        if key_folder is not None:
            _restore_keys(archive, manifest, key_folder)
    return Restored(manifest, epoch, time.monotonic() - began)


def drill(file: Path, *, engine: Engine | None = None, now: datetime) -> Drilled:
    """Restore the backup in a temporary place and compare every count and hash; the outcome is noted in the database
    of `engine`, if this backup is known there. Refuses what `restore` refuses of a bad backup."""
    began = time.monotonic()
    try:
        with _opened(file) as (archive, manifest):
            _require_files(archive, manifest, file)
            for _project_id, sha256, chunks in _files(archive, manifest, file):
                with closing(chunks):
                    _check_file(sha256, chunks)
            with tempfile.TemporaryDirectory(prefix="lapangan-drill-") as folder:
                tried = connect(f"sqlite:///{folder}/drill.sqlite3")
                try:
                    _load(tried, archive, manifest, lambda _session: 0)
                    install.upgrade(tried)
                finally:
                    tried.dispose()
    except Problem as problem:
        _note(engine, file, None, f"{problem.title()} {problem.detail}".strip(), now)
        raise
    _note(engine, file, manifest.backup_id, "", now)
    return Drilled(manifest, time.monotonic() - began)


def read_manifest(file: Path) -> Manifest:
    """What the backup says of itself. Refuses NotABackup, NewerBackup."""
    with _opened(file) as (_archive, manifest):
        return manifest


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    try:
        archive = zipfile.ZipFile(file)
    except (OSError, zipfile.BadZipFile) as error:
        raise NotABackup(str(file), reason=str(error)) from error
    with archive:
        yield archive, _manifest(archive, file)


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    try:
        if archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
            raise NotABackup(str(file))
        told = orjson.loads(archive.read(MANIFEST))
        if told.pop("format") != FORMAT:
            raise NotABackup(str(file))
        version = told.pop("version")
        if version > VERSION:
            raise NewerBackup(str(file))
        tables = {name: Counted(one["rows"], int(one["sha256"], 16)) for name, one in told.pop("tables").items()}
        made_at = datetime.fromisoformat(told.pop("made_at"))
        manifest = Manifest(tables=tables, made_at=made_at, **told)
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise NotABackup(str(file), reason=str(error)) from error
    if manifest.revision not in install.revisions():
        raise NewerBackup(str(file))
    return manifest


def _refuse_unempty(engine: Engine, blobs: BlobStore) -> None:
    if inspect(engine).has_table(Project.__tablename__):
        with Session(reader(engine)) as session:
            kept = sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in (Project, Account))
        if kept:
            raise NotEmpty(engine.url.render_as_string())
    if blobs.root.exists() and any(path.is_file() for path in blobs.root.rglob("*")):
        raise NotEmpty(str(blobs.root))
    if install.current_revision(engine) is not None:
        install.downgrade(engine, "base")


def _blob_rows(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    for line in _member_lines(archive, "blob"):
        row = orjson.loads(line)
        yield row["project_id"], row["sha256"]


def _require_files(archive: zipfile.ZipFile, manifest: Manifest, file: Path) -> None:
    """As many as were missing when it was made may be missing now."""
    inside = frozenset(archive.namelist())
    missing = []
    for project_id, sha256 in _blob_rows(archive):
        name, place = file_place(manifest, file, project_id, sha256)
        if not (name in inside if manifest.is_inside else place.is_file()):
            missing.append(sha256)
    if len(missing) > manifest.files_missing:
        shown = ", ".join(missing[:SHOWN])
        raise FilesMissing(f"{len(missing)}: {shown}{' ...' if len(missing) > SHOWN else ''}", count=len(missing))


def _files(
    archive: zipfile.ZipFile, manifest: Manifest, file: Path
) -> Iterator[tuple[str, str, Generator[bytes, None, None]]]:
    inside = frozenset(archive.namelist())
    for project_id, sha256 in _blob_rows(archive):
        name, place = file_place(manifest, file, project_id, sha256)
        if manifest.is_inside and name in inside:
            yield project_id, sha256, _chunks(archive.open(name))
        elif not manifest.is_inside and place.is_file():
            yield project_id, sha256, _chunks(place.open("rb"))


def _chunks(opened: IO[bytes]) -> Generator[bytes, None, None]:
    with opened:
        try:
            while chunk := opened.read(CHUNK):
                yield chunk
        except zipfile.BadZipFile as error:
            raise BackupDamaged(str(error)) from error


def _keep_file(blobs: BlobStore, project_id: str, sha256: str, chunks: Iterator[bytes]) -> None:
    stored = blobs.write(project_id, chunks, limit=2**62)
    if stored.sha256 != sha256:
        raise BackupDamaged(sha256)


def _check_file(sha256: str, chunks: Iterator[bytes]) -> None:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise BackupDamaged(sha256)


def _load(engine: Engine, archive: zipfile.ZipFile, manifest: Manifest, finish: Callable[[Session], int]) -> int:
    """The rows, as the tables were when the backup was made; what `finish` returns, in the same transaction."""
    install.upgrade(engine, manifest.revision)

    def act(session: Session) -> int:
        connection = session.connection()
        tables = _reflected(connection)
        if manifest.tables.keys() != tables.keys():
            raise BackupDamaged(", ".join(sorted(manifest.tables.keys() ^ tables.keys())))
        for name, table in tables.items():
            _load_table(connection, archive, table, manifest.tables[name])
        for name, table in tables.items():
            if count(connection, table) != manifest.tables[name]:
                raise BackupDamaged(name)
        return finish(session)

    finished: int = in_transaction(engine, act)
    return finished


def _reflected(connection: Connection) -> dict[str, Table]:
    """The tables as they are in this database, what is referred to first: our models may be newer."""
    metadata = MetaData()
    metadata.reflect(connection)
    return {table.name: _typed(table) for table in metadata.sorted_tables if table.name != "alembic_version"}


def _typed(table: Table) -> Table:
    """Instants as our models read and write them, on both databases."""
    for column in table.columns:
        if isinstance(column.type, DateTime):
            column.type = Instant()
    return table


def _load_table(connection: Connection, archive: zipfile.ZipFile, table: Table, expected: Counted) -> None:
    readers = {column.name: read for column in table.columns if (read := _reader(column.type)) is not None}
    counted, waiting = Counted(), []
    for line in _member_lines(archive, table.name):
        counted = counted.add(line)
        row = orjson.loads(line)
        waiting.append(row | {name: read(row[name]) for name, read in readers.items() if row[name] is not None})
        if len(waiting) == ROWS_AT_ONCE:
            connection.execute(insert(table), waiting)
            waiting = []
    if waiting:
        connection.execute(insert(table), waiting)
    if counted != expected:
        raise BackupDamaged(table.name)


def _reader(kind: Any) -> Callable[[str], Any] | None:
    if isinstance(kind, Instant):
        return datetime.fromisoformat
    return base64.b64decode if isinstance(kind, LargeBinary) else None


def _member_lines(archive: zipfile.ZipFile, table: str) -> Iterator[bytes]:
    try:
        with archive.open(f"tables/{table}.ndjson") as opened:
            for line in opened:
                yield line.rstrip(b"\n")
    except (KeyError, zipfile.BadZipFile) as error:
        raise BackupDamaged(table, reason=str(error)) from error


def _open(session: Session, manifest: Manifest, file: Path, now: datetime) -> int:
    keep(session, manifest, file, cause="restore")
    return epochs.open_epoch(session, source=file.name, state_at=manifest.made_at, now=now)


def _restore_keys(archive: zipfile.ZipFile, manifest: Manifest, folder: Path) -> None:
    for name in manifest.keys:
        place = folder / Path(name).name
        place.touch(mode=0o600)
        place.write_bytes(archive.read(f"keys/{name}"))


def _note(engine: Engine | None, file: Path, backup_id: str | None, error: str, now: datetime) -> None:
    """A damaged file cannot say which backup it is: then its path does."""
    if engine is None:
        return

    def act(session: Session) -> None:
        same = Backup.backup_id == backup_id if backup_id else Backup.file == str(file)
        for row in session.scalars(select(Backup).where(same)):
            row.drilled_at, row.drill_error = now, error[:2000]

    in_transaction(engine, act)
