"""What a broken, hostile or newer client sends costs nobody else anything, and is the same on every database."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy.orm import Session

from sync import author, devices, receive
from sync.access import Actor, Role
from sync.engine import in_transaction
from sync.lay import MOST_FINDINGS
from sync.models import Conflict, Device, Operation, Project, SubmissionFinding
from sync.rebuild import rebuild
from sync.verdict import Outcome, Receipt, Sender, Why
from tests.integration.sync.field import FORM, PHOTO, Field, Tablet, instance, new_id, outcomes, xform

TOO_LARGE = {"name": "rumah.jpg", "sha256": PHOTO, "size": 2**63}


def push_as(field: Field, actor: Actor, door: str, *ops: dict[str, Any]) -> Receipt:
    sender = Sender(field.project_id, actor, door)
    return receive.receive(field.engine, sender, [orjson.dumps(op) for op in ops], size=1, now=field.now)


def server(field: Field) -> Actor:
    return Actor("server", id="s-centre", serves=field.project_id)


def test_a_marker_with_a_reason_of_a_newer_server_stops_no_push(field: Field, tablet: Tablet) -> None:
    op = tablet.fill_in(new_id(), nama="Siti")
    push_as(field, server(field), "server", op | {"xml": None, "void": "of_the_future"})
    marker = field.operation(op["op"])

    receipt = field.push(tablet, op, tablet.fill_in(new_id(), nama="Budi"))

    assert (marker.state, marker.why) == ("void", Why.INVALID_OPERATION.value)
    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.ACCEPTED]


def test_what_no_database_can_hold_is_put_aside_before_it_waits(field: Field, tablet: Tablet) -> None:
    """Else it would come up again with whatever it waits for: here, nobody could publish the version."""
    record = new_id()
    op = tablet.op(record, version="2", xml=instance(record, version="2"), attachments=[TOO_LARGE])

    receipt = field.push(tablet, op, tablet.op(record, version="2", set={"nama": "Siti"}))
    field.publish(xform("2"))

    assert [line.why for line in receipt.lines] == [Why.INVALID_OPERATION, Why.WAITS_FOR_VERSION]
    assert field.answers(record) == {"nama": "Siti"}


def test_what_cannot_apply_costs_nothing_to_what_it_waited_for(field: Field, tablet: Tablet) -> None:
    """As an earlier version of the program may have kept it."""
    record = new_id()
    first, second = tablet.fill_in(record, nama="Siti"), tablet.op(record, set={"umur": "41"})
    field.push(tablet, second)

    def spoil(session: Session) -> None:
        session.get_one(Operation, (field.project_id, second["op"])).attachments = [TOO_LARGE]

    in_transaction(field.engine, spoil)
    receipt = field.push(tablet, first)

    assert outcomes(receipt) == [Outcome.ACCEPTED]
    assert field.answers(record) == {"nama": "Siti"}
    assert field.operation(second["op"]).state == "held"


def test_a_review_in_words_of_another_program_keeps_no_record_out(field: Field, tablet: Tablet) -> None:
    record = new_id()
    supervisor = Tablet("", "p-rina~1")
    decided = supervisor.op(record, kind="review", set={"state": "postponed"})
    assert outcomes(push_as(field, field.supervisor, "sync", decided)) == [Outcome.HELD]

    receipt = field.push(tablet, tablet.fill_in(record, nama="Siti"))

    assert outcomes(receipt) == [Outcome.ACCEPTED]
    assert field.shown(record).review_state == "edited"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"xml": instance("uuid:" + "i" * 300)}, Why.INSTANCE_ID_TOO_LONG),
        ({"xml": instance("uuid:a", version="v" * 300), "version": ""}, Why.INVALID_OPERATION),
        ({"xml": instance("uuid:a", form_id="f" * 300), "form": ""}, Why.INVALID_OPERATION),
        ({"set": {"": "a value of nothing"}}, Why.INVALID_OPERATION),
        ({"set": {"nama": "Siti"}, "n": 2**63}, Why.INVALID_OPERATION),
        ({"set": {"nama": "Siti"}, "context": {"d-siti~1": 2**63}}, Why.INVALID_OPERATION),
        ({"kind": "comment", "set": {"body": "about nothing"}}, Why.INVALID_OPERATION),
        ({"kind": "entity", "record": "e" * 65, "form": "warga", "set": {"label": "Siti"}}, Why.INVALID_OPERATION),
    ],
)
def test_what_is_too_long_or_too_large_is_put_aside_with_its_reason(
    field: Field, tablet: Tablet, said: dict[str, Any], why: Why
) -> None:
    op = tablet.op(new_id()) | said

    receipt = push_as(field, field.manager, "sync", op, tablet.fill_in(new_id(), nama="Budi"))

    assert [line.why for line in receipt.lines] == [why, Why.NONE]
    assert field.all(Conflict) == []


def test_the_letters_of_a_nul_are_an_answer_like_any_other(field: Field, tablet: Tablet) -> None:
    record, posted = new_id(), new_id()

    receipt = field.push(tablet, tablet.op(record, set={"nama": r"the letters \u0000, and \\u0000"}))
    line = field.post(instance(posted, nama=r"\u0000"))

    assert (*outcomes(receipt), line.outcome) == (Outcome.ACCEPTED, Outcome.ACCEPTED)
    assert field.answers(record) == {"nama": r"the letters \u0000, and \\u0000"}


def test_of_countless_findings_the_first_are_noted(field: Field, tablet: Tablet) -> None:
    """They are written while nobody else can write; the operation has everything."""
    record = new_id()
    op = tablet.op(record, set={f"nobody_asks_{n}": "1" for n in reversed(range(MOST_FINDINGS + 10))})

    field.push(tablet, op)

    assert len(field.all(SubmissionFinding)) == field.shown(record).errors == MOST_FINDINGS
    assert field.operation(op["op"]).changes == op["set"]
    assert in_transaction(field.engine, lambda session: rebuild(session, field.project_id, now=field.now)).is_same


@pytest.mark.parametrize("is_revoked", [False, True])
def test_no_device_takes_the_numbers_of_a_server(field: Field, tablet: Tablet, is_revoked: bool) -> None:
    """Else another server would refuse what this one writes itself, or take it for seen."""
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    supervisor = Actor("account", id="p", roles={field.project_id: Role.SUPERVISOR})
    written = write_review(field, record, supervisor)
    forged = tablet.op(record, set={"nama": "Budi"}) | {"origin": written.origin, "n": written.n + 1, "prev": 0}

    receipt = field.push(tablet, forged, is_revoked=is_revoked)

    assert receipt.lines[0].outcome is Outcome.QUARANTINED
    assert written.origin not in field.shown(record).vector
    assert written.origin not in {one.origin for one in field.all(Operation) if one.kind == "submission"}


def write_review(field: Field, record: str, actor: Actor) -> Operation:
    def act(session: Session) -> Operation:
        project = session.get_one(Project, field.project_id)
        words: dict[str, Any] = {"kind": "review", "record_id": record, "form_id": FORM}
        return author.write(session, project, **words, changes={"state": "approved"}, actor=actor, now=field.now)

    written: Operation = in_transaction(field.engine, act)
    return written


def test_no_device_takes_the_numbers_of_another_one(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    """Every device reads in the records how far the others have counted."""
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    in_transaction(
        field.engine, lambda session: devices.seen(session, field.project_id, tablet.device_id, now=field.now)
    )
    own = tablet.op(record, set={"umur": "41"})

    forged = field.push(other_tablet, own | {"op": str(uuid.uuid4()), "set": {"umur": "99"}})
    receipt = field.push(tablet, own)

    assert [(line.outcome, line.why) for line in forged.lines] == [(Outcome.QUARANTINED, Why.NOT_PERMITTED)]
    assert outcomes(receipt) == [Outcome.ACCEPTED]
    assert field.answers(record) == {"nama": "Siti", "umur": "41"}


def test_a_tablet_that_was_enrolled_anew_sends_what_it_had_made_before(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    def revoke(session: Session) -> None:
        session.get_one(Device, (field.project_id, tablet.device_id)).revoked_at = field.now

    made = tablet.fill_in(new_id(), nama="Siti")
    in_transaction(field.engine, revoke)

    assert outcomes(field.push(other_tablet, made)) == [Outcome.ACCEPTED]


def test_a_tablet_that_was_enrolled_anew_need_not_have_been_revoked(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    def be_silent(session: Session) -> None:
        old, new = (session.get_one(Device, (field.project_id, one.device_id)) for one in (tablet, other_tablet))
        old.last_seen_at, new.enrolled_at = field.now - timedelta(days=1), field.now

    made = tablet.fill_in(new_id(), nama="Siti")
    in_transaction(field.engine, be_silent)

    assert outcomes(field.push(other_tablet, made)) == [Outcome.ACCEPTED]
