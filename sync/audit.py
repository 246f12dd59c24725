"""Read the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.models import Event


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events; "" and None leave a question open. `start` and `end` are included."""

    project_id: str = ""
    action: str = ""
    target: tuple[str, str] | None = None
    """(kind, id) of what they are about."""
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 250
    offset: int = 0


def events(session: Session, wanted: Filter) -> Sequence[Event]:
    """The events, the newest first."""
    found = select(Event).order_by(Event.at.desc(), Event.event_id.desc()).limit(wanted.limit).offset(wanted.offset)
    if wanted.project_id:
        found = found.where(Event.project_id == wanted.project_id)
    if wanted.action:
        found = found.where(Event.action == wanted.action)
    if wanted.target is not None:
        kind, target_id = wanted.target
        found = found.where(Event.target_kind == kind, Event.target_id == target_id)
    if wanted.start is not None:
        found = found.where(Event.at >= wanted.start)
    if wanted.end is not None:
        found = found.where(Event.at <= wanted.end)
    return session.scalars(found).all()
