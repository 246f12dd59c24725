"""Out of the quarantine: as a new operation that can surface, and never overwrite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import epochs, find, release
from sync.access import NotAllowed
from sync.consolidate import run_job
from sync.engine import in_transaction
from sync.errors import NoReason
from sync.lost import waiting_in_vain
from sync.models import Form, InboxItem, Installation, Operation, Project, SubmissionAttachment
from sync.verdict import SentFile, Why
from tests.integration.sync.field import PHOTO, Field, Tablet, instance, new_id, xform


def released(field: Field) -> Any:
    def act(session: Session) -> str:
        item = session.scalars(select(InboxItem)).one()
        return release.release(session, item, actor=field.supervisor, now=field.now)

    return in_transaction(field.engine, act)


def test_what_a_revoked_device_sent_is_released_as_a_new_operation(field: Field, tablet: Tablet) -> None:
    record = new_id()
    op = tablet.fill_in(record, nama="Siti")
    field.push(tablet, op, is_revoked=True)

    op_id = released(field)

    made = field.operation(op_id)
    assert (made.cause_id, made.device_id, made.rank, made.state) == (op["op"], "d-siti", 0, "ready")
    assert field.answers(record) == {"nama": "Siti"}
    assert field.all(InboxItem)[0].state == "released"


def test_a_release_never_overwrites_what_happened_since(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    seen = field.shown(record).vector
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "42"}), is_revoked=True)
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "43"}))

    released(field)

    assert sorted(str(value) for value in field.conflicts(record)["umur"]) == ["42", "43"]


def test_a_form_must_be_known_before_its_submissions_are_released(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.op(record, form="lain", set={"nama": "Siti"}))

    with pytest.raises(release.StillInQuarantine):
        released(field)
    field.publish(xform(form_id="lain"))
    released(field)

    assert field.answers(record) == {"nama": "Siti"}


def test_files_that_come_later_go_with_what_was_put_aside(field: Field) -> None:
    record, film = new_id(), SentFile("rumah.mp4", "f" * 64, 5, "video/mp4")
    xml = instance(record, form_id="lain", foto="rumah.jpg")
    photo = SentFile("rumah.jpg", PHOTO, 5, "image/jpeg")

    lines = [field.post(xml, photo), field.post(xml, photo, film), field.post(xml, film)]
    field.publish(xform(form_id="lain"))
    op_id = released(field)

    assert [line.outcome.value for line in lines] == ["quarantined", "duplicate", "duplicate"]
    assert [one["name"] for one in field.operation(op_id).attachments] == ["rumah.jpg", "rumah.mp4"]
    assert {one.name: one.arrived_at is not None for one in field.all(SubmissionAttachment)} == {
        "rumah.jpg": True,
        "rumah.mp4": True,
    }


def test_a_closed_form_is_opened_before_its_submissions_are_released(field: Field, tablet: Tablet) -> None:
    def set_state(state: str) -> None:
        def act(session: Session) -> None:
            session.scalars(select(Form)).one().state = state

        in_transaction(field.engine, act)

    record = new_id()
    set_state("closed")
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    (item,) = field.all(InboxItem)

    set_state("open")
    released(field)

    assert item.why == "form_closed"
    assert field.answers(record) == {"nama": "Siti"}


def test_what_cannot_be_read_is_discarded_with_a_reason_and_its_bytes_stay(field: Field, tablet: Tablet) -> None:
    field.push(tablet, b"{not json")

    def discard(session: Session, note: str) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.discard(session, item, note=note, actor=field.supervisor, now=field.now)

    with pytest.raises(NoReason):
        in_transaction(field.engine, lambda session: discard(session, " "))
    in_transaction(field.engine, lambda session: discard(session, "percobaan"))

    (item,) = field.all(InboxItem)
    assert (item.state, item.raw) == ("discarded", b"{not json")


def test_only_who_may_releases(field: Field, tablet: Tablet) -> None:
    field.push(tablet, b"{not json")

    def act(session: Session) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.release(session, item, actor=field.sender(tablet).actor, now=field.now)

    with pytest.raises(NotAllowed):
        in_transaction(field.engine, act)


def replayed(field: Field, why: Why) -> tuple[int, int]:
    done = release.replay(field.engine, field.project_id, why, actor=field.supervisor, now=field.now)
    return done.released, done.stayed


def test_all_that_failed_for_one_reason_is_judged_again_once_the_reason_is_gone(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    records = [new_id() for _ in range(3)]
    for record in records:
        field.push(tablet, tablet.op(record, form="lain", set={"nama": "Siti"}))
        field.push(tablet, tablet.op(record, form="lain", set={"umur": "41"}))
    field.push(other_tablet, b"{not json")
    too_early = replayed(field, Why.UNKNOWN_FORM)

    field.publish(xform(form_id="lain"))
    done, again = replayed(field, Why.UNKNOWN_FORM), replayed(field, Why.UNKNOWN_FORM)

    assert (too_early, done, again) == ((0, 6), (6, 0), (0, 0))
    assert [field.answers(record) for record in records] == [{"nama": "Siti", "umur": "41"}] * 3
    assert [item.why for item in field.all(InboxItem) if item.state == "quarantined"] == ["invalid_json"]


def test_the_job_takes_out_what_came_before_its_form(field: Field, tablet: Tablet, tmp_path: Path) -> None:
    record = new_id()
    field.push(tablet, tablet.op(record, form="lain", set={"nama": "Siti"}))
    field.push(tablet, tablet.op(new_id(), set={"nama": "x"}), is_revoked=True)
    field.publish(xform(form_id="lain"))

    ran = run_job(field.engine, "replay", slot="1", cause="person", account_id=None, now=field.now, folder=tmp_path)

    assert ran.outcome == "done"
    assert field.answers(record) == {"nama": "Siti"}
    assert [item.why for item in field.all(InboxItem) if item.state == "quarantined"] == ["revoked_device"]


def apply_without(field: Field, op_id: str) -> Any:
    def act(session: Session) -> str:
        held = session.get_one(Operation, (field.project_id, op_id))
        return release.apply_without(session, held, actor=field.supervisor, now=field.now)

    return in_transaction(field.engine, act)


def test_what_waits_for_what_never_comes_is_applied_without_it_and_its_successors_follow(
    field: Field, tablet: Tablet
) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    lost = tablet.op(record, set={"umur": "42"})
    waiting, last = tablet.op(record, set={"nama": "Siti A."}), tablet.op(record, set={"before": "7"})
    field.push(tablet, waiting, last)

    made = field.operation(apply_without(field, waiting["op"]))
    field.push(tablet, lost)

    assert (made.cause_id, made.state, made.device_id) == (waiting["op"], "ready", "d-siti")
    assert field.operation(waiting["op"]).state == "void"
    assert field.answers(record) == {"nama": "Siti A.", "umur": "42", "before": "7"}
    with pytest.raises(release.NotWaiting):
        apply_without(field, waiting["op"])


def test_an_edit_whose_base_never_comes_becomes_a_record_and_clashes_with_the_base_if_it_does(
    field: Field, tablet: Tablet
) -> None:
    base = new_id()
    edit = field.post(instance(new_id(), corrects=base, nama="Budi", umur="31"))

    apply_without(field, edit.op_id)
    shown = field.answers(base)
    field.post(instance(base, nama="Budi", umur="30"))

    assert shown == {"nama": "Budi", "umur": "31"}
    assert {path: sorted(map(str, values)) for path, values in field.conflicts(base).items()} == {"umur": ["30", "31"]}


def test_what_waits_for_its_form_version_goes_on_waiting(field: Field, tablet: Tablet) -> None:
    op = tablet.op(new_id(), version="9", xml=instance(new_id(), version="9", nama="x"))
    field.push(tablet, op)

    with pytest.raises(release.StillWaiting):
        apply_without(field, op["op"])

    assert field.operation(op["op"]).state == "held"


def restored(field: Field) -> str:
    """The server has been restored; its id."""

    def act(session: Session) -> str:
        epochs.open_epoch(session, source="a.zip", state_at=field.now, now=field.now)
        return session.scalars(select(Installation.server_id)).one()

    return str(in_transaction(field.engine, act))


def in_vain(field: Field) -> set[str]:
    with Session(field.engine) as session:
        project = session.get_one(Project, field.project_id)
        return waiting_in_vain(session, find.held(session, project))


def test_what_waits_for_what_the_server_itself_has_lost_is_known_and_has_a_way_out(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, other = new_id(), new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    server_id = restored(field)
    own = {tablet.origin: 1, f"{server_id}~0123456789": 7}
    lost = tablet.op(record, set={"umur": "42"}, context=own)
    late = other_tablet.op(other, set={"umur": "43"}, context={tablet.origin: 99})

    field.push(tablet, lost)
    field.push(other_tablet, late)

    assert [field.operation(one["op"]).state for one in (lost, late)] == ["held", "held"]
    assert in_vain(field) == {lost["op"]}
    apply_without(field, lost["op"])
    assert field.answers(record)["umur"] == "42"
    assert in_vain(field) == set()


def test_before_any_restore_nothing_is_lost(field: Field, tablet: Tablet) -> None:
    with Session(field.engine) as session:
        server_id = session.scalars(select(Installation.server_id)).one()
    field.push(tablet, tablet.op(new_id(), set={"umur": "42"}, context={f"{server_id}~0123456789": 7}))

    assert in_vain(field) == set()
