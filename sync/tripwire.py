"""Whether a device holds what this server tells of: compared bucket by bucket after each sync, and noted if not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select, true
from sqlalchemy.orm import Session

from sync import access
from sync.access import Actor
from sync.digest import bucket_of, digests, standing
from sync.feed import is_at_head
from sync.models import Comment, Device, Entity, Event, Project, Submission
from sync.record import record as record_event
from sync.tell import (
    Reader,
    Record,
    assignments_among,
    comments_among,
    entities_among,
    forms_among,
    reader_of,
    submissions_among,
)

ACTION = "device.diverge"
MOST = 20_000
"""Records in a reader's scope; who sees more would keep the server busy with it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a comparison. `is_current` is False where it cannot be made: there is news to read first, or there
    is too much."""

    is_current: bool
    differing: Sequence[str] = ()


def compare(
    session: Session, project: Project, *, device: Device | None, actor: Actor, cursor: str, told: Mapping[str, str]
) -> Compared:
    """The buckets in which the reader who has read up to `cursor` holds something else. Refuses NotAllowed."""
    access.require(actor, "sync", project.project_id)
    reader = reader_of(session, project, actor, device)
    if not is_at_head(reader, cursor) or _count(reader) > MOST:
        return Compared(is_current=False)
    ours = digests(_held(reader))
    if not is_at_head(reader, cursor):
        # Somebody has written meanwhile, and on PostgreSQL some of that was seen.
        return Compared(is_current=False)
    return Compared(True, tuple(sorted(one for one in ours.keys() | told.keys() if ours.get(one) != told.get(one))))


def bucket(session: Session, project: Project, *, device: Device | None, actor: Actor, name: str) -> list[Record]:
    """All that the reader should hold in this bucket. Refuses NotAllowed."""
    access.require(actor, "sync", project.project_id)
    held = _held(reader_of(session, project, actor, device))
    return [dict(one) for one in held if bucket_of(one["kind"], one["record"]) == name]


def note(
    session: Session, project_id: str, differing: Sequence[str], *, device: Device | None, actor: Actor, now: datetime
) -> None:
    """It stands in the audit log that a copy was different: that should never happen."""
    target = ("device", device.device_id if device is not None else "")
    detail = {"buckets": list(differing)}
    record_event(session, ACTION, actor=actor, at=now, project_id=project_id, target=target, detail=detail)


def noted(session: Session, *, since: datetime) -> int:
    """How often it was noted since then, in all projects."""
    found = select(func.count()).select_from(Event).where(Event.action == ACTION, Event.at >= since)
    return session.scalar(found) or 0


def _held(reader: Reader) -> list[Mapping[str, Any]]:
    """All that somebody gets who reads the feed from its beginning."""
    in_scope = select(Submission.instance_id).where(Submission.project_id == reader.project.project_id, reader.own)
    return standing(
        (
            *forms_among(reader, true()),
            *entities_among(reader, Entity.is_deleted.is_(False)),
            *assignments_among(reader),
            *submissions_among(reader, Submission.is_deleted.is_(False)),
            *comments_among(reader, Comment.instance_id.in_(in_scope)),
        )
    )


def _count(reader: Reader) -> int:
    of_project = reader.project.project_id
    counts = (
        select(func.count()).select_from(kind).where(kind.project_id == of_project, scope).scalar_subquery()
        for kind, scope in ((Submission, reader.own), (Entity, true()), (Comment, true()))
    )
    return reader.session.scalar(select(sum(counts, literal(0)))) or 0
