"""One record that registers or changes several entities: of several lists, and in the turns of a repeat."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sync import rebuild
from sync.engine import in_transaction
from sync.models import Conflict, Entity, EntityList, Operation, Submission, SubmissionFinding
from sync.verdict import Outcome
from tests.houses import FOLLOW_UP, REGISTER
from tests.integration.sync.field import Field, Tablet, new_id, outcomes
from tests.unit.forms.sheet import converted

FORM = "rumah"
NAMESPACE = "http://www.opendatakit.org/xforms/entities"
Send = Callable[[Field, Tablet, str, str], Outcome]


def by_tablet(field: Field, tablet: Tablet, form: str, xml: str) -> Outcome:
    record = xml.partition("<instanceID>")[2].partition("<")[0]
    return outcomes(field.push(tablet, tablet.op(record, form=form, xml=xml)))[0]


def by_collect(field: Field, _tablet: Tablet, _form: str, xml: str) -> Outcome:
    return field.post(xml).outcome


DOORS = pytest.mark.parametrize("send", [by_tablet, by_collect])


@pytest.fixture(autouse=True)
def _forms(field: Field) -> None:
    field.publish(converted(REGISTER))
    field.publish(converted(FOLLOW_UP))


def an_id() -> str:
    return str(uuid.uuid4())


def element(dataset: str, label: str | None = None, **attributes: str) -> str:
    said = "".join(f' {name}="{value}"' for name, value in attributes.items())
    inside = f"<label>{label}</label>" if label is not None else ""
    return f'<entity xmlns="{NAMESPACE}" dataset="{dataset}"{said}>{inside}</entity>'


def a_house(record: str, house_id: str, people: Iterable[tuple[str, str, str]], corrects: str = "") -> str:
    """`people` are (entity ID, name, age)."""
    turns = "".join(
        f"<person><name>{name}</name><age>{age}</age>"
        f"<meta>{element('people', name, id=id_, create='1')}</meta></person>"
        for id_, name, age in people
    )
    deprecated = f"<deprecatedID>{corrects}</deprecatedID>" if corrects else ""
    house = element("houses", "Jl. Ikan 3", id=house_id, create="1")
    return (
        f'<data id="rumah" version="1"><address>Jl. Ikan 3</address>{turns}<meta>{house}'
        f"<instanceID>{record}</instanceID>{deprecated}</meta></data>"
    )


def a_visit(record: str, turns: Iterable[tuple[str, str, dict[str, str]]]) -> str:
    """`turns` are (entity ID, age, what else the element says)."""
    inside = "".join(
        f"<turn><who>{id_}</who><age>{age}</age><meta>{element('people', id=id_, update='1', **more)}</meta></turn>"
        for id_, age, more in turns
    )
    return f'<data id="susulan" version="1">{inside}<meta><instanceID>{record}</instanceID></meta></data>'


def entities(field: Field) -> dict[str, tuple[str, str, dict[str, Any], int]]:
    return {one.entity_id: (one.list_name, one.label, one.data, one.version) for one in field.all(Entity)}


def is_rebuilt_as_it_is(field: Field) -> bool:
    def act(session: Session) -> bool:
        return rebuild.rebuild(session, field.project_id, now=field.now).is_same

    return bool(in_transaction(field.engine, act))


@DOORS
def test_a_record_registers_a_house_and_each_person_in_it_once(field: Field, tablet: Tablet, send: Send) -> None:
    house, ani, budi = an_id(), an_id(), an_id()
    xml = a_house(new_id(), house, [(ani, "Ani", "30"), (budi, "Budi", "12")])

    first, again = send(field, tablet, FORM, xml), field.post(xml).outcome

    assert (first, again) == (Outcome.ACCEPTED, Outcome.DUPLICATE)
    assert entities(field) == {
        house: ("houses", "Jl. Ikan 3", {"address": "Jl. Ikan 3"}, 1),
        ani: ("people", "Ani", {"full_name": "Ani", "age": "30"}, 1),
        budi: ("people", "Budi", {"full_name": "Budi", "age": "12"}, 1),
    }
    assert {one.name: (one.properties, one.settings) for one in field.all(EntityList)} == {
        "houses": (["address"], {}),
        "people": (["full_name", "age"], {"type/age": "integer"}),
    }
    assert len([one for one in field.all(Operation) if one.kind == "entity"]) == 3
    assert is_rebuilt_as_it_is(field)


@DOORS
def test_each_turn_of_a_repeat_changes_its_own_entity(field: Field, tablet: Tablet, send: Send) -> None:
    ani, budi = an_id(), an_id()
    send(field, tablet, FORM, a_house(new_id(), an_id(), [(ani, "Ani", "30"), (budi, "Budi", "12")]))

    send(
        field,
        tablet,
        "susulan",
        a_visit(new_id(), [(ani, "31", {"baseVersion": "1"}), (budi, "13", {"baseVersion": "1"})]),
    )

    told = entities(field)
    assert told[ani] == ("people", "Ani", {"full_name": "Ani", "age": "31"}, 2)
    assert told[budi] == ("people", "Budi", {"full_name": "Budi", "age": "13"}, 2)
    assert field.all(Conflict) == []
    assert is_rebuilt_as_it_is(field)


@DOORS
def test_a_visit_that_comes_before_its_registration_waits_turn_by_turn(
    field: Field, tablet: Tablet, send: Send
) -> None:
    known, later = an_id(), an_id()
    send(field, tablet, FORM, a_house(new_id(), an_id(), [(known, "Ani", "30")]))
    turns = [(known, "31", {"baseVersion": "1"}), (later, "13", {"baseVersion": "1"})]
    send(field, tablet, "susulan", a_visit(new_id(), turns))
    before = entities(field)

    send(field, tablet, FORM, a_house(new_id(), an_id(), [(later, "Budi", "12")]))

    assert before[known][2]["age"] == "31"
    assert later not in before
    assert entities(field)[later] == ("people", "Budi", {"full_name": "Budi", "age": "13"}, 2)
    assert is_rebuilt_as_it_is(field)


def test_two_visits_that_had_not_seen_each_other_clash_only_where_they_do(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    ani, budi = an_id(), an_id()
    by_tablet(field, tablet, FORM, a_house(new_id(), an_id(), [(ani, "Ani", "30"), (budi, "Budi", "12")]))
    base = {"baseVersion": "1"}

    first = by_tablet(field, tablet, "susulan", a_visit(new_id(), [(ani, "31", base), (budi, "13", base)]))
    second = by_tablet(field, other_tablet, "susulan", a_visit(new_id(), [(ani, "32", base), (budi, "13", base)]))

    assert (first, second) == (Outcome.ACCEPTED, Outcome.CONFLICT)
    assert [(row.record_id, row.path) for row in field.all(Conflict)] == [(ani, "age")]
    assert is_rebuilt_as_it_is(field)


@DOORS
def test_an_edit_of_the_record_registers_nobody_again(field: Field, tablet: Tablet, send: Send) -> None:
    record, house, ani, budi = new_id(), an_id(), an_id(), an_id()
    send(field, tablet, FORM, a_house(record, house, [(ani, "Ani", "30")]))

    field.post(a_house(new_id(), house, [(ani, "Ani S.", "31"), (budi, "Budi", "12")], corrects=record))

    (shown,) = field.all(Submission)
    assert [one["name"] for one in shown.answers["person"]] == ["Ani S.", "Budi"]
    assert entities(field).keys() == {house, ani}
    assert entities(field)[ani][1:] == ("Ani", {"full_name": "Ani", "age": "30"}, 1)


def test_an_entity_that_two_turns_name_is_changed_by_the_first_and_the_second_is_told(
    field: Field, tablet: Tablet
) -> None:
    ani, record = an_id(), new_id()
    by_tablet(field, tablet, FORM, a_house(new_id(), an_id(), [(ani, "Ani", "30")]))
    base = {"baseVersion": "1"}

    by_tablet(field, tablet, "susulan", a_visit(record, [(ani, "31", base), (ani, "32", base)]))

    assert entities(field)[ani][2]["age"] == "31"
    (finding,) = [row for row in field.all(SubmissionFinding) if row.rule == "entity"]
    assert (finding.instance_id, finding.value, finding.params["reason"]) == (record, ani, "twice")
    assert finding.params["scope"] == "turn[2]"
    assert is_rebuilt_as_it_is(field)


def test_a_value_that_does_not_fit_is_found_in_its_turn(field: Field, tablet: Tablet) -> None:
    ani, budi = an_id(), an_id()

    by_tablet(field, tablet, FORM, a_house(new_id(), an_id(), [(ani, "Ani", "30"), (budi, "Budi", "muda")]))

    (finding,) = [row for row in field.all(SubmissionFinding) if row.rule == "entity"]
    assert (finding.value, finding.params["property"], finding.params["scope"]) == ("muda", "age", "person[2]")
    assert entities(field)[budi][2] == {"full_name": "Budi", "age": "muda"}
