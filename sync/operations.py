"""Operations as servers exchange them: each as its author made it, with its rank, its author and its device.

The set of operations is what replicates; all that is shown follows from it. An operation that was put aside travels as
a void marker: it occupies its number there too, so that its successors do not wait for ever."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, undefer

from sync.draft import Draft
from sync.epochs import Standing
from sync.feed import BadCursor, CursorGone
from sync.models import Account, Device, FeedRow, Operation, RemoteName

CURSOR = re.compile(r"e(\d{1,9})\.(\d{1,18})")
LARGEST_PAGE_BYTES = 4 * 2**20
MOST_TOLD = 100
"""Of what waits, in one answer."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Some of a project's feed. `until` is the number of the last row that was looked at."""

    operations: Sequence[Operation]
    """Void markers first, then as the feed has them."""
    until: int

    def lines(self) -> list[bytes]:
        return [orjson.dumps(shape_of(one)) for one in self.operations]


def since(cursor: str, told: Standing) -> int:
    """The number up to which another server has read. Refuses BadCursor, CursorGone."""
    if not cursor:
        return 0
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise BadCursor(cursor)
    if not told.continues(int(found[1]), int(found[2])):
        raise CursorGone(cursor)
    return int(found[2])


def after(
    session: Session, project_id: str, seq: int, *, limit: int, beside: Set[str] = frozenset(), echo: int = 0
) -> Sent:
    """What the feed tells after `seq`. What came by the ways `beside` of a server is left out, except up to `echo` and
    what had to wait here: there it may wait still, or have been discarded."""
    rows = session.execute(
        select(FeedRow.seq, FeedRow.at, Operation)
        .join(Operation, (Operation.project_id == FeedRow.project_id) & (Operation.op_id == FeedRow.op_id))
        .where(FeedRow.project_id == project_id, FeedRow.seq > seq)
        .order_by(FeedRow.seq)
        .limit(limit)
        .options(undefer(Operation.xml))
    ).all()
    chosen: list[Operation] = []
    until, size = seq, 0
    looked_at: list[Operation] = []
    for row_seq, placed_at, operation in rows:
        if operation.via not in beside or row_seq <= echo or placed_at != operation.received_at:
            size += len(operation.xml or "")
            if chosen and size > LARGEST_PAGE_BYTES:
                break
            chosen.append(operation)
        looked_at.append(operation)
        until = row_seq
    return Sent([*_voids(session, project_id, looked_at), *chosen], until)


def waiting(session: Session, project_id: str) -> list[str]:
    """The ids of what waits here, as far as others can place it. What a record says of an entity waits in the numbers
    of this server, and is sent once it has been placed; the bytes of a form version go ahead of what tells of it."""
    # Sorted here: the order of a database depends on its language, and others go by it.
    return sorted(session.scalars(select(Operation.op_id).where(Operation.project_id == project_id, waits())))


def digest_of(op_ids: Sequence[str]) -> str:
    """Of these ids in their order, short enough to be told each time; "" of none."""
    return hashlib.sha256(" ".join(op_ids).encode()).hexdigest()[:32] if op_ids else ""


def held(session: Session, project_id: str, op_ids: Sequence[str]) -> list[Operation]:
    """Those of them that still wait here, behind the void markers on their records."""
    found = select(Operation).where(Operation.project_id == project_id, waits(), Operation.op_id.in_(op_ids))
    wait = session.scalars(found.order_by(Operation.op_id).options(undefer(Operation.xml))).all()
    return [*_voids(session, project_id, wait), *wait]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two servers: what waits here and not there, and what waits there and is not here at all. `until` is how far
    they were compared, "" for to the end."""

    only_here: Sequence[Operation]
    unknown_here: Sequence[str]
    until: str


def compare(session: Session, project_id: str, there: Sequence[str], *, after: str, until: str) -> Difference:
    """What waits here beside what waits `there`, of the ids behind `after` up to `until`."""
    here = [op_id for op_id in waiting(session, project_id) if op_id > after and (not until or op_id <= until)]
    only_here = sorted({*here} - {*there})
    if len(only_here) > MOST_TOLD:
        only_here, until = only_here[:MOST_TOLD], only_here[MOST_TOLD - 1]
    asked = [op_id for op_id in there if not until or op_id <= until]
    known = select(Operation.op_id).where(Operation.project_id == project_id, Operation.op_id.in_(asked))
    unknown = sorted({*asked} - {*session.scalars(known)})
    return Difference(held(session, project_id, only_here), unknown, until)


def waits() -> ColumnElement[bool]:
    """Whether an operation waits, and others could place it: see `waiting`."""
    is_sayable = (Operation.kind != "form") & ((Operation.kind != "entity") | (Operation.cause_id == ""))
    return (Operation.state == "held") & is_sayable


def of_records(session: Session, project_id: str, record_ids: Sequence[str]) -> list[Operation]:
    """What servers have made of bare instances on these records: their files may have come after they were told."""
    found = select(Operation).where(
        Operation.project_id == project_id,
        Operation.kind == "submission",
        Operation.record_id.in_(record_ids),
        Operation.state == "ready",
        Operation.origin.like("x~%"),
    )
    return list(session.scalars(found.order_by(Operation.op_id).options(undefer(Operation.xml))))


def versions_of(lines: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The form versions that these operations tell of, each once."""
    told = (
        (str(line["form"]), str(line["version"])) for line in lines if line["kind"] == "form" and not line.get("void")
    )
    return list(dict.fromkeys(told))


def shape_of(one: Operation) -> dict[str, Any]:
    """The operation as it goes over the wire."""
    return _draft_of(one).shape()


def _draft_of(one: Operation) -> Draft:
    is_void = one.state == "void"
    return Draft(
        op_id=one.op_id,
        origin=one.origin,
        n=one.n,
        prev=one.prev,
        kind=one.kind,
        record_id=one.record_id,
        context={} if is_void else one.context,
        at=one.at,
        form_id=one.form_id,
        version=one.version,
        changes=None if is_void else one.changes,
        is_delete=one.is_delete,
        xml=None if is_void else one.xml,
        attachments=tuple(one.attachments),
        cause_id=one.cause_id,
        instance_id=one.instance_id,
        rank=one.rank,
        account_id=one.account_id or "",
        device_id=one.device_id or "",
        void=one.why if is_void else "",
    )


def names_of(session: Session, project_id: str, written: Iterable[Operation]) -> dict[str, str]:
    """What the authors and devices of these are called here, and those whom they give work to, by id."""
    written = list(written)
    ids = {id_ for one in written for id_ in (one.account_id, one.device_id) if id_}
    ids |= {str(id_) for one in written if one.kind == "assignment" and (id_ := one.changes.get("assignee"))}
    found = dict(
        session.execute(
            select(RemoteName.id, RemoteName.name).where(RemoteName.project_id == project_id, RemoteName.id.in_(ids))
        ).all()
    )
    things = select(Device.device_id, Device.name).where(Device.project_id == project_id, Device.device_id.in_(ids))
    people = select(Account.account_id, Account.name).where(Account.account_id.in_(ids))
    return {**found, **dict(session.execute(things).all()), **dict(session.execute(people).all())}


def keep_names(session: Session, project_id: str, names: Mapping[str, str]) -> None:
    """What people and devices of other servers are called."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for id_, name in sorted(names.items()):
        row = insert(RemoteName).values(project_id=project_id, id=id_[:64], name=name[:255])
        session.execute(
            row.on_conflict_do_update(index_elements=["project_id", "id"], set_={"name": row.excluded.name})
        )


def _voids(session: Session, project_id: str, operations: Sequence[Operation]) -> list[Operation]:
    """The void markers on the same records: a successor may wait for one of them."""
    keys = sorted({(one.kind, one.record_id) for one in operations})
    if not keys:
        return []
    found = select(Operation).where(Operation.project_id == project_id, Operation.state == "void")
    on_these = tuple_(Operation.kind, Operation.record_id).in_(keys)
    return list(session.scalars(found.where(on_these).order_by(Operation.n, Operation.op_id)))
