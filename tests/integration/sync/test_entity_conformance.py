"""What devices say about entities, case by case: the ODK entities specification, ODK Central, and where we differ.

Central does not apply an element that it finds wrong, and says so in its audit log. Field data is never refused for its
content here: it is applied as if its author had seen little, so that it can surface as a conflict and never overwrite;
or it waits, is shown, and is applied when a supervisor says so."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest
from sqlalchemy.orm import Session

from sync import epochs, release
from sync.engine import in_transaction
from sync.errors import NoReason
from sync.models import Entity, Operation, SubmissionFinding
from tests.integration.sync.field import Field, Tablet, instance, new_id, xform
from tests.integration.sync.test_list_rules import is_rebuilt_as_it_is

FORM = "warga_form"
Said: TypeAlias = dict[str, str]

CREATE: Said = {"create": "1"}
UPDATE: Said = {"update": "1"}
BOTH: Said = {"create": "1", "update": "1"}
BRANCH, OTHER = str(uuid.uuid4()), str(uuid.uuid4())


def on(base: int | str, trunk: int | str = "", branch: str = "") -> Said:
    return {"baseVersion": str(base), "trunkVersion": str(trunk), "branchId": branch}


@dataclass(frozen=True, slots=True)
class Step:
    """A record about the entity: attributes of its element, and the age that it says."""

    said: Said
    age: str


@dataclass(frozen=True, slots=True)
class Case:
    """`waits` and `doubts` are counted over all steps; `age` is what stands, "" when there is no entity."""

    name: str
    steps: tuple[Step, ...]
    age: str
    version: int
    conflict: str = ""
    waits: Mapping[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


REGISTERED = Step(CREATE, "41")

CASES = (
    Case("a record registers (2022.1)", (REGISTERED,), "41", 1),
    Case("a change without a branch starts from its base (2023.1)", (REGISTERED, Step(UPDATE | on(1), "42")), "42", 2),
    Case(
        "who started from an older base differs",
        (REGISTERED, Step(UPDATE | on(1), "42"), Step(UPDATE | on(1), "43")),
        "43",
        3,
        "hard",
    ),
    Case(
        "a branch begins at its trunk (2024.1)",
        (REGISTERED, Step(UPDATE | on(1), "42"), Step(UPDATE | on(2, 2, BRANCH), "43")),
        "43",
        3,
    ),
    Case(
        "a branch begins with the registration: base 1, no trunk",
        (REGISTERED, Step(UPDATE | on(1, "", BRANCH), "42"), Step(UPDATE | on(2, "", BRANCH), "43")),
        "43",
        3,
    ),
    Case(
        "a branch goes on from its own numbers, whatever the server's are",
        (
            REGISTERED,
            Step(UPDATE | on(1, 1, BRANCH), "42"),
            Step(UPDATE | on(2, 2, OTHER), "43"),
            Step(UPDATE | on(2, 1, BRANCH), "44"),
        ),
        "44",
        4,
        "hard",
    ),
    Case(
        "what comes before its predecessor in the branch waits (submission.backlog.hold)",
        (REGISTERED, Step(UPDATE | on(2, 1, BRANCH), "43")),
        "41",
        1,
        waits={"waits_for_predecessor": 1},
    ),
    Case(
        "and is applied when that comes (submission.backlog.reprocess)",
        (REGISTERED, Step(UPDATE | on(2, 1, BRANCH), "43"), Step(UPDATE | on(1, 1, BRANCH), "42")),
        "43",
        3,
    ),
    Case(
        "a trunk that this server does not have yet is waited for (Central: 404.9, never applied)",
        (REGISTERED, Step(UPDATE | on(5, 5, BRANCH), "42")),
        "41",
        1,
        waits={"waits_for_base": 1},
    ),
    Case(
        "so is a base without a branch (Central: 404.9)",
        (REGISTERED, Step(UPDATE | on(5), "42")),
        "41",
        1,
        waits={"waits_for_base": 1},
    ),
    Case(
        "so is an entity that is not here (Central: 404.8)",
        (Step(UPDATE | on(1), "42"),),
        "",
        0,
        "",
        {"waits_for_base": 1},
    ),
    Case(
        "a trunk without a branch: its author had seen the trunk (Central: 400.2, never applied)",
        (REGISTERED, Step(UPDATE | on(1), "42"), Step(UPDATE | on(2, 1), "43")),
        "43",
        3,
        "hard",
        doubts=("branch",),
    ),
    Case(
        "a change without a base: nobody knows what its author had seen (Central: 400.2)",
        (REGISTERED, Step(UPDATE, "42")),
        "42",
        2,
        "hard",
        doubts=("base",),
    ),
    Case(
        "a base that is no number",
        (REGISTERED, Step(UPDATE | on("two"), "42")),
        "42",
        2,
        "hard",
        doubts=("base",),
    ),
    Case("update goes before create", (REGISTERED, Step(BOTH | on(1), "42")), "42", 2),
    Case("what may create waits for nobody", (Step(BOTH | on(1), "42"),), "42", 1),
    Case(
        "nor does its branch",
        (Step(BOTH | on(1, "", BRANCH), "42"), Step(UPDATE | on(2, "", BRANCH), "43")),
        "43",
        2,
    ),
    Case("what may create needs no base", (Step(BOTH | on(""), "42"),), "42", 1),
    Case(
        "a second change with one number of a branch had seen the trunk, no more",
        (
            REGISTERED,
            Step(UPDATE | on(1, 1, BRANCH), "42"),
            Step(UPDATE | on(2, 1, BRANCH), "43"),
            Step(UPDATE | on(2, 1, BRANCH), "44"),
        ),
        "44",
        4,
        "hard",
    ),
    Case("who registers the same again differs (Central: 409.3)", (REGISTERED, Step(CREATE, "42")), "42", 2, "hard"),
)


@pytest.fixture(autouse=True)
def _registry(field: Field) -> None:
    field.publish(xform(form_id=FORM, entities=True))


def sent(field: Field, tablet: Tablet, entity_id: str, steps: tuple[Step, ...]) -> None:
    for step in steps:
        record, attributes = new_id(), {"id": entity_id} | step.said
        xml = instance(record, form_id=FORM, entity=attributes, nama="Siti", umur=step.age)
        field.push(tablet, tablet.op(record, form=FORM, xml=xml))


def conflict_of(entity: Entity) -> str:
    return "hard" if entity.conflicts else "soft" if entity.heads > 1 else ""


def waiting(field: Field) -> list[Operation]:
    return sorted((one for one in field.all(Operation) if one.state == "held"), key=lambda one: one.n)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_specification(field: Field, tablet: Tablet, case: Case) -> None:
    entity_id = str(uuid.uuid4())

    sent(field, tablet, entity_id, case.steps)

    entity = field.one(Entity, entity_id)
    shown = (entity.data["umur"], entity.version, conflict_of(entity)) if entity is not None else ("", 0, "")
    assert shown == (case.age, case.version, case.conflict)
    whys = [one.why for one in waiting(field)]
    assert {why: whys.count(why) for why in whys} == case.waits
    told = [one.params["reason"] for one in field.all(SubmissionFinding) if one.rule == "entity"]
    assert tuple(told) == case.doubts
    assert is_rebuilt_as_it_is(field)


@pytest.mark.parametrize("case", [case for case in CASES if case.waits], ids=lambda case: case.name)
def test_what_waits_is_applied_when_a_supervisor_says_so(field: Field, tablet: Tablet, case: Case) -> None:
    entity_id = str(uuid.uuid4())
    sent(field, tablet, entity_id, case.steps)

    def act(session: Session) -> str:
        held = session.get_one(Operation, (field.project_id, waiting(field)[0].op_id))
        return release.apply_without(session, held, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, act)

    entity = field.one(Entity, entity_id)
    assert (entity.data["umur"], conflict_of(entity)) == (case.steps[-1].age, "")
    assert waiting(field) == []
    assert is_rebuilt_as_it_is(field)


def test_what_waits_is_discarded_with_a_reason_and_its_record_stays(field: Field, tablet: Tablet) -> None:
    entity_id = str(uuid.uuid4())
    sent(field, tablet, entity_id, (REGISTERED, Step(UPDATE | on(2, 1, BRANCH), "43")))
    (held,) = waiting(field)

    def discard(note: str) -> None:
        def act(session: Session) -> None:
            row = session.get_one(Operation, (field.project_id, held.op_id))
            release.discard_held(session, row, note=note, actor=field.supervisor, now=field.now)

        in_transaction(field.engine, act)

    with pytest.raises(NoReason):
        discard(" ")
    discard("He had opened the wrong house.")
    with pytest.raises(release.NotWaiting):
        discard("Once more.")
    sent(field, tablet, entity_id, (Step(UPDATE | on(1, 1, BRANCH), "42"),))

    assert field.one(Entity, entity_id).data["umur"] == "42"
    assert waiting(field) == []
    assert field.answers(held.instance_id)["umur"] == "43"
    assert is_rebuilt_as_it_is(field)


def test_a_version_that_a_restore_has_lost_is_never_taken_for_another_one(field: Field, tablet: Tablet) -> None:
    entity_id = str(uuid.uuid4())
    sent(field, tablet, entity_id, (REGISTERED, Step(UPDATE | on(1), "42")))
    in_transaction(
        field.engine, lambda session: epochs.open_epoch(session, source="", state_at=field.now, now=field.now)
    )
    assert field.one(Entity, entity_id).version == 2
    sent(field, tablet, entity_id, (Step(UPDATE | on(2), "50"),))

    # Its author had a third version of the life that was lost, and so not this one.
    sent(field, tablet, entity_id, (Step(UPDATE | on(3), "43"),))

    entity = field.one(Entity, entity_id)
    assert entity.version > 3
    assert conflict_of(entity) == "hard"
    assert waiting(field) == []
    assert is_rebuilt_as_it_is(field)
