"""One operation reaches two servers, and one of them puts it aside: in the end both show it (I3, I4)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import form_list, receive, release
from sync.access import SYSTEM, Actor, Role
from sync.engine import in_transaction
from sync.models import Event, Form, InboxItem, Operation
from sync.rebuild import rebuild
from sync.verdict import Sender, SentFile
from tests.e2e.offices import Office
from tests.e2e.visits import FORM_ID, instance, new_id
from tests.integration.sync.field import Tablet


@dataclass
class Pair:
    """Two servers that exchange what they have: `near` has taken what `far` has put aside."""

    near: Office
    far: Office
    field: Office

    def meet(self) -> None:
        for _time in range(3):
            self.field.sync()

    def come_to_agree(self) -> None:
        self.meet()
        assert told(self.far) == told(self.near)
        assert self.far.shown() == self.near.shown()
        for office in (self.near, self.far):
            with Session(office.engine) as session:
                made_again = rebuild(session, office.project_id, now=now())
                session.rollback()
            assert made_again.is_same, made_again.changed


@pytest.fixture(params=["the centre puts it aside", "the field office puts it aside"])
def pair(request: pytest.FixtureRequest, centre: Office, field_office: Office) -> Pair:
    field_office.team = centre.team
    at_the_centre = request.param.startswith("the centre")
    near, far = (field_office, centre) if at_the_centre else (centre, field_office)
    return Pair(near, far, field_office)


@pytest.fixture
def tablet() -> Tablet:
    return Tablet("d-siti", "d-siti~1")


def push(office: Office, *ops: dict[str, Any], as_: Callable[[Sender], Sender] = lambda sender: sender) -> list[str]:
    raws = [orjson.dumps(op) for op in ops]
    receipt = receive.receive(office.engine, as_(office.sender("d-siti")), raws, size=1, now=now())
    assert all(line.safe for line in receipt.lines)
    return [line.outcome.value for line in receipt.lines]


def revoked(sender: Sender) -> Sender:
    return replace(sender, is_revoked=True)


def with_role(role: Role) -> Callable[[Sender], Sender]:
    def of(sender: Sender) -> Sender:
        return replace(sender, actor=Actor("account", id="rina", roles={sender.project_id: role}))

    return of


def set_state(office: Office, state: str) -> None:
    def act(session: Session) -> None:
        form = session.get_one(Form, (office.project_id, FORM_ID))
        form_list.set_state(session, form, state, actor=SYSTEM, now=now())

    in_transaction(office.engine, act)


def told(office: Office) -> dict[str, dict[str, Any]]:
    """The operations. By which of its devices one came is what each server saw for itself."""
    seen = ("device", "account")
    return {
        op_id: {name: value for name, value in shape.items() if name not in seen}
        for op_id, shape in office.operations().items()
    }


def states(office: Office) -> dict[str, str]:
    with Session(office.engine) as session:
        return {one.op_id: one.state for one in session.scalars(select(Operation))}


def queue(office: Office) -> list[str]:
    """The states of what was put aside."""
    with Session(office.engine) as session:
        return [item.state for item in session.scalars(select(InboxItem).order_by(InboxItem.item_id))]


def events(office: Office, action: str) -> int:
    with Session(office.engine) as session:
        return len(session.scalars(select(Event).where(Event.action == action)).all())


def new(tablet: Tablet, **more: str) -> dict[str, Any]:
    record = new_id()
    return tablet.op(record, form=FORM_ID, xml=instance(record, **more).decode())


def test_a_form_that_is_closed_at_one_of_them(pair: Pair, tablet: Tablet) -> None:
    made = new(tablet)
    set_state(pair.far, "closed")

    assert (push(pair.near, made), push(pair.far, made)) == (["accepted"], ["quarantined"])
    pair.come_to_agree()

    assert states(pair.far)[made["op"]] == "ready"
    assert queue(pair.far) == ["released"]
    assert events(pair.far, "quarantine.release") == 1


def test_a_device_that_was_revoked_at_one_of_them_and_what_it_made_next(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    edits = [tablet.op(first["record"], form=FORM_ID, set={"umur": age}) for age in ("50", "51")]

    assert push(pair.near, first) == push(pair.far, first) == ["accepted"]
    assert push(pair.far, edits[0], as_=revoked) == ["quarantined"]
    assert push(pair.far, edits[1]) == ["accepted"]
    assert push(pair.near, *edits) == ["accepted", "accepted"]
    pair.come_to_agree()

    assert pair.far.shown()["records"][first["record"]][0]["umur"] == "51"
    assert pair.far.shown()["clashes"] == []


def test_a_person_who_may_do_less_at_one_of_them(pair: Pair, tablet: Tablet) -> None:
    made = new(tablet)
    gone = tablet.op(made["record"], form=FORM_ID, deleted=True)
    for office in (pair.near, pair.far):
        push(office, made)

    assert push(pair.near, gone, as_=with_role(Role.MANAGER)) == ["accepted"]
    assert push(pair.far, gone, as_=with_role(Role.ENUMERATOR)) == ["quarantined"]
    pair.come_to_agree()


@pytest.mark.parametrize("is_same_record", [False, True])
def test_two_that_carry_one_number_arrive_in_another_order(pair: Pair, tablet: Tablet, is_same_record: bool) -> None:
    first = new(tablet)
    for office in (pair.near, pair.far):
        push(office, first)
    pair.meet()
    one = tablet.op(first["record"], form=FORM_ID, set={"umur": "50"})
    record = one["record"] if is_same_record else new_id()
    other = one | {"op": str(uuid.uuid4()), "record": record, "set": {"umur": "60", "nama": "Bu Ani"}}
    other |= {} if is_same_record else {"prev": 0, "xml": instance(record).decode(), "set": None}

    assert push(pair.near, one, other) == push(pair.far, other, one) == ["accepted", "quarantined"]
    pair.come_to_agree()

    assert {states(pair.far)[op["op"]] for op in (one, other)} == {"ready"}
    assert pair.far.shown()["clashes"] == ([(record, "umur")] if is_same_record else [])


def test_a_form_that_only_one_of_them_had(pair: Pair, tablet: Tablet) -> None:
    made = new(tablet) | {"form": "lain"}
    made["xml"] = made["xml"].replace(f'id="{FORM_ID}"', 'id="lain"')
    in_transaction(pair.near.engine, lambda session: publish_other(session, pair.near))

    assert (push(pair.near, made), push(pair.far, made)) == (["accepted"], ["quarantined"])
    pair.come_to_agree()

    assert made["record"] in pair.far.shown()["records"]


def publish_other(session: Session, office: Office) -> None:
    from sync import publish
    from tests.e2e.visits import xform

    content = xform().replace(b'id="kunjungan"', b'id="lain"')
    publish.save_draft(session, office.project_id, content, actor=SYSTEM, now=now())
    publish.publish(session, office.project_id, "lain", actor=SYSTEM, now=now())


def test_one_instance_id_under_two_forms(pair: Pair, tablet: Tablet) -> None:
    in_transaction(pair.near.engine, lambda session: publish_other(session, pair.near))
    pair.meet()
    record = new_id()
    xml = instance(record).decode()
    one = Tablet("d-siti", "d-siti~2").op(record, form=FORM_ID, xml=xml, at="0000000f4240-0001")
    other = Tablet("d-siti", "d-siti~3").op(record, form="lain", at="0000000f4240-0002")
    other["xml"] = xml.replace(f'id="{FORM_ID}"', 'id="lain"')

    assert push(pair.near, one, other) == push(pair.far, other, one) == ["accepted", "quarantined"]
    pair.come_to_agree()


def test_a_bare_instance_that_was_sent_to_another_forms_address_at_one_of_them(pair: Pair) -> None:
    record = new_id()
    xml = instance(record, photo="rumah.jpg")
    photo = pair.far.keep(b"rumah")

    def post(office: Office, form_id: str | None, *files: SentFile) -> str:
        sender = office.sender("collect")
        line = receive.receive_submission(office.engine, sender, xml, files, form_id=form_id, now=now())
        return line.outcome.value

    assert (post(pair.near, None), post(pair.far, "lain", photo)) == ("accepted", "quarantined")
    pair.come_to_agree()

    (operation,) = [one for one in pair.far.operations().values() if one["record"] == record]
    assert [file["name"] for file in operation["attachments"]] == ["rumah.jpg"]


def test_what_stopped_one_of_them(pair: Pair, tablet: Tablet, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new(tablet)

    def stumble(*_given: object, **_more: object) -> object:
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr(receive, "prepare", stumble)
        assert push(pair.far, made) == ["quarantined"]
    assert push(pair.near, made) == ["accepted"]
    pair.come_to_agree()


def test_what_waited_at_one_of_them_and_was_applied_without(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    lost, last = (tablet.op(first["record"], form=FORM_ID, set={"umur": age}) for age in ("50", "51"))
    for office in (pair.near, pair.far):
        push(office, first)
    assert push(pair.far, last) == ["held"]

    def apply(session: Session) -> None:
        held = session.get_one(Operation, (pair.far.project_id, last["op"]))
        release.apply_without(session, held, actor=SYSTEM, now=now())

    in_transaction(pair.far.engine, apply)
    assert push(pair.near, lost, last) == ["accepted", "accepted"]
    pair.come_to_agree()

    assert states(pair.far)[last["op"]] == "ready"
    assert pair.far.shown()["records"][first["record"]][0]["umur"] == "51"
    assert pair.far.shown()["clashes"] == []


def test_what_waited_at_both_and_was_discarded_at_one_of_them(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    _lost, wrong, last = (tablet.op(first["record"], form=FORM_ID, set={"umur": age}) for age in ("50", "51", "52"))
    for office in (pair.near, pair.far):
        push(office, first)
        assert push(office, wrong, last) == ["held", "held"]

    def set_aside(session: Session) -> None:
        held = session.get_one(Operation, (pair.far.project_id, wrong["op"]))
        release.discard_held(session, held, note="salah", actor=SYSTEM, now=now())

    in_transaction(pair.far.engine, set_aside)
    pair.come_to_agree()

    assert pair.near.shown()["records"][first["record"]][0]["umur"] == "52"
    assert states(pair.near)[wrong["op"]] == "void"


def test_what_waited_at_one_of_them_and_was_discarded_there(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    lost, wrong, last = (tablet.op(first["record"], form=FORM_ID, set={"umur": age}) for age in ("50", "51", "52"))
    for office in (pair.near, pair.far):
        push(office, first)
    push(pair.far, wrong, last)

    def set_aside(session: Session) -> None:
        held = session.get_one(Operation, (pair.far.project_id, wrong["op"]))
        release.discard_held(session, held, note="salah", actor=SYSTEM, now=now())

    in_transaction(pair.far.engine, set_aside)
    pair.meet()
    assert push(pair.near, lost, wrong) == ["accepted", "accepted"]
    pair.come_to_agree()

    assert states(pair.far)[wrong["op"]] == "ready"
    assert pair.far.shown()["records"][first["record"]][0]["umur"] == "52"


def test_what_was_discarded_at_one_of_them(pair: Pair, tablet: Tablet) -> None:
    made = new(tablet)
    set_state(pair.far, "closed")
    push(pair.far, made)

    def discard(session: Session) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.discard(session, item, note="salah", actor=SYSTEM, now=now())

    in_transaction(pair.far.engine, discard)
    push(pair.near, made)
    pair.come_to_agree()

    assert queue(pair.far) == ["released"]


def test_what_was_released_at_one_of_them_and_taken_by_the_other_is_no_conflict(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    for office in (pair.near, pair.far):
        push(office, first)
    edit = tablet.op(first["record"], form=FORM_ID, set={"umur": "50"})
    assert push(pair.far, edit, as_=revoked) == ["quarantined"]

    def let_out(session: Session) -> None:
        release.release(session, session.scalars(select(InboxItem)).one(), actor=SYSTEM, now=now())

    in_transaction(pair.far.engine, let_out)
    assert push(pair.near, edit) == ["accepted"]
    pair.come_to_agree()

    assert pair.far.shown()["records"][first["record"]][0]["umur"] == "50"
    assert pair.far.shown()["clashes"] == []


def test_what_one_of_them_only_knows_by_its_number_is_kept_when_it_comes_there_too(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    for office in (pair.near, pair.far):
        push(office, first)
    aside, after = (tablet.op(first["record"], form=FORM_ID, set={"umur": age}) for age in ("50", "51"))
    assert push(pair.far, aside, as_=revoked) == ["quarantined"]
    assert push(pair.far, after) == ["accepted"]
    pair.meet()
    assert states(pair.near)[aside["op"]] == "void"

    assert push(pair.near, aside) == ["accepted"]
    pair.come_to_agree()

    assert pair.near.shown()["records"][first["record"]][0]["umur"] == "51"
    assert queue(pair.far) == ["released"]


def test_what_both_of_them_put_aside_lies_in_both_queues(pair: Pair, tablet: Tablet) -> None:
    first = new(tablet)
    for office in (pair.near, pair.far):
        push(office, first)
    aside, after = (tablet.op(first["record"], form=FORM_ID, set={"umur": age}) for age in ("50", "51"))
    push(pair.far, aside, as_=revoked)
    push(pair.far, after)
    pair.meet()

    assert push(pair.near, aside, as_=revoked) == ["quarantined"]
    pair.come_to_agree()

    assert queue(pair.near) == queue(pair.far) == ["quarantined"]


def test_who_hands_in_a_bare_instance_makes_no_difference(pair: Pair) -> None:
    record, base = new_id(), new_id()
    for office in (pair.near, pair.far):
        office.collect(base)
    pair.meet()
    xml = instance(record, corrects=base, age="50")

    def post(office: Office, role: Role) -> str:
        sender = with_role(role)(office.sender("collect"))
        return receive.receive_submission(office.engine, sender, xml, now=now()).outcome.value

    assert post(pair.near, Role.SUPERVISOR) == post(pair.far, Role.ENUMERATOR) == "accepted"
    pair.come_to_agree()
