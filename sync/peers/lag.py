"""What another server has not got from us."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from sync.models import Blob, FeedRow, FormAttachment, Operation, Peer, SubmissionAttachment


@dataclass(frozen=True, slots=True)
class Lag:
    """What is not there yet; `size` is that of the files, in bytes."""

    operations: int
    files: int
    size: int


def ways_of(peer: Peer) -> frozenset[str]:
    """By which ways its operations come here: over its own line, and over ours."""
    return frozenset(way for way in (peer.peer_id, peer.here_id) if way)


def lag(session: Session, peer: Peer) -> Lag:
    """What this peer has not got from us."""
    seqs = (
        select(func.count())
        .select_from(FeedRow)
        .join(Operation, (Operation.project_id == FeedRow.project_id) & (Operation.op_id == FeedRow.op_id))
        .where(FeedRow.project_id == peer.project_id, FeedRow.seq > peer.sent_seq)
        .where(is_ours(peer) | (FeedRow.seq <= peer.echo_seq))
    )
    rows = _new_files(peer, select(func.count(), func.coalesce(func.sum(Blob.size), 0)))
    files, size = session.execute(rows).one()
    return Lag(session.scalar(seqs) or 0, files, int(size))


def is_ours(peer: Peer) -> ColumnElement[bool]:
    """Whether an operation did not come from this peer."""
    return or_(Operation.via.is_(None), Operation.via.not_in(sorted(ways_of(peer))))


def sent_late(session: Session, peer: Peer) -> list[tuple[str, str]]:
    """(op_id, SHA-256) of attachments that came after what names them had been told to this peer."""
    if peer.files_until_at is None or not peer.sent_seq:
        return []
    named = _naming(peer).join(
        FeedRow, and_(FeedRow.project_id == Operation.project_id, FeedRow.op_id == Operation.op_id)
    )
    rows = named.where(FeedRow.seq <= peer.sent_seq, Blob.created_at > peer.files_until_at)
    return [(op_id, sha256) for op_id, sha256 in session.execute(rows.distinct())]


def _naming(peer: Peer) -> Select[str, str]:
    on_record = and_(
        SubmissionAttachment.project_id == Operation.project_id,
        SubmissionAttachment.instance_id == Operation.record_id,
    )
    here = and_(Blob.project_id == SubmissionAttachment.project_id, Blob.sha256 == SubmissionAttachment.sha256)
    return (
        select(Operation.op_id, Blob.sha256)
        .join(SubmissionAttachment, on_record)
        .join(Blob, here)
        .where(Operation.project_id == peer.project_id, Operation.kind == "submission", Operation.state == "ready")
        .where(is_ours(peer))
    )


def _new_files(peer: Peer, rows: Select[int, int]) -> Select[int, int]:
    """Of our attachments and form files, those that have not been offered."""
    by_record = (
        exists()
        .where(SubmissionAttachment.project_id == Blob.project_id, SubmissionAttachment.sha256 == Blob.sha256)
        .where(Operation.project_id == Blob.project_id, Operation.record_id == SubmissionAttachment.instance_id)
        .where(Operation.kind == "submission", is_ours(peer))
    )
    by_form = (
        exists()
        .where(FormAttachment.project_id == Blob.project_id, FormAttachment.sha256 == Blob.sha256)
        .where(Operation.project_id == Blob.project_id, Operation.record_id == FormAttachment.form_id)
        .where(Operation.kind == "form", is_ours(peer))
    )
    found = rows.select_from(Blob).where(Blob.project_id == peer.project_id, or_(by_record, by_form))
    return found if peer.files_until_at is None else found.where(Blob.created_at > peer.files_until_at)
