"""The pages about registries: what waits, what was written and does not stand, and the records behind it."""

from __future__ import annotations

import re
import uuid

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from sync.models import Conflict, Operation, Submission
from tests.conftest import NOW, Team
from tests.e2e.reader import Reader
from tests.integration.sync.field import Field, Tablet, new_id, xform
from tests.integration.sync.test_entities import WARGA, tell, update

HERE = "/projects/1/entities/warga"


@pytest.fixture
def field(engine: Engine, a_project: Team) -> Field:
    field = Field(engine, a_project.project_id, a_project.manager, a_project.supervisor, NOW)
    field.publish(xform(form_id=WARGA, entities=True))
    return field


@pytest.fixture
def reader(client: FlaskClient, field: Field) -> Reader:
    return Reader(client, "en").log_in("supervisor")


def register(field: Field, tablet: Tablet) -> str:
    entity_id = str(uuid.uuid4())
    field.push(tablet, tell(tablet, {"id": entity_id, "create": "1"}, nama="Siti", umur="41"))
    return entity_id


def test_a_change_that_waits_is_shown_by_name_and_can_be_discarded(field: Field, reader: Reader) -> None:
    tablet = field.tablet("d-siti")
    entity_id = register(field, tablet)
    early = tell(tablet, update(entity_id, 5), nama="Siti", umur="77")
    unknown = tell(tablet, update(str(uuid.uuid4()), 2), nama="Pak Jauh", umur="60")
    field.push(tablet, early, unknown)

    page, listed = reader.get("/projects/1/quarantine"), reader.get(HERE)
    waiting = reader.get(f"{HERE}/{entity_id}")
    (held,) = [one.op_id for one in field.all(Operation) if (one.state, one.record_id) == ("held", entity_id)]
    answer = reader.send(f"/projects/1/held/{held}/discard", f"{HERE}/{entity_id}", note="The wrong house.")

    assert f'href="/projects/1/entity/{entity_id}">Siti</a>' in page
    assert "Pak Jauh" in page
    assert "A change waits" in listed
    assert "<ins>77</ins>" in waiting
    assert "Discarded. It is kept, out of sight, with your reason" in reader.follow(answer)
    assert "A change waits" not in reader.get(HERE)
    assert "<ins>77</ins>" not in reader.get(f"{HERE}/{entity_id}")
    assert reader.get(f"/projects/1/submissions/{early['record']}")


def test_an_entry_tells_what_was_written_and_does_not_stand_and_by_which_records(field: Field, reader: Reader) -> None:
    tablet, other = field.tablet("d-siti"), field.tablet("d-budi")
    entity_id = register(field, tablet)
    records = []
    for one, age in ((tablet, "42"), (other, "43")):
        records.append(tell(one, update(entity_id, 1), nama="Siti", umur=age))
        field.push(one, records[-1])

    page = reader.get(f"{HERE}/{entity_id}")

    assert page.count("It says this too, and another value stands:") == 1
    assert "No record mentions this entry." not in page
    _versions, _, aside = page.partition("<aside>")
    assert all(str(one["record"]) in aside for one in records)


def test_what_a_device_changed_while_the_page_was_open_is_merged_with_what_was_typed(
    field: Field, reader: Reader
) -> None:
    tablet = field.tablet("d-siti")
    entity_id = register(field, tablet)
    page = reader.get(f"{HERE}/{entity_id}/edit")
    (seen,) = re.findall(r'name="version" value="(\d+)"', page)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Bu Siti", umur="42"))

    typed = {"version": seen, "label": "Siti", "p-nama": "Siti", "p-umur": "43"}
    answer = reader.send(f"{HERE}/{entity_id}/edit", f"{HERE}/{entity_id}", **typed)

    shown = reader.follow(answer)
    assert "Bu Siti" in shown
    assert all(value in shown.partition("<aside>")[0] for value in ("42", "43"))
    assert "1 conflict" in shown


def test_a_value_that_came_while_the_page_was_open_is_settled_by_nobody_who_has_not_seen_it(
    field: Field, reader: Reader
) -> None:
    tablets = [field.tablet(f"d-{name}") for name in ("siti", "budi", "ani")]
    entity_id = register(field, tablets[0])
    changes = [tell(one, update(entity_id, 1), nama="Siti", umur=age) for one, age in zip(tablets, "567", strict=True)]
    for one, change in zip(tablets[:2], changes, strict=False):
        field.push(one, change)
    page = reader.get(f"{HERE}/{entity_id}")
    (sides,), choices = (
        re.findall(r'name="sides" value="([^"]+)"', page),
        re.findall(r'name="choice" value="(.+?)"', page),
    )

    field.push(tablets[2], changes[2])
    settle = {"path": "umur", "sides": sides, "choice": choices[0]}
    unseen = reader.send(f"{HERE}/{entity_id}/conflicts", f"{HERE}/{entity_id}", **settle)

    shown = reader.follow(unseen)
    assert "Another value has come since you opened the page" in shown
    (conflict,) = field.all(Conflict)
    assert {side["value"] for side in conflict.siblings} == {"5", "6", "7"}
    (settle["sides"],) = re.findall(r'name="sides" value="([^"]+)"', shown)
    reader.send(f"{HERE}/{entity_id}/conflicts", f"{HERE}/{entity_id}", **settle)
    assert field.all(Conflict) == []


def test_an_edit_that_came_while_the_page_was_open_is_approved_by_nobody_who_has_not_seen_it(
    field: Field, reader: Reader
) -> None:
    tablet, record = field.tablet("d-siti"), new_id()
    field.publish(xform())
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    here = f"/projects/1/submissions/{record}"
    (seen,) = re.findall(r'name="revision" value="(\d+)"', reader.get(here))

    field.push(tablet, tablet.op(record, set={"umur": "14"}))
    decided = {"decision": "approved", "note": "Sudah benar.", "revision": seen}
    shown = reader.follow(reader.send(f"{here}/review", here, **decided))

    assert "The record was changed while you had it open" in shown
    assert "Your note was: Sudah benar." in shown
    assert [one.review_state for one in field.all(Submission)] == ["edited"]
    (decided["revision"],) = re.findall(r'name="revision" value="(\d+)"', shown)
    reader.send(f"{here}/review", here, **decided)
    assert [one.review_state for one in field.all(Submission)] == ["approved"]
