"""Out of the quarantine: as a new operation that can surface, and never overwrite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import Settings
from server.cli import main
from server.commands import screen
from sync import epochs, find, release
from sync.access import NotAllowed
from sync.consolidate import run_job
from sync.engine import in_transaction
from sync.errors import NoReason
from sync.lost import waiting_in_vain
from sync.models import Event, Form, InboxItem, Installation, Operation, Project, SubmissionAttachment
from sync.rebuild import rebuild
from sync.verdict import SentFile, Why
from tests.integration.store.races import at_once
from tests.integration.sync.field import FORM, PHOTO, Field, Tablet, instance, new_id, xform


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


def test_what_its_author_had_written_before_is_no_conflict(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    field.push(tablet, tablet.op(record, set={"umur": "42"}), is_revoked=True)

    released(field)

    assert (field.answers(record)["umur"], field.conflicts(record)) == ("42", {})


def test_two_changes_of_one_author_that_are_released_one_after_the_other_are_no_conflict(
    field: Field, tablet: Tablet
) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    for age in ("42", "43"):
        field.push(tablet, tablet.op(record, set={"umur": age}), is_revoked=True)

    def release_all(session: Session) -> None:
        for item in session.scalars(select(InboxItem).order_by(InboxItem.item_id)).all():
            release.release(session, item, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, release_all)

    assert (field.answers(record)["umur"], field.conflicts(record)) == ("43", {})


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


def test_nobody_releases_what_he_could_not_write_himself(field: Field, tablet: Tablet) -> None:
    """A supervisor may not delete: not by a tablet and the quarantine either."""
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    field.push(tablet, tablet.op(record, deleted=True, context=field.shown(record).vector))

    with pytest.raises(NotAllowed):
        released(field)
    assert replayed(field, Why.NOT_PERMITTED) == (0, 1)
    released(replace(field, supervisor=field.manager))

    assert field.shown(record).is_deleted


def test_what_was_released_is_not_released_again(field: Field, tablet: Tablet) -> None:
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"), is_revoked=True)
    released(field)

    with pytest.raises(release.NotWaiting):
        released(field)

    assert len([one for one in field.all(Operation) if one.cause_id]) == 1


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


def decide(field: Field, op_id: str, decision: Callable[..., Any], **more: Any) -> Any:
    def act(session: Session) -> Any:
        held = session.get_one(Operation, (field.project_id, op_id))
        return decision(session, held, actor=field.supervisor, now=field.now, **more)

    return in_transaction(field.engine, act)


def apply_without(field: Field, op_id: str, **more: Any) -> Any:
    return decide(field, op_id, release.apply_without, **more)


def set_aside(field: Field, op_id: str) -> None:
    decide(field, op_id, release.discard_held, note="uji coba")


def take_back(field: Field, op_id: str) -> None:
    decide(field, op_id, release.take_back)


def discarded(field: Field) -> list[str]:
    with Session(field.engine) as session:
        return [one.op_id for one in find.set_aside(session, session.get_one(Project, field.project_id))]


def actions(field: Field) -> list[tuple[str, str]]:
    """What the audit log tells of what waited, with the reasons."""
    told = sorted(field.all(Event), key=lambda event: event.event_id)
    return [(one.action, one.detail.get("note", "")) for one in told if one.action.startswith(("held", "quarantine"))]


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


def test_what_waits_for_its_form_version_is_read_by_one_that_is_here(field: Field, tablet: Tablet) -> None:
    record = new_id()
    xml = instance(record, version="9", nama="Siti", umur="41")
    op = tablet.op(record, version="9", xml=xml)
    field.push(tablet, op)

    made = field.operation(apply_without(field, op["op"], version="1"))

    assert (made.version, made.xml, made.cause_id) == ("1", xml, op["op"])
    assert (field.shown(record).version, field.answers(record)) == ("1", {"nama": "Siti", "umur": "41"})
    (event,) = [one for one in field.all(Event) if one.action == "held.apply"]
    assert (event.detail["version"], event.detail["made_with"]) == ("1", "9")
    assert field.operation(op["op"]).version == "9"
    field.publish(xform("9"))
    assert field.shown(record).version == "1"


def test_an_instance_that_does_not_say_whose_it_is_becomes_a_record_of_the_form_that_is_chosen(
    field: Field, tablet: Tablet
) -> None:
    record = new_id()
    xml = instance(record, form_id="", version="", nama="Siti")
    op = tablet.op(record, form="", version="", xml=xml)
    (line,) = field.push(tablet, op).lines

    apply_without(field, op["op"], form_id=FORM, version="1")

    assert line.why is Why.WAITS_FOR_RECORD
    assert (field.shown(record).form_id, field.answers(record)) == (FORM, {"nama": "Siti"})


def test_what_is_discarded_while_it_waits_is_kept_and_blocks_nothing(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    lost = tablet.op(record, set={"umur": "42"})
    wrong, last = tablet.op(record, set={"nama": "x"}), tablet.op(record, set={"before": "7"})
    field.push(tablet, wrong, last)
    before = field.answers(record)

    set_aside(field, wrong["op"])
    after, again = field.answers(record), field.push(tablet, wrong)
    field.push(tablet, lost)

    assert (before, after) == ({"nama": "Siti", "umur": "41"}, {"nama": "Siti", "umur": "41", "before": "7"})
    assert [(line.outcome.value, line.first and line.first.value) for line in again.lines] == [("duplicate", "held")]
    assert field.answers(record) == {"nama": "Siti", "umur": "42", "before": "7"}
    assert discarded(field) == [wrong["op"]]
    assert field.operation(wrong["op"]).changes == {"nama": "x"}
    assert actions(field) == [("held.discard", "uji coba")]
    with pytest.raises(NoReason):
        decide(field, wrong["op"], release.discard_held, note=" ")
    with pytest.raises(release.NotWaiting):
        set_aside(field, wrong["op"])


def test_what_was_discarded_waits_again_and_then_applies_by_itself(field: Field, tablet: Tablet) -> None:
    record = new_id()
    xml = instance(record, version="9", nama="Siti")
    op = tablet.op(record, version="9", xml=xml)
    field.push(tablet, op)

    set_aside(field, op["op"])
    take_back(field, op["op"])
    waits = field.operation(op["op"]).why
    field.publish(xform("9"))

    assert waits == "waits_for_version"
    assert (discarded(field), field.answers(record)) == ([], {"nama": "Siti"})
    assert actions(field) == [("held.discard", "uji coba"), ("held.take_back", "")]


def test_what_others_have_gone_on_from_cannot_wait_again_and_is_applied_instead(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    tablet.op(record, set={"umur": "42"})
    wrong, last = tablet.op(record, set={"nama": "Ani"}), tablet.op(record, set={"before": "7"})
    field.push(tablet, wrong, last)
    set_aside(field, wrong["op"])

    with pytest.raises(release.Passed):
        take_back(field, wrong["op"])
    apply_without(field, wrong["op"])

    assert field.answers(record) == {"nama": "Ani", "umur": "41", "before": "7"}
    assert discarded(field) == []
    with pytest.raises(release.NotWaiting):
        apply_without(field, wrong["op"])


def test_what_was_discarded_while_it_waited_is_the_same_when_made_again(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    tablet.op(record, set={"umur": "42"})
    wrong, last = tablet.op(record, set={"nama": "Ani"}), tablet.op(record, set={"before": "7"})
    field.push(tablet, wrong, last)
    set_aside(field, wrong["op"])
    apply_without(field, wrong["op"])

    found = in_transaction(field.engine, lambda session: rebuild(session, field.project_id, now=field.now))

    assert found.is_same, found.changed


def on_item(field: Field, decision: Callable[..., Any], **more: Any) -> None:
    def act(session: Session) -> None:
        decision(session, session.scalars(select(InboxItem)).one(), actor=field.supervisor, now=field.now, **more)

    in_transaction(field.engine, act)


def test_what_was_discarded_from_quarantine_comes_back(field: Field, tablet: Tablet) -> None:
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"), is_revoked=True)

    on_item(field, release.discard, note="salah")
    gone = field.all(InboxItem)[0].state
    on_item(field, release.put_back)

    assert (gone, field.all(InboxItem)[0].state) == ("discarded", "quarantined")
    assert actions(field) == [("quarantine.discard", "salah"), ("quarantine.take_back", "")]


def test_what_was_released_meanwhile_does_not_come_back(field: Field, tablet: Tablet) -> None:
    """One supervisor has both pages open, or two have one each: it would be released a second time."""
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"), is_revoked=True)
    on_item(field, release.discard, note="salah")
    released(field)

    with pytest.raises(release.NotWaiting):
        on_item(field, release.put_back)

    assert field.all(InboxItem)[0].state == "released"


def test_of_two_supervisors_who_take_it_back_at_once_one_does(field: Field, tablet: Tablet) -> None:
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"), is_revoked=True)
    on_item(field, release.discard, note="salah")

    def put_back() -> bool:
        try:
            on_item(field, release.put_back)
        except release.NotWaiting:
            return False
        return True

    assert sorted(at_once(4, put_back)) == [False, False, False, True]
    assert [action for action, _note in actions(field)].count("quarantine.take_back") == 1


def test_the_command_line_lists_discards_takes_back_and_applies(
    field: Field, tablet: Tablet, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPANGAN_DATABASE_URL", settings.url)
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setattr(screen.out, "_width", 200)

    def run(*words: str) -> tuple[int, str]:
        # The console holds on to the streams that it was made with.
        runner = CliRunner()
        with runner.isolation():
            pass
        told = runner.invoke(main, ["quarantine", *words])
        return told.exit_code, told.output

    record = new_id()
    op = tablet.op(record, version="9", xml=instance(record, version="9", nama="Siti"))
    field.push(tablet, op)
    field.push(tablet, tablet.op(new_id(), set={"nama": "x"}), is_revoked=True)
    item_id, op_id = field.all(InboxItem)[0].item_id, op["op"]

    assert all(id_ in run("list", "--items")[1] for id_ in (item_id, op_id))
    for id_ in (item_id, op_id):
        assert run("discard", id_, "--reason", "uji coba")[0] == 0
    assert all(id_ in run("list", "--discarded")[1] for id_ in (item_id, op_id))
    for id_ in (item_id, op_id):
        assert run("take-back", id_)[0] == 0
    assert run("list", "--discarded") == (0, "✓ There is nothing.\n")
    assert run("apply", op_id)[0] == 1
    assert run("apply", op_id, "--version", "1")[0] == run("apply", item_id)[0] == 0
    assert run("apply", "no-such-id")[0] == 1
    assert field.answers(record) == {"nama": "Siti"}


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
