"""What a restore has lost for good: this server's own words, which no device has and nobody can push again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from sync.epochs import FIRST_EPOCH
from sync.models import Installation, Operation, Peer

Key: TypeAlias = tuple[str, str]

APART = ("s~", "r~")
"""Origins of single operations that some server wrote."""


def waiting_in_vain(session: Session, held: Sequence[Operation]) -> set[str]:
    """Those of them, by op_id, that wait for what this server wrote itself before it was restored from a backup."""
    installation = session.scalars(select(Installation)).one()
    if installation.epoch == FIRST_EPOCH or not held:
        return set()
    own = (f"{installation.server_id}~", *(() if _has_peers(session) else APART))
    known = _known(session, held[0].project_id, {(one.kind, one.record_id) for one in held})
    return {one.op_id for one in held if _misses(one, known.get((one.kind, one.record_id), {}), own)}


def _misses(held: Operation, known: Mapping[str, int], own: tuple[str, ...]) -> bool:
    return any(origin.startswith(own) and int(n) > known.get(origin, 0) for origin, n in held.context.items())


def _known(session: Session, project_id: str, records: Collection[Key]) -> Mapping[Key, Mapping[str, int]]:
    """How far each origin has come on each of these records."""
    found: dict[Key, dict[str, int]] = {}
    rows = session.execute(
        select(Operation.kind, Operation.record_id, Operation.origin, func.max(Operation.n))
        .where(
            Operation.project_id == project_id,
            tuple_(Operation.kind, Operation.record_id).in_(sorted(records)),
            Operation.state != "held",
        )
        .group_by(Operation.kind, Operation.record_id, Operation.origin)
    )
    for kind, record_id, origin, n in rows:
        found.setdefault((kind, record_id), {})[origin] = n
    return found


def _has_peers(session: Session) -> bool:
    """What another server wrote may still come."""
    return session.scalar(select(func.count()).select_from(Peer)) != 0
