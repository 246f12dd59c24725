"""Entity lists as forms and devices see them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from forms.definition import FormDefinition, Group, Instance
from sync.engine import in_transaction
from sync.entities import entity_lists
from sync.entities.entity_lists import EntityTable
from sync.errors import NoSuchEntity, NoSuchList
from sync.models import Entity, EntityList, Project
from tests.conftest import Team
from tests.integration.store.races import at_once

LIST = "informan"


def an_entity(team: Team, number: int, now: datetime, **columns: Any) -> Entity:
    values: dict[str, Any] = {"label": f"INF-{number:02}", "data": {"rt": "03"}, "version": 1, "list_name": LIST}
    return Entity(
        project_id=team.project_id,
        entity_id=f"e-{number}",
        vector={},
        op_id=f"op-{number}",
        created_at=now,
        updated_at=now,
        **(values | columns),
    )


@pytest.fixture
def a_list(engine: Engine, a_project: Team, now: datetime) -> Team:
    """Three informants, the third deleted."""

    def add(session: Session) -> None:
        entity_lists.ensure_list(session, a_project.project_id, LIST, ["rt", "role"], now=now)
        session.add(an_entity(a_project, 1, now, data={"rt": "03", "role": "core"}, version=2))
        session.add(an_entity(a_project, 2, now, label='Bu "Ani", RT 4', data={"rt": "04", "role": None}))
        session.add(an_entity(a_project, 3, now, is_deleted=True))

    in_transaction(engine, add)
    return a_project


def project(session: Session, team: Team) -> Project:
    return session.get_one(Project, team.project_id)


def test_the_csv_for_devices_has_the_living_entities_and_their_versions(engine: Engine, a_list: Team) -> None:
    with Session(engine) as session:
        content, md5 = entity_lists.csv(session, project(session, a_list), LIST)

    assert content.decode() == ('name,label,__version,rt,role\ne-2,"Bu ""Ani"", RT 4",1,04,\ne-1,INF-01,2,03,core\n')
    assert md5 == hashlib.md5(content).hexdigest()


def test_a_property_is_declared_once_and_keeps_its_place(engine: Engine, a_list: Team, now: datetime) -> None:
    def declare(session: Session) -> list[str]:
        return list(entity_lists.ensure_list(session, a_list.project_id, LIST, ["role", "status"], now=now).properties)

    assert in_transaction(engine, declare) == ["rt", "role", "status"]


def test_a_list_made_by_many_at_once_is_one_list(engine: Engine, a_project: Team, now: datetime) -> None:
    properties = [f"p{number}" for number in range(6)]

    def declare(session: Session) -> None:
        entity_lists.ensure_list(session, a_project.project_id, LIST, [properties.pop()], now=now)

    at_once(6, lambda: in_transaction(engine, declare))

    with Session(engine) as session:
        made = entity_lists.named(session, project(session, a_project), LIST)
        assert sorted(made.properties) == ["p0", "p1", "p2", "p3", "p4", "p5"]


def test_checks_look_entities_up_by_any_column(engine: Engine, a_list: Team) -> None:
    with Session(engine) as session:
        table = EntityTable(session, session.get_one(EntityList, (a_list.project_id, LIST)))
        first = {"name": "e-1", "label": "INF-01", "__version": "2", "rt": "03", "role": "core"}

        assert list(table.where("name", "e-1")) == [first]
        assert list(table.where("rt", "03")) == [first]
        assert list(table.where("label", "INF-01")) == [first]
        assert list(table.where("__version", "2")) == [first]
        assert [one["name"] for one in table.where("role", "")] == ["e-2"]
        assert [one["name"] for one in table.where("nothing", "")] == ["e-2", "e-1"]
        assert list(table.where("name", "e-3")) == []
        assert [one["name"] for one in table.rows] == ["e-2", "e-1"]
        assert not table.is_pinned


def test_a_lookup_by_name_sees_what_this_transaction_wrote(engine: Engine, a_list: Team, now: datetime) -> None:
    def register_then_look(session: Session) -> int:
        table = EntityTable(session, session.get_one(EntityList, (a_list.project_id, LIST)))
        before = len(table.where("name", "e-4"))
        session.add(an_entity(a_list, 4, now))
        session.flush()
        return len(table.where("name", "e-4")) - before

    assert in_transaction(engine, register_then_look) == 1


def test_a_form_gets_tables_for_the_lists_it_names(engine: Engine, a_list: Team) -> None:
    definition = a_form(informan="jr://file-csv/informan.csv", unknown="jr://file-csv/unknown.csv", choices="")

    with Session(engine) as session:
        tables = entity_lists.tables(session, a_list.project_id, definition)

    assert list(tables) == ["informan"]


def test_entities_are_found_by_label_and_conflict(engine: Engine, a_list: Team) -> None:
    with Session(engine) as session:
        found = project(session, a_list)
        assert [one.entity_id for one in entity_lists.entities(session, found, LIST, text="inf")] == ["e-1"]
        assert entity_lists.entities(session, found, LIST, has_conflicts=True) == []
        assert entity_lists.counts(session, found) == {LIST: 2}
        assert entity_lists.deleted(session, found, LIST, ["e-1", "e-3", "e-9"]) == {"e-1": False, "e-3": True}


def test_what_is_not_there_is_refused(engine: Engine, a_list: Team) -> None:
    with Session(engine) as session:
        found = project(session, a_list)
        with pytest.raises(NoSuchList):
            entity_lists.entities(session, found, "nobody")
        with pytest.raises(NoSuchEntity):
            entity_lists.entity(session, found, LIST, "e-9")


def a_form(**instances: str) -> FormDefinition:
    return FormDefinition(
        form_id="f",
        version="1",
        title="F",
        root=Group("data", (), ()),
        root_name="data",
        namespace="",
        languages=(),
        default_language="",
        instances={name: Instance(name, src) for name, src in instances.items()},
    )
