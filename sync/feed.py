"""The change feed: what a device or another server reads by cursor, each record once in its latest state."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import access, hybrid_clock
from sync.access import Actor
from sync.announced import needed
from sync.entities import list_rules
from sync.epochs import Standing, standing
from sync.models import Device, Entity, FeedRow, Operation, Project
from sync.tell import Key, Reader, Record, reader_of, tell

CURSOR = re.compile(
    r"e(?P<epoch>\d{1,9})(?:\.s(?P<scope>[a-z0-9]{1,12})(?:\.(?P<known>\d{1,18}))?)?"
    r"(?:\.b(?P<begun>\d{1,18}))?\.(?P<seq>\d{1,18})"
)
"""epoch, the reader's scope, and seq; while all is read again after a change of scope, before the seq also how far that
reaches which the reader may have; while all is read from the beginning, how far the feed had come when what the reader
had before was told."""
ROWS_AT_ONCE = 1000


class BadCursor(Problem):
    """This cursor is not one of this server's. Pull without a cursor to read everything again."""

    kind = Kind.GONE
    slug = "feed/bad-cursor"


class CursorGone(Problem):
    """The server cannot go on from this cursor. Pull without a cursor to read everything again; send what you have."""

    kind = Kind.GONE
    slug = "feed/cursor-gone"


@dataclass(frozen=True, slots=True)
class Page:
    """`needs` are the hashes of files that the server lacks for this device's records, `approval_lists` the entity
    lists to which a device adds nothing by itself: what a record registers there waits for an approval."""

    records: list[Record]
    cursor: str
    has_more: bool
    """There are records after these."""
    server_id: str
    head: int
    durable_seq: int
    durable_by: str
    epoch: int
    forks: list[Mapping[str, int]]
    needs: list[str]
    drop: list[dict[str, str]]
    approval_lists: list[str]
    clock: str
    """The latest reading of the authors of what is told here ("" when there is none that can be believed): what its
    reader writes from now on is later."""


def pull(
    session: Session,
    project: Project,
    *,
    device: Device | None,
    actor: Actor,
    cursor: str,
    limit: int,
    now: datetime,
) -> Page:
    """What changed since the cursor ("" is the beginning), at most `limit` records. Safe to repeat.

    A device sees the forms that are open, the entities, what is assigned to it or to its person, and its own
    submissions with their reviews and comments; who may list submissions sees all of them. When that changes, all is
    read again, and what is not its business any more is dropped. Refuses BadCursor, CursorGone."""
    access.require(actor, "sync", project.project_id)
    told = standing(session, project.project_id)
    reader = reader_of(session, project, actor, device)
    since, known, begun = _since(cursor, told, reader)
    first = since
    records: dict[Key, Record] = {}
    drop: dict[Key, dict[str, str]] = {}
    while len(records) < limit and (rows := _rows(reader, since, known, min(limit - len(records), ROWS_AT_ONCE))):
        since = rows[-1].seq
        for key, record in tell(reader, _told_by(reader, rows), may_know=since <= known):
            if record is None:
                drop[key] = {"kind": key[0], "record": key[1]}
            else:
                records[key] = record
    return Page(
        records=list(records.values()),
        cursor=_cursor(told, reader, since, known, begun),
        has_more=since < told.head,
        server_id=told.server_id,
        head=told.head,
        durable_seq=told.durable_seq,
        durable_by=told.durable_by,
        epoch=told.epoch,
        forks=list(told.forks),
        needs=needed(session, device) if device is not None else [],
        drop=list(drop.values()),
        approval_lists=sorted(
            name for name, one in reader.lists.items() if list_rules.read(one.settings).needs_approval
        ),
        clock=_clock(session, project, first, since, now),
    )


def _since(cursor: str, told: Standing, reader: Reader) -> tuple[int, int, int]:
    """Where to go on; up to where the reader may know what is outside its scope now; where its reading of all began."""
    if not cursor:
        return 0, 0, told.head
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise BadCursor(cursor)
    since, known, begun = (int(found[name] or 0) for name in ("seq", "known", "begun"))
    if not told.continues(int(found["epoch"]), since):
        raise CursorGone(cursor)
    if int(found["epoch"]) != told.epoch:
        begun = 0
    if max(since, begun) < reader.project.forgotten_seq:
        # Something that the reader may have was deleted since, and nobody is told of it any more.
        raise CursorGone(cursor)
    if found["scope"] in (None, reader.scope):
        return since, known, begun
    # What it has is from that time: of what was deleted since, it is still to be told.
    return 0, max(since, known), max(since, begun)


def is_at_head(reader: Reader, cursor: str) -> bool:
    """Whether somebody with this cursor has been told of all that is here."""
    told = standing(reader.session, reader.project.project_id)
    return cursor == _cursor(told, reader, told.head, 0, 0)


def _cursor(told: Standing, reader: Reader, since: int, known: int, begun: int) -> str:
    marks = (f"{known}" if since < known else "", f"b{begun}" if since < begun else "", f"{since}")
    return ".".join((f"e{told.epoch}", f"s{reader.scope}", *filter(None, marks)))


def _rows(reader: Reader, since: int, known: int, limit: int) -> Sequence[FeedRow]:
    """The next ones, all of which the reader may know of, or none of which."""
    found = (
        select(FeedRow)
        .where(FeedRow.project_id == reader.project.project_id, FeedRow.seq > since)
        .order_by(FeedRow.seq)
        .limit(limit)
    )
    if since < known:
        found = found.where(FeedRow.seq <= known)
    return reader.session.scalars(found).all()


def _told_by(reader: Reader, rows: Sequence[FeedRow]) -> Iterator[Key]:
    """The records that these rows are about, and the entities that came out different by a list's rules or a review."""
    yield from dict.fromkeys((row.kind, row.record_id) for row in rows if row.kind != "list")
    movers = [row.seq for row in rows if row.kind in ("list", "review")]
    if movers:
        moved = select(Entity.entity_id).where(Entity.project_id == reader.project.project_id, Entity.seq.in_(movers))
        yield from (("entity", entity_id) for entity_id in reader.session.scalars(moved.order_by(Entity.entity_id)))


def _clock(session: Session, project: Project, since: int, until: int, now: datetime) -> str:
    if since == until:
        return ""
    found = (
        select(func.max(Operation.at))
        .join(FeedRow, (FeedRow.project_id == Operation.project_id) & (FeedRow.op_id == Operation.op_id))
        .where(FeedRow.project_id == project.project_id, FeedRow.seq > since, FeedRow.seq <= until)
        .where(Operation.at <= hybrid_clock.latest_credible(now))
    )
    return session.scalar(found) or ""
