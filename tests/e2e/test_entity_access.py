"""Each phone gets its own part of an entity list, and only what is approved: by REST and as ODK Collect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server.clock import now
from sync import devices
from sync.device import FieldDevice, Work
from sync.engine import in_transaction
from sync.models import Project
from tests.conftest import Team
from tests.e2e.collect import Collect, Media
from tests.e2e.fieldwork import code, enrolled
from tests.e2e.test_api import Client, LogIn
from tests.e2e.visits import FORM_ID, instance, new_id
from tests.houses import FOLLOW_UP, REGISTER
from tests.unit.forms.sheet import converted

NewPhone = Callable[..., Collect]


@pytest.fixture
def manager(log_in: LogIn, address: str, visits: Team) -> Client:
    return Client(log_in("manager"), f"{address}/v1/projects/1")


@pytest.fixture
def phone(manager: Client, address: str) -> NewPhone:
    """Another app user, with these properties."""

    def act(**properties: str) -> Collect:
        made = manager.ask("POST", "app-users", json={"displayName": "Ani"}).json()
        told = manager.ask("PATCH", f"app-users/{made['id']}", json={"properties": properties}).json()
        assert told["properties"] == properties
        return Collect(f"{address}/v1/key/{made['token']}/projects/1")

    return act


def rumah(collect: Collect) -> Media:
    (form,) = collect.forms()
    (media,) = collect.media(form)
    return media


def names(collect: Collect) -> set[str]:
    return {line.split(",")[1] for line in collect.download(rumah(collect)).decode().splitlines()[1:]}


def again(collect: Collect, etag: str) -> requests.Response:
    return requests.get(rumah(collect).download_url, headers={"If-None-Match": etag}, timeout=10)


def registers(collect: Collect, name: str) -> tuple[str, str]:
    record, entity_id = new_id(), new_id().removeprefix("uuid:")
    collect.send(instance(record, name=name, entity_id=entity_id))
    return record, entity_id


def test_phones_get_what_they_registered_and_hear_only_of_that(manager: Client, phone: NewPhone) -> None:
    told = manager.ask("PATCH", "datasets/rumah", json={"ownerOnly": True}).json()
    siti, budi = phone(), phone()
    _record, of_siti = registers(siti, "Siti")
    before = rumah(siti).hash, rumah(budi).hash
    etag = requests.get(rumah(siti).download_url, timeout=10).headers["ETag"]

    _record, of_budi = registers(budi, "Budi")

    assert (told["ownerOnly"], told["approvalRequired"]) == (True, False)
    assert (names(siti), names(budi)) == ({"Siti"}, {"Budi"})
    assert rumah(siti).hash == before[0]
    assert rumah(budi).hash != before[1]
    assert again(siti, etag).status_code == 304
    assert siti.deleted(rumah(siti), [of_siti, of_budi]) == {of_siti: False, of_budi: True}
    registers(siti, "Ani")
    assert again(siti, etag).status_code == 200


def test_phones_get_the_entities_of_their_place(manager: Client, phone: NewPhone) -> None:
    entries = [{"label": name, "data": {"nama": name}} for name in ("Siti", "Budi", "Ani")]
    manager.ask("POST", "datasets/rumah/entities", json={"entities": entries}).raise_for_status()
    told = manager.ask("PATCH", "datasets/rumah", json={"filters": {"nama": "who"}}).json()
    wrong = manager.ask("PATCH", "datasets/rumah", json={"filters": {"nma": "who"}})

    assert told["filters"] == {"nama": "who"}
    assert (wrong.status_code, "nama" in wrong.text) == (400, True)
    assert names(phone(who="Siti, Ani")) == {"Siti", "Ani"}
    assert names(phone()) == set()


def test_what_a_phone_registers_waits_for_its_approval(manager: Client, phone: NewPhone) -> None:
    manager.ask("PATCH", "datasets/rumah", json={"approvalRequired": True}).raise_for_status()
    siti, budi = phone(), phone()
    record, entity_id = registers(siti, "Siti")
    rejected, _entity_id = registers(siti, "Ani")
    listed: list[Any] = manager.ask("GET", "datasets/rumah/entities").json()
    waiting = manager.ask("GET", "datasets/rumah/entities?waiting=true").json()

    assert rumah(budi).needs_approval
    assert (names(siti), names(budi), listed) == (set(), set(), [])
    assert [(one["currentVersion"]["label"], one["isWaiting"]) for one in waiting] == [("Ani", True), ("Siti", True)]
    assert siti.deleted(rumah(siti), [entity_id]) == {}

    for instance_id, state in ((record, "approved"), (rejected, "rejected")):
        path = f"forms/{FORM_ID}/submissions/{instance_id}"
        manager.ask("PATCH", path, json={"reviewState": state}).raise_for_status()

    assert names(budi) == {"Siti"}
    (one,) = manager.ask("GET", "datasets/rumah/entities").json()
    assert (one["uuid"], one["isWaiting"]) == (entity_id, False)


def test_an_enumerator_reads_by_rest_what_the_devices_get(manager: Client, log_in: LogIn, phone: NewPhone) -> None:
    _record, entity_id = registers(phone(), "Siti")
    enumerator = Client(log_in("enumerator"), manager.project)
    before = enumerator.ask("GET", f"datasets/rumah/entities/{entity_id}").status_code

    manager.ask("PATCH", "datasets/rumah", json={"ownerOnly": True}).raise_for_status()

    assert before == 200
    assert enumerator.ask("GET", f"datasets/rumah/entities/{entity_id}").status_code == 404
    assert enumerator.ask("GET", "datasets/rumah/entities").json() == []
    assert enumerator.ask("GET", "datasets/rumah/entities.csv").text == "name,label,__version,nama\n"
    assert enumerator.ask("PATCH", "datasets/rumah", json={"ownerOnly": False}).status_code == 403


def code_of_nobody(engine: Engine, team: Team) -> str:
    """Of a shared device: what the first person registers is not its own."""

    def create(session: Session) -> str:
        project = session.get_one(Project, team.project_id)
        return devices.create_enrolment(session, project, name="b", actor=team.manager, now=now()).code

    return str(in_transaction(engine, create))


def test_a_field_client_registers_in_turns_and_drops_what_is_not_its_own_any_more(
    manager: Client, engine: Engine, visits: Team, address: str, tmp_path: Path
) -> None:
    for table in (REGISTER, FOLLOW_UP):
        form = {"Content-Type": "application/xml"}
        manager.ask("POST", "forms?publish=true", data=converted(table), headers=form).raise_for_status()
    house = {"address": "Jl. Ikan 3", "person": [{"name": "Ani", "age": "30"}, {"name": "Budi", "age": "12"}]}

    with (
        enrolled(tmp_path / "a", code(engine, visits, "a"), address) as first,
        enrolled(tmp_path / "b", code_of_nobody(engine, visits), address) as second,
    ):
        first.add("rumah", house, {}, Work())
        first.sync()
        second.sync()
        known = {row["label"]: row["name"] for row in second.inbox.entities("people")}
        turns = [{"who": known[name], "age": age} for name, age in (("Ani", "31"), ("Budi", "13"))]
        second.add("susulan", {"turn": turns}, {}, Work())
        second.sync()
        manager.ask("PATCH", "datasets/people", json={"ownerOnly": True}).raise_for_status()
        first.sync()
        second.sync()

        assert {row["label"]: row["age"] for row in first.inbox.entities("people")} == {"Ani": "31", "Budi": "13"}
        assert second.inbox.entities("people") == []
        assert [row["label"] for row in second.inbox.entities("houses")] == ["Jl. Ikan 3"]
    told = manager.ask("GET", "datasets/people/entities").json()
    assert [(one["currentVersion"]["version"], one["conflict"]) for one in told] == [(2, None), (2, None)]


def test_a_field_client_offers_whom_it_registered_once_the_record_is_approved(
    manager: Client, engine: Engine, visits: Team, address: str, tmp_path: Path
) -> None:
    for table in (REGISTER, FOLLOW_UP):
        form = {"Content-Type": "application/xml"}
        manager.ask("POST", "forms?publish=true", data=converted(table), headers=form).raise_for_status()
    manager.ask("PATCH", "datasets/people", json={"approvalRequired": True}).raise_for_status()
    house = {"address": "Jl. Ikan 3", "person": [{"name": "Ani", "age": "30"}]}

    def offered(device: FieldDevice) -> list[list[str]]:
        return [[row["label"] for row in device.inbox.entities(name)] for name in ("houses", "people")]

    with enrolled(tmp_path / "a", code(engine, visits, "a"), address) as device:
        record = device.add("rumah", house).instance_id
        offline = offered(device)
        device.sync()
        waiting = offered(device)
        approved = {"reviewState": "approved"}
        manager.ask("PATCH", f"forms/rumah/submissions/{record}", json=approved).raise_for_status()
        device.sync()
        (known,) = device.inbox.entities("people")
        device.add("susulan", {"turn": [{"who": known["name"], "age": "31"}]})

        assert offline == waiting == [["Jl. Ikan 3"], []]
        assert offered(device) == [["Jl. Ikan 3"], ["Ani"]]
        assert [row["age"] for row in device.inbox.entities("people")] == ["31"]
