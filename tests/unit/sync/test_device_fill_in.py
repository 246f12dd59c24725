"""Filling in without network: the same rules as on the server, the same lists, the device's own answers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from forms.entity_element import EntityElement
from forms.finding import Rule
from forms.instance import entity_elements, open_instance, read_answers
from forms.library.sample import CONFLICTING, Kind, Visit, fieldwork_day
from forms.xform import read
from sync.device import FieldDevice, Work
from sync.device.errors import BreaksRules, NotAnswers, NotEnrolled, SealedForm
from tests.conftest import study_files
from tests.houses import FOLLOW_UP, REGISTER
from tests.unit.forms.sheet import converted, xform

DAY = fieldwork_day()
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
ENROLLED = {
    "token": "t",
    "base": "http://server",
    "project_number": "1",
    "project_name": "P2KP",
    "device_id": "d-1",
    "device_name": "Tablet 1",
}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[FieldDevice]:
    """A device that was enrolled and has every version of the study's forms."""
    with FieldDevice(tmp_path, clock=lambda: NOW, user="rina") as device:
        for name, value in ENROLLED.items():
            device.store.keep_setting(name, value)
        for file in study_files():
            form = file.definition
            device.store.run("UPDATE form SET is_current = 0 WHERE form_id = ?", form.form_id)
            row = (form.form_id, form.version, form.title, file.xform)
            device.store.run("INSERT INTO form VALUES (?, ?, ?, ?, 1)", *row)
        yield device


def add(device: FieldDevice, visit: Visit, **more: Any) -> str:
    work = Work(
        version=visit.version,
        instance_id=visit.instance_id,
        entity_id=visit.creates_entity,
        started_at=visit.started_at,
        ended_at=visit.ended_at,
        **more,
    )
    return device.add(visit.form_id, visit.answers, {photo.name: b"jpg" for photo in visit.photos}, work).instance_id


def only(kind: Kind, form_id: str = "wawancara") -> Visit:
    (visit,) = (visit for visit in DAY.visits if visit.kind is kind and visit.form_id == form_id)
    return visit


def registration(code: str) -> Visit:
    (visit,) = (visit for visit in DAY.visits if visit.form_id == "pendaftaran" and visit.informant == code)
    return visit


def lines(device: FieldDevice) -> list[dict[str, Any]]:
    return [orjson.loads(one.body) for one in device.outbox.batch()]


def said(device: FieldDevice, line: dict[str, Any]) -> tuple[EntityElement, ...]:
    """About entities, by the record in a line."""
    definition = device.library.compiled(line["form"], line["version"]).definition
    return entity_elements(definition, open_instance(line["xml"]))


def test_a_whole_day_is_kept_offline_and_only_the_broken_rule_is_noticed(device: FieldDevice) -> None:
    for visit in DAY.visits:
        add(device, visit, as_is=visit.kind is Kind.BREAKS_A_CONSTRAINT)

    assert device.status().waiting == len(DAY.visits)
    with pytest.raises(BreaksRules) as refusal:
        add(device, only(Kind.BREAKS_A_CONSTRAINT))
    assert [finding.path for finding in refusal.value.findings] == ["credit/unspent"]


def test_what_is_sent_says_what_was_answered(device: FieldDevice) -> None:
    visit = registration("INF-01")
    add(device, visit)

    (line,) = lines(device)
    definition = device.library.compiled("pendaftaran").definition
    envelope = open_instance(line["xml"])
    answers = read_answers(definition, envelope).answers

    assert (envelope.instance_id, envelope.instance_name) == (visit.instance_id, "INF-01 Siti Aminah")
    assert answers["informant"]["name"] == "Siti Aminah"
    assert line["set"]["informant/name"] == "Siti Aminah"
    assert (line["form"], line["version"], line["record"]) == ("pendaftaran", "2026112601", visit.instance_id)


def test_calculations_need_not_be_answered(device: FieldDevice) -> None:
    visit = registration("INF-01")
    without = {name: value for name, value in visit.answers.items() if name != "status"}

    filled = device.fill("pendaftaran", without, {}, Work())

    assert filled.answers["status"] == "registered"


def test_the_device_answers_what_only_it_knows(device: FieldDevice) -> None:
    own = ("start", "end", "today", "deviceid", "username")
    answers = {name: value for name, value in registration("INF-01").answers.items() if name not in own}

    filled = device.fill("pendaftaran", answers, {}, Work(started_at=NOW, ended_at=NOW))

    assert filled.answers["start"].startswith("2026-11-23T")
    assert (filled.answers["deviceid"], filled.answers["username"]) == ("d-1", "rina")


def test_an_informant_that_was_changed_twice_offline_is_a_branch(device: FieldDevice) -> None:
    add(device, registration(CONFLICTING))
    add(device, only(Kind.CONFLICTING))
    add(device, only(Kind.CONFLICTING, "observasi"))

    elements = [
        entity_elements(device.library.compiled(line["form"], line["version"]).definition, open_instance(line["xml"]))[
            0
        ]
        for line in lines(device)
    ]

    assert [(one.create, one.update) for one in elements] == [(True, False), (False, True), (False, True)]
    assert [one.base_version for one in elements] == [None, 1, 2]
    assert elements[1].branch_id == elements[2].branch_id != ""
    assert {one.trunk_version for one in elements} == {None}
    (row,) = device.inbox.entities("informan")
    assert (row["__version"], row["business"]) == ("3", "Jahit dan obras pakaian")


def test_every_start_of_the_program_has_an_origin_of_its_own(device: FieldDevice, tmp_path: Path) -> None:
    add(device, registration("INF-01"))
    with FieldDevice(tmp_path, clock=lambda: NOW) as restarted:
        add(restarted, registration("INF-02"))

    origins = {line["origin"] for line in lines(device)}
    assert len(origins) == 2
    assert all(origin.startswith("d-1~") for origin in origins)


def test_a_folder_that_was_never_enrolled_says_so(tmp_path: Path) -> None:
    with FieldDevice(tmp_path / "fresh") as fresh, pytest.raises(NotEnrolled):
        fresh.sync()


def test_a_form_whose_answers_must_be_sealed_is_not_filled_in(device: FieldDevice) -> None:
    content = xform(binds='<submission base64RsaPublicKey="MIIB"/>')
    device.store.run("INSERT INTO form VALUES (?, ?, ?, ?, 1)", "small", "1", "Small", content)

    with pytest.raises(SealedForm):
        device.add("small", {"name": "Siti"})


def put_form(device: FieldDevice, content: bytes) -> None:
    definition = read(content)
    row = (definition.form_id, definition.version, definition.title, content)
    device.store.run("INSERT INTO form VALUES (?, ?, ?, ?, 1)", *row)


def people(device: FieldDevice) -> dict[str, tuple[str, str]]:
    """Name -> (id, age), as forms on this device look them up."""
    return {row["label"]: (row["name"], row["age"]) for row in device.inbox.entities("people")}


def test_each_turn_of_a_repeat_registers_and_changes_an_entity_of_its_own(device: FieldDevice) -> None:
    put_form(device, converted(REGISTER))
    put_form(device, converted(FOLLOW_UP))
    turns = [{"name": "Ani", "age": "30"}, {"name": "Budi", "age": "12"}]

    device.add("rumah", {"address": "Jl. Ikan 3", "person": turns}, {}, Work())
    registered = people(device)
    (house,) = device.inbox.entities("houses")
    visits = [{"who": registered[name][0], "age": age} for name, age in (("Ani", "31"), ("Budi", "13"))]
    filled = device.fill("susulan", {"turn": visits}, {}, Work())
    device.add("susulan", {"turn": visits}, {}, Work())

    assert (house["label"], house["address"]) == ("Jl. Ikan 3", "Jl. Ikan 3")
    assert {name: age for name, (_id, age) in registered.items()} == {"Ani": "30", "Budi": "12"}
    assert len({house["name"], *(id_ for id_, _age in registered.values())}) == 3
    assert {name: age for name, (_id, age) in people(device).items()} == {"Ani": "31", "Budi": "13"}
    assert [(one.scope, one.id, one.update, one.base_version) for one in filled.entities] == [
        ("turn[1]", registered["Ani"][0], True, 1),
        ("turn[2]", registered["Budi"][0], True, 1),
    ]
    assert filled.answers == {"turn": visits}


REPEATING = xform(
    "<name/><age/><r><v/></r>",
    binds='<bind nodeset="/data/age" type="int"/>',
    body="""<input ref="/data/name"><label>Name</label></input><input ref="/data/age"><label>Age</label></input>
<group ref="/data/r"><label>r</label><repeat nodeset="/data/r"><input ref="/data/r/v"/></repeat></group>""",
)


def test_an_answer_that_is_not_of_its_type_is_refused_and_never_lost(device: FieldDevice) -> None:
    put_form(device, REPEATING)
    answers = {"name": "Siti", "age": "4,5"}

    with pytest.raises(BreaksRules) as refusal:
        device.add("small", answers)
    device.add("small", answers, {}, Work(as_is=True))

    assert [(finding.rule, finding.path, finding.value) for finding in refusal.value.findings] == [
        (Rule.TYPE, "age", "4,5")
    ]
    (line,) = lines(device)
    assert line["set"]["age"] == "4,5"
    assert "<age>4,5</age>" in line["xml"]


@pytest.mark.parametrize(
    ("answers", "named"),
    [
        ({"nmae": "Siti"}, "nmae"),
        ({"name": "Siti", "age": 41}, "age"),
        ({"name": {"first": "Siti"}}, "name"),
        ({"name": "Siti", "r": "one"}, "r"),
        ({"name": "Siti", "r": [{"v": "1"}, {"w": "2"}]}, "r[2]/w"),
    ],
)
def test_answers_that_no_record_of_the_form_can_hold_are_refused_by_name(
    device: FieldDevice, answers: dict[str, Any], named: str
) -> None:
    put_form(device, REPEATING)

    with pytest.raises(NotAnswers) as refusal:
        device.add("small", answers, {}, Work(as_is=True))

    assert named in refusal.value.detail
    assert lines(device) == []
