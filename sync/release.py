"""Out of the quarantine: release what was put aside as a new operation, or discard it with a reason.

So also what waits for something that does not come: it is applied without, or discarded, when a supervisor says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import access, inbox
from sync.access import Actor
from sync.author import own_row
from sync.draft import Draft, Unreadable, read_draft
from sync.engine import in_transaction, reader
from sync.entities.apply import seen_before
from sync.errors import NoReason
from sync.item import Landed, prepare
from sync.judge import refusal_of_content, row_of, verb_of
from sync.ledger import Act, Ledger, Record, open_ledger
from sync.merge import UNSEEN, closure, union
from sync.models import InboxItem, Operation
from sync.place import place, set_aside, wake
from sync.receive import derive
from sync.record import record as record_event
from sync.settle import xml_of
from sync.verdict import Outcome, Sender, Why

log = logging.getLogger("lapangan.release")

MOST_AT_ONCE = 1000
"""Items that are judged again by one wish; the rest by the next."""


class NotWaiting(Problem):
    """This change does not wait any more. Look at the list again."""

    kind = Kind.NOT_FOUND
    slug = "held/not-waiting"


class StillWaiting(Problem):
    """This change cannot be applied yet: its form version, or the record it belongs to, is not here."""

    kind = Kind.CONFLICT
    slug = "held/still-waiting"


class Passed(Problem):
    """Others have gone on from this change since it was discarded, so it cannot wait any more. Apply it instead."""

    kind = Kind.CONFLICT
    slug = "held/passed"


class StillInQuarantine(Problem):
    """This item cannot be placed yet. Remove the reason that is shown first, or discard it with a note."""

    kind = Kind.CONFLICT
    slug = "quarantine/still"


def release(session: Session, item: InboxItem, *, actor: Actor, now: datetime) -> str:
    """The item becomes a new operation with the permission of who releases it; the id of that operation.

    It is concurrent with all that happened since: it can surface as a conflict, never overwrite. Refuses NotAllowed,
    also to who could not write it himself, StillInQuarantine, NotWaiting."""
    access.require(actor, "quarantine.release", item.project_id)
    _lock(session, item)
    draft = _draft(item)
    if not verb_of(draft):
        raise StillInQuarantine(draft.kind, why=Why.NOT_PERMITTED.value)
    access.require(actor, verb_of(draft), item.project_id)
    sender = Sender(item.project_id, actor, "server", device_id=item.device_id, account_id=item.account_id)
    prepared = prepare(session, sender, item.batch_id, [Landed(item.item_id, draft.line())], now=now)[0]
    ledger = open_ledger(session, item.project_id, now=now)
    why, detail = refusal_of_content(ledger, prepared, draft)
    if why is not Why.NONE:
        raise StillInQuarantine(detail, why=why.value)
    shared = row_of(ledger, prepared, draft)
    before = _own_before(ledger, ledger.record(draft.kind, shared["record_id"]), draft.origin, draft.prev)
    seen = union((draft.context, before))
    row = own_row(ledger, kind=draft.kind, record_id=shared["record_id"], actor=actor, context=seen)
    authored = {name: shared[name] for name in SHARED}
    # Alone in its chain: what this server wrote since, its author had not seen.
    place_ = {"origin": f"r~{row['op_id']}", "n": 1, "prev": 0}
    row |= authored | place_ | {"rank": 0, "cause_id": item.op_id[:64], "batch_id": item.batch_id}
    act = Act(row, filling=prepared.filling)
    ledger.add(act)
    place(ledger, act)
    ledger.write()
    inbox.move(session, item, "released", actor=actor, now=now, detail={"op": act.op_id})
    return act.op_id


def discard(session: Session, item: InboxItem, *, note: str, actor: Actor, now: datetime) -> None:
    """The bytes are kept, out of sight. Refuses NotAllowed, NoReason, NotWaiting."""
    access.require(actor, "quarantine.release", item.project_id)
    if not note.strip():
        raise NoReason(field="note")
    _lock(session, item)
    inbox.move(session, item, "discarded", actor=actor, now=now, detail={"note": note.strip()})


def _lock(session: Session, item: InboxItem) -> None:
    """Of two people who press the button at once, the second comes too late."""
    session.refresh(item, with_for_update=True)
    if item.state == "released":
        raise NotWaiting


def put_back(session: Session, item: InboxItem, *, actor: Actor, now: datetime) -> None:
    """What was discarded is in quarantine again. Refuses NotAllowed, NotWaiting."""
    access.require(actor, "quarantine.release", item.project_id)
    _lock(session, item)
    if item.state != "discarded":
        raise NotWaiting
    inbox.move(session, item, "quarantined", actor=actor, now=now, detail={})


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many items were released, and how many stay where they are."""

    released: int
    stayed: int


def replay(engine: Engine, project_id: str, why: Why, *, actor: Actor, now: datetime) -> Replayed:
    """Judge again all that was put aside for this reason, the oldest first, each in a transaction of its own."""
    access.require(actor, "quarantine.release", project_id)
    wanted = select(InboxItem.item_id).where(
        InboxItem.project_id == project_id, InboxItem.state == "quarantined", InboxItem.why == why.value
    )
    with Session(reader(engine)) as session:
        items = session.scalars(
            wanted.order_by(InboxItem.landed_at, InboxItem.batch_id, InboxItem.position).limit(MOST_AT_ONCE)
        ).all()
    released = [_released(engine, project_id, item_id, actor=actor, now=now) for item_id in items]
    return Replayed(sum(released), len(released) - sum(released))


def _released(engine: Engine, project_id: str, item_id: str, *, actor: Actor, now: datetime) -> bool:
    def act(session: Session) -> bool:
        item = session.get(InboxItem, (project_id, item_id), with_for_update=True)
        if item is None or item.state != "quarantined":
            return False
        return bool(release(session, item, actor=actor, now=now))

    try:
        return bool(in_transaction(engine, act))
    except (StillInQuarantine, access.NotAllowed):
        return False
    except Exception:  # a poison pill stays where it is, and costs the others nothing
        log.exception("an item cannot be released", extra={"item": item_id})
        return False


def apply_without(
    session: Session,
    held: Operation,
    *,
    form_id: str = "",
    version: str | None = None,
    actor: Actor,
    now: datetime,
) -> str:
    """What waits for something that does not come takes part as a new operation; the id of that operation.

    Its author is taken to have seen what of it is here, so it can surface as a conflict, never overwrite. The one that
    waited only keeps its number from now on. What waits for its form version is read by `version`, one that is here;
    an instance that does not say which form it belongs to, by that of `form_id`. Refuses NotAllowed, NotWaiting,
    StillWaiting."""
    access.require(actor, "quarantine.release", held.project_id)
    ledger = open_ledger(session, held.project_id, now=now)
    waiting = _waiting(ledger, held)
    record = ledger.record(held.kind, held.record_id)
    row = own_row(ledger, kind=held.kind, record_id=held.record_id, actor=actor, context=_seen(ledger, record, waiting))
    authored = {name: waiting.row[name] for name in SHARED if name != "xml"} | {"xml": xml_of(ledger, waiting)}
    authored |= {} if version is None else {"form_id": authored["form_id"] or form_id, "version": version}
    place_ = {"origin": f"r~{row['op_id']}", "n": 1, "prev": 0}
    act = Act(row | authored | place_ | {"rank": 0, "cause_id": held.op_id, "batch_id": held.batch_id})
    if waiting.state == "held":
        waiting.change(state="void", seq=ledger.head)
    record.forget()
    ledger.add(act)
    if place(ledger, act) is not Why.NONE:
        raise StillWaiting(why=act.row["why"])
    wake(ledger, waiting)
    ledger.write()
    read_by = {} if version is None else {"form": act.row["form_id"], "version": version, "made_with": held.version}
    detail = {"op": act.op_id, "why": held.why, **read_by}
    _note(session, "held.apply", held, actor=actor, now=now, detail=detail)
    return act.op_id


def discard_held(session: Session, held: Operation, *, note: str, actor: Actor, now: datetime) -> None:
    """What waits is discarded: it is kept, out of sight, and nothing waits for it any more. A record that says it of an
    entry stays as it is.

    Only this server knows of it. Others are told with what went on from it, so that it blocks nothing there either;
    if one of them has taken it, it takes part here too. Refuses NotAllowed, NoReason, NotWaiting."""
    access.require(actor, "quarantine.release", held.project_id)
    if not note.strip():
        raise NoReason(field="note")
    ledger = open_ledger(session, held.project_id, now=now)
    waiting, why = _waiting(ledger, held), held.why
    if waiting.state != "held":
        raise NotWaiting
    set_aside(ledger, waiting)
    ledger.write()
    detail = {"note": note.strip(), "why": why, "record": held.instance_id}
    _note(session, "held.discard", held, actor=actor, now=now, detail=detail)


def take_back(session: Session, held: Operation, *, actor: Actor, now: datetime) -> None:
    """What was discarded while it waited waits again, or applies if what it waited for has come.

    Refuses NotAllowed, NotWaiting, and Passed when others have gone on from it."""
    access.require(actor, "quarantine.release", held.project_id)
    ledger = open_ledger(session, held.project_id, now=now)
    waiting = _waiting(ledger, held)
    record = ledger.record(held.kind, held.record_id)
    if waiting.state == "held":
        raise NotWaiting
    if any(one.op.has_seen(waiting.op) for one in record.ready):
        raise Passed
    waiting.change(state="held", why="", seq=None)
    record.forget()
    place(ledger, waiting)
    ledger.write()
    _note(session, "held.take_back", held, actor=actor, now=now, detail={})


def _waiting(ledger: Ledger, held: Operation) -> Act:
    """It waits, or did so until somebody discarded it, and nobody has applied it since."""
    ledger.load_operations([held.op_id], [])
    act = ledger.acts.get(held.op_id)
    if act is None or not (act.state == "held" or _is_discarded(ledger, act)):
        raise NotWaiting
    return act


def _is_discarded(ledger: Ledger, act: Act) -> bool:
    is_kept = act.row["verdict"] == Outcome.HELD.value and act.row["why"] == Why.SET_ASIDE.value
    record = ledger.record(act.row["kind"], act.row["record_id"])
    return act.state == "void" and is_kept and all(one.row["cause_id"] != act.op_id for one in record.acts)


def _note(
    session: Session, action: str, held: Operation, *, actor: Actor, now: datetime, detail: dict[str, str]
) -> None:
    # What a record says of an entry belongs to the entry's history.
    target = ("entity", held.record_id) if held.kind == "entity" else ("operation", held.op_id)
    record_event(session, action, actor=actor, at=now, project_id=held.project_id, target=target, detail=detail)


def _seen(ledger: Ledger, record: Record, waiting: Act) -> dict[str, int]:
    """What the author had before the eyes, as far as it is here; also under another name, if somebody applied it."""
    row, vector = waiting.row, record.vector
    seen = {**row["context"], row["origin"]: row["prev"]}
    known = {origin: min(n, vector[origin]) for origin, n in seen.items() if n and origin in vector}
    known |= {name: 1 for name in seen if name.startswith(UNSEEN)}
    entity = seen_before(ledger, record, waiting) if row["kind"] == "entity" else {}
    return union((known, entity, _own_before(ledger, record, row["origin"], row["prev"])))


def _own_before(ledger: Ledger, record: Record, origin: str, prev: int) -> dict[str, int]:
    """Of what the author had written there before, what is here; also under another name, if somebody released it."""
    own = {origin: prev} if 0 < prev <= record.vector.get(origin, 0) else {}
    before = ledger.numbers.get((origin, prev))
    released = (closure(one.op) for one in record.ready if before is not None and one.row["cause_id"] == before)
    return union((own, *released))


SHARED = (
    "account_id",
    "device_id",
    "form_id",
    "version",
    "changes",
    "is_delete",
    "xml",
    "instance_id",
    "attachments",
    "at",
)
"""What stays the author's in an operation that somebody else released."""


def _draft(item: InboxItem) -> Draft:
    try:
        draft = read_draft(item.raw)
        # Of a submission that is here already only the files are new.
        return replace(draft, xml=None, changes={}) if item.why == Why.OTHER_FILE.value else draft
    except Unreadable as error:
        bare = derive(item.project_id, item.raw, (), None)
        if bare is None:
            raise StillInQuarantine(error.detail, why=error.why.value) from error
        return bare
