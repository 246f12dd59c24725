"""Forget what nobody needs to be told any more: that a record was deleted, long ago."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from sync.models import Entity, Project, Submission


def forget_deletions(session: Session, project_id: str, *, before: datetime) -> int:
    """Whoever reads the feed is told nothing more of what was deleted before; up to which number that goes.

    Who has read less far may still hold such a record, and must read everything again. The operations stay."""
    last = max(
        session.scalar(
            select(func.max(kind.seq)).where(
                kind.project_id == project_id, kind.is_deleted.is_(True), kind.updated_at < before
            )
        )
        or 0
        for kind in (Submission, Entity)
    )
    known = session.scalar(select(Project.forgotten_seq).where(Project.project_id == project_id)) or 0
    if last > known:
        session.execute(update(Project).where(Project.project_id == project_id).values(forgotten_seq=last))
    return max(last, known)
