"""The state of a review follows from the set of operations, in whatever order they came."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import orjson
import pytest

from sync import receive
from sync.access import Actor, Role
from sync.models import Submission
from sync.verdict import Outcome, Sender
from tests.integration.sync.field import Field, Tablet, instance, new_id

EARLY, LATE = "000000000001-0000", "0fffffffffff-0000"


def send(field: Field, op: dict[str, Any]) -> Outcome:
    """As somebody who may review, too."""
    actor = Actor("account", id="a-sup", roles={field.project_id: Role.SUPERVISOR})
    raw = orjson.dumps(op)
    sender = Sender(field.project_id, actor, "sync")
    return receive.receive(field.engine, sender, [raw], size=len(raw), now=field.now).lines[0].outcome


def review_of(desk: Tablet, record: str, state: str, seen: dict[str, int] | None, **told: Any) -> dict[str, Any]:
    words = {"state": state} | ({"seen": orjson.dumps(seen).decode()} if seen is not None else {})
    return desk.op(record, kind="review", set=words, **told)


def states_in_every_order(field: Field, ops_of: Any, count: int) -> set[str]:
    """The state that the same operations come to, told in every order, each time about another record."""
    found = set()
    for order in itertools.permutations(range(count)):
        record = new_id()
        ops = ops_of(record)
        for index in order:
            assert send(field, ops[index]) is not Outcome.QUARANTINED
        found.add(field.one(Submission, record).review_state)
    return found


@pytest.mark.parametrize(
    ("has_seen_the_edit", "at", "state"),
    [(True, EARLY, "approved"), (True, LATE, "approved"), (False, EARLY, "edited"), (False, LATE, "edited")],
)
def test_a_decision_stands_when_who_decided_had_seen_every_edit(
    field: Field, tablet: Tablet, has_seen_the_edit: bool, at: str, state: str
) -> None:
    """No clock decides: not that of the tablet, and not that of the office."""
    desk = field.tablet("d-desk")

    def ops_of(record: str) -> list[dict[str, Any]]:
        made = tablet.fill_in(record, nama="Siti")
        edit = tablet.op(record, set={"umur": "41"})
        seen = {tablet.origin: edit["n"] if has_seen_the_edit else made["n"]}
        return [made, edit, review_of(desk, record, "approved", seen, at=at)]

    assert states_in_every_order(field, ops_of, 3) == {state}


def test_of_two_decisions_the_same_one_stands_everywhere(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    first, second = field.tablet("d-desk"), field.tablet("d-meja")

    def ops_of(record: str) -> list[dict[str, Any]]:
        made = tablet.fill_in(record, nama="Siti")
        edit = other_tablet.op(record, set={"umur": "41"}, context={tablet.origin: made["n"]})
        seen = {tablet.origin: made["n"], other_tablet.origin: edit["n"]}
        return [
            made,
            edit,
            review_of(first, record, "rejected", seen, at=LATE),
            review_of(second, record, "approved", {tablet.origin: made["n"]}, at=EARLY),
        ]

    assert states_in_every_order(field, ops_of, 4) == {"rejected"}


@pytest.mark.parametrize("at", [EARLY, LATE])
def test_a_decision_that_does_not_say_what_it_had_seen_is_about_no_edit(field: Field, tablet: Tablet, at: str) -> None:
    """Whatever the clock of the desk says: an answer that nobody may have looked at never counts as approved."""
    desk = field.tablet("d-desk")

    def ops_of(record: str, is_edited: bool) -> list[dict[str, Any]]:
        made, edit = tablet.fill_in(record, nama="Siti"), tablet.op(record, set={"umur": "41"})
        return [made, review_of(desk, record, "approved", None, at=at), *([edit] if is_edited else [])]

    assert states_in_every_order(field, partial(ops_of, is_edited=False), 2) == {"approved"}
    assert states_in_every_order(field, partial(ops_of, is_edited=True), 3) == {"edited"}


def test_a_decision_about_an_edit_is_one_about_its_record(field: Field, tablet: Tablet) -> None:
    record, own = new_id(), new_id()
    desk = field.tablet("d-desk")
    made = tablet.fill_in(record, nama="Siti")
    edit = tablet.op(record, xml=instance(own, corrects=record, nama="Siti", umur="41"))
    early = review_of(desk, own, "approved", {tablet.origin: edit["n"]})

    outcomes = [send(field, op) for op in (early, made, edit)]

    assert outcomes[0] is Outcome.HELD
    assert field.one(Submission, record).review_state == "approved"


def test_nonsense_about_what_was_seen_is_taken_for_nothing_seen(field: Field, tablet: Tablet) -> None:
    record, desk = new_id(), field.tablet("d-desk")
    send(field, tablet.fill_in(record, nama="Siti"))

    for nonsense in ("[1]", "{", '{"d-siti~1": "x"}'):
        decided = desk.op(record, kind="review", set={"state": "approved", "seen": nonsense})
        assert send(field, decided) is Outcome.ACCEPTED
        assert field.one(Submission, record).review_state == "edited"


def test_who_saw_a_marker_has_not_seen_what_takes_its_place(field: Field, tablet: Tablet) -> None:
    """One server puts the beginning of a record aside, somebody decides there, and another server has taken it."""
    record = new_id()
    first, after = tablet.fill_in(record, nama="Siti"), tablet.op(record, set={"umur": "41"})
    forward(field, {**first, "xml": None, "void": "form_closed"}, after)
    send(field, review_of(field.tablet("d-desk"), record, "approved", field.one(Submission, record).vector))
    assert field.one(Submission, record).review_state == "approved"

    forward(field, first)

    assert field.answers(record) == {"nama": "Siti", "umur": "41"}
    assert field.one(Submission, record).review_state == "edited"


def forward(field: Field, *ops: dict[str, Any]) -> None:
    """Another server has told of them."""
    sender = Sender(field.project_id, Actor("server", id="p-1", serves=field.project_id), "server")
    receive.receive(field.engine, sender, [orjson.dumps(op) for op in ops], size=1, now=field.now)
