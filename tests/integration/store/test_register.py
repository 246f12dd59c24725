"""Entities that people write: each change is an operation, merged with what devices did meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync import author
from sync.access import NotAllowed
from sync.engine import in_transaction
from sync.entities import declare_list, entity_lists, register, take_csv
from sync.entities.declare_list import Declared
from sync.entities.register import Entry
from sync.entities.take_csv import Taken
from sync.errors import NoSuchEntity, NoSuchProperty
from sync.form_table import BadTable, FaultyRows
from sync.models import Conflict, Entity, Event, Operation, Project
from tests.conftest import Team

Act = Callable[..., Any]
ID = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def act(engine: Engine, a_project: Team, now: datetime) -> Act:
    """A verb of `register` in a transaction of its own, by the manager; the list `informan` is there."""

    def run(verb: Act, *arguments: Any, by: Any = None, **named: Any) -> Any:
        def inside(session: Session) -> Any:
            project = session.get_one(Project, a_project.project_id)
            given = [_again(session, one) if isinstance(one, Entity) else one for one in arguments]
            first = () if given and isinstance(given[0], Entity) else (project,)
            return verb(session, *first, *given, actor=by or a_project.manager, now=now, **named)

        return in_transaction(engine, inside)

    run(declare_list.create_list, "informan", ["phone", "status"])
    return run


def csv(engine: Engine, team: Team) -> str:
    with Session(engine) as session:
        content, _md5 = entity_lists.csv(session, session.get_one(Project, team.project_id), "informan")
        return content.decode()


def test_an_entity_is_made_changed_and_deleted(act: Act, engine: Engine, a_project: Team) -> None:
    (made,) = act(register.create, "informan", [Entry("INF-01 Siti", {"phone": "0812"}, ID)])
    changed = act(register.update, made, Entry(None, {"phone": "0813", "status": "active"}), base_version=1)

    assert (changed.label, changed.data, changed.version) == (
        "INF-01 Siti",
        {"phone": "0813", "status": "active"},
        2,
    )
    assert csv(engine, a_project) == f"name,label,__version,phone,status\n{ID},INF-01 Siti,2,0813,active\n"
    act(register.delete, changed)
    assert csv(engine, a_project) == "name,label,__version,phone,status\n"
    with pytest.raises(NoSuchEntity):
        act(register.delete, changed)
    with pytest.raises(NoSuchEntity):
        act(register.update, changed, Entry("Again", {}))


def test_a_property_that_is_cleared_is_gone_and_what_is_not_named_stays(act: Act) -> None:
    (made,) = act(register.create, "informan", [Entry("Siti", {"phone": "0812", "status": "active"})])

    assert act(register.update, made, Entry(None, {"phone": ""})).data == {"status": "active"}


def test_the_same_again_makes_no_version(act: Act) -> None:
    (made,) = act(register.create, "informan", [Entry("Siti", {"phone": "0812"})])

    assert act(register.update, made, Entry("Siti", {"phone": "0812"})).version == 1


def test_a_change_on_an_old_version_is_refused_with_both_numbers(act: Act) -> None:
    (made,) = act(register.create, "informan", [Entry("Siti", {})])
    act(register.update, made, Entry("Bu Siti", {}))

    with pytest.raises(register.StaleEntity) as refusal:
        act(register.update, made, Entry("Ibu Siti", {}), base_version=1)

    assert refusal.value.members == {"current": 2, "provided": 1}


def test_a_change_by_hand_and_one_made_offline_are_merged(act: Act, engine: Engine, a_project: Team) -> None:
    (made,) = act(register.create, "informan", [Entry("Siti", {"phone": "0812", "status": "active"})])
    act(register.update, made, Entry(None, {"phone": "0813"}))

    def offline(session: Session, project: Project, *, actor: Any, now: datetime) -> Operation:
        return author.write(
            session,
            project,
            kind="entity",
            record_id=made.entity_id,
            changes={"status": "moved"},
            actor=actor,
            now=now,
            form_id="informan",
            context=dict(made.vector),
        )

    act(offline)

    with Session(engine) as session:
        shown = session.get_one(Entity, (a_project.project_id, made.entity_id))
        assert (shown.data, shown.conflicts) == ({"phone": "0813", "status": "moved"}, 0)


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        ([Entry("", {})], register.NoLabel),
        ([Entry("  ", {})], register.NoLabel),
        ([Entry("x" * 256, {})], register.NoLabel),
        ([Entry("Siti", {"fone": "1"})], NoSuchProperty),
        ([Entry("Siti", {}, "7")], register.BadEntityId),
        ([Entry("Siti", {}, "11111111-1111-1111-8111-111111111111")], register.BadEntityId),
        ([Entry("Siti", {}, ID), Entry("Ani", {}, ID.upper())], register.EntityTaken),
    ],
)
def test_what_cannot_be_an_entity_is_refused_and_none_of_its_neighbours_is_made(
    act: Act, engine: Engine, a_project: Team, entries: list[Entry], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        act(register.create, "informan", [Entry("Good", {}), *entries])

    assert csv(engine, a_project) == "name,label,__version,phone,status\n"


@pytest.mark.parametrize("name", ["", "__x", "1a", "a b", "a.b", "a/b", "x" * 101])
def test_a_list_has_a_name_that_forms_can_write(act: Act, name: str) -> None:
    with pytest.raises(declare_list.BadListName):
        act(declare_list.create_list, name)


@pytest.mark.parametrize("name", ["", "name", "Label", "__version", "no spaces", "1st"])
def test_a_property_has_a_name_that_forms_can_write(act: Act, name: str) -> None:
    with pytest.raises(declare_list.BadProperty):
        act(declare_list.add_property, "informan", name)


def test_lists_and_properties_are_made_once(act: Act) -> None:
    with pytest.raises(declare_list.ListTaken):
        act(declare_list.create_list, "informan")
    with pytest.raises(declare_list.PropertyTaken):
        act(declare_list.add_property, "informan", "phone")

    assert act(declare_list.add_property, "informan", "rt").properties == ["phone", "status", "rt"]


def test_a_csv_adds_changes_and_leaves_alone(act: Act, engine: Engine, a_project: Team) -> None:
    act(register.create, "informan", [Entry("Siti", {"phone": "0812"}, ID), Entry("Ani", {"phone": "1"}, _id(2))])
    content = f"\ufeffname;label;phone\r\n{ID};Bu Siti;0813\r\n{_id(2)};Ani;1\r\n;Budi;\r\n".encode()

    taken = act(take_csv.take_csv, "informan", content)

    assert taken == Taken(created=1, updated=1, unchanged=1)
    shown = csv(engine, a_project)
    assert f"{ID},Bu Siti,2,0813," in shown
    assert f"{_id(2)},Ani,1,1," in shown
    assert ",Budi,1,," in shown


def test_what_devices_were_given_comes_back_as_it_is(act: Act, engine: Engine, a_project: Team) -> None:
    act(register.create, "informan", [Entry("Siti", {"phone": "0812"}), Entry("Ani", {"status": "active"})])
    before = csv(engine, a_project)

    assert act(take_csv.take_csv, "informan", before.encode()) == Taken(0, 0, 2)
    assert csv(engine, a_project) == before


def test_a_csv_that_was_taken_before_somebody_changed_its_entries_undoes_nothing(
    act: Act, engine: Engine, a_project: Team
) -> None:
    made = act(register.create, "informan", [Entry("Siti", {"phone": "1"}, ID), Entry("Ani", {"phone": "2"}, _id(2))])
    taken_home = csv(engine, a_project)
    for one in made:
        act(register.update, one, Entry(None, {"phone": "33", "status": "active"}))

    taken = act(take_csv.take_csv, "informan", taken_home.replace("Siti,1,1,", "Bu Siti,1,44,").encode())

    assert taken == Taken(created=0, updated=1, unchanged=1)
    with Session(engine) as session:
        siti, ani = (session.get_one(Entity, (a_project.project_id, id_)) for id_ in (ID, _id(2)))
        assert (ani.data, ani.version) == ({"phone": "33", "status": "active"}, 2)
        assert (siti.label, siti.data["status"], siti.conflicts) == ("Bu Siti", "active", 1)
        siblings = session.scalars(select(Conflict)).one().siblings
        assert {one["value"] for one in siblings} == {"33", "44"}


def test_a_version_that_was_never_here_is_refused_with_its_row(act: Act) -> None:
    act(register.create, "informan", [Entry("Siti", {"phone": "1"}, ID)])

    for version in ("2", "0", "one", "9" * 30):
        with pytest.raises(FaultyRows) as refusal:
            act(take_csv.take_csv, "informan", f"name,label,__version\n\n{ID},Siti,{version}\n".encode())
        assert refusal.value.members["faults"] == [
            {"row": 3, "column": "__version", "value": version, "why": "no_such_version"}
        ]


def test_cells_that_are_missing_at_the_end_of_a_row_change_nothing(act: Act, engine: Engine, a_project: Team) -> None:
    act(register.create, "informan", [Entry("Siti", {"phone": "1", "status": "active"}, ID)])

    taken = act(take_csv.take_csv, "informan", f"name,label,phone,status\n {ID} ,Bu Siti\n".encode())

    assert taken == Taken(created=0, updated=1, unchanged=0)
    assert f"{ID},Bu Siti,2,1,active\n" in csv(engine, a_project)


def test_new_columns_become_properties_when_that_is_wanted(act: Act, engine: Engine, a_project: Team) -> None:
    with pytest.raises(FaultyRows) as refusal:
        act(take_csv.take_csv, "informan", b"label,rt\nSiti,3\n")
    assert refusal.value.members["faults"] == [{"row": 1, "column": "rt", "value": "", "why": "no_such_property"}]

    act(take_csv.take_csv, "informan", b"label,rt\nSiti,3\n", with_new_columns=True)

    assert csv(engine, a_project).startswith("name,label,__version,phone,status,rt\n")


def test_every_fault_of_a_csv_is_named_and_nothing_is_taken(act: Act, engine: Engine, a_project: Team) -> None:
    act(register.create, "informan", [Entry("Siti", {}, ID)])
    content = f"name,label\n{ID},\n{ID},Siti\n{_id(9)},Nobody\n,Good\n".encode()

    with pytest.raises(FaultyRows) as refusal:
        act(take_csv.take_csv, "informan", content)

    assert [(one["row"], one["why"]) for one in refusal.value.members["faults"]] == [
        (2, "no_label"),
        (3, "id_twice"),
        (4, "no_such_entity"),
    ]
    assert csv(engine, a_project).count("\n") == 2


def test_a_value_of_another_type_is_refused_by_hand_and_in_a_csv_with_its_place(act: Act) -> None:
    typed = {"phone": Declared(type="integer"), "status": Declared(type="select_one", choices=["active", "gone"])}
    (kept,) = act(register.create, "informan", [Entry("Old", {"phone": "08 12"})])
    act(declare_list.declare, "informan", typed)

    with pytest.raises(register.BadValue) as by_hand:
        act(register.create, "informan", [Entry("Siti", {"status": "lost"})])
    with pytest.raises(FaultyRows) as by_file:
        act(take_csv.take_csv, "informan", b"label,phone,status\nSiti,812,active\nAni,x1,lost\nBudi,,\n")

    assert by_hand.value.members["why"] == "choice"
    assert (by_hand.value.members["field"], by_hand.value.members["choices"]) == ("status", ["active", "gone"])
    assert [(one["row"], one["column"], one["value"], one["why"]) for one in by_file.value.members["faults"]] == [
        (3, "phone", "x1", "integer"),
        (3, "status", "lost", "choice"),
    ]
    assert act(register.update, kept, Entry("Old", {"phone": "08 12", "status": "active"})).data == {
        "phone": "08 12",
        "status": "active",
    }


@pytest.mark.parametrize("content", [b"", b"label\n", b"name,phone\n,1\n", b"\xff\xfe\x00", b"PK\x03\x04"])
def test_what_is_no_csv_of_entities_is_refused(act: Act, content: bytes) -> None:
    with pytest.raises(BadTable):
        act(take_csv.take_csv, "informan", content)


def test_five_hundred_rows_are_one_transaction(act: Act, engine: Engine, a_project: Team) -> None:
    content = "label,phone\n" + "".join(f"INF-{number:03},08{number}\n" for number in range(500))

    assert act(take_csv.take_csv, "informan", content.encode()).created == 500
    with Session(engine) as session:
        project = session.get_one(Project, a_project.project_id)
        assert project.head == len(session.scalars(select(Operation.op_id)).all()) == 500


def test_who_only_reviews_changes_but_makes_none_and_all_is_in_the_audit_log(
    act: Act, engine: Engine, a_project: Team
) -> None:
    (made,) = act(register.create, "informan", [Entry("Siti", {})])
    for verb, arguments in (
        (register.create, ("informan", [Entry("Ani", {})])),
        (take_csv.take_csv, ("informan", b"label\nAni\n")),
        (declare_list.create_list, ("other",)),
        (register.delete, (made,)),
    ):
        with pytest.raises(NotAllowed):
            act(verb, *arguments, by=a_project.supervisor)

    act(register.update, made, Entry("Bu Siti", {}), by=a_project.supervisor)

    with Session(engine) as session:
        actions = session.scalars(select(Event.action).order_by(Event.event_id)).all()
        assert [one for one in actions if one.startswith("entity")] == [
            "entity_list.create",
            "entity.create",
            "entity.update",
        ]


def _again(session: Session, one: Entity) -> Entity:
    return session.get_one(Entity, (one.project_id, one.entity_id))


def _id(number: int) -> str:
    return f"{number:08}-1111-4111-8111-111111111111"
