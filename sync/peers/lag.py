"""What another server has not got from us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from sync import operations
from sync.clashes import disputed
from sync.models import Blob, FeedRow, FormAttachment, Operation, Peer, SubmissionAttachment
from sync.peers.roster import met_at

AT_ONCE = 500
"""Records in one question."""


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
    wanted = _waiting(peer)
    files, size = session.execute(
        select(func.count(), func.coalesce(func.sum(Blob.size), 0)).where(Blob.project_id == peer.project_id, wanted)
    ).one()
    return Lag((session.scalar(seqs) or 0) + _held(session, peer), files, int(size))


def _held(session: Session, peer: Peer) -> int:
    """What waits here and came after the other server was last told of all that does."""
    found = select(func.count()).where(Operation.project_id == peer.project_id, operations.waits(), is_ours(peer))
    told_at = met_at(session, peer) if peer.base or peer.here_id else peer.exported_at
    return session.scalar(found if told_at is None else found.where(Operation.received_at > told_at)) or 0


def is_ours(peer: Peer) -> ColumnElement[bool]:
    """Whether an operation did not come from this peer."""
    return or_(Operation.via.is_(None), Operation.via.not_in(sorted(ways_of(peer))))


def sent_late(session: Session, peer: Peer) -> list[tuple[str, str]]:
    """(op_id, SHA-256) of attachments that are here and of records that the peer has without them.

    Which those are its bundles say; over a line, they are those that it was not offered yet."""
    if not peer.sent_seq:
        return []
    named = (
        select(Operation.op_id, Blob.sha256)
        .join(SubmissionAttachment, _on_record())
        .join(Blob, _is_kept())
        .join(FeedRow, and_(FeedRow.project_id == Operation.project_id, FeedRow.op_id == Operation.op_id))
        .where(Operation.project_id == peer.project_id, Operation.kind == "submission", is_ours(peer))
        .where(FeedRow.seq <= peer.sent_seq)
        .distinct()
    )
    found = {*session.execute(named.where(_is_unoffered(peer))).all()} if peer.base else set()
    for start in range(0, len(peer.lacks), AT_ONCE):
        some = peer.lacks[start : start + AT_ONCE]
        found |= {*session.execute(named.where(Operation.record_id.in_(some))).all()}
    return sorted({(op_id, sha256) for op_id, sha256 in found} | set(_disputed_late(session, peer)))


def _disputed_late(session: Session, peer: Peer) -> Iterator[tuple[str, str]]:
    """Of the files that stand in no record, because another of their name is shown, those that open conflicts show."""
    lacks = frozenset(peer.lacks)
    for one in disputed(session, peer.project_id):
        here = select(Operation.op_id).join(Blob, Blob.project_id == Operation.project_id)
        here = here.join(FeedRow, and_(FeedRow.project_id == Operation.project_id, FeedRow.op_id == Operation.op_id))
        here = here.where(Operation.project_id == peer.project_id, Operation.op_id == one.op_id, is_ours(peer))
        here = here.where(FeedRow.seq <= peer.sent_seq, Blob.sha256 == one.sha256)
        if one.record_id not in lacks:
            here = here.where(_is_unoffered(peer) if peer.base else false())
        if session.scalar(here) is not None:
            yield one.op_id, one.sha256


def _waiting(peer: Peer) -> ColumnElement[bool]:
    """Whether an attachment or a file of a form is ours, and not there yet as far as we know."""
    by_record = (
        exists()
        .where(SubmissionAttachment.project_id == Blob.project_id, SubmissionAttachment.sha256 == Blob.sha256)
        .where(_on_record(), Operation.kind == "submission", is_ours(peer))
    )
    by_form = (
        exists()
        .where(FormAttachment.project_id == Blob.project_id, FormAttachment.sha256 == Blob.sha256)
        .where(Operation.project_id == Blob.project_id, Operation.record_id == FormAttachment.form_id)
        .where(Operation.kind == "form", is_ours(peer))
    )
    if peer.base:
        return and_(or_(by_record, by_form), _is_unoffered(peer))
    lacking = Operation.record_id.in_(peer.lacks[:AT_ONCE])
    return or_(by_record.where(or_(_is_new(peer), lacking)), by_form.where(_is_new(peer)))


def _is_new(peer: Peer) -> ColumnElement[bool]:
    return Operation.seq > peer.sent_seq


def _is_unoffered(peer: Peer) -> ColumnElement[bool]:
    return true() if peer.files_until_at is None else Blob.created_at > peer.files_until_at


def _on_record() -> ColumnElement[bool]:
    return and_(
        SubmissionAttachment.project_id == Operation.project_id,
        SubmissionAttachment.instance_id == Operation.record_id,
    )


def _is_kept() -> ColumnElement[bool]:
    return and_(Blob.project_id == SubmissionAttachment.project_id, Blob.sha256 == SubmissionAttachment.sha256)
