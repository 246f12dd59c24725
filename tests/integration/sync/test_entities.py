"""What submissions say about entities is merged property by property, also along offline branches."""

from __future__ import annotations

import itertools
import uuid
from xml.sax.saxutils import escape

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.entity_element import Seen
from sync import release, review
from sync.engine import in_transaction
from sync.entities import register
from sync.models import Conflict, Entity, EntityList, EntityVersion, Operation
from sync.verdict import Outcome
from tests.integration.sync.field import Field, Tablet, instance, new_id, outcomes, xform

WARGA = "warga_form"


@pytest.fixture(autouse=True)
def _registry(field: Field) -> None:
    field.publish(xform(form_id=WARGA, entities=True))


def tell(tablet: Tablet, entity: dict[str, str], **answers: str) -> dict[str, object]:
    record = new_id()
    return tablet.op(record, form=WARGA, xml=instance(record, form_id=WARGA, entity=entity, **answers))


def registered(field: Field, tablet: Tablet) -> str:
    entity_id = str(uuid.uuid4())
    field.push(tablet, tell(tablet, {"id": entity_id, "create": "1"}, nama="Siti", umur="41"))
    return entity_id


def update(entity_id: str, base: int, **more: str) -> dict[str, str]:
    return {"id": entity_id, "update": "1", "baseVersion": str(base)} | more


def test_a_submission_registers_an_entity(field: Field, tablet: Tablet) -> None:
    entity_id = registered(field, tablet)

    entity = field.one(Entity, entity_id)
    assert (entity.list_name, entity.label, entity.version) == ("warga", "Siti", 1)
    assert entity.data == {"nama": "Siti", "umur": "41"}
    assert field.one(EntityList, "warga").properties == ["nama", "umur"]
    (version,) = field.all(EntityVersion)
    assert version.vector == entity.vector
    (cause,) = [row for row in field.all(Operation) if row.kind == "entity"]
    assert field.operation(cause.cause_id).kind == "submission"
    assert cause.op_id in field.feed()


def test_two_updates_of_different_properties_are_merged(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    entity_id = registered(field, tablet)

    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="42"))
    receipt = field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti Aminah", umur="41"))

    entity = field.one(Entity, entity_id)
    assert entity.data == {"nama": "Siti Aminah", "umur": "42"}
    assert (entity.version, entity.conflicts) == (3, 0)
    assert outcomes(receipt) == [Outcome.ACCEPTED]


def test_two_updates_of_one_property_clash_with_who_when_and_base(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    entity_id = registered(field, tablet)

    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="42"))
    receipt = field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="43"))

    assert outcomes(receipt) == [Outcome.CONFLICT]
    (row,) = field.all(Conflict)
    assert (row.kind, row.record_id, row.path, row.base) == ("entity", entity_id, "umur", "41")
    assert {(one["value"], one["device"]) for one in row.siblings} == {("42", "d-siti"), ("43", "d-budi")}
    assert all(one["at"] and one["instance"] for one in row.siblings)
    assert field.one(Entity, entity_id).conflicts == 1


def test_a_supervisor_settles_a_clash_of_entities(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    entity_id = registered(field, tablet)
    for one, age in ((tablet, "42"), (other_tablet, "43")):
        field.push(one, tell(one, update(entity_id, 1), nama="Siti", umur=age))

    def resolve(session: Session) -> None:
        conflict = session.scalars(select(Conflict)).one()
        review.resolve(session, conflict, "42", actor=field.supervisor, now=field.now)

    in_transaction(field.engine, resolve)

    entity = field.one(Entity, entity_id)
    assert (entity.data["umur"], entity.conflicts, field.all(Conflict)) == ("42", 0, [])


def test_an_update_waits_for_the_version_that_it_starts_from(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    entity_id = str(uuid.uuid4())
    creation = tell(tablet, {"id": entity_id, "create": "1"}, nama="Siti", umur="41")

    early = field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="42"))
    field.push(tablet, creation)

    assert outcomes(early) == [Outcome.ACCEPTED]
    assert field.one(Entity, entity_id).data == {"nama": "Siti", "umur": "42"}
    assert field.all(Conflict) == []


def test_an_offline_branch_is_one_chain_in_whatever_order_it_arrives(field: Field, tablet: Tablet) -> None:
    shown = set()
    for order in itertools.permutations(range(3)):
        entity_id, branch = str(uuid.uuid4()), str(uuid.uuid4())
        ops = [
            tell(tablet, {"id": entity_id, "create": "1"}, nama="Siti", umur="41"),
            tell(tablet, update(entity_id, 1, branchId=branch), nama="Siti", umur="42"),
            tell(tablet, update(entity_id, 2, branchId=branch), nama="Siti", umur="43"),
        ]
        for at in order:
            field.push(tablet, ops[at])
        entity = field.one(Entity, entity_id)
        shown.add((entity.data["umur"], entity.version, entity.conflicts))

    assert shown == {("43", 3, 0)}


def test_a_branch_that_left_an_older_version_merges_with_what_came_since(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    entity_id, branch = registered(field, tablet), str(uuid.uuid4())
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti Aminah", umur="41"))

    first = update(entity_id, 1, trunkVersion="1", branchId=branch)
    second = update(entity_id, 2, trunkVersion="1", branchId=branch)
    field.push(tablet, tell(tablet, first, nama="Siti", umur="42"), tell(tablet, second, nama="Siti", umur="43"))

    entity = field.one(Entity, entity_id)
    assert entity.data == {"nama": "Siti Aminah", "umur": "43"}
    assert entity.conflicts == 0


def test_a_merge_is_soft_until_somebody_says_that_it_is_right(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    entity_id = registered(field, tablet)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="42"))
    alone = field.one(Entity, entity_id).heads
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti Aminah", umur="41"))
    merged = field.one(Entity, entity_id)

    def agree(session: Session) -> None:
        one = session.get_one(Entity, (field.project_id, entity_id))
        register.agree(session, one, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, agree)
    settled = field.one(Entity, entity_id)
    field.push(tablet, tell(tablet, update(entity_id, 2), nama="Siti", umur="43"))

    assert (alone, merged.heads, merged.conflicts) == (1, 2, 0)
    assert settled.heads < 2
    assert settled.data == merged.data == {"nama": "Siti Aminah", "umur": "42"}
    assert field.one(Entity, entity_id).data == {"nama": "Siti Aminah", "umur": "43"}


def test_a_change_whose_base_never_comes_is_applied_when_a_supervisor_says_so(field: Field, tablet: Tablet) -> None:
    entity_id = registered(field, tablet)
    early = update(entity_id, 5)
    field.push(tablet, tell(tablet, early, nama="Siti", umur="42"))
    (held,) = [one for one in field.all(Operation) if one.state == "held"]
    before = (held.why, held.record_id, field.one(Entity, entity_id).data["umur"])

    apply_without(field, held.op_id)

    assert before == ("waits_for_base", entity_id, "41")
    assert field.one(Entity, entity_id).data == {"nama": "Siti", "umur": "42"}
    assert field.operation(held.op_id).state == "void"
    assert field.one(Entity, entity_id).conflicts == 0
    assert held.op_id not in field.feed()


def test_a_branch_whose_beginning_never_comes_goes_on_when_a_supervisor_says_so(field: Field, tablet: Tablet) -> None:
    entity_id, branch = registered(field, tablet), str(uuid.uuid4())
    more = {"trunkVersion": "1", "branchId": branch}
    second, third, first = (update(entity_id, base, **more) for base in (2, 3, 1))
    for one, age in ((second, "43"), (third, "44")):
        field.push(tablet, tell(tablet, one, nama="Siti", umur=age))
    held = sorted((one for one in field.all(Operation) if one.state == "held"), key=lambda one: one.n)
    waiting = [one.why for one in held], field.one(Entity, entity_id).data["umur"]

    for one in held:
        apply_without(field, one.op_id)
    going_on = field.one(Entity, entity_id)
    field.push(tablet, tell(tablet, first, nama="Siti", umur="42"))

    assert waiting == (["waits_for_predecessor", "waits_for_predecessor"], "41")
    assert (going_on.data["umur"], going_on.conflicts) == ("44", 0)
    assert not [one for one in field.all(Operation) if one.state == "held"]
    # Nobody can say any more that the first came before the others: both are shown.
    (conflict,) = field.all(Conflict)
    assert {one["value"] for one in conflict.siblings} == {"42", "44"}


def apply_without(field: Field, op_id: str) -> None:
    def act(session: Session) -> str:
        held = session.get_one(Operation, (field.project_id, op_id))
        return release.apply_without(session, held, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, act)


def test_an_edit_of_a_submission_does_not_apply_its_entities_again(field: Field, tablet: Tablet) -> None:
    entity_id, record = str(uuid.uuid4()), new_id()
    attributes = {"id": entity_id, "create": "1"}
    field.push(tablet, tablet.op(record, form=WARGA, xml=instance(record, form_id=WARGA, entity=attributes, nama="S")))
    edit = instance(new_id(), corrects=record, form_id=WARGA, entity=attributes, nama="Siti")

    field.push(tablet, tablet.op(record, form=WARGA, context=field.shown(record).vector, xml=edit))

    assert field.one(Entity, entity_id).data == {"nama": "S"}


def test_an_entity_with_an_id_that_clients_would_drop_is_noted_on_the_submission(field: Field, tablet: Tablet) -> None:
    op = tell(tablet, {"id": "INF-01", "create": "1"}, nama="Siti")

    receipt = field.push(tablet, op)

    assert (receipt.lines[0].outcome, receipt.lines[0].warnings) == (Outcome.ACCEPTED, 1)
    assert field.rules(str(op["record"])) == [("entity", "")]
    assert field.all(Entity) == []


def seen(vector: dict[str, int], *after: str) -> dict[str, str]:
    """As a device says what was before its author's eyes."""
    return {"xmlns:l": "urn:lapangan:forms", "l:seen": escape(Seen(vector, after).written(), {'"': "&quot;"})}


def test_what_was_before_the_eyes_counts_more_than_a_version_that_may_be_another_servers(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    entity_id = registered(field, tablet)
    first = dict(field.one(Entity, entity_id).vector)
    field.push(tablet, tell(tablet, update(entity_id, 1) | seen(first), nama="Siti", umur="42"))

    receipt = field.push(other_tablet, tell(other_tablet, update(entity_id, 2) | seen(first), nama="Siti", umur="43"))

    assert outcomes(receipt) == [Outcome.CONFLICT]
    (row,) = field.all(Conflict)
    assert (row.path, {one["value"] for one in row.siblings}) == ("umur", {"42", "43"})


def test_the_clone_of_a_tablet_goes_on_from_its_own_changes_only(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    entity_id, branch = registered(field, tablet), str(uuid.uuid4())
    first = dict(field.one(Entity, entity_id).vector)
    of_branch = {"branchId": branch, "trunkVersion": "1"}
    original = tell(tablet, update(entity_id, 1, **of_branch) | seen(first), nama="Siti", umur="42")
    ops = [tell(other_tablet, update(entity_id, 1, **of_branch) | seen(first), nama="Siti", umur="43")]
    after = seen(first, str(ops[0]["op"]))
    ops.append(tell(other_tablet, update(entity_id, 2, **of_branch) | after, nama="Siti", umur="44"))

    field.push(tablet, original)
    field.push(other_tablet, *reversed(ops))

    (row,) = field.all(Conflict)
    assert {one["value"] for one in row.siblings} == {"42", "44"}
    assert all(one.state == "ready" for one in field.all(Operation))
