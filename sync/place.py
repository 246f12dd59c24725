"""Place an operation: once what it waits for is here, it takes part in its record, and wakes what waited for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

from forms.definition import FormDefinition
from forms.finding import Finding
from forms.flat import differences, flatten, has_keys, is_keyed, unflatten
from forms.instance import open_instance
from sync.apply_reviews import settle_comment, settle_review
from sync.assignments.apply import settle_assignment
from sync.draft import derived_origin
from sync.entities.apply import declare_entities, entities_of, find_base, only_changes, refold, settle_entity
from sync.entities.apply_lists import settle_list
from sync.filling import policies_among
from sync.ledger import Act, Ledger, Record
from sync.merge import Op, View, closure, missing, with_twins
from sync.rows import SUBMISSION_ALIAS
from sync.settle import compiled_for, filling_of, settle, xml_of
from sync.verdict import Outcome, Why

WAITS = {"": Why.NONE, "predecessor": Why.WAITS_FOR_PREDECESSOR, "base": Why.WAITS_FOR_BASE}


def place(ledger: Ledger, act: Act, findings: tuple[Finding, ...] | None = None) -> Why:
    """The operation applies, and all that waited for it; or it is held, and why is returned."""
    why = _try(ledger, act, findings)
    if why is Why.NONE:
        wake(ledger, act)
    return why


def wake(ledger: Ledger, act: Act) -> None:
    """Whatever waited for this operation, or for what its waking wakes, applies."""
    arrived = deque([act] if ledger.wakes else [])
    while arrived:
        for waiting in list(_waiting_for(ledger, arrived.popleft())):
            if waiting.state == "held" and _try(ledger, waiting, None) is Why.NONE:
                arrived.append(waiting)


def set_aside(ledger: Ledger, waiting: Act) -> None:
    """It waits no more and only occupies its number: what was made after it need not wait for it."""
    waiting.change(state="void", why=Why.SET_ASIDE.value, seq=ledger.head)
    ledger.record(waiting.row["kind"], waiting.row["record_id"]).forget()
    wake(ledger, waiting)


def outcome_of(view: View, op: Op) -> Outcome:
    """How an operation came out, when it became part of this view."""
    if any(op.op_id == sibling.op_id for clash in view.clashes for sibling in clash.siblings):
        return Outcome.CONFLICT
    own = next((other for other in view.ready if other.op_id == op.op_id), op)
    unseen = (other for other in view.ready if other is not own and not own.has_seen(other))
    is_concurrent = any(not other.has_seen(own) for other in unseen if not other.is_void)
    return Outcome.MERGED if is_concurrent else Outcome.ACCEPTED


def _waiting_for(ledger: Ledger, act: Act) -> Iterator[Act]:
    kind, record_id, instance_id = act.row["kind"], act.row["record_id"], act.row["instance_id"]
    if kind == "form":
        yield from ledger.waiting_for_version(record_id, act.row["version"])
    yield from _in_order(ledger.record(kind, record_id))
    if kind == "submission" and instance_id and instance_id != record_id:
        # An edit by OpenRosa names its base by that base's own instanceID, and waits under that name; so may a review.
        ledger.load_records((kind, "review"), [instance_id])
        for named in (kind, "review"):
            yield from _in_order(ledger.record(named, instance_id))
    if kind == "submission":
        for about in ("review", "comment"):
            yield from _in_order(ledger.record(about, record_id))


def _in_order(record: Record) -> list[Act]:
    return sorted(record.held, key=lambda act: (act.row["n"], act.row["origin"]))


def _try(ledger: Ledger, act: Act, findings: tuple[Finding, ...] | None) -> Why:
    why = _obstacle(ledger, act)
    if why is not Why.NONE:
        if act.row["why"] != why.value:
            act.change(why=why.value)
        return why
    record = ledger.record(act.row["kind"], act.row["record_id"])
    act.change(state="ready", why="", seq=ledger.next_seq(act))
    record.take(act)
    view = SETTLE[act.row["kind"]](ledger, record, act, findings)
    outcome = outcome_of(view, act.op)
    if act.row["kind"] == "submission":
        outcome = _place_entities(ledger, act, outcome)
    act.change(verdict=outcome.value)
    return Why.NONE


def _obstacle(ledger: Ledger, act: Act) -> Why:
    """What the operation waits for. On the way its place is found: its record, its base, its changes."""
    find = OBSTACLES.get(act.row["kind"])
    why = find(ledger, act) if find is not None else Why.NONE
    if why is not Why.NONE:
        return why
    record = ledger.record(act.row["kind"], act.row["record_id"])
    why = WAITS[missing(act.op, record.vector)]
    if why is Why.NONE:
        _find_changes(ledger, record, act)
    return why


def _obstacle_of_submission(ledger: Ledger, act: Act) -> Why:
    if act.has_xml and act.row["origin"] == derived_origin(act.op_id) and not act.row["context"]:
        why = _find_named_base(ledger, act)
        if why is not Why.NONE:
            return why
    known = ledger.submission(act.row["record_id"])
    if known is not None and not (act.row["version"] and act.row["form_id"]):
        act.change(form_id=known["form_id"], version=act.row["version"] or known["version"])
    if compiled_for(ledger, act.row["form_id"], act.row["version"]) is not None:
        return Why.NONE
    return Why.WAITS_FOR_VERSION if act.row["form_id"] else Why.WAITS_FOR_RECORD


def _find_named_base(ledger: Ledger, act: Act) -> Why:
    """A bare instance names what it replaces by deprecatedID; its author had seen that version of the record."""
    envelope = act.filling.envelope if act.filling is not None else open_instance(xml_of(ledger, act) or "")
    base_id = envelope.deprecated_id
    if not base_id:
        return Why.NONE
    record = ledger.record("submission", ledger.root(base_id))
    bases = [one.op for one in record.ready if one.row["instance_id"] == base_id and one is not act]
    if not bases and record.record_id == base_id:
        # Who made it by its answers alone gave no instance a name: it goes by that of the record.
        bases = [one.op for one in record.ready if not (one.row["instance_id"] or one.op.prev or one.op.context)]
    if not bases:
        return Why.WAITS_FOR_BASE
    ledger.move(act, record.record_id)
    act.change(context=closure(max(bases, key=lambda op: (*op.precedence, op.op_id))))
    return Why.NONE


def _obstacle_of_entity(ledger: Ledger, act: Act) -> Why:
    return find_base(ledger, act)


def _obstacle_of_review(ledger: Ledger, act: Act) -> Why:
    about = act.row["changes"].get("submission") if act.row["kind"] == "comment" else act.row["record_id"]
    root = ledger.root(str(about))
    if ledger.submission(root) is None:
        return Why.WAITS_FOR_RECORD
    if act.row["kind"] == "review":
        ledger.move(act, root)
    return Why.NONE


def _obstacle_of_form(ledger: Ledger, act: Act) -> Why:
    """The bytes of a version go ahead of the operation that tells of it."""
    return Why.NONE if ledger.has_version(act.row["form_id"], act.row["version"]) else Why.WAITS_FOR_VERSION


OBSTACLES: Mapping[str, Callable[[Ledger, Act], Why]] = {
    "submission": _obstacle_of_submission,
    "entity": _obstacle_of_entity,
    "review": _obstacle_of_review,
    "comment": _obstacle_of_review,
    "form": _obstacle_of_form,
}


def _find_changes(ledger: Ledger, record: Record, act: Act) -> None:
    if act.row["kind"] == "entity" and act.row["cause_id"]:
        only_changes(ledger, record, act)
    if act.row["kind"] != "submission":
        return
    if act.row["changes"]:
        _by_key(ledger, record, act)
        return
    if not act.has_xml:
        return
    filling = filling_of(ledger, act)
    if filling is None:
        return
    if not record.ready:
        act.change(changes={path: value for path, value in filling.flat.items() if value is not None})
        act.is_whole = True
        return
    act.change(changes=differences(_before(record, act, filling.compiled.definition), filling.flat))


def _by_key(ledger: Ledger, record: Record, act: Act) -> None:
    """A client that does not know about keys sends a repeat as one answer: it means the entries that are different."""
    compiled = compiled_for(ledger, act.row["form_id"], act.row["version"])
    if compiled is None or not has_keys(compiled.definition):
        return
    definition, changes = compiled.definition, act.row["changes"]
    whole = [path for path in changes if is_keyed(definition, path)]
    if not whole:
        return
    inside = tuple(f"{path}/" for path in whole)
    before, after = _before(record, act, definition), flatten(definition, unflatten(definition, changes))
    known, said = ({at: value for at, value in flat.items() if at.startswith(inside)} for flat in (before, after))
    rest = {path: value for path, value in changes.items() if path not in whole}
    act.change(changes=rest | differences(known, said))


def _before(record: Record, act: Act, definition: FormDefinition) -> Mapping[str, str | None]:
    """What the author had before the eyes; with it, what is known of entries that were removed."""
    history, seen = record.history, with_twins({**act.row["context"], act.op.origin: act.op.prev}, record.twins)
    values = history.seen_by(seen, policies=policies_among(definition, history.paths)).values
    return {**values, **flatten(definition, unflatten(definition, values))} if has_keys(definition) else values


def _settle_submission(ledger: Ledger, record: Record, act: Act, findings: tuple[Finding, ...] | None) -> View:
    view = settle(ledger, record, act, findings)
    instance_id = act.row["instance_id"]
    if instance_id and instance_id != record.record_id and ledger.root(instance_id) == instance_id:
        ledger.aliases[instance_id] = record.record_id
        ledger.inserts[SUBMISSION_ALIAS].append(
            {"project_id": ledger.project_id, "alias": instance_id, "instance_id": record.record_id}
        )
    return view


def _settle_entity(ledger: Ledger, record: Record, act: Act, _findings: object) -> View:
    return settle_entity(ledger, record, act)


def _settle_review(ledger: Ledger, record: Record, act: Act, _findings: object) -> View:
    view = settle_review(ledger, record)
    refold(ledger, entities_of(ledger, ledger.root(record.record_id)), act)
    return view


def _settle_comment(ledger: Ledger, record: Record, act: Act, _findings: object) -> View:
    return settle_comment(ledger, record, act)


def _settle_assignment(ledger: Ledger, record: Record, _act: Act, _findings: object) -> View:
    return settle_assignment(ledger, record)


def _settle_list(ledger: Ledger, record: Record, act: Act, _findings: object) -> View:
    return settle_list(ledger, record, act)


def _settle_form(ledger: Ledger, record: Record, _act: Act, _findings: object) -> View:
    ledger.use_newest_version(record.record_id)
    return record.folded()


SETTLE: Mapping[str, Callable[[Ledger, Record, Act, tuple[Finding, ...] | None], View]] = {
    "submission": _settle_submission,
    "entity": _settle_entity,
    "assignment": _settle_assignment,
    "review": _settle_review,
    "comment": _settle_comment,
    "form": _settle_form,
    "list": _settle_list,
}


def _place_entities(ledger: Ledger, act: Act, outcome: Outcome) -> Outcome:
    """The entity operations of a submission are placed with it; a conflict of theirs is the submission's too."""
    filling = act.filling
    # What another server forwards has declared its entities there; those operations come too.
    if filling is None or act.row["via"] is not None:
        return outcome
    for declared in declare_entities(ledger, act, filling):
        place(ledger, declared)
        if declared.row["verdict"] == Outcome.CONFLICT.value:
            outcome = Outcome.CONFLICT
    return outcome
