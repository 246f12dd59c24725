"""What is received is kept, once, whatever its neighbours are."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from sync import inbox, install, receive
from sync.access import Actor
from sync.draft import read_draft
from sync.engine import in_transaction, options, reader, tune
from sync.errors import Overloaded
from sync.item import Item
from sync.judge import judge
from sync.ledger import KNOWN
from sync.models import Batch, Device, InboxItem, Operation, Submission
from sync.verdict import Line, Outcome, Sender, Why
from tests.integration.sync.field import FORM, Field, Tablet, instance, new_id, outcomes, xform


def test_a_batch_is_kept_and_numbered(field: Field, tablet: Tablet) -> None:
    ids = [new_id() for _ in range(3)]

    receipt = field.push(tablet, *(tablet.fill_in(one, nama="Siti", umur="41") for one in ids))

    assert outcomes(receipt) == [Outcome.ACCEPTED] * 3
    assert [line.seq for line in receipt.lines] == [2, 3, 4]
    assert field.feed()[1:] == [line.op_id for line in receipt.lines]
    assert receipt.head == receipt.durable_seq == 4
    assert field.answers(ids[0]) == {"nama": "Siti", "umur": "41"}
    shown = field.shown(ids[0])
    assert (shown.version, shown.instance_name, shown.revision, shown.device_id) == ("1", "Siti", 1, "d-siti")
    assert (shown.review_state, shown.errors, shown.xml) == ("received", 0, None)
    assert field.all(InboxItem) == []
    assert field.all(Batch)[0].verdicts == {"accepted": 3}


def test_a_batch_sent_twice_is_kept_once(field: Field, tablet: Tablet) -> None:
    ops = [tablet.fill_in(new_id(), nama="Siti") for _ in range(3)]

    first, again = field.push(tablet, *ops), field.push(tablet, *ops)

    assert outcomes(again) == [Outcome.DUPLICATE] * 3
    assert [line.first for line in again.lines] == [Outcome.ACCEPTED] * 3
    assert [line.seq for line in again.lines] == [line.seq for line in first.lines]
    assert len(field.all(Submission)) == 3
    assert len(field.feed()) == 1 + 3


def test_the_same_operation_twice_in_one_batch_is_kept_once(field: Field, tablet: Tablet) -> None:
    op = tablet.fill_in(new_id(), nama="Siti")

    receipt = field.push(tablet, op, op)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.DUPLICATE]


def test_what_is_known_is_answered_beside_what_is_new_and_does_not_land_again(field: Field, tablet: Tablet) -> None:
    young, old = tablet.fill_in(new_id(), nama="Siti", umur="30"), tablet.fill_in(new_id(), nama="Budi", umur="130")
    first = field.push(tablet, young, old)
    other = tablet.fill_in(new_id(), nama="Wati")

    again = field.push(tablet, old, other, young, old)

    assert outcomes(again) == [Outcome.DUPLICATE, Outcome.ACCEPTED, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert [line.first for line in again.lines] == [Outcome.ACCEPTED, None, Outcome.ACCEPTED, Outcome.ACCEPTED]
    for line, before in zip(again.lines[::2], reversed(first.lines), strict=True):
        assert replace(line, outcome=line.first, first=None) == before
    batch = next(one for one in field.all(Batch) if one.batch_id == again.batch_id)
    assert (batch.items, batch.verdicts) == (4, {"accepted": 1, "duplicate": 3})
    assert field.all(InboxItem) == []


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"{not json", Why.INVALID_JSON),
        (b"[]", Why.INVALID_OPERATION),
        (b'{"op": "x"}', Why.UNKNOWN_KIND),
        (b'{"op": "x", "kind": "submission", "origin": "o", "n": 1, "prev": 0}', Why.INVALID_OPERATION),
        (b'{"op": "x", "kind": "submission", "origin": "o", "n": 1, "record": "r", "xml": "\\u0000"}',
         Why.INVALID_OPERATION),
        (b'{"op": "x", "kind": "submission", "origin": "o", "n": 1, "record": "r", "set": {"a": 5}}',
         Why.INVALID_OPERATION),
        (b'{"op": "x", "kind": "submission", "origin": "o", "n": 1, "record": "r", "xml": "<data"}',
         Why.MALFORMED_XML),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_read_is_put_aside_and_costs_its_neighbours_nothing(
    field: Field, tablet: Tablet, raw: bytes, why: Why
) -> None:
    before, after = tablet.fill_in(new_id(), nama="Siti"), tablet.fill_in(new_id(), nama="Budi")

    receipt = field.push(tablet, before, raw, after)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.QUARANTINED, Outcome.ACCEPTED]
    assert receipt.lines[1].why is why
    (kept,) = field.all(InboxItem)
    assert (kept.raw, kept.state, kept.why) == (raw, "quarantined", why.value)


def test_what_was_put_aside_is_put_aside_once(field: Field, tablet: Tablet) -> None:
    field.push(tablet, b"{not json")

    again = field.push(tablet, b"{not json")

    assert outcomes(again) == [Outcome.DUPLICATE]
    assert (again.lines[0].first, again.lines[0].why) == (Outcome.QUARANTINED, Why.INVALID_JSON)
    assert len(field.all(InboxItem)) == 1


def test_a_number_used_for_something_else_is_put_aside(field: Field, tablet: Tablet) -> None:
    first = tablet.fill_in(new_id(), nama="Siti")
    clone = {**tablet.fill_in(new_id(), nama="Budi"), "n": first["n"]}

    receipt = field.push(tablet, first, clone)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.QUARANTINED]
    assert receipt.lines[1].why is Why.NUMBER_REUSED
    assert outcomes(field.push(tablet, clone)) == [Outcome.DUPLICATE]


def test_what_follows_a_reused_number_does_not_wait_for_it(field: Field, tablet: Tablet) -> None:
    other = new_id()
    first = tablet.fill_in(new_id(), nama="Siti")
    clone = {**tablet.fill_in(other, nama="Budi"), "n": first["n"]}
    after = {**tablet.fill_in(other, nama="Tuti"), "prev": first["n"]}

    receipt = field.push(tablet, first, after, clone)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.QUARANTINED]
    assert field.operation(clone["op"]).state == "void"
    assert field.answers(first["record"]) == {"nama": "Siti"}
    assert field.answers(other) == {"nama": "Tuti"}


def test_on_the_way_back_each_number_is_there_once(field: Field, tablet: Tablet) -> None:
    first = tablet.fill_in(new_id(), nama="Siti")
    field.push(tablet, first, *({**tablet.fill_in(new_id(), nama="Budi"), "n": first["n"]} for _ in range(2)))

    install.downgrade(field.engine, "20261125_know_peers")
    install.upgrade(field.engine)

    assert [row.op_id for row in field.all(Operation) if row.origin == tablet.origin] == [first["op"]]


def forward(field: Field, *ops: dict[str, Any]) -> None:
    """Another server has taken them."""
    sender = Sender(field.project_id, Actor("server", id="p-1", serves=field.project_id), "server")
    receive.receive(field.engine, sender, [orjson.dumps(op) for op in ops], size=1, now=field.now)


def test_there_is_no_way_back_that_would_lose_one_of_two(field: Field, tablet: Tablet) -> None:
    first = tablet.fill_in(new_id(), nama="Siti")
    clone = {**first, "op": str(uuid.uuid4()), "xml": None, "set": {"nama": "Budi"}}
    marker = {**clone, "op": str(uuid.uuid4()), "set": None, "void": "form_closed"}
    field.push(tablet, first)
    forward(field, clone, marker)

    with pytest.raises(ValueError, match="cannot keep both"):
        install.downgrade(field.engine, "20261126_keep_who_is_approved")
    install.upgrade(field.engine)

    kept = {row.op_id for row in field.all(Operation) if row.origin == tablet.origin}
    assert kept >= {first["op"], clone["op"]}


def test_a_number_that_is_used_again_on_its_own_record_is_marked_already(field: Field, tablet: Tablet) -> None:
    first = tablet.fill_in(new_id(), nama="Siti")
    clone = {**tablet.op(first["record"], set={"nama": "Budi"}), "n": first["n"], "prev": 0}
    after = {**tablet.op(first["record"], set={"umur": "41"}), "prev": first["n"]}

    receipt = field.push(tablet, first, clone, after)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.QUARANTINED, Outcome.ACCEPTED]
    assert {row.op_id for row in field.all(Operation)} >= {first["op"], after["op"]}
    assert clone["op"] not in {row.op_id for row in field.all(Operation)}
    assert field.answers(first["record"]) == {"nama": "Siti", "umur": "41"}


def test_what_follows_a_reused_number_on_two_records_waits_on_neither(field: Field, tablet: Tablet) -> None:
    first, records = tablet.fill_in(new_id(), nama="Siti"), [new_id(), new_id()]
    clones = [{**tablet.fill_in(record, nama="Budi"), "n": first["n"]} for record in records]
    after = [{**tablet.fill_in(record, nama="Tuti"), "prev": first["n"]} for record in records]

    field.push(tablet, first)
    receipt = field.push(tablet, *clones, *after)

    assert outcomes(receipt) == [Outcome.QUARANTINED] * 2 + [Outcome.ACCEPTED] * 2


def test_what_follows_a_change_that_is_only_half_readable_does_not_wait_for_it(field: Field, tablet: Tablet) -> None:
    record = new_id()
    made = tablet.fill_in(record, nama="Siti")
    broken = tablet.op(record, set={"umur": 41}, context={"d-lain~1": "dua"})
    after = tablet.op(record, set={"umur": "42"})

    receipt = field.push(tablet, made, after, broken)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.QUARANTINED]
    assert receipt.lines[2].why is Why.INVALID_OPERATION
    assert field.answers(record) == {"nama": "Siti", "umur": "42"}


def test_an_unknown_form_is_put_aside(field: Field, tablet: Tablet) -> None:
    record = new_id()

    receipt = field.push(tablet, tablet.op(record, form="lain", xml=instance(record, form_id="lain", nama="Siti")))

    assert (receipt.lines[0].outcome, receipt.lines[0].why) == (Outcome.QUARANTINED, Why.UNKNOWN_FORM)


def test_an_unknown_version_waits_until_it_is_published(field: Field, tablet: Tablet) -> None:
    record = new_id()
    held = field.push(tablet, tablet.op(record, version="2", xml=instance(record, version="2", nama="Siti")))

    field.publish(xform("2"))

    assert (held.lines[0].outcome, held.lines[0].why) == (Outcome.HELD, Why.WAITS_FOR_VERSION)
    assert held.lines[0].safe
    assert field.answers(record) == {"nama": "Siti"}
    assert field.feed()[-1] == held.lines[0].op_id


def test_an_edit_waits_for_its_predecessor(field: Field, tablet: Tablet) -> None:
    record = new_id()
    made, edit = tablet.fill_in(record, nama="Siti"), tablet.op(record, set={"umur": "41"})

    held = field.push(tablet, edit)
    field.push(tablet, made)

    assert (held.lines[0].outcome, held.lines[0].why) == (Outcome.HELD, Why.WAITS_FOR_PREDECESSOR)
    assert held.lines[0].seq is None
    assert field.answers(record) == {"nama": "Siti", "umur": "41"}
    assert field.feed()[-2:] == [made["op"], edit["op"]]


def test_what_a_later_item_of_the_batch_brings_is_waited_for_no_longer(field: Field, tablet: Tablet) -> None:
    record = new_id()
    made, edit = tablet.fill_in(record, nama="Siti"), tablet.op(record, set={"umur": "41"})

    receipt = field.push(tablet, edit, made)

    assert outcomes(receipt) == [Outcome.ACCEPTED, Outcome.ACCEPTED]


def test_an_edit_waits_for_the_base_that_its_author_saw(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    record = new_id()
    made = tablet.fill_in(record, nama="Siti")
    edit = other_tablet.op(record, set={"umur": "41"}, context={tablet.origin: made["n"]})

    held = field.push(other_tablet, edit)
    field.push(tablet, made)

    assert held.lines[0].why is Why.WAITS_FOR_BASE
    assert field.answers(record) == {"nama": "Siti", "umur": "41"}


def test_what_a_revoked_device_sends_is_kept_and_not_shown(field: Field, tablet: Tablet) -> None:
    op = tablet.fill_in(new_id(), nama="Siti")

    receipt = field.push(tablet, op, is_revoked=True)

    assert (receipt.lines[0].outcome, receipt.lines[0].why) == (Outcome.QUARANTINED, Why.REVOKED_DEVICE)
    assert receipt.lines[0].safe
    assert field.all(Submission) == []
    assert outcomes(field.push(tablet, op)) == [Outcome.DUPLICATE]


def test_what_is_put_aside_blocks_no_successor(field: Field, tablet: Tablet) -> None:
    record = new_id()
    broken = tablet.op(record, xml="<data")
    field.push(tablet, field_op := tablet.op(record, xml=instance(record, nama="Siti")))

    assert field.operation(field_op["op"]).state == "held"
    receipt = field.push(tablet, broken)

    assert outcomes(receipt) == [Outcome.QUARANTINED]
    assert field.answers(record) == {"nama": "Siti"}


def test_who_only_collects_deletes_nothing(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))

    receipt = field.push(tablet, tablet.op(record, deleted=True))

    assert receipt.lines[0].why is Why.NOT_PERMITTED
    assert not field.shown(record).is_deleted


def test_an_item_over_the_limit_is_rejected_and_not_kept(field: Field, tablet: Tablet) -> None:
    big = tablet.fill_in(new_id(), nama="x" * receive.LARGEST_ITEM)

    receipt = field.push(tablet, big, tablet.fill_in(new_id(), nama="Siti"))

    assert outcomes(receipt) == [Outcome.REJECTED, Outcome.ACCEPTED]
    assert not receipt.lines[0].safe
    assert len(field.all(Operation)) == 2


def test_a_push_never_holds_one_connection_while_it_waits_for_another(field: Field, tablet: Tablet) -> None:
    url = field.engine.url
    bounded = options(url.render_as_string(hide_password=False)) | {"pool_size": 1, "max_overflow": 0}
    narrow = create_engine(url, **bounded, pool_timeout=0.5)
    tune(narrow)
    raws = [orjson.dumps(tablet.fill_in(new_id(), nama="Siti")) for _ in range(receive.CHUNK + 1)]

    with Session(reader(narrow)) as reading:
        reading.get_one(Device, (field.project_id, tablet.device_id))
        receipt = receive.receive(narrow, field.sender(tablet), raws, size=1, now=field.now, reading=reading)
    line = receive.receive_submission(narrow, field.sender(tablet), instance(new_id()).encode(), now=field.now)
    narrow.dispose()

    assert set(outcomes(receipt)) == {line.outcome} == {Outcome.ACCEPTED}


def test_it_is_noted_with_what_lands_that_the_device_was_here(field: Field, tablet: Tablet) -> None:
    sender = replace(field.sender(tablet), is_seen=True, skew_ms=-1500, waiting=7)

    receive.receive(field.engine, sender, [], size=0, now=field.now)

    device = field.one(Device, tablet.device_id)
    assert (device.last_seen_at, device.skew_ms, device.waiting) == (field.now, -1500, 7)


def test_what_has_landed_is_judged_after_a_crash(field: Field, tablet: Tablet) -> None:
    record = new_id()
    raw = orjson.dumps(tablet.fill_in(record, nama="Siti"))
    inbox.land(field.engine, field.sender(tablet), [raw], size=len(raw), now=field.now)

    judged = receive.sweep(field.engine, now=field.now + timedelta(hours=1))

    assert judged == 1
    assert field.answers(record) == {"nama": "Siti"}
    assert field.all(InboxItem) == []
    assert field.shown(record).device_id == "d-siti"


def test_what_somebody_else_puts_aside_between_landing_and_judging_stays(field: Field, tablet: Tablet) -> None:
    draft = read_draft(orjson.dumps(tablet.fill_in(new_id(), nama="Siti")))
    sender, raw = field.sender(tablet), draft.line()
    batch_id, (landed,) = inbox.land(field.engine, sender, [raw], size=len(raw), now=field.now)

    def put_aside(session: Session) -> None:
        given = {"op_id": draft.op_id, "why": Why.POISON, "detail": "", "now": field.now}
        inbox.quarantine(session, field.project_id, landed.item_id, **given)

    in_transaction(field.engine, put_aside)
    item = Item(landed.item_id, batch_id, sender, raw, draft)
    (line,) = in_transaction(field.engine, lambda session: judge(session, [item], now=field.now))

    assert (line.outcome, line.first) == (Outcome.DUPLICATE, Outcome.QUARANTINED)
    assert [one.raw for one in field.all(InboxItem)] == [raw]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # which took a wrong turn here
def test_a_push_looks_for_what_is_known_by_an_index(field: Field) -> None:
    many: dict[str, Any] = {"op_ids": [f"op{n}" for n in range(100)], "origins": ["o"], "numbers": list(range(100))}
    values = {"project_id": field.project_id, **many}
    compiled = KNOWN.params(values).compile(field.engine, compile_kwargs={"literal_binds": True})

    with field.engine.connect() as connection:
        steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]

    searches = [step for step in steps if "operation" in step]
    assert ["op_id=?" in step or "n=?" in step for step in searches] == [True, True]


def test_what_a_device_sent_before_it_was_revoked_counts_as_its_own_when_judged_later(
    field: Field, tablet: Tablet
) -> None:
    raw = orjson.dumps(tablet.fill_in(new_id(), nama="Siti"))
    inbox.land(field.engine, field.sender(tablet), [raw], size=len(raw), now=field.now)

    def revoke(session: Session) -> None:
        session.get_one(Device, (field.project_id, tablet.device_id)).revoked_at = field.now

    in_transaction(field.engine, revoke)
    receive.sweep(field.engine, now=field.now + timedelta(hours=1))

    assert field.all(InboxItem)[0].why == Why.REVOKED_DEVICE.value


def test_an_item_that_killed_the_process_three_times_is_put_aside_unparsed(field: Field, tablet: Tablet) -> None:
    raw = orjson.dumps(tablet.fill_in(new_id(), nama="Siti"))
    inbox.land(field.engine, field.sender(tablet), [raw], size=len(raw), now=field.now)

    def die_thrice(session: Session) -> None:
        for item in session.query(InboxItem):
            item.attempts = receive.MOST_CRASHES

    in_transaction(field.engine, die_thrice)
    receive.sweep(field.engine, now=field.now + timedelta(hours=1))

    (item,) = field.all(InboxItem)
    assert (item.state, item.why, item.raw) == ("quarantined", Why.POISON.value, raw)


def test_what_waits_for_a_busy_database_is_judged_when_it_has_time(
    field: Field, tablet: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while all is made anew, which keeps the project locked: nobody has died over it."""
    record = new_id()
    raw = orjson.dumps(tablet.fill_in(record, nama="Siti"))
    inbox.land(field.engine, field.sender(tablet), [raw], size=len(raw), now=field.now)

    def busy(*_args: object, **_words: object) -> list[Line]:
        raise Overloaded(retry_after_s=10)

    with monkeypatch.context() as patched:
        patched.setattr(receive, "judge", busy)
        for _minute in range(receive.MOST_CRASHES + 2):
            receive.sweep(field.engine, now=field.now + timedelta(hours=1))
    receive.sweep(field.engine, now=field.now + timedelta(hours=1))

    assert field.all(InboxItem) == []
    assert field.answers(record) == {"nama": "Siti"}


@pytest.mark.parametrize("attempts", [receive.MOST_CRASHES, receive.MOST_CRASHES + 1])
def test_what_follows_a_killer_waits_only_when_not_even_its_place_can_be_marked(
    field: Field, tablet: Tablet, attempts: int
) -> None:
    record = new_id()
    killer, after = tablet.fill_in(record, nama="Siti"), tablet.fill_in(record, nama="Tuti")
    raw = orjson.dumps(killer)
    field.push(tablet, after)
    inbox.land(field.engine, field.sender(tablet), [raw], size=len(raw), now=field.now)

    def die(session: Session) -> None:
        for item in session.query(InboxItem):
            item.attempts = attempts

    in_transaction(field.engine, die)
    receive.sweep(field.engine, now=field.now + timedelta(hours=1))

    assert [item.why for item in field.all(InboxItem)] == [Why.POISON.value]
    is_marked = attempts == receive.MOST_CRASHES
    assert field.operation(after["op"]).state == ("ready" if is_marked else "held")


def test_a_failed_constraint_is_a_finding_on_an_accepted_record(field: Field, tablet: Tablet) -> None:
    record = new_id()

    receipt = field.push(tablet, tablet.fill_in(record, nama="Siti", umur="410"))

    assert (receipt.lines[0].outcome, receipt.lines[0].errors) == (Outcome.ACCEPTED, 1)
    assert field.rules(record) == [("constraint", "umur")]


def test_an_earlier_version_of_the_form_is_checked_by_itself_and_noted(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.publish(xform("2"))

    field.push(tablet, tablet.fill_in(record, nama="Siti"))

    assert field.shown(record).version == "1"
    assert field.rules(record) == [("version", "")]


def test_an_answer_that_no_form_asked_for_is_kept_and_noted(field: Field, tablet: Tablet) -> None:
    record = new_id()

    field.push(tablet, tablet.op(record, set={"nama": "Siti", "bukan": "x"}))

    assert field.rules(record) == [("unknown_node", "bukan")]
    assert field.answers(record) == {"nama": "Siti"}


def test_a_record_belongs_to_one_form(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.publish(xform(form_id="lain"))
    field.push(tablet, tablet.fill_in(record, nama="Siti"))

    receipt = field.push(tablet, tablet.op(record, form="lain", set={"nama": "Budi"}))

    assert receipt.lines[0].why is Why.OTHER_FORM
    assert field.shown(record).form_id == FORM


def test_what_was_fetched_from_another_server_is_taken_after_a_crash_as_well(field: Field, tablet: Tablet) -> None:
    op = tablet.fill_in(new_id(), nama="Siti") | {"rank": 0, "device": "d-elsewhere"}
    server = Actor("server", id="s-centre", serves=field.project_id)
    sender = Sender(field.project_id, server, "server")
    inbox.land(field.engine, sender, [orjson.dumps(op)], size=1, now=field.now)

    receive.sweep(field.engine, now=field.now + timedelta(hours=1))

    assert field.all(InboxItem) == []
    kept = field.operation(op["op"])
    assert (kept.state, kept.device_id, kept.via is not None) == ("ready", "d-elsewhere", True)


def test_a_correction_that_comes_with_a_comment_clears_what_was_found(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="410"))
    found = field.rules(record)
    about = {"submission": record, "path": "umur", "body": "Benar?"}
    comment = Tablet("s-centre", "s-centre~1").op(new_id(), kind="comment", set=about)
    server = Actor("server", id="s-centre", serves=field.project_id)
    sender = Sender(field.project_id, server, "server")

    together = [orjson.dumps(one) for one in (comment, tablet.op(record, set={"umur": "41"}))]
    receipt = receive.receive(field.engine, sender, together, size=1, now=field.now)

    assert outcomes(receipt) == [Outcome.ACCEPTED] * 2
    assert (found, field.rules(record)) == ([("constraint", "umur")], [])
