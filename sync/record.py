"""Append to the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from sync.access import Actor
from sync.identity import uuid7
from sync.models import SITE, Event


def record(
    session: Session,
    action: str,
    *,
    actor: Actor,
    at: datetime,
    project_id: str = SITE,
    target: tuple[str, str] = ("", ""),
    detail: dict[str, Any] | None = None,
) -> Event:
    """An Event in the caller's transaction: it stands if and only if what it tells of stands.

    `target` is (kind, id), such as ("submission", "uuid:...")."""
    event = Event(
        project_id=project_id,
        event_id=uuid7(),
        at=at,
        action=action,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        target_kind=target[0],
        target_id=target[1],
        detail=detail or {},
    )
    session.add(event)
    return event
