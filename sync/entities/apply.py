"""What a submission says about entities, applied: operations of their own, folded by the same merge.

Offline branches (ODK entities specification 2024.1): a device that changes an entity again before it has heard from
the server says from which of its own versions it started. origin = the branch, n from that base version."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from operator import itemgetter
from typing import Any

from sqlalchemy import select

from forms.entity_element import EntityElement
from forms.finding import Finding, Rule, Severity
from forms.instance import entity_elements
from forms.policy import Policy
from sync.apply_reviews import was_approved
from sync.clashes import lay_clashes
from sync.entities import list_rules
from sync.epochs import FIRST_EPOCH
from sync.filling import Filling
from sync.identity import derived
from sync.lay import LONGEST_VALUE
from sync.ledger import Act, Ledger, Record, Row
from sync.merge import View, closure, contests, fold, union
from sync.models import EntityVersion
from sync.rows import ENTITY, ENTITY_VERSION, OPERATION
from sync.verdict import Why

LOADED_AT_ONCE = 1000

LABEL = "label"
"""The path of an entity's label; properties go by their own name (the specification reserves "label")."""


def declare_entities(ledger: Ledger, act: Act, filling: Filling) -> list[Act]:
    """The entity operations of a submission, held; the caller tries to place them.

    Only the instance that makes the record speaks of entities: edits of it are not applied again, as in ODK Central."""
    if not filling.compiled.definition.entities or act.row["context"] or act.row["prev"]:
        return []
    elements = entity_elements(filling.compiled.definition, filling.envelope, filling.answers)
    declared = []
    for element in elements:
        if fault(element):
            continue
        declared_act = Act(_row(ledger, act, element))
        # An element that names an entity a second time has the same id: the finding says so.
        if declared_act.op_id not in ledger.acts:
            ledger.add(declared_act)
            declared.append(declared_act)
    return declared


def entity_faults(ledger: Ledger, filling: Filling) -> tuple[Finding, ...]:
    """What is wrong with what an instance says about entities: elements that are not applied, others that are."""
    if not filling.compiled.definition.entities:
        return ()
    found: list[Finding] = []
    seen: set[tuple[str, str]] = set()
    for element in entity_elements(filling.compiled.definition, filling.envelope, filling.answers):
        key = (element.dataset, element.id)
        reason = fault(element) or ("twice" if key in seen else "")
        if reason:
            found.append(_fault_of(element, element.id, reason=reason))
        elif element.create or element.update:
            seen.add(key)
            found.extend(_fault_of(element, element.id, reason=doubt) for doubt in _doubts(element))
            found.extend(_misfits(ledger, element))
    return tuple(found)


def _misfits(ledger: Ledger, element: EntityElement) -> Iterator[Finding]:
    row = ledger.known_list(element.dataset)
    rules = list_rules.read(row["settings"] if row is not None else {})
    for name, value in element.properties.items():
        misfit = rules.of(name).misfit(value)
        if misfit:
            yield _fault_of(element, value[:LONGEST_VALUE], reason="misfit", type=misfit, property=name)


def _doubts(element: EntityElement) -> Iterator[str]:
    """Why it is uncertain what its author had before the eyes. It is applied as if that were little: then the change
    can surface as a conflict, never overwrite. (ODK Central does not apply such an element.)"""
    if element.update and not element.create and element.base_version is None:
        yield "base"
    if element.update and element.trunk_version is not None and not element.branch_id:
        yield "branch"


def _fault_of(element: EntityElement, value: str, **params: str) -> Finding:
    params |= {"list": element.dataset} | ({"scope": element.scope} if element.scope else {})
    return Finding(Severity.WARNING, Rule.ENTITY, "", value, params=params)


def fault(element: EntityElement) -> str:
    """Why the element cannot be applied, "" when it can."""
    if not (element.create or element.update):
        return ""
    try:
        is_random = uuid.UUID(element.id).version == 4
    except ValueError:
        is_random = False
    if not is_random:
        # Stock clients drop an entity whose id is anything else.
        return "id"
    return "label" if element.create and not element.update and not element.label else ""


def find_base(ledger: Ledger, act: Act) -> Why:
    """Complete an entity operation by what its author had seen; what is not here yet is named."""
    base = act.row["context"].get(BASE)
    branch = act.row["context"].get(BRANCH)
    after = [one.removeprefix(AFTER) for one in act.row["context"] if one.startswith(AFTER)]
    if base is None and branch is None and not after:
        return Why.NONE
    record = ledger.record("entity", act.row["record_id"])
    if after:
        return _go_on(ledger, record, act, after)
    if branch is not None:
        return _continue_branch(record, act)
    entity = ledger.entities.get(record.record_id)
    if entity is None or entity["version"] < base:
        return Why.WAITS_FOR_BASE
    act.change(context=_vector_at(ledger, record, base))
    return Why.NONE


BASE, BRANCH, TRUNK, AFTER = "@base", "@branch", "@trunk", "@after "
"""In the context of an entity operation that waits: the version it starts from; or the number before it in its branch,
and the version from which that branch went off; or each operation on a record that had changed the entity before."""


def seen_before(ledger: Ledger, record: Record, act: Act) -> dict[str, int]:
    """What of the entity as it is here the author of a change that still waits has seen for sure."""
    context, entity = act.row["context"], ledger.entities.get(record.record_id)
    # A branch without a trunk begins with the registration itself.
    version = context.get(BASE, context.get(TRUNK, 1 if BRANCH in context else 0))
    return _vector_at(ledger, record, min(version, entity["version"])) if version and entity is not None else {}


def _continue_branch(record: Record, act: Act) -> Why:
    before = (one for one in record.ready if one.row["origin"] == act.row["origin"] and one.row["n"] == act.row["prev"])
    previous = next(before, None)
    if previous is None:
        return Why.WAITS_FOR_PREDECESSOR
    act.change(context={origin: n for origin, n in closure(previous.op).items() if origin != act.row["origin"]})
    return Why.NONE


def _go_on(ledger: Ledger, record: Record, act: Act, after: Sequence[str]) -> Why:
    """Its author had seen what those operations did to the entity, under whatever name they were released."""
    seen = {origin: n for origin, n in act.row["context"].items() if not origin.startswith(AFTER)}
    for op_id in after:
        previous = next((one for one in record.ready if one.row["cause_id"] in _names(ledger, op_id)), None)
        if previous is None:
            return Why.WAITS_FOR_PREDECESSOR
        seen = union((seen, closure(previous.op)))
    act.change(context=seen)
    return Why.NONE


def _names(ledger: Ledger, op_id: str) -> set[str]:
    """The operation, and those by which somebody has released it."""
    of_record = OPERATION.c.project_id == ledger.project_id, OPERATION.c.kind == "submission"
    released = select(OPERATION.c.op_id).where(*of_record, OPERATION.c.cause_id == op_id)
    new = {act.op_id for act in ledger.acts.values() if act.row["cause_id"] == op_id}
    return {op_id, *new, *ledger.session.scalars(released)}


def only_changes(ledger: Ledger, record: Record, act: Act) -> None:
    """Of all properties that a form saves, keep those that differ from what its author had before the eyes."""
    seen = {**act.op.context, act.op.origin: act.op.prev}
    list_name = str(ledger.entities.get(record.record_id, {}).get("list_name", act.row["form_id"]))
    base = record.history.seen_by(seen, policies=_policies(ledger, list_name))
    changes = {path: value for path, value in act.row["changes"].items() if base.values.get(path) != value}
    act.change(changes=changes)


def settle_entity(ledger: Ledger, record: Record, act: Act) -> View:
    """Fold the entity; it has one more version now."""
    row = ledger.entities.get(record.record_id) or _new_entity(ledger, record, act)
    row["was_contested"] |= any(contests(act.op, one.op) for one in record.ready)
    view = record.folded(policies=_policies(ledger, row["list_name"]))
    row.update(
        _shown(ledger, row, record, view),
        vector=dict(view.vector),
        op_id=act.op_id,
        updated_at=ledger.now,
        seq=ledger.head,
    )
    ledger.entities[record.record_id] = row
    ledger.touched_entities.add(record.record_id)
    _add_version(ledger, row, act)
    _add_properties(ledger, row["list_name"], list(row["data"]))
    lay_clashes(ledger, record, view)
    return view


def entities_of(ledger: Ledger, instance_id: str) -> list[str]:
    """The entities that the record has made or changed."""
    causes = [act.op_id for act in ledger.record("submission", instance_id).acts]
    mine = OPERATION.c.project_id == ledger.project_id, OPERATION.c.kind == "entity", OPERATION.c.cause_id.in_(causes)
    found = set(ledger.session.scalars(select(OPERATION.c.record_id).where(*mine)))
    found |= {act.row["record_id"] for act in ledger.acts.values() if act.row["cause_id"] in causes}
    ledger.load_records(("entity",), found)
    return sorted(found & ledger.entities.keys())


def refold(ledger: Ledger, entity_ids: Sequence[str], act: Act) -> None:
    """These entities are what the rules of their list, or the reviews, make of them after `act`; the feed tells of
    those that are different. What devices get has another version then: they compare versions, not values."""
    for start in range(0, len(entity_ids), LOADED_AT_ONCE):
        ledger.load_records(("entity",), entity_ids[start : start + LOADED_AT_ONCE])
    for entity_id in entity_ids:
        record, row = ledger.record("entity", entity_id), ledger.entities[entity_id]
        view = fold(record.standing(ledger.head), policies=_policies(ledger, row["list_name"]))
        before, shown = row["version"], _shown(ledger, row, record, view)
        if any(row[name] != value for name, value in shown.items()):
            row.update(shown, updated_at=ledger.now, seq=ledger.head)
            ledger.touched_entities.add(entity_id)
            lay_clashes(ledger, record, view)
        if row["version"] > before:
            _add_version(ledger, row, act)


def contested_in(ledger: Ledger, list_name: str) -> list[str]:
    """The ids of the entities of the list about which its way of merging may have something to say."""
    ledger.write_entities()
    mine = ENTITY.c.project_id == ledger.project_id, ENTITY.c.list_name == list_name
    return sorted(ledger.session.scalars(select(ENTITY.c.entity_id).where(*mine, ENTITY.c.was_contested)))


def _shown(ledger: Ledger, row: Row, record: Record, view: View) -> Row:
    standing = _standing(ledger, record)
    # Their authors had seen none of the others: they register it.
    makers = [act for act in standing if not act.row["prev"] and not act.row["context"]]
    maker = min(makers, key=lambda act: (act.row["at"], act.row["origin"], act.row["n"]), default=None)
    return {
        "label": (view.values.get(LABEL) or record.record_id)[:255],
        "data": {path: value for path, value in view.values.items() if path != LABEL and value is not None},
        "is_deleted": view.is_deleted,
        "conflicts": len(view.clashes),
        "heads": max(1, sum(1 for op in view.heads if op.set or op.is_delete)),
        "account_id": maker.row["account_id"] if maker is not None else None,
        "device_id": maker.row["device_id"] if maker is not None else None,
        "is_approved": _is_approved(ledger, standing, makers),
        "version": _version(ledger, row, standing),
    }


def _standing(ledger: Ledger, record: Record) -> list[Act]:
    """What takes part by now: a rebuild knows the later ones too."""
    return [act for act in record.acts if act.state == "ready" and (act.row["seq"] or 0) <= ledger.head]


def _is_approved(ledger: Ledger, standing: Sequence[Act], makers: Sequence[Act]) -> bool:
    """Somebody has written something by hand, or a record that registers it was approved and is not rejected now.

    It follows from the set of operations alone: whatever comes first, every server comes to the same."""
    if any(not act.row["cause_id"] and act.row["changes"] for act in standing):
        return True
    return any(was_approved(ledger, act.row["instance_id"]) for act in makers)


def _version(ledger: Ledger, row: Row, standing: Sequence[Act]) -> int:
    """How many operations have had a say in it: its own, and those that changed how its contested values are merged.

    Each makes it greater. What came after a restore is numbered from the new epoch on: devices may still have numbers
    of the life that was lost, and say them of the values that they saw. Until then it follows from the set alone."""
    having_a_say = [*standing, *_changing_what_stands(ledger, row, standing)]
    epoch = ledger.epoch_at(max(act.row["seq"] or 0 for act in having_a_say))
    return len(having_a_say) + (epoch if epoch > FIRST_EPOCH else 0)


def _changing_what_stands(ledger: Ledger, row: Row, standing: Sequence[Act]) -> list[Act]:
    """The operations on its list that have changed how values of it are merged about which people differed."""
    if not row["was_contested"]:
        return []
    of_list = _standing(ledger, ledger.record("list", row["list_name"]))
    rules = [(act, said) for act in of_list if (said := list_rules.merging(act.row["changes"]))]
    if not rules:
        return []
    pairs = combinations([act.op for act in standing], 2)
    contested = {path for one, other in pairs if contests(one, other) for path in one.set.keys() & other.set.keys()}
    return [act for act, said in rules if said & contested]


def _policies(ledger: Ledger, list_name: str) -> Mapping[str, Policy]:
    row = ledger.known_list(list_name)
    return list_rules.read(row["settings"]).policies if row is not None else {}


def _row(ledger: Ledger, act: Act, element: EntityElement) -> Row:
    source = act.row
    op_id = derived(ledger.project_id, source["op_id"], "entity", element.dataset, element.id)
    origin, n, prev, context = _place(ledger, op_id, element)
    changes: dict[str, Any] = {name: value or None for name, value in element.properties.items()}
    if element.label:
        changes[LABEL] = element.label
    return source | {
        "op_id": op_id,
        "origin": origin,
        "n": n,
        "prev": prev,
        "kind": "entity",
        "record_id": str(uuid.UUID(element.id)),
        "context": context,
        "form_id": element.dataset[:255],
        "version": "",
        "changes": changes,
        "is_delete": False,
        "xml": None,
        "attachments": [],
        "cause_id": source["op_id"],
        "state": "held",
        "why": "",
        "verdict": "held",
        "seq": None,
    }


def _place(ledger: Ledger, op_id: str, element: EntityElement) -> tuple[str, int, int, dict[str, int]]:
    """origin, n, prev and context of the operation."""
    alone = (f"e~{op_id}", 1, 0)
    base, trunk = element.base_version, element.trunk_version
    if element.update and element.seen is not None:
        return *alone, {**element.seen.vector, **{f"{AFTER}{one}": 1 for one in element.seen.after}}
    if not element.update or base is None:
        return *alone, {}
    starts, branch = base in (1, trunk), f"b~{element.branch_id}~{element.id}"[:255]
    seen = _seen_for_sure(ledger, element, base)
    if not element.branch_id or (branch, base) in ledger.numbers or _is_taken(ledger, branch, base):
        return *alone, seen
    if starts:
        return branch, base, 0, seen
    return branch, base, base - 1, {BRANCH: base - 1} | ({TRUNK: trunk} if trunk is not None else {})


def _seen_for_sure(ledger: Ledger, element: EntityElement, base: int) -> dict[str, int]:
    """Which version of the server its author had; nothing of an entity that is not here, if the element may create it.

    Beyond the trunk the numbers of a branch are its own."""
    trunk = element.trunk_version
    if element.create and not ledger.record("entity", str(uuid.UUID(element.id))).ready:
        return {}
    if trunk is None:
        return {BASE: 1 if element.branch_id else base}
    return {BASE: min(base, trunk)}


def _is_taken(ledger: Ledger, origin: str, n: int) -> bool:
    ledger.load_operations((), [(origin, n)])
    return (origin, n) in ledger.numbers


def _vector_at(ledger: Ledger, record: Record, version: int) -> dict[str, int]:
    """What somebody had seen who had this version of the entity; of a number that this server has passed over, for
    sure no less than with the one before."""
    own = (row for row in ledger.inserts[ENTITY_VERSION] if row["entity_id"] == record.record_id)
    waiting = [(row["version"], row["vector"]) for row in own if row["version"] <= version]
    found = (
        select(EntityVersion.version, EntityVersion.vector)
        .where(EntityVersion.project_id == ledger.project_id, EntityVersion.entity_id == record.record_id)
        .where(EntityVersion.version <= version)
        .order_by(EntityVersion.version.desc())
        .limit(1)
    )
    known = max([*waiting, *ledger.session.execute(found)], key=itemgetter(0), default=None)
    return dict(known[1]) if known is not None else {}


def _new_entity(ledger: Ledger, record: Record, act: Act) -> Row:
    ledger.list_row(act.row["form_id"])
    return {
        "project_id": ledger.project_id,
        "entity_id": record.record_id,
        "list_name": act.row["form_id"],
        "created_at": ledger.now,
        "was_contested": False,
    }


def _add_version(ledger: Ledger, row: Row, act: Act) -> None:
    """`act` made it: one of its own, whose submission is named by its instanceID, or one that changed a rule."""
    shared = ("project_id", "entity_id", "version", "label", "data", "vector")
    version = {name: row[name] for name in shared}
    version |= {"op_id": act.op_id, "instance_id": act.row["instance_id"], "at": ledger.now}
    ledger.inserts[ENTITY_VERSION].append(version)


def _add_properties(ledger: Ledger, list_name: str, names: Sequence[str]) -> None:
    row = ledger.list_row(list_name)
    added = [name for name in names if name not in row["properties"]]
    if added:
        row["properties"] = [*row["properties"], *added]
        ledger.changed_lists.add(list_name)
