"""Out of the quarantine: release what was put aside as a new operation, or discard it with a reason."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import access
from sync.access import Actor
from sync.author import own_row
from sync.draft import Draft, Unreadable, read_draft
from sync.errors import NoReason
from sync.item import Landed, prepare
from sync.judge import refusal_of_content, row_of
from sync.ledger import Act, open_ledger
from sync.models import InboxItem
from sync.place import place
from sync.receive import derive
from sync.record import record
from sync.verdict import Sender, Why


class StillInQuarantine(Problem):
    """This item cannot be placed yet. Remove the reason that is shown first, or discard it with a note."""

    kind = Kind.CONFLICT
    slug = "quarantine/still"


def release(session: Session, item: InboxItem, *, actor: Actor, now: datetime) -> str:
    """The item becomes a new operation with the permission of who releases it; the id of that operation.

    It is concurrent with all that happened since: it can surface as a conflict, never overwrite. Refuses NotAllowed,
    StillInQuarantine."""
    access.require(actor, "quarantine.release", item.project_id)
    draft = _draft(item, now)
    sender = Sender(item.project_id, actor, "server", device_id=item.device_id, account_id=item.account_id)
    prepared = prepare(session, sender, item.batch_id, [Landed(item.item_id, draft.line())], now=now)[0]
    ledger = open_ledger(session, item.project_id, now=now)
    why, detail = refusal_of_content(ledger, prepared, draft)
    if why is not Why.NONE:
        raise StillInQuarantine(detail, why=why.value)
    shared = row_of(ledger, prepared, draft)
    row = own_row(ledger, kind=draft.kind, record_id=shared["record_id"], actor=actor, context=draft.context)
    authored = {name: shared[name] for name in SHARED}
    # Alone in its chain: what this server wrote since, its author had not seen.
    place_ = {"origin": f"r~{row['op_id']}", "n": 1, "prev": 0}
    row |= authored | place_ | {"rank": 0, "cause_id": item.op_id[:64], "batch_id": item.batch_id}
    act = Act(row, filling=prepared.filling)
    ledger.add(act)
    place(ledger, act)
    ledger.write()
    _close(session, item, "released", actor=actor, now=now, detail={"op": act.op_id, "why": item.why})
    return act.op_id


def discard(session: Session, item: InboxItem, *, note: str, actor: Actor, now: datetime) -> None:
    """The bytes are kept, out of sight. Refuses NotAllowed, NoReason."""
    access.require(actor, "quarantine.release", item.project_id)
    if not note.strip():
        raise NoReason(field="note")
    _close(session, item, "discarded", actor=actor, now=now, detail={"note": note.strip(), "why": item.why})


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


def _draft(item: InboxItem, now: datetime) -> Draft:
    try:
        return read_draft(item.raw)
    except Unreadable as error:
        bare = derive(item.project_id, item.raw, (), None, now)
        if bare is None:
            raise StillInQuarantine(error.detail, why=error.why.value) from error
        return bare


def _close(
    session: Session, item: InboxItem, state: str, *, actor: Actor, now: datetime, detail: dict[str, str]
) -> None:
    item.state, item.judged_at = state, now
    session.flush()
    verb = {"released": "quarantine.release", "discarded": "quarantine.discard"}[state]
    target = ("inbox_item", item.item_id)
    record(session, verb, actor=actor, at=now, project_id=item.project_id, target=target, detail=detail)
