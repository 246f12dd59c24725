"""Entities with the numbers of the people behind them, as the REST API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.api.shown_submission import submitter
from sync.models import Entity, Operation

ASKED_AT_ONCE = 500


def in_rest(session: Session, rows: Sequence[Entity], *, needs_approval: bool) -> list[dict[str, Any]]:
    """The values of EntitySchema; `needs_approval`: whether the list serves only entities that are approved."""
    last = _last_authors(session, rows)
    return [_told(session, row, last, needs_approval) for row in rows]


def _told(
    session: Session, row: Entity, last: dict[str, tuple[str | None, str | None]], needs_approval: bool
) -> dict[str, Any]:
    creator = submitter(session, row.project_id, row.account_id, row.device_id)
    changer = submitter(session, row.project_id, *last.get(row.op_id, (None, None)))
    return {
        "entity_id": row.entity_id,
        "creator_id": creator.number,
        "creator_name": creator.name,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "deleted_at": row.updated_at if row.is_deleted else None,
        "is_deleted": row.is_deleted,
        "is_waiting": needs_approval and not row.is_approved,
        "conflict": _conflict(row),
        "label": row.label,
        "version": row.version,
        "data": dict(row.data),
        "changer_id": changer.number,
    }


def _conflict(row: Entity) -> str | None:
    """In ODK Central's words: of several changes side by side, "hard" when one property has two values."""
    if row.conflicts:
        return "hard"
    return "soft" if row.heads > 1 else None


def _last_authors(session: Session, rows: Sequence[Entity]) -> dict[str, tuple[str | None, str | None]]:
    """Who wrote what stands, by the id of the operation: the person and the device."""
    found: dict[str, tuple[str | None, str | None]] = {}
    for start in range(0, len(rows), ASKED_AT_ONCE):
        some = rows[start : start + ASKED_AT_ONCE]
        wanted = Operation.project_id == some[0].project_id, Operation.op_id.in_([row.op_id for row in some])
        asked = select(Operation.op_id, Operation.account_id, Operation.device_id).where(*wanted)
        found |= {op_id: (account_id, device_id) for op_id, account_id, device_id in session.execute(asked)}
    return found
