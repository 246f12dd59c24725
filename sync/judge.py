"""Judge what has landed: each item becomes an operation that takes part or waits, or is put aside with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from sync import access, definitions, inbox, removed
from sync.draft import KINDS, Draft, Unreadable, fault_of_ids, is_attachment, read_draft
from sync.item import Item
from sync.ledger import Act, Ledger, Row, open_ledger
from sync.place import place, set_aside, wake
from sync.repeat import SHOWN, files_beside, gives_way, is_set_aside, line_of, new_files, other_files, repeated
from sync.settle import settle, xml_of
from sync.verdict import Line, Outcome, Sender, Why

VERBS: Mapping[str, str] = {
    "submission": "submission.create",
    "entity": "entity.update",
    "assignment": "assignment.update",
    "review": "submission.review",
    "comment": "comment.create",
    "form": "form.publish",
    "list": "entity_list.create",
}
"""What an author must be allowed to, by the kind of the operation."""

OF_SERVERS = ("s-", "s~", "r~", "e~", "b~", "x~")
"""How origins begin that only servers write by."""

REASONS = frozenset(why.value for why in Why)

DELETE: Mapping[str, str] = {"submission": "submission.delete", "entity": "entity.delete"}


def judge(session: Session, items: Sequence[Item], *, now: datetime, wakes: bool = True) -> list[Line]:
    """One transaction's worth of items of one project, in their order; the feed's counter is written last.

    An item that somebody else has judged meanwhile is a duplicate. Without `wakes`, what waits for them goes on
    waiting."""
    project_id = items[0].sender.project_id
    ledger = open_ledger(session, project_id, now=now)
    ledger.wakes = wakes
    for item in items:
        if item.form_key and item.filling:
            definitions.take(session, item.form_key, item.filling.compiled)
    _load(ledger, items)
    waiting = inbox.still_landed(ledger.connection, project_id, [item.item_id for item in items])
    lines = [_judge(ledger, item) if item.item_id in waiting else _repeat(ledger, item) for item in items]
    _let_out(ledger, [item for item in items if item.sender.actor.serves])
    ledger.write()
    judged = zip(items, lines, strict=True)
    # What somebody else has put aside meanwhile is a duplicate here, and stays where it is.
    gone = [
        item.item_id for item, line in judged if line.outcome is not Outcome.QUARANTINED and item.item_id in waiting
    ]
    inbox.leave(ledger.connection, project_id, gone)
    return [_after(ledger, line) for line in lines]


def _load(ledger: Ledger, items: Sequence[Item]) -> None:
    """All that the items name, in a few queries."""
    drafts = [item.draft for item in items if item.draft is not None]
    ledger.load_operations([draft.op_id for draft in drafts], [(draft.origin, draft.n) for draft in drafts])
    ledger.refused |= removed.refused(ledger.session, ledger.project_id, _files_of(drafts))
    by_kind: dict[str, list[str]] = {}
    for draft in drafts:
        by_kind.setdefault(draft.kind, []).append(draft.record_id)
    # An edit has an instance ID of its own, under which it may have come by another way.
    own = [item.envelope.instance_id for item in items if item.envelope is not None]
    submissions = [*by_kind.pop("submission", []), *filter(None, own)]
    # Whether an entity is approved follows from the reviews of the record that registers it.
    registering = [draft.instance_id for draft in drafts if draft.kind == "entity" and draft.instance_id]
    ledger.load_aliases([*submissions, *registering])
    ledger.load_records(("review",), [ledger.aliases[one] for one in registering])
    # What waits for a submission may be a review or a comment of it.
    ledger.load_records(("submission", "review", "comment"), [ledger.aliases[one] for one in submissions])
    for kind, record_ids in by_kind.items():
        ledger.load_records((kind,), record_ids)


def _judge(ledger: Ledger, item: Item) -> Line:
    if item.draft is None:
        return _put_aside(ledger, item, item.why, item.detail)
    known = ledger.acts.get(item.draft.op_id)
    if known is None or gives_way(known.row, item.draft, item.sender):
        return _judge_new(ledger, item, item.draft, known)
    if is_set_aside(known.row, item.draft, item.sender):
        set_aside(ledger, known)
    return _go_on(ledger, item, item.draft, known)


def _judge_new(ledger: Ledger, item: Item, draft: Draft, marker: Act | None) -> Line:
    """Nothing of it is here but a marker, perhaps."""
    twin = _same_instance(ledger, item, draft)
    if twin is not None and draft.is_derived and not item.sender.actor.serves:
        # Servers exchange operations, whatever is in them: else their sets would differ.
        return _go_on(ledger, item, draft, twin)
    ledger.welcome(_files_of([draft]))
    why, detail = _refusal(ledger, item, draft)
    if why is not Why.NONE:
        return _put_aside(ledger, item, why, detail)
    if marker is not None:
        ledger.give_way(marker)
    if draft.void:
        return _mark_void(ledger, item, draft)
    if twin is not None and twin.state == "ready":
        return _mark_twin(ledger, item, draft, twin)
    act = Act(row_of(ledger, item, draft), filling=item.filling)
    ledger.add(act)
    place(ledger, act, item.findings)
    return _line(ledger, act)


def _go_on(ledger: Ledger, item: Item, draft: Draft, known: Act) -> Line:
    """It is known: new files continue it. Another file of a name that it has already is put aside, for a supervisor."""
    line = _continue(ledger, draft, known, new_files(draft, known.row))
    others = other_files(draft, known.row, item.sender)
    acts = ledger.record(known.row["kind"], known.row["record_id"]).acts if others else ()
    here = {(one["name"], one["sha256"]) for act in acts for one in act.row["attachments"]}
    unseen = sorted(one["name"] for one in others if (one["name"], one["sha256"]) not in here)
    # Nothing of it but the files is new, so it has neither an id of its own nor a number.
    return _put_aside(ledger, replace(item, draft=None), Why.OTHER_FILE, ", ".join(unseen)) if unseen else line


def _files_of(drafts: Iterable[Draft]) -> set[str]:
    return {str(one["sha256"]) for draft in drafts for one in draft.attachments if is_attachment(one)}


def _is_forged(ledger: Ledger, item: Item, draft: Draft) -> bool:
    """Whether it claims to be the word of a server or of another device: their numbers are not this sender's to give
    away."""
    if draft.is_derived or item.sender.actor.serves:
        return False
    return draft.origin.startswith(OF_SERVERS) or _is_of_another(ledger, item, draft)


def _is_of_another(ledger: Ledger, item: Item, draft: Draft) -> bool:
    """Whether a device that works here counts by this origin: everybody reads in records who has counted how far.

    Who is revoked, unknown here, or silent since the sender was enrolled may be what the same tablet was before: it
    sends under its new name what it had made under the old one."""
    own, owner = item.sender.device_id, draft.origin.rpartition("~")[0]
    if own is None or owner in ("", own):
        return False
    device, sender = ledger.device(owner), ledger.device(own)
    if device is None or sender is None or device.revoked_at is not None or device.last_seen_at is None:
        return False
    return device.last_seen_at >= sender.enrolled_at


def _same_instance(ledger: Ledger, item: Item, draft: Draft) -> Act | None:
    """An instance that somebody hands in bare may be known from the device that made it, or the other way round: the
    same XML under the same instance ID is the same operation, by whichever way it comes."""
    if item.envelope is None or draft.kind != "submission" or not item.envelope.instance_id:
        return None
    instance_id = item.envelope.instance_id
    record = ledger.record("submission", ledger.root(instance_id))
    acts = (act for act in record.acts if act.has_xml and act.row["instance_id"] == instance_id)
    return next((act for act in acts if xml_of(ledger, act) == draft.xml), None)


def _refusal(ledger: Ledger, item: Item, draft: Draft) -> tuple[Why, str]:
    """Why the item cannot be placed, now or later; Why.NONE when it can."""
    if item.sender.is_revoked:
        return Why.REVOKED_DEVICE, ""
    if item.why is not Why.NONE:
        return item.why, item.detail
    if _is_forged(ledger, item, draft):
        return Why.NOT_PERMITTED, draft.origin
    verb = verb_of(draft)
    if not verb or not access.may(item.sender.actor, verb, ledger.project_id):
        return Why.NOT_PERMITTED, verb or draft.kind
    if draft.void and not item.sender.actor.serves:
        return Why.NOT_PERMITTED, "void"
    if item.sender.actor.serves:
        # Another server has taken it already: whether this one would have does not matter any more.
        return Why.NONE, ""
    taken = ledger.numbers.get((draft.origin, draft.n))
    # A marker, on a record of its own, keeps nothing else out: another server may tell of it first.
    is_free = taken in (None, draft.op_id) or (taken in ledger.voids and _may_be_void(ledger, draft))
    if not is_free:
        return Why.NUMBER_REUSED, str(taken)
    return refusal_of_content(ledger, item, draft)


def verb_of(draft: Draft) -> str:
    """What somebody must be allowed to who brings it about; "" when nobody may."""
    return DELETE.get(draft.kind, "") if draft.is_delete else VERBS.get(draft.kind, "")


def refusal_of_content(ledger: Ledger, item: Item, draft: Draft) -> tuple[Why, str]:
    """Why it cannot be placed, whoever sends it."""
    if item.why is not Why.NONE or draft.kind != "submission":
        return item.why, item.detail
    form_id = _form_id(ledger, item, draft)
    named = item.envelope.form_id if item.envelope is not None else form_id
    if named != form_id:
        return Why.OTHER_FORM, named
    shown = ledger.submission(ledger.root(draft.record_id))
    if shown is not None:
        return (Why.NONE, "") if shown["form_id"] == form_id else (Why.OTHER_FORM, form_id)
    form = ledger.form(form_id)
    if form is None and form_id:
        return Why.UNKNOWN_FORM, form_id
    if form is None:
        # A change of a record that is not here yet: whose it is, the record will say.
        return Why.NONE, ""
    return (Why.FORM_CLOSED, form_id) if form["state"] == "closed" else (Why.NONE, "")


def _form_id(ledger: Ledger, item: Item, draft: Draft) -> str:
    """As the author says; else as the instance says; else that of the record."""
    if draft.form_id or item.envelope is not None:
        return draft.form_id or (item.envelope.form_id if item.envelope else "")
    shown = ledger.submission(ledger.root(draft.record_id))
    return str(shown["form_id"]) if shown else ""


def _put_aside(ledger: Ledger, item: Item, why: Why, detail: str) -> Line:
    """The bytes stay in the inbox. What can be numbered takes its number: it blocks no successor."""
    draft = item.draft
    op_id = draft.op_id if draft is not None else inbox.unreadable_id(item.raw)
    session, project_id = ledger.session, ledger.project_id
    put_aside = inbox.quarantined(session, project_id, op_id)
    if put_aside is not None:
        # The same once more: one row in the supervisor's list is enough, and the first verdict stands.
        return Line(op_id, Outcome.DUPLICATE, why=Why(put_aside.why), first=Outcome.QUARANTINED)
    inbox.quarantine(session, project_id, item.item_id, op_id=op_id, why=why, detail=detail, now=ledger.now)
    if draft is not None and not _is_forged(ledger, item, draft) and _may_be_void(ledger, draft):
        row = row_of(ledger, item, draft) | {
            "state": "void",
            "why": why.value,
            "verdict": Outcome.QUARANTINED.value,
            "context": {},
            "changes": {},
            "xml": None,
            "attachments": [],
            "seq": ledger.head,
        }
        void = Act(row)
        ledger.add(void)
        wake(ledger, void)
    return Line(op_id, Outcome.QUARANTINED, why=why, detail=detail, instance_id=draft.record_id if draft else "")


def _let_out(ledger: Ledger, items: Sequence[Item]) -> None:
    """What this server had put aside and another one has taken takes part here too, with the files that came here."""
    op_ids = [item.draft.op_id for item in items if item.draft is not None]
    here = [op_id for op_id in op_ids if op_id in ledger.acts and ledger.acts[op_id].state != "void"]
    for put_aside in inbox.put_aside(ledger.session, ledger.project_id, here):
        act = ledger.acts[put_aside.op_id]
        with suppress(Unreadable):
            draft = read_draft(put_aside.raw)
            _continue(ledger, draft, act, new_files(draft, act.row))
        actor, now = items[0].sender.actor, ledger.now
        inbox.move(ledger.session, put_aside, "released", actor=actor, now=now, detail={"op": act.op_id})


def _mark_void(ledger: Ledger, item: Item, draft: Draft) -> Line:
    """Another server has put it aside: here too it only occupies its number."""
    row = row_of(ledger, item, draft) | {
        "state": "void",
        # A newer server may know reasons that have no name here yet.
        "why": draft.void if draft.void in REASONS else Why.INVALID_OPERATION.value,
        "verdict": Outcome.QUARANTINED.value,
        "seq": ledger.head,
    }
    void = Act(row)
    ledger.add(void)
    wake(ledger, void)
    return Line(draft.op_id, Outcome.ACCEPTED, instance_id=draft.record_id)


def _mark_twin(ledger: Ledger, item: Item, draft: Draft, twin: Act) -> Line:
    """It is here already, by another way. Its number is taken, and who has seen it has seen the one that is here."""
    line = _continue(ledger, draft, twin, files_beside(draft, twin.row))
    row = row_of(ledger, item, draft) | {
        "record_id": twin.row["record_id"],
        "state": "void",
        "why": Why.SAME_INSTANCE.value,
        "verdict": twin.row["verdict"],
        "cause_id": twin.op_id,
        "context": {},
        "changes": {},
        "xml": None,
        "attachments": [],
        "seq": ledger.head,
    }
    marker = Act(row)
    ledger.add(marker)
    wake(ledger, marker)
    return replace(line, op_id=draft.op_id, why=Why.SAME_INSTANCE)


def _may_be_void(ledger: Ledger, draft: Draft) -> bool:
    """Whether its place in a chain can be told, and is free. A number may be taken by an operation on another record:
    what was made after this one waits for it here all the same."""
    if draft.kind not in KINDS or fault_of_ids(draft) or draft.op_id in ledger.acts:
        return False
    record_id = ledger.root(draft.record_id) if draft.kind == "submission" else draft.record_id
    place_ = draft.origin, draft.n
    return all((act.row["origin"], act.row["n"]) != place_ for act in ledger.record(draft.kind, record_id).acts)


def row_of(ledger: Ledger, item: Item, draft: Draft) -> Row:
    """The item as an operation that nobody has placed yet."""
    sender, envelope = item.sender, item.envelope
    # Another server brings the work of others: it stays theirs, with the rank that they have there.
    is_forwarded = bool(sender.actor.serves)
    instance_id = draft.instance_id if is_forwarded else ""
    return {
        "project_id": ledger.project_id,
        "op_id": draft.op_id,
        "origin": draft.origin,
        "n": draft.n,
        "prev": draft.prev,
        "kind": draft.kind,
        "record_id": ledger.root(draft.record_id) if draft.kind == "submission" else draft.record_id,
        "context": dict(draft.context),
        "at": draft.at,
        "rank": draft.rank if is_forwarded else _rank(ledger, sender, draft),
        "account_id": (draft.account_id or None) if is_forwarded else sender.account_id,
        "device_id": (draft.device_id or None) if is_forwarded else sender.device_id,
        "form_id": _form_id(ledger, item, draft) if draft.kind == "submission" else draft.form_id,
        "version": draft.version or (envelope.version if envelope is not None else ""),
        "changes": dict(draft.changes or {}),
        "is_delete": draft.is_delete,
        "xml": draft.xml,
        "instance_id": envelope.instance_id if envelope is not None else instance_id,
        "attachments": [dict(attachment) for attachment in draft.attachments],
        "cause_id": draft.cause_id,
        "state": "held",
        "why": "",
        "verdict": Outcome.HELD.value,
        "seq": None,
        "batch_id": item.batch_id,
        "via": sender.actor.id if is_forwarded else None,
        "received_at": ledger.now,
    }


def _rank(ledger: Ledger, sender: Sender, draft: Draft) -> int:
    """What a server makes of a bare instance is the same on every server, whoever hands it in there."""
    return 0 if draft.is_derived else access.rank(sender.actor, ledger.project_id)


def _continue(ledger: Ledger, draft: Draft, act: Act, added: Sequence[Row]) -> Line:
    """It is known: the answer is the first verdict, also when new files continue it."""
    if added:
        act.change(attachments=[*act.row["attachments"], *added])
        ledger.record(act.row["kind"], act.row["record_id"]).forget()
        if act.state == "ready":
            _take_files(ledger, act)
    return repeated(act.row, _shown(ledger, act), ledger.lacking.get(act.row["record_id"], ()))


def _take_files(ledger: Ledger, act: Act) -> None:
    record = ledger.record("submission", act.row["record_id"])
    shown = ledger.submissions[record.record_id]
    before = {name: shown[name] for name in ("updated_at", "seq")}
    settle(ledger, record, act)
    # Files that come late are no edit: what was decided stands.
    ledger.submissions[record.record_id].update(before)


def _repeat(ledger: Ledger, item: Item) -> Line:
    """Somebody else judged it between our reading and our lock."""
    draft = item.draft
    known = ledger.acts.get(draft.op_id) if draft is not None else None
    if draft is not None and known is not None:
        return _continue(ledger, draft, known, new_files(draft, known.row))
    op_id = draft.op_id if draft is not None else inbox.unreadable_id(item.raw)
    put_aside = inbox.quarantined(ledger.session, ledger.project_id, op_id)
    why = Why(put_aside.why) if put_aside is not None else Why.NONE
    return Line(op_id, Outcome.DUPLICATE, why=why, first=Outcome.QUARANTINED)


def _line(ledger: Ledger, act: Act) -> Line:
    lacking = ledger.lacking.get(act.row["record_id"], ())
    return line_of(act.row, _shown(ledger, act), lacking, outcome=Outcome(act.row["verdict"]))


def _shown(ledger: Ledger, act: Act) -> Mapping[str, Any]:
    if act.row["kind"] != "submission" or act.state != "ready":
        return {}
    row = ledger.submission(ledger.root(act.row["record_id"]))
    return {name: row[name] for name in SHOWN} if row else {}


def _after(ledger: Ledger, line: Line) -> Line:
    """An item that waited for a later one of its own batch does not wait any more."""
    act = ledger.acts.get(line.op_id)
    if line.outcome is not Outcome.HELD or act is None or act.state != "ready":
        return line
    return _line(ledger, act)
