"""Make a bundle: the operations that somebody lacks, the form versions they tell of, and the files they name."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson
from sqlalchemy import Engine, Select, func, select
from sqlalchemy.orm import Session, undefer

from sync import access, attach, operations, parcel, removed
from sync.access import Actor
from sync.attach import BlobStore
from sync.bundles import standing as bundle_standing
from sync.bundles.errors import BundleExists, NoRoomForBundle
from sync.bundles.key import SigningKey
from sync.bundles.manifest import FILES, FORMS, MANIFEST, OPERATIONS, SIGNATURE, SIGNED, Manifest, Part
from sync.clashes import disputed
from sync.durable import fsync
from sync.engine import in_transaction, reader
from sync.epochs import standing
from sync.errors import NoSuchVersion
from sync.identity import uuid7
from sync.models import Blob, FeedRow, Operation, Peer, Project, Submission, SubmissionAttachment
from sync.operations import Sent
from sync.peers import known
from sync.peers.lag import sent_late, ways_of
from sync.record import record
from sync.room import is_full

PAGE = 500
MOST_FILES = 50_000
"""Files in one bundle; the next one goes on where it ended."""
MOST_LACKING = 20_000
MOST_REMOVED = 20_000
CHUNK = 256 * 1024
LONG_AGO = (1980, 1, 1, 0, 0, 0)

Watch = Callable[[str, int, int], None]
"""(what, how much of it, of how much; 0 when nobody knows)."""


@dataclass(slots=True)
class _Writer:
    """Lines into a part, counted and hashed."""

    out: IO[bytes]
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    lines: int = 0

    def write(self, line: bytes) -> None:
        self.out.write(line + b"\n")
        self.digest.update(line + b"\n")
        self.size += len(line) + 1
        self.lines += 1

    @property
    def part(self) -> Part:
        return Part(self.size, self.digest.hexdigest(), self.lines)


@dataclass(slots=True)
class _Pack:
    """One bundle that is being made."""

    engine: Engine
    blobs: BlobStore
    manifest: Manifest
    peer: Peer | None
    watch: Watch
    versions: dict[tuple[str, str], None] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)

    @property
    def project_id(self) -> str:
        return self.manifest.project

    def write(self, archive: zipfile.ZipFile) -> None:
        late = self._reading(partial(sent_late, peer=self.peer)) if self.peer is not None else []
        with self._part(archive, OPERATIONS) as out:
            self._write_late(out, late)
            for sent, names in self._pages():
                self._write_operations(out, sent.operations, names)
                self.watch("records", self.manifest.operations, 0)
            self._write_waiting(out)
        self.wanted |= {sha256 for _op_id, sha256 in late}
        self.manifest.removed = self._reading(self._removed)
        with self._part(archive, FORMS) as out:
            for form_id, version in self.versions:
                self._write_form(out, form_id, version)
        with self._part(archive, FILES) as out:
            rows = [row for row in self._rows() if self._is_whole(row.sha256)]
            for row in rows:
                out.write(orjson.dumps({"sha256": row.sha256, "size": row.size, "type": row.media_type}))
        self.manifest.files, self.manifest.files_size = len(rows), sum(row.size for row in rows)
        done = 0
        for row in rows:
            self._write_file(archive, row.sha256)
            done += row.size
            self.watch("files", done, self.manifest.files_size)

    def _removed(self, session: Session) -> list[str]:
        """What of it does not come any more: nobody need wait for it."""
        lacks = self.peer.lacks if self.peer is not None else []
        asked = set(self.wanted)
        for start in range(0, len(lacks), PAGE):
            named = SubmissionAttachment.project_id == self.project_id, SubmissionAttachment.sha256.is_not(None)
            some = SubmissionAttachment.instance_id.in_(lacks[start : start + PAGE])
            asked |= set(session.scalars(select(SubmissionAttachment.sha256).where(*named, some)))
        gone = removed.among(session, self.project_id, asked)
        return [sha256 for sha256, row in sorted(gone.items()) if not removed.may_come(row)][:MOST_REMOVED]

    def _part(self, archive: zipfile.ZipFile, name: str) -> _PartOut:
        return _PartOut(archive, name, self.manifest.parts)

    def _pages(self) -> Iterator[tuple[Sent, dict[str, str]]]:
        while len(self.wanted) < MOST_FILES:
            sent, names = self._reading(self._page)
            if sent.until == self.manifest.until:
                return
            self.manifest.until = sent.until
            yield sent, names
        self.manifest.is_all = False

    def _page(self, session: Session) -> tuple[Sent, dict[str, str]]:
        echo = self.peer.echo_seq if self.peer is not None else 0
        sent = operations.after(
            session, self.project_id, self.manifest.until, limit=PAGE, beside=self._beside(), echo=echo
        )
        return sent, operations.names_of(session, self.project_id, sent.operations)

    def _write_operations(self, out: _Writer, written: Iterable[Operation], names: Mapping[str, str]) -> None:
        """As they go over the wire; a line of names ahead of those whose authors it names."""
        if names:
            out.write(orjson.dumps({"names": dict(names)}))
        for operation in written:
            shape = operations.shape_of(operation)
            out.write(orjson.dumps(shape))
            self.manifest.operations += 1
            self.versions |= dict.fromkeys(operations.versions_of([shape]))
            self.wanted |= {str(one["sha256"]) for one in operation.attachments}

    def _write_waiting(self, out: _Writer) -> None:
        """What waits is in no feed: each bundle has all of it that did not come from there."""
        op_ids = self._reading(partial(operations.waiting, project_id=self.project_id))
        beside = self._beside()
        for start in range(0, len(op_ids), PAGE):
            held = self._reading(
                partial(operations.held, project_id=self.project_id, op_ids=op_ids[start : start + PAGE])
            )
            ours = [one for one in held if one.via not in beside]
            names = self._reading(partial(operations.names_of, project_id=self.project_id, written=ours))
            self._write_operations(out, ours, names)

    def _beside(self) -> frozenset[str]:
        is_partial = self.peer is not None and self.manifest.wanted_epoch
        return ways_of(self.peer) if is_partial and self.peer is not None else frozenset()

    def _write_late(self, out: _Writer, late: Iterable[tuple[str, str]]) -> None:
        """Collect sends files after their record: the operation that names them is told once more."""
        op_ids = sorted({op_id for op_id, _sha256 in late})
        for start in range(0, len(op_ids), PAGE):
            part = op_ids[start : start + PAGE]
            found = select(Operation).where(Operation.project_id == self.project_id, Operation.op_id.in_(part))
            for line in self._reading(partial(_lines, found=found)):
                out.write(line)
                self.manifest.operations += 1

    def _write_form(self, out: _Writer, form_id: str, version: str) -> None:
        try:
            packed = self._reading(lambda session: parcel.pack(session, self.project_id, form_id, version))
        except NoSuchVersion:
            return  # its operation is here ahead of it: whoever has it sends it too
        out.write(orjson.dumps(packed))
        self.wanted |= set(parcel.files_of(packed))

    def _rows(self) -> list[Any]:
        """Those of the wanted files that are here, small ones first."""
        hashes, rows = sorted(self.wanted), []
        for start in range(0, len(hashes), PAGE):
            here = (Blob.project_id == self.project_id, Blob.sha256.in_(hashes[start : start + PAGE]))
            found = select(Blob.sha256, Blob.size, Blob.media_type).where(*here)
            rows += self._reading(partial(_all, found=found))
        return sorted(rows, key=lambda row: (row.size, row.sha256))

    def _is_whole(self, sha256: str) -> bool:
        """A file that is damaged here would make the whole bundle look damaged there."""
        place = self.blobs.local(self.project_id, sha256)
        if place is None:
            return False
        with place.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest() == sha256

    def _write_file(self, archive: zipfile.ZipFile, sha256: str) -> None:
        place = self.blobs.local(self.project_id, sha256) or Path(sha256)
        info = zipfile.ZipInfo(f"files/{sha256}", LONG_AGO)  # stored: photos and sound are compressed already
        with place.open("rb") as opened, archive.open(info, "w", force_zip64=True) as out:
            while chunk := opened.read(CHUNK):
                out.write(chunk)

    def _reading(self, act: Callable[[Session], Any]) -> Any:
        with Session(reader(self.engine), expire_on_commit=False) as session:
            return act(session)


def _lines(session: Session, found: Select[Operation]) -> list[bytes]:
    return Sent(session.scalars(found.options(undefer(Operation.xml))).all(), 0).lines()


def _all(session: Session, found: Select[str, int, str]) -> Sequence[Any]:
    return session.execute(found).all()


class _PartOut:
    """A part while it is written; what it came to stands in `parts` afterwards."""

    def __init__(self, archive: zipfile.ZipFile, name: str, parts: dict[str, Part]) -> None:
        self._name, self._parts = name, parts
        info = zipfile.ZipInfo(name, LONG_AGO)
        info.compress_type = zipfile.ZIP_DEFLATED
        self._out = archive.open(info, "w", force_zip64=True)

    def __enter__(self) -> _Writer:
        self._writer = _Writer(self._out)
        return self._writer

    def __exit__(self, *_error: object) -> None:
        self._out.close()
        self._parts[self._name] = self._writer.part


def export(
    engine: Engine,
    blobs: BlobStore,
    file: Path,
    project_id: str,
    *,
    key: SigningKey,
    peer: Peer | None = None,
    since: datetime | None = None,
    watch: Watch = lambda _what, _done, _total: None,
    actor: Actor,
    now: datetime,
) -> Manifest:
    """The file is there, whole and durable: with what `peer` is not known to have, or with everything.

    `since` leaves out what came here earlier. Refuses BundleExists, NoRoomForBundle."""
    access.require(actor, "bundle.carry", project_id)
    if file.exists():
        raise BundleExists(str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    try:
        with Session(reader(engine)) as session:
            manifest = _manifest(session, project_id, key, peer, since, now)
        _write(_Pack(engine, blobs, manifest, peer, watch), partial, key)
        partial.replace(file)
        with suppress(OSError):  # not every kind of stick can be asked for that
            fsync(file.parent)
    except OSError as error:
        if is_full(error):
            raise NoRoomForBundle(str(file)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)
    in_transaction(engine, lambda session: _note(session, manifest, file, peer, actor=actor, now=now))
    return manifest


def _manifest(
    session: Session, project_id: str, key: SigningKey, peer: Peer | None, since: datetime | None, now: datetime
) -> Manifest:
    project, own = session.get_one(Project, project_id), standing(session, project_id)
    after = peer.sent_seq if peer is not None else 0
    if since is not None:
        first = select(func.min(FeedRow.seq)).where(FeedRow.project_id == project_id, FeedRow.at >= since)
        after = max(after, (session.scalar(first) or own.head + 1) - 1)
    return Manifest(
        bundle_id=uuid7(),
        project=project_id,
        project_name=project.name,
        server=own.server_id,
        key=key.public,
        epoch=own.epoch,
        forks=[dict(fork) for fork in own.forks],
        made_at=now,
        after=after,
        until=after,
        wanted_by=peer.peer_id if peer is not None else "",
        wanted_epoch=peer.epoch if peer is not None else 0,
        known=peer.sent_seq if peer is not None else 0,
        read=bundle_standing.reads(known(session, project_id)),
        lacks=_lacking(session, project_id),
    )


def _lacking(session: Session, project_id: str) -> list[str]:
    """Records that are here without all of their attachments, or without those that an open conflict shows."""
    found = select(Submission.instance_id).where(
        Submission.project_id == project_id, Submission.attachments_missing > 0, Submission.is_deleted.is_(False)
    )
    records = dict.fromkeys(session.scalars(found.order_by(Submission.received_at.desc()).limit(MOST_LACKING)))
    shown = disputed(session, project_id)
    unseen = {sha256 for sha256, _size in attach.missing(session, project_id, [(one.sha256, 0) for one in shown])}
    return list(records | dict.fromkeys(one.record_id for one in shown if one.sha256 in unseen))


def _write(pack: _Pack, partial: Path, key: SigningKey) -> None:
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds what people said in confidence
    with os.fdopen(handle, "w+b") as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            pack.write(archive)
            told = pack.manifest.dump()
            archive.writestr(zipfile.ZipInfo(MANIFEST, LONG_AGO), told)
            archive.writestr(zipfile.ZipInfo(SIGNATURE, LONG_AGO), key.sign(SIGNED + told))
        out.flush()
        os.fsync(out.fileno())


def _note(session: Session, manifest: Manifest, file: Path, peer: Peer | None, *, actor: Actor, now: datetime) -> None:
    if peer is not None:
        row = session.get(Peer, (peer.project_id, peer.peer_id))
        if row is not None:
            row.exported_at = now
    detail = {"name": peer.name if peer else "", "file": file.name, "operations": manifest.operations}
    detail |= {"files": manifest.files, "size": file.stat().st_size}
    target = ("bundle", manifest.bundle_id)
    record(session, "bundle.export", actor=actor, at=now, project_id=manifest.project, target=target, detail=detail)
