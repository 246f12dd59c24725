"""Operations by this server's own hand: reviews, comments, resolutions, edits by the API, published forms."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, reduce
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import access, hybrid_clock
from sync.access import Actor
from sync.identity import origin, uuid7
from sync.ledger import Act, Ledger, Record, Row, open_ledger
from sync.models import Installation, Operation, Project
from sync.place import place

_numbers = itertools.count(1)
"""Of this process: its origin carries random bits of its own."""


def write(
    session: Session,
    project: Project,
    *,
    kind: str,
    record_id: str,
    changes: Mapping[str, str | None],
    actor: Actor,
    now: datetime,
    attachments: Sequence[Mapping[str, Any]] = (),
    form_id: str = "",
    version: str = "",
    context: Mapping[str, int] | None = None,
    xml: str | None = None,
    instance_id: str = "",
    is_delete: bool = False,
    cause_id: str = "",
) -> Operation:
    """An operation that takes part at once, in the caller's transaction.

    Its author has seen `context`; None means the record as it stands. The caller refreshes what it holds of it."""
    ledger = open_ledger(session, project.project_id, now=now)
    row = own_row(
        ledger,
        kind=kind,
        record_id=record_id,
        actor=actor,
        context=context,
        changes=dict(changes),
        attachments=[dict(one) for one in attachments],
        form_id=form_id,
        version=version,
        xml=xml,
        instance_id=instance_id,
        is_delete=is_delete,
        cause_id=cause_id,
    )
    act = Act(row)
    ledger.add(act)
    place(ledger, act)
    ledger.write()
    session.refresh(project, ["head"])
    return session.get_one(Operation, (project.project_id, act.op_id))


def own_row(
    ledger: Ledger, *, kind: str, record_id: str, actor: Actor, context: Mapping[str, int] | None, **columns: Any
) -> Row:
    """The row of a new operation by this server's origin. The project is locked: numbers rise with the chain."""
    op_id = uuid7()
    record = ledger.record(kind, record_id)
    origin_, n, prev = _next_number(ledger, record, op_id, context)
    seen = dict(record.history.told if context is None else context)
    seen.pop(origin_, None)
    return {
        "project_id": ledger.project_id,
        "op_id": op_id,
        "origin": origin_,
        "n": n,
        "prev": prev,
        "kind": kind,
        "record_id": record_id,
        "context": seen,
        "at": _later_than(record, ledger.now),
        "rank": access.rank(actor, ledger.project_id),
        "account_id": actor.account_id,
        "device_id": actor.device_id,
        "form_id": "",
        "version": "",
        "changes": {},
        "is_delete": False,
        "xml": None,
        "instance_id": "",
        "attachments": [],
        "cause_id": "",
        "state": "held",
        "why": "",
        "verdict": "held",
        "seq": None,
        "batch_id": "",
        "via": None,
        "received_at": ledger.now,
    } | columns


def _next_number(ledger: Ledger, record: Record, op_id: str, context: Mapping[str, int] | None) -> tuple[str, int, int]:
    """origin, n and prev. An origin has seen all that it wrote before: whoever had not, writes by an origin apart."""
    own = server_origin(ledger.session)
    latest = max((act.row["n"] for act in record.acts if act.row["origin"] == own), default=0)
    if context is not None and context.get(own, 0) < latest:
        return f"s~{op_id}", 1, 0
    return own, next(_numbers), latest


NOT_TOLD = datetime(1970, 1, 1, tzinfo=UTC)
"""When an instance was made that says nothing of it: before all others."""


def _later_than(record: Record, now: datetime) -> str:
    """When this server writes what follows on all that is here of the record."""
    seen = reduce(lambda last, act: hybrid_clock.followed(last, act.row["at"], now), record.acts, hybrid_clock.NEVER)
    return hybrid_clock.tick(now, seen)


def server_origin(session: Session) -> str:
    """The origin of this process on this server."""
    server_id = session.scalars(select(Installation.server_id)).one()
    return _origin(str(session.get_bind().engine.url), server_id, os.getpid())


@cache
def _origin(_database: str, server_id: str, _process: int) -> str:
    # By process, since workers are forked: each draws random bits of its own.
    return origin(server_id)
