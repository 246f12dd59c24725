"""Attachments between two servers, both ways; a broken line costs no more than a piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import attach, removed
from sync.attach import BlobStore
from sync.clashes import disputed
from sync.device.media import Kept
from sync.device.outbox import LARGEST_BATCH, LARGEST_BATCH_BYTES, Waiting
from sync.device.upload import Uploader
from sync.engine import in_transaction
from sync.models import Blob, Operation, RemovedBlob, SubmissionAttachment
from sync.operations import Sent
from sync.peers.talk import Talk

OVERLAP = timedelta(minutes=10)
"""An attachment's row says when its request came, and is committed later."""
PIECE = 4 * 2**20

Send = Callable[[Sequence[Waiting], Mapping[str, str]], None]


def send_all(talk: Talk, send: Send) -> None:
    """The peer has the attachments that came here since it was offered some last."""
    began = talk.clock()
    found = select(Blob.sha256, Blob.size, Blob.media_type).where(Blob.project_id == talk.project_id)
    if talk.peer.files_until_at is not None:
        found = found.where(Blob.created_at >= talk.peer.files_until_at - OVERLAP)
    rows = talk.reading(lambda session: session.execute(found.order_by(Blob.size, Blob.sha256)).all())
    upload(talk, [Kept(row.sha256, row.sha256, row.size, row.media_type) for row in rows])
    _name_late(talk, [row.sha256 for row in rows], send)
    talk.keep(files_until_at=began)


def fetch_all(talk: Talk) -> None:
    """What our records name, or an open conflict about files, and is not here is fetched, unless the peer lacks it
    too, or either server has deleted it on purpose."""
    wanted = select(SubmissionAttachment.sha256, SubmissionAttachment.media_type).where(
        SubmissionAttachment.project_id == talk.project_id,
        SubmissionAttachment.sha256.is_not(None),
        SubmissionAttachment.arrived_at.is_(None),
    )
    for sha256, media_type in talk.reading(lambda session: session.execute(wanted.distinct()).all()):
        fetch(talk, str(sha256), media_type)
    for sha256, media_type in talk.reading(lambda session: _disputed(session, talk.project_id)).items():
        fetch(talk, sha256, media_type)


def _disputed(session: Session, project_id: str) -> Mapping[str, str]:
    """The files that an open conflict shows, by hash, but for those that were deleted on purpose; their media type."""
    named = {one.sha256: one.media_type for one in disputed(session, project_id)}
    gone = removed.among(session, project_id, named)
    return {sha256: media_type for sha256, media_type in named.items() if _may_come(gone.get(sha256))}


def _may_come(gone: RemovedBlob | None) -> bool:
    return gone is None or removed.may_come(gone)


def unnamed(session: Session, project_id: str) -> list[str]:
    """The records that lack a file of which only the name is known."""
    found = select(SubmissionAttachment.instance_id).where(
        SubmissionAttachment.project_id == project_id,
        SubmissionAttachment.sha256.is_(None),
        SubmissionAttachment.is_expected,
        SubmissionAttachment.arrived_at.is_(None),
    )
    return sorted(session.scalars(found.distinct()))


def fetch(talk: Talk, sha256: str, media_type: str = "") -> None:
    """The file is here, unless the other server lacks it too."""
    if talk.reading(lambda session: attach.blob(session, talk.project_id, sha256)) is not None:
        return
    blobs, project_id = talk.blobs, talk.project_id
    path, missing = f"{talk.path}/blobs/{sha256}", frozenset({404, 410, 416})
    while True:
        offset = blobs.offset(project_id, sha256)
        wanted = {"Range": f"bytes={offset}-{offset + PIECE - 1}"}
        answer = talk.link.ask("GET", path, expected=missing, headers=wanted)
        if answer.status == 410:
            _give_up(talk, sha256)
        if answer.status in (404, 410):
            return
        size = int(answer.headers.get("Content-Range", "").rpartition("/")[2] or len(answer.body))
        if answer.status != 416 and answer.body:
            offset = blobs.append(project_id, sha256, offset, [answer.body], size=size, limit=size)
        if offset >= size:
            break
    stored, at = blobs.finish(project_id, sha256), talk.clock()
    in_transaction(
        talk.engine,
        lambda session: attach.keep(session, project_id, stored, media_type=media_type, now=at),
    )
    talk.carried.files_received += 1


def _give_up(talk: Talk, sha256: str) -> None:
    at = talk.clock()
    in_transaction(talk.engine, lambda session: attach.give_up(session, talk.project_id, sha256, now=at))


def upload(talk: Talk, files: Sequence[Kept]) -> None:
    """The peer has these."""
    shelf = _Shelf(talk.blobs, talk.project_id, list(files))
    talk.carried.files_sent += Uploader(shelf, shelf, talk.link, talk.path, lambda _progress: None).run().files


def kept(session: Session, project_id: str, hashes: Sequence[str]) -> list[Kept]:
    """Those of these that are here."""
    rows = session.scalars(select(Blob).where(Blob.project_id == project_id, Blob.sha256.in_(hashes)))
    return [Kept(one.sha256, one.sha256, one.size, one.media_type) for one in rows]


def _name_late(talk: Talk, hashes: Sequence[str], send: Send) -> None:
    """Collect sends files after their record: the operation that names them is told once more."""
    since = talk.peer.files_until_at
    if since is None or not hashes:
        return
    lines = talk.reading(lambda session: _late(session, talk.project_id, hashes, since))
    for batch in batches(lines):
        send(batch, {})


def batches(lines: Iterable[bytes]) -> Iterator[list[Waiting]]:
    """As much as one push may bring, or one operation that is larger by itself."""
    batch: list[Waiting] = []
    size = 0
    for line in lines:
        if batch and (size + len(line) > LARGEST_BATCH_BYTES or len(batch) == LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(Waiting("", line))
        size += len(line) + 1
    if batch:
        yield batch


def _late(session: Session, project_id: str, hashes: Sequence[str], since: datetime) -> list[bytes]:
    on_record: Any = (SubmissionAttachment.project_id == Operation.project_id) & (
        SubmissionAttachment.instance_id == Operation.record_id
    )
    named = (
        select(Operation)
        .join(SubmissionAttachment, on_record)
        .where(Operation.project_id == project_id, Operation.state == "ready", Operation.origin.like("x~%"))
        .where(SubmissionAttachment.sha256.in_(hashes), Operation.received_at < since)
    )
    return Sent(session.scalars(named.distinct()).all(), 0).lines()


@dataclass(slots=True)
class _Shelf:
    """Stored attachments as an uploader asks for them."""

    blobs: BlobStore
    project_id: str
    waiting: list[Kept]

    def files(self) -> list[Kept]:
        return self.waiting

    def file_sent(self, sha256: str) -> None:
        """The other server tells what it has whenever it is asked."""

    def path(self, sha256: str) -> Path:
        return self.blobs.local(self.project_id, sha256) or Path(sha256)
