"""Attachments by content: the bytes first, durable under their SHA-256, then the row.

Finished files lie in `root/<project>/<first two digits>/<sha256>`, unfinished uploads in `root/<project>/partial`.
With a bucket, finished files lie there, and the folder keeps copies of what was used lately.
A row in `blob` therefore means kept bytes that hash to their name, whatever died in between."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import removed
from sync.durable import fsync
from sync.errors import BadName, BlobTooLarge, HashMismatch, StorageFull, WrongOffset
from sync.lock import lock_project
from sync.models import Blob, RemovedBlob, Submission, SubmissionAttachment, Upload
from sync.room import is_full

if TYPE_CHECKING:
    from sync.bucket import Bucket

CHUNK = 256 * 1024
RESERVE = 64 * 2**20
"""Bytes that uploads leave free: on a full disk the database could not even note what has arrived."""
CHECK_EVERY = 8 * 2**20


class UploadBusy(Problem):
    """This file is being uploaded by another request right now. Wait a little, then go on from its offset."""

    kind = Kind.BUSY
    slug = "attachment/upload-busy"


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are durable on disk. `size` in bytes, hashes in hex."""

    sha256: str
    md5: str
    size: int
    path: Path | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class BlobStore:
    """Where attachments are. It knows no database: `keep` makes the row."""

    root: Path
    reserve: int = RESERVE
    bucket: Bucket | None = None

    def write(
        self, project_id: str, chunks: Iterable[bytes], *, limit: int, expected_sha256: str | None = None
    ) -> Stored:
        """The bytes, durable under their hash. Refuses BlobTooLarge as soon as they pass `limit`, HashMismatch
        and StorageFull; then nothing stays behind."""
        if expected_sha256 is not None:
            _hash_name(expected_sha256)
        temporary = self._folder(project_id, "partial") / f"new-{uuid.uuid4().hex}"
        try:
            with self._noticing_a_full_disk():
                stored = self._write_hashed(temporary, chunks, limit)
                if expected_sha256 not in (None, stored.sha256):
                    raise HashMismatch(expected_sha256 or "")
                return self._keep(temporary, stored, project_id)
        finally:
            temporary.unlink(missing_ok=True)

    def local(self, project_id: str, sha256: str) -> Path | None:
        """The finished file on this machine, fetched from the bucket if need be; None when there is none.

        Refuses BadName, StorageFull, HashMismatch when the bucket holds other bytes under this name."""
        place = self._place_of(project_id, sha256)
        if place.is_file():
            if self.bucket is not None:
                place.touch()  # used today: the copy stays
            return place
        if self.bucket is None or not self.bucket.has(self._name(project_id, sha256)):
            return None
        chunks = self.bucket.chunks(self._name(project_id, sha256))
        temporary = self._folder(project_id, "partial") / f"copy-{uuid.uuid4().hex}"
        try:
            with self._noticing_a_full_disk():
                stored = self._write_hashed(temporary, chunks, shutil.disk_usage(self._existing_root()).free)
                if stored.sha256 != sha256:
                    raise HashMismatch(sha256)
                self._settle(temporary, place)
                return place
        finally:
            temporary.unlink(missing_ok=True)

    def has(self, project_id: str, sha256: str) -> bool:
        if self.bucket is not None:
            return self.bucket.has(self._name(project_id, sha256))
        return self.is_here(project_id, sha256)

    def is_here(self, project_id: str, sha256: str) -> bool:
        """Whether the finished file is on this machine, with or without a row."""
        return self._place_of(project_id, sha256).is_file()

    def offset(self, project_id: str, sha256: str) -> int:
        """How many bytes of an unfinished upload are on disk for good."""
        try:
            with self._partial(project_id, sha256).open("rb+") as file:
                os.fsync(file.fileno())
                return os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            return 0

    def append(
        self, project_id: str, sha256: str, offset: int, chunks: Iterable[bytes], *, size: int, limit: int
    ) -> int:
        """The new offset, after its bytes are on disk. `size` is what the whole file was announced to have.

        What arrived before a connection broke is kept. Refuses BlobTooLarge beyond `size` or `limit`, WrongOffset,
        UploadBusy while another request appends, StorageFull."""
        if size > limit:
            raise BlobTooLarge(limit=limit)
        partial = self._partial(project_id, sha256)
        if offset and not partial.exists():
            # Perhaps it is finished: an empty file in its place would say that nothing of it is here.
            raise WrongOffset(offset=0)
        with self._noticing_a_full_disk(), self._locked(partial) as file:
            reached = file.seek(0, os.SEEK_END)
            if reached != offset:
                raise WrongOffset(offset=reached)
            try:
                self._copy(chunks, file, room=size - reached, limit=size)
            finally:
                file.flush()
                os.fsync(file.fileno())
            return file.tell()

    def finish(self, project_id: str, sha256: str) -> Stored:
        """The upload in its place, checked against its name. Refuses HashMismatch: then it starts again from 0.

        Safe to repeat: a finished file is only measured again."""
        partial = self._partial(project_id, sha256)
        place = None if partial.exists() else self.local(project_id, sha256)
        if place is not None:
            return replace(_measured(place), path=place)
        with self._noticing_a_full_disk(), self._locked(partial) as file:
            stored = _measured(partial)
            if stored.sha256 != sha256:
                partial.unlink()
                raise HashMismatch(sha256)
            os.fsync(file.fileno())
            return self._keep(partial, stored, project_id)

    def forget(self, project_id: str, sha256: str) -> None:
        """An unfinished upload is given up."""
        self._partial(project_id, sha256).unlink(missing_ok=True)

    def drop(self, project_id: str, sha256: str, *, before: datetime) -> bool:
        """The file is gone, unless it came again since `before`; whether it is. Its row must be gone already."""
        place = self._place_of(project_id, sha256)
        if self.bucket is not None:
            is_gone = self.bucket.delete(self._name(project_id, sha256), before=before)
            if is_gone:
                place.unlink(missing_ok=True)  # a copy, however lately it was used
            return is_gone
        aside = self._folder(project_id, "partial") / f"old-{uuid.uuid4().hex}"
        try:
            place.rename(aside)
        except FileNotFoundError:
            return True
        # Looked at where nobody can replace it any more.
        if aside.stat().st_mtime >= before.timestamp():
            aside.replace(place)
            return False
        aside.unlink()
        return True

    def sweep(self, *, before: datetime) -> int:
        """Unfinished files that nobody has touched since `before` are gone; how many there were."""
        return _unlink_older(self.root.glob("*/partial/*"), before)

    def drop_copies(self, *, before: datetime) -> int:
        """Copies of what the bucket keeps, unused since `before`, are gone; how many there were."""
        return _unlink_older(self.root.glob("*/[0-9a-f][0-9a-f]/*"), before) if self.bucket is not None else 0

    def check_room(self, size: int = 0) -> None:
        """Refuse with StorageFull when `size` more bytes would eat into the reserve."""
        if shutil.disk_usage(self._existing_root()).free < size + self.reserve:
            raise StorageFull

    def _write_hashed(self, temporary: Path, chunks: Iterable[bytes], limit: int) -> Stored:
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

        def hashed() -> Iterator[bytes]:
            for chunk in chunks:
                sha256.update(chunk)
                md5.update(chunk)
                yield chunk

        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            self._copy(hashed(), file, room=limit, limit=limit)
            file.flush()
            os.fsync(file.fileno())
            return Stored(sha256.hexdigest(), md5.hexdigest(), file.tell())

    def _copy(self, chunks: Iterable[bytes], file: BinaryIO, *, room: int, limit: int) -> None:
        self.check_room()
        unchecked = 0
        for chunk in chunks:
            room -= len(chunk)
            if room < 0:
                raise BlobTooLarge(limit=limit)
            file.write(chunk)
            unchecked += len(chunk)
            if unchecked >= CHECK_EVERY:
                self.check_room()
                unchecked = 0

    def _keep(self, temporary: Path, stored: Stored, project_id: str) -> Stored:
        place = self._place_of(project_id, stored.sha256)
        if self.bucket is not None:
            self.bucket.put(self._name(project_id, stored.sha256), temporary)
        self._settle(temporary, place)
        return replace(stored, path=place)

    def _settle(self, temporary: Path, place: Path) -> None:
        self._folder(place.parent.parent.name, place.parent.name)
        temporary.replace(place)
        fsync(place.parent)

    def _place_of(self, project_id: str, sha256: str) -> Path:
        return self.root / self._name(project_id, sha256)

    @staticmethod
    def _name(project_id: str, sha256: str) -> str:
        return f"{_project_name(project_id)}/{_hash_name(sha256)[:2]}/{sha256}"

    def _partial(self, project_id: str, sha256: str) -> Path:
        return self._folder(project_id, "partial") / _hash_name(sha256)

    def _folder(self, project_id: str, name: str) -> Path:
        """The folder, whose own entry is durable too when it is new."""
        folder = self.root / _project_name(project_id) / name
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for above in (folder.parent, folder.parent.parent, self.root.parent):
                fsync(above)
        return folder

    def _existing_root(self) -> Path:
        return next(folder for folder in (self.root, *self.root.parents) if folder.exists())

    @contextmanager
    def _locked(self, partial: Path) -> Iterator[BinaryIO]:
        with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadBusy from None
            # Between our open and our lock, another request may have finished and moved this very file.
            if not partial.exists() or not os.path.samestat(partial.stat(), os.fstat(file.fileno())):
                raise UploadBusy
            yield file

    @staticmethod
    @contextmanager
    def _noticing_a_full_disk() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if is_full(error):
                raise StorageFull from error
            raise


def keep(session: Session, project_id: str, stored: Stored, *, media_type: str, now: datetime) -> Blob:
    """The row of bytes that `BlobStore` has made durable; the submissions that waited for them wait no longer."""
    dialect = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(
        dialect(Blob)
        .values(
            project_id=project_id, sha256=stored.sha256, size=stored.size, media_type=media_type[:255], created_at=now
        )
        .on_conflict_do_nothing()
    )
    for what in (Upload, RemovedBlob):
        session.execute(delete(what).where(what.project_id == project_id, what.sha256 == stored.sha256))
    _settle(session, project_id, stored.sha256, now=now)
    return session.get_one(Blob, (project_id, stored.sha256))


def give_up(session: Session, project_id: str, sha256: str, *, now: datetime) -> None:
    """Another server has deleted the file on purpose before it came here: nobody is asked for it any more. Who has it
    all the same may still send it."""
    dialect = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    told: dict[str, object] = {
        "project_id": project_id,
        "sha256": _hash_name(sha256),
        "media_type": "",
        "rule": removed.ELSEWHERE,
    }
    told |= {"removed_at": now, "is_refused": False, "is_on_disk": False}
    if blob(session, project_id, sha256) is None:
        session.execute(dialect(RemovedBlob).values(told).on_conflict_do_nothing())
        _settle(session, project_id, sha256, now=now)


def blob(session: Session, project_id: str, sha256: str) -> Blob | None:
    return session.get(Blob, (project_id, sha256))


def missing(session: Session, project_id: str, wanted: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those of the (sha256, size) whose bytes are wanted and not here yet, in the same order, each once. Refuses
    BadName."""
    names = [_hash_name(sha256) for sha256, _size in wanted]
    known = removed.refused(session, project_id, names)
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        known.update(session.scalars(select(Blob.sha256).where(Blob.project_id == project_id, Blob.sha256.in_(part))))
    return [(sha256, size) for sha256, size in dict(wanted).items() if sha256 not in known]


def begin(
    session: Session, project_id: str, sha256: str, size: int, *, device_id: str | None, limit: int, now: datetime
) -> Upload:
    """A resumable upload of `size` bytes may go on from its offset. Refuses BlobTooLarge, BadName."""
    if size > limit:
        raise BlobTooLarge(limit=limit)
    known = session.get(Upload, (project_id, _hash_name(sha256)))
    if known is not None:
        known.size = size
        return known
    values = {"project_id": project_id, "sha256": sha256, "size": size, "device_id": device_id, "created_at": now}
    dialect = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(dialect(Upload).values(values).on_conflict_do_nothing())
    return session.get_one(Upload, (project_id, sha256))


def upload(session: Session, project_id: str, sha256: str) -> Upload | None:
    """The upload that has begun under this hash."""
    return session.get(Upload, (project_id, _hash_name(sha256)))


def _settle(session: Session, project_id: str, sha256: str, *, now: datetime) -> None:
    # Whoever judges submissions holds this lock too. Without it, a file and the submission that names it could
    # arrive at once and not see each other, and the record would wait for ever.
    lock_project(session, project_id)
    rows = (
        SubmissionAttachment.project_id == project_id,
        SubmissionAttachment.sha256 == sha256,
        SubmissionAttachment.arrived_at.is_(None),
    )
    waiting = set(session.scalars(select(SubmissionAttachment.instance_id).where(*rows)))
    session.execute(update(SubmissionAttachment).where(*rows).values(arrived_at=now))
    for instance_id in sorted(waiting):
        session.execute(
            update(Submission)
            .where(Submission.project_id == project_id, Submission.instance_id == instance_id)
            .values(attachments_missing=_still_missing(session, project_id, instance_id))
        )


def _still_missing(session: Session, project_id: str, instance_id: str) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                SubmissionAttachment.project_id == project_id,
                SubmissionAttachment.instance_id == instance_id,
                SubmissionAttachment.is_expected,
                SubmissionAttachment.arrived_at.is_(None),
            )
        )
        or 0
    )


def _measured(file: Path) -> Stored:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            sha256.update(chunk)
            md5.update(chunk)
            size += len(chunk)
    return Stored(sha256.hexdigest(), md5.hexdigest(), size)


def _unlink_older(files: Iterable[Path], before: datetime) -> int:
    stale = [file for file in files if file.stat().st_mtime < before.timestamp()]
    for file in stale:
        file.unlink(missing_ok=True)
    return len(stale)


def _hash_name(sha256: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise BadName(sha256[:100])
    return sha256


def _project_name(project_id: str) -> str:
    return str(uuid.UUID(project_id))
