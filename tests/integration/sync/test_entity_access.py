"""Which entities a device gets: those that are approved, those that it registered, those of its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from sync import author, devices, install, review
from sync.access import Actor, Role
from sync.engine import in_transaction
from sync.entities import declare_list, entity_lists, register
from sync.entities.declare_list import Access
from sync.entities.register import Entry
from sync.entities.scope import scope_of
from sync.feed import pull
from sync.models import Device, Entity, Operation, Project, Submission
from tests.integration.sync.field import Field, Tablet, instance, new_id, xform
from tests.integration.sync.test_entities import WARGA, registered, tell, update
from tests.integration.sync.test_list_rules import elsewhere, forward, is_rebuilt_as_it_is, operations

__all__ = ["elsewhere"]


@pytest.fixture(autouse=True)
def _registry(field: Field) -> None:
    field.publish(xform(form_id=WARGA, entities=True))


@pytest.fixture
def restrict(field: Field) -> Callable[..., Any]:
    def act(**said: Any) -> Any:
        def in_session(session: Session) -> Any:
            project = session.get_one(Project, field.project_id)
            return declare_list.restrict(session, project, "warga", Access(**said), actor=field.manager, now=field.now)

        return in_transaction(field.engine, in_session)

    return act


@pytest.fixture
def decide(field: Field) -> Callable[..., Any]:
    """A supervisor's decision about the record."""

    def act(instance_id: str, state: str) -> Any:
        def in_session(session: Session) -> Any:
            record = session.get_one(Submission, (field.project_id, instance_id))
            return review.set_state(session, record, state, actor=field.supervisor, now=field.now)

        return in_transaction(field.engine, in_session)

    return act


def give(field: Field, tablet: Tablet, **properties: str) -> None:
    def act(session: Session) -> None:
        device = session.get_one(Device, (field.project_id, tablet.device_id))
        devices.give_properties(session, device, properties, actor=field.manager, now=field.now)

    in_transaction(field.engine, act)


def pulled(field: Field, tablet: Tablet, cursor: str = "") -> tuple[set[str], set[str], str]:
    """The ids of the entities that came and of those to drop, and the cursor behind them."""
    with Session(field.engine) as session:
        device = session.get_one(Device, (field.project_id, tablet.device_id))
        actor = devices.actor_for(device)
        project = session.get_one(Project, field.project_id)
        page = pull(session, project, device=device, actor=actor, cursor=cursor, limit=500, now=field.now)
    came = {one["record"] for one in page.records if one["kind"] == "entity" and not one["deleted"]}
    return came, {one["record"] for one in page.drop if one["kind"] == "entity"}, page.cursor


def csv(field: Field, tablet: Tablet) -> tuple[set[str], str]:
    """The ids in the list as this device downloads it, and the hash that the manifest tells it."""
    with Session(field.engine) as session:
        device = session.get_one(Device, (field.project_id, tablet.device_id))
        scope = scope_of(session, field.project_id, devices.actor_for(device))
        project = session.get_one(Project, field.project_id)
        content, md5 = entity_lists.csv(session, project, "warga", scope=scope)
    return {line.partition(",")[0] for line in content.decode().splitlines()[1:]}, md5


def registers(field: Field, tablet: Tablet, **answers: str) -> tuple[str, str]:
    """The ids of a record and of the entity that it registers."""
    record, entity_id = new_id(), new_id().removeprefix("uuid:")
    xml = instance(record, form_id=WARGA, entity={"id": entity_id, "create": "1"}, **answers)
    field.push(tablet, tablet.op(record, form=WARGA, xml=xml))
    return record, entity_id


def test_what_a_record_registers_waits_until_the_record_is_approved(
    field: Field, tablet: Tablet, other_tablet: Tablet, restrict: Any, decide: Any
) -> None:
    restrict(needs_approval=True)
    record, entity_id = registers(field, tablet, nama="Siti", umur="41")
    waiting = field.one(Entity, entity_id).is_approved, csv(field, tablet)[0]
    came, _drop, cursor = pulled(field, other_tablet)

    decide(record, "approved")

    assert waiting == (False, set())
    assert came == set()
    assert field.one(Entity, entity_id).is_approved
    assert csv(field, tablet)[0] == {entity_id}
    assert pulled(field, other_tablet, cursor)[:2] == ({entity_id}, set())
    assert pulled(field, other_tablet)[0] == {entity_id}
    assert is_rebuilt_as_it_is(field)


def test_a_rejected_record_registers_nobody_and_an_edit_of_an_approved_one_hides_nobody(
    field: Field, tablet: Tablet, restrict: Any, decide: Any
) -> None:
    restrict(needs_approval=True)
    rejected, of_rejected = registers(field, tablet, nama="Siti", umur="41")
    approved, of_approved = registers(field, tablet, nama="Ani", umur="30")
    decide(rejected, "approved")
    decide(approved, "approved")
    _came, _drop, cursor = pulled(field, tablet)

    decide(rejected, "rejected")
    field.push(tablet, tablet.op(approved, form=WARGA, context=field.shown(approved).vector, set={"umur": "31"}))

    assert field.shown(approved).review_state == "edited"
    assert (field.one(Entity, of_rejected).is_approved, field.one(Entity, of_approved).is_approved) == (False, True)
    assert pulled(field, tablet, cursor)[:2] == (set(), {of_rejected})
    assert csv(field, tablet)[0] == {of_approved}
    assert is_rebuilt_as_it_is(field)


def test_what_is_written_by_hand_and_what_changes_an_approved_entity_needs_no_approval(
    field: Field, tablet: Tablet, restrict: Any
) -> None:
    restrict(needs_approval=True)
    by = {"actor": field.manager, "now": field.now}

    def make(session: Session) -> str:
        project = session.get_one(Project, field.project_id)
        (made,) = register.create(session, project, "warga", [Entry("Siti", {"umur": "41"})], **by)
        return made.entity_id

    entity_id = in_transaction(field.engine, make)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="42"))

    entity = field.one(Entity, entity_id)
    assert (entity.is_approved, entity.data["umur"], entity.version) == (True, "42", 2)


def test_approval_asked_for_later_and_given_up_again(field: Field, tablet: Tablet, restrict: Any) -> None:
    entity_id = registered(field, tablet)
    came, _drop, cursor = pulled(field, tablet)
    before = field.one(Entity, entity_id).seq

    restrict(needs_approval=True)
    hidden = pulled(field, tablet, cursor)
    # However many entities the list has, its rule is one row.
    assert field.one(Entity, entity_id).seq == before
    restrict(needs_approval=False)

    assert (came, hidden[:2]) == ({entity_id}, (set(), {entity_id}))
    assert pulled(field, tablet, hidden[2])[:2] == ({entity_id}, set())
    assert is_rebuilt_as_it_is(field)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1), (1, 3, 0, 2)])
def test_every_order_of_rule_record_and_review_comes_to_the_same(
    field: Field, tablet: Tablet, restrict: Any, decide: Any, elsewhere: Field, order: tuple[int, ...]
) -> None:
    restrict(needs_approval=True)
    record, entity_id = registers(field, tablet, nama="Siti", umur="41")
    _record, of_none = registers(field, tablet, nama="Ani", umur="30")
    decide(record, "approved")
    parts = [operations(field, kind) for kind in ("list", "submission", "entity", "review")]
    elsewhere.publish(xform(form_id=WARGA, entities=True))

    for at in order:
        forward(elsewhere, parts[at])

    assert elsewhere.one(Entity, entity_id).is_approved
    assert not elsewhere.one(Entity, of_none).is_approved
    assert {one.state for one in elsewhere.all(Operation)} == {"ready"}
    assert is_rebuilt_as_it_is(elsewhere)


def test_a_device_sees_what_it_or_its_person_has_registered(
    field: Field, tablet: Tablet, other_tablet: Tablet, restrict: Any
) -> None:
    mine, theirs = registered(field, tablet), registered(field, other_tablet)
    before = pulled(field, tablet)

    restrict(is_owner_only=True)

    assert before[0] == {mine, theirs}
    assert pulled(field, tablet, before[2])[:2] == ({mine}, {theirs})
    assert (pulled(field, tablet)[:2], pulled(field, other_tablet)[:2]) == (({mine}, set()), ({theirs}, set()))
    assert (csv(field, tablet)[0], csv(field, other_tablet)[0]) == ({mine}, {theirs})
    field.push(tablet, tell(tablet, update(theirs, 1), nama="Siti", umur="42"))
    assert pulled(field, tablet)[0] == {mine}
    assert {one.device_id for one in field.all(Entity)} == {"d-siti", "d-budi"}
    assert is_rebuilt_as_it_is(field)


def test_what_a_device_writes_about_an_entity_that_has_left_its_scope_meanwhile_is_kept(
    field: Field, tablet: Tablet, other_tablet: Tablet, restrict: Any
) -> None:
    theirs = registered(field, other_tablet)
    came, _drop, cursor = pulled(field, tablet)
    offline = tell(tablet, update(theirs, 1), nama="Siti", umur="42")
    restrict(is_owner_only=True)

    receipt = field.push(tablet, offline)

    assert came == {theirs}
    assert pulled(field, tablet, cursor)[:2] == (set(), {theirs})
    assert [line.outcome.value for line in receipt.lines] == ["accepted"]
    assert field.one(Entity, theirs).data["umur"] == "42"
    assert field.operation(offline["op"]).xml == offline["xml"]


def test_a_device_sees_the_entities_of_its_place_and_drops_those_that_leave_it(
    field: Field, tablet: Tablet, other_tablet: Tablet, restrict: Any
) -> None:
    _record, young = registers(field, tablet, nama="Siti", umur="41")
    _record, old = registers(field, tablet, nama="Ani", umur="70")
    give(field, tablet, ages="41, 42")
    everything = pulled(field, tablet)

    restrict(filters={"umur": "ages"})
    came, dropped, cursor = pulled(field, tablet, everything[2])

    assert (everything[0], came, dropped) == ({young, old}, {young}, {old})
    assert csv(field, tablet)[0] == {young}
    assert (csv(field, other_tablet)[0], pulled(field, other_tablet)[0]) == (set(), set())
    field.push(other_tablet, tell(other_tablet, update(young, 1), nama="Siti", umur="43"))
    came, dropped, cursor = pulled(field, tablet, cursor)
    assert (came, dropped) == (set(), {young})
    give(field, tablet, ages="70")
    assert pulled(field, tablet, cursor)[:2] == ({old}, {young})


def test_whom_somebody_is_to_visit_comes_whatever_the_rules_leave(
    field: Field, tablet: Tablet, other_tablet: Tablet, restrict: Any
) -> None:
    restrict(is_owner_only=True)
    mine, theirs = registered(field, tablet), registered(field, other_tablet)
    before = pulled(field, tablet)

    def say(**changes: str) -> None:
        def act(session: Session) -> None:
            project = session.get_one(Project, field.project_id)
            given = {"kind": "assignment", "record_id": theirs, "changes": changes}
            author.write(session, project, actor=field.supervisor, now=field.now, **given)

        in_transaction(field.engine, act)

    say(form=WARGA, assignee="d-siti", entity=theirs, state="open")
    came, _drop, cursor = pulled(field, tablet, before[2])
    assert (before[0], came, csv(field, tablet)[0]) == ({mine}, {mine, theirs}, {mine, theirs})
    say(state="withdrawn")
    assert pulled(field, tablet, cursor)[:2] == ({mine}, {theirs})
    assert csv(field, tablet)[0] == {mine}


def test_the_hash_of_a_list_changes_for_those_only_who_see_the_change(
    field: Field, tablet: Tablet, other_tablet: Tablet, restrict: Any
) -> None:
    restrict(is_owner_only=True)
    registered(field, tablet)
    before = csv(field, tablet)[1], csv(field, other_tablet)[1]

    registered(field, other_tablet)

    assert csv(field, tablet)[1] == before[0]
    assert csv(field, other_tablet)[1] != before[1]


def test_who_reviews_sees_everything(field: Field, tablet: Tablet, restrict: Any) -> None:
    restrict(is_owner_only=True, filters={"umur": "ages"})
    entity_id = registered(field, tablet)

    with Session(field.engine) as session:
        project = session.get_one(Project, field.project_id)
        told = []
        for role in (Role.SUPERVISOR, Role.ENUMERATOR):
            actor = Actor("account", id="a", account_id="a", roles={field.project_id: role})
            scope = scope_of(session, field.project_id, actor)
            told.append([one.entity_id for one in entity_lists.entities(session, project, "warga", scope=scope)])

    assert told == [[entity_id], []]


def test_on_the_way_there_and_back_each_entity_keeps_whether_it_is_approved(
    field: Field, tablet: Tablet, other_tablet: Tablet, decide: Any, restrict: Any
) -> None:
    approved, of_approved = registers(field, tablet, nama="Siti", umur="41")
    rejected, _of_rejected = registers(field, tablet, nama="Ani", umur="30")
    for record, state in ((approved, "approved"), (rejected, "approved"), (rejected, "rejected")):
        decide(record, state)
    registers(field, tablet, nama="Budi", umur="20")
    for one, age in ((tablet, "42"), (other_tablet, "43")):
        field.push(one, tell(one, update(of_approved, 1), nama="Siti", umur=age))
    restrict(needs_approval=True)
    known = Entity.entity_id, Entity.is_approved, Entity.was_contested

    def rows() -> list[Any]:
        with Session(field.engine) as session:
            return sorted(tuple(row) for row in session.execute(select(*known)))

    before = rows()
    install.downgrade(field.engine, "20261126_scope_the_lists")
    with field.engine.connect() as connection:
        waiting = {name for name, waits in connection.execute(text("SELECT label, is_waiting FROM entity")) if waits}
    install.upgrade(field.engine)

    assert waiting == {"Ani", "Budi"}
    assert rows() == before
    assert [row[1:] for row in before if row[0] == of_approved] == [(True, True)]
    assert is_rebuilt_as_it_is(field)
