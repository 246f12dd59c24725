"""What a list asks of its entities: types, and how values are merged that people wrote without seeing each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from sync import projects, rebuild
from sync.access import SYSTEM, Actor, Role
from sync.engine import in_transaction
from sync.entities import declare_list
from sync.entities.declare_list import Declared
from sync.feed import pull
from sync.models import Conflict, Device, Entity, EntityList, EntityVersion, Operation, Project, SubmissionFinding
from sync.operations import shape_of
from sync.receive import receive
from sync.verdict import Outcome, Sender
from tests.integration.sync.field import Field, Tablet, instance, new_id, outcomes, xform
from tests.integration.sync.test_entities import registered, tell, update

WARGA = "warga_form"


@pytest.fixture(autouse=True)
def _registry(field: Field) -> None:
    field.publish(xform(form_id=WARGA, entities=True))


@pytest.fixture
def declare(field: Field) -> Callable[..., Any]:
    """What the manager says about the properties of "warga"."""

    def act(**said: Declared) -> Any:
        def in_session(session: Session) -> Any:
            project = session.get_one(Project, field.project_id)
            return declare_list.declare(session, project, "warga", said, actor=field.manager, now=field.now)

        return in_transaction(field.engine, in_session)

    return act


@pytest.fixture
def elsewhere(field: Field) -> Field:
    """Another server, as far as operations go: a project without a form."""

    def act(session: Session) -> str:
        made = projects.create_project(session, name="Pusat", actor=SYSTEM, now=field.now)
        return str(made.project_id)

    return replace(field, project_id=in_transaction(field.engine, act))


def is_rebuilt_as_it_is(field: Field) -> bool:
    return in_transaction(
        field.engine, lambda session: rebuild.rebuild(session, field.project_id, now=field.now)
    ).is_same


def pulled(field: Field, tablet: Tablet, cursor: str = "") -> tuple[dict[str, Any], str]:
    """The entities on the pages behind the cursor, by id."""
    with Session(field.engine) as session:
        device = session.get_one(Device, (field.project_id, tablet.device_id))
        actor = Actor("device", id=tablet.device_id, roles={field.project_id: Role.ENUMERATOR})
        project = session.get_one(Project, field.project_id)
        page = pull(session, project, device=device, actor=actor, cursor=cursor, limit=500, now=field.now)
    return {one["record"]: one for one in page.records if one["kind"] == "entity"}, page.cursor


def test_a_property_has_the_type_of_the_question_that_fills_it(field: Field) -> None:
    assert field.one(EntityList, "warga").settings == {"type/umur": "integer"}


def test_a_property_is_merged_as_the_form_merges_the_answers_that_fill_it(field: Field) -> None:
    told = xform("2", form_id="other", entities=True)
    namespace = b'xmlns:l="urn:lapangan:forms" '
    for name, policy in ((b"nama", b"append"), (b"umur", b"max")):
        saved = b'entities:saveto="%s"' % name
        told = told.replace(saved, namespace + b'l:merge="%s" ' % policy + saved)
    told = told.replace(b'dataset="warga"', b'dataset="warga2"')

    field.publish(told)

    assert field.one(EntityList, "warga2").settings == {
        "merge/nama": "append",
        "merge/umur": "max",
        "type/umur": "integer",
    }


def test_what_a_person_has_declared_stays_when_a_form_is_published_again(field: Field, declare: Any) -> None:
    declare(umur=Declared(type="decimal", merge="max"))

    field.publish(xform("2", form_id=WARGA, entities=True))

    assert field.one(EntityList, "warga").settings == {"type/umur": "decimal", "merge/umur": "max"}


def test_a_value_of_another_type_is_kept_and_found(field: Field, tablet: Tablet, declare: Any) -> None:
    declare(nama=Declared(type="select_one", choices=["Siti", "Ani"]))
    entity_id, record = "5f0e7ab0-3f83-4d1e-9a0e-6f1b3bb6f0aa", new_id()
    attributes = {"id": entity_id, "create": "1"}

    receipt = field.push(
        tablet,
        tablet.op(record, form=WARGA, xml=instance(record, form_id=WARGA, entity=attributes, nama="Budi", umur="tua")),
    )

    assert outcomes(receipt) == [Outcome.ACCEPTED]
    assert field.one(Entity, entity_id).data == {"nama": "Budi", "umur": "tua"}
    found = [one for one in field.all(SubmissionFinding) if one.rule == "entity"]
    assert sorted((one.params["property"], one.params["type"], one.value) for one in found) == [
        ("nama", "choice", "Budi"),
        ("umur", "integer", "tua"),
    ]
    assert is_rebuilt_as_it_is(field)


@pytest.mark.parametrize(("policy", "stands"), [("max", "43"), ("min", "42"), ("latest", "42")])
def test_a_declared_policy_decides_between_two_tablets(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any, policy: str, stands: str
) -> None:
    declare(umur=Declared(merge=policy))
    entity_id = registered(field, tablet)

    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="42"))
    receipt = field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="43"))

    entity = field.one(Entity, entity_id)
    assert (entity.data["umur"], entity.conflicts, entity.heads) == (stands, 0, 2)
    assert outcomes(receipt) == [Outcome.ACCEPTED]
    assert field.all(Conflict) == []
    assert is_rebuilt_as_it_is(field)


def test_a_policy_that_is_declared_afterwards_settles_what_was_open_and_devices_hear_of_it(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any
) -> None:
    entity_id = registered(field, tablet)
    untouched = registered(field, tablet)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="43"))
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="42"))
    before, cursor = pulled(field, tablet)

    declare(umur=Declared(merge="max"))
    after, _cursor = pulled(field, tablet, cursor)

    assert set(before) == {entity_id, untouched}
    shown = {key: (one["data"]["umur"], one["conflicts"], one["version"]) for key, one in after.items()}
    # ODK Collect keeps the row that it has while the version is the same.
    assert (before[entity_id]["version"], shown) == (3, {entity_id: ("43", 0, 4)})
    assert field.all(Conflict) == []
    assert is_rebuilt_as_it_is(field)


def test_a_policy_taken_back_opens_the_conflict_again(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any
) -> None:
    declare(umur=Declared(merge="max"))
    entity_id = registered(field, tablet)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="43"))
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="42"))

    declare(umur=Declared(merge="flag"))

    assert field.one(Entity, entity_id).conflicts == 1
    assert {one["value"] for one in field.all(Conflict)[0].siblings} == {"42", "43"}
    assert is_rebuilt_as_it_is(field)


def test_a_change_on_a_version_that_a_rule_made_had_seen_what_the_rule_chose(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any
) -> None:
    entity_id = registered(field, tablet)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="43"))
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="42"))
    declare(umur=Declared(merge="max"))

    field.push(other_tablet, tell(other_tablet, update(entity_id, 4), nama="Siti", umur="40"))

    entity = field.one(Entity, entity_id)
    assert (entity.data["umur"], entity.conflicts, entity.heads, entity.version) == ("40", 0, 1, 5)
    assert [one.version for one in field.all(EntityVersion)] == [1, 2, 3, 4, 5]
    assert is_rebuilt_as_it_is(field)


def test_a_change_on_a_number_that_was_passed_over_had_seen_the_version_before_it(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any
) -> None:
    entity_id = registered(field, tablet)
    declare(umur=Declared(merge="max"))
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="43"))
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="42"))
    numbers = sorted(one.version for one in field.all(EntityVersion))

    field.push(tablet, tell(tablet, update(entity_id, 3), nama="Siti", umur="44"))

    assert numbers == [1, 2, 4]
    assert [one.state for one in field.all(Operation) if one.state == "held"] == []
    assert field.one(Entity, entity_id).data["umur"] == "44"
    assert is_rebuilt_as_it_is(field)


def test_another_server_follows_the_same_rules_in_whatever_order_it_hears_of_them(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any, elsewhere: Field
) -> None:
    entity_id = registered(field, tablet)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="43"))
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Siti", umur="42"))
    declare(umur=Declared(merge="max"))
    told = operations(field, "entity", "list")

    for lines in (told[::-1], told):
        forward(elsewhere, lines)

    here, there = field.one(Entity, entity_id), elsewhere.one(Entity, entity_id)
    assert (there.data, there.vector, there.conflicts) == (here.data, here.vector, here.conflicts)
    assert there.version == here.version == 4
    assert elsewhere.one(EntityList, "warga").settings == field.one(EntityList, "warga").settings
    assert is_rebuilt_as_it_is(elsewhere)


@pytest.mark.parametrize("seed", range(6))
def test_servers_that_hear_of_changes_and_rules_in_any_order_come_to_one_version(
    field: Field, tablet: Tablet, other_tablet: Tablet, declare: Any, elsewhere: Field, seed: int
) -> None:
    declare(nama=Declared(merge="latest"))
    entity_id = registered(field, tablet)
    field.push(tablet, tell(tablet, update(entity_id, 1), nama="Siti", umur="43"))
    field.push(other_tablet, tell(other_tablet, update(entity_id, 1), nama="Ani", umur="42"))
    declare(umur=Declared(merge="max"))
    field.push(tablet, tell(tablet, update(entity_id, 2), nama="Siti", umur="44"))
    declare(umur=Declared(merge="min"))
    declare(nama=Declared(merge="flag"))
    told = operations(field, "entity", "list")
    random.Random(seed).shuffle(told)

    for line in told:
        forward(elsewhere, [line])

    here, there = field.one(Entity, entity_id), elsewhere.one(Entity, entity_id)
    assert (there.version, there.data, there.conflicts) == (here.version, here.data, here.conflicts)
    # Its own four, and the two rules about "umur": about "nama" nobody ever differed.
    assert here.version == 6
    assert is_rebuilt_as_it_is(elsewhere)
    assert is_rebuilt_as_it_is(field)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        (Declared(type="number"), declare_list.BadType),
        (Declared(merge="newest"), declare_list.BadMerge),
        (Declared(merge="union"), declare_list.BadMerge),
        (Declared(type="text", merge="max"), declare_list.BadMerge),
    ],
)
def test_what_makes_no_sense_is_refused(field: Field, declare: Any, said: Declared, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        declare(umur=said)

    assert field.one(EntityList, "warga").settings == {"type/umur": "integer"}


def test_an_enumerators_device_declares_nothing(field: Field, tablet: Tablet) -> None:
    receipt = field.push(tablet, tablet.op("warga", kind="list", form="warga", set={"merge/umur": "max"}))

    assert outcomes(receipt) == [Outcome.QUARANTINED]
    assert field.one(EntityList, "warga").settings == {"type/umur": "integer"}


def operations(field: Field, *kinds: str) -> list[bytes]:
    """The operations of these kinds, as they go over the wire."""
    with Session(field.engine) as session:
        mine = Operation.project_id == field.project_id, Operation.kind.in_(kinds)
        found = session.scalars(select(Operation).where(*mine).order_by(Operation.seq).options(undefer(Operation.xml)))
        return [orjson.dumps(shape_of(one)) for one in found]


def forward(field: Field, lines: list[bytes]) -> None:
    """As another server brings operations."""
    sender = Sender(field.project_id, Actor("server", id="d-s", serves=field.project_id), "server", device_id="d-s")
    receive(field.engine, sender, lines, size=sum(map(len, lines)), now=field.now)
