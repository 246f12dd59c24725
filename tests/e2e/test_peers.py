"""Two servers that were apart hold the same operations and show the same records after they have met (I3, I19)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import devices, form_list, peers, review
from sync.access import SYSTEM
from sync.backup import back_up
from sync.device.errors import ServerUnreachable
from sync.device.link import Answer, Link
from sync.engine import in_transaction
from sync.models import Conflict, Event, Form, InboxItem, Peer, Project, RemoteName, Submission
from sync.peers.errors import NotKnownThere, Overtaken
from sync.restore import restore
from tests.e2e.offices import QUICK, SECRET, Office, agree
from tests.e2e.serving import serving
from tests.e2e.visits import FORM_ID, instance, new_id
from tests.integration.sync.field import Tablet


def test_a_field_office_gets_the_project_with_its_forms(centre: Office, field_office: Office) -> None:
    assert field_office.project_id == centre.project_id
    assert field_office.shown()["forms"] == {FORM_ID: "1"}
    assert agree(centre, field_office)


def test_records_reviews_comments_and_photos_go_both_ways(centre: Office, field_office: Office) -> None:
    up, down = new_id(), new_id()
    field_office.collect(up, field_office.keep(b"from the field"), photo="rumah.jpg")
    centre.collect(down, centre.keep(b"from the centre" * 50_000), photo="rumah.jpg", name="Pak Budi")
    field_office.act(
        lambda session, record: review.comment(session, record, "Umurnya?", path="umur", actor=SYSTEM, now=now()), up
    )
    field_office.act(lambda session, record: review.return_(session, record, actor=SYSTEM, now=now()), up)

    carried = field_office.sync()

    assert agree(centre, field_office)
    assert centre.shown()["records"][up][3:] == ("has_issues", 0)
    assert field_office.shown()["records"][down][4] == 0
    assert (carried.files_sent, carried.files_received, carried.quarantined) == (1, 1, 0)


def test_records_that_are_larger_than_a_tablet_may_send_go_both_ways(centre: Office, field_office: Office) -> None:
    """By OpenRosa a record may have 16 MiB, and servers say it twice: as XML and as changes."""
    for office in (centre, field_office):
        assert office.collect(new_id(), name="Bu Siti " * 200_000) == "accepted"
        assert office.collect(new_id(), name="Pak Budi") == "accepted"

    field_office.sync()

    assert len(centre.shown()["records"]) == 4
    assert agree(centre, field_office)


def test_the_names_of_many_authors_fit_into_one_batch(centre: Office, field_office: Office) -> None:
    for number in range(60):
        device = f"Tablet {number} of the interviewers in a village with quite a long name, {'RT ' * 60}"
        record = new_id()
        field_office.push(device, Tablet(device[:9], f"t-{number}").op(record, form=FORM_ID, set={"umur": "44"}))

    assert field_office.sync().sent == 60
    assert agree(centre, field_office)


def test_edits_on_both_sides_are_merged_and_what_clashes_shows_on_both(centre: Office, field_office: Office) -> None:
    record = new_id()
    tablet, other = field_office.tablet("d-siti"), centre.tablet("d-budi")
    field_office.push("d-siti", tablet.op(record, form=FORM_ID, xml=instance(record).decode()))
    field_office.sync()
    with Session(centre.engine) as session:
        seen = session.get_one(Submission, (centre.project_id, record)).vector

    field_office.push("d-siti", tablet.op(record, form=FORM_ID, set={"umur": "42", "nama": "Bu Siti A."}))
    centre.push("d-budi", other.op(record, form=FORM_ID, context=seen, set={"umur": "50"}))
    field_office.sync()

    assert agree(centre, field_office)
    assert centre.shown()["clashes"] == [(record, "umur")]


def test_one_record_that_came_by_two_ways_is_there_once(centre: Office, field_office: Office) -> None:
    record = new_id()
    assert centre.collect(record) == field_office.collect(record) == "accepted"

    for _time in range(2):
        field_office.sync()

    assert agree(centre, field_office)
    assert len([one for one in centre.operations().values() if one["record"] == record]) == 1


def test_what_was_put_aside_here_blocks_no_successor_there(centre: Office, field_office: Office) -> None:
    record = new_id()
    tablet = field_office.tablet("d-siti")
    first = tablet.op(record, form=FORM_ID, xml=instance(record).decode())
    broken = tablet.op(record, form=FORM_ID, xml="<data")
    third = tablet.op(record, form=FORM_ID, set={"umur": "44"})
    assert field_office.push("d-siti", first, broken, third) == ["accepted", "quarantined", "accepted"]

    field_office.sync()

    assert agree(centre, field_office)
    assert centre.shown()["records"][record][0]["umur"] == "44"


def test_of_two_with_one_number_the_same_counts_on_both(centre: Office, field_office: Office) -> None:
    known, first = new_id(), new_id()
    field_office.push("d-rina", field_office.tablet("d-rina").op(known, form=FORM_ID, xml=instance(known).decode()))
    field_office.sync()
    made = field_office.tablet("d-siti").op(first, form=FORM_ID, xml=instance(first).decode())
    twin = made | {"op": str(uuid.uuid4()), "record": known, "xml": None, "set": {"umur": "50"}}
    edit = field_office.tablet("d-rina").op(known, form=FORM_ID, set={"nama": "Bu Sri"})

    assert field_office.push("d-siti", made, twin) == ["accepted", "quarantined"]
    field_office.push("d-rina", edit)
    field_office.sync()

    assert agree(centre, field_office)
    assert set(centre.shown()["records"]) == {known, first}
    assert centre.operations()[twin["op"]]["state"] == "void"
    with Session(centre.engine) as session:
        assert not session.scalars(select(InboxItem)).all()


def test_what_was_put_aside_keeps_nothing_out_that_has_its_number_elsewhere(
    centre: Office, field_office: Office
) -> None:
    first, other = new_id(), new_id()
    tablet = field_office.tablet("d-siti")
    broken = tablet.op(first, form=FORM_ID, xml="<data")
    after = tablet.op(first, form=FORM_ID, xml=instance(first).decode())
    twin = broken | {"op": str(uuid.uuid4()), "record": other, "xml": instance(other).decode()}

    assert field_office.push("d-siti", broken, twin, after) == ["quarantined", "accepted", "accepted"]
    field_office.sync()

    assert agree(centre, field_office)
    assert set(centre.shown()["records"]) == {first, other}


def test_a_resolution_keeps_its_rank_and_its_author(centre: Office, field_office: Office) -> None:
    record = new_id()
    for age in ("41", "44"):
        field_office.collect(record, age=age)

    def resolve(session: Session, _record: Submission) -> None:
        review.resolve(session, session.scalars(select(Conflict)).one(), "44", actor=SYSTEM, now=now())

    field_office.act(resolve, record)
    field_office.sync()

    assert agree(centre, field_office)
    assert centre.shown()["clashes"] == []
    assert 1 in {one.get("rank") for one in centre.operations().values() if one["record"] == record}
    with Session(centre.engine) as session:
        assert "collect" in session.scalars(select(RemoteName.name)).all()


def test_a_form_published_in_the_field_reaches_the_centre(centre: Office, field_office: Office) -> None:
    field_office.publish("2")
    record = new_id()
    field_office.collect(record, version="2")

    field_office.sync()

    assert centre.shown()["forms"] == {FORM_ID: "2"}
    assert agree(centre, field_office)


def test_a_form_that_both_have_published_differently_stops_nothing_and_is_said_so(
    centre: Office, field_office: Office
) -> None:
    centre.publish("2")
    field_office.publish("2", title="Kunjungan lain")
    up, down = new_id(), new_id()
    assert field_office.collect(up, version="2") == centre.collect(down, version="2") == "accepted"

    field_office.sync()

    assert agree(centre, field_office)
    assert set(centre.shown()["records"]) == {up, down}
    assert f"{FORM_ID} 2" in field_office.peer().error
    field_office.sync()
    with Session(field_office.engine) as session:
        found = select(Event.detail).where(Event.action == "peer.clash")
        assert [detail["forms"] for detail in session.scalars(found)] == [[f"{FORM_ID} 2"]]


def test_photos_that_come_after_their_record_follow(centre: Office, field_office: Office) -> None:
    record = new_id()
    field_office.collect(record, photo="rumah.jpg")
    field_office.sync()
    field_office.collect(record, field_office.keep(b"late"), photo="rumah.jpg")

    field_office.sync()

    assert centre.shown()["records"][record][4] == 0


def test_photos_that_come_to_the_centre_after_their_record_follow(centre: Office, field_office: Office) -> None:
    record = new_id()
    centre.collect(record, photo="rumah.jpg")
    field_office.sync()
    centre.collect(record, centre.keep(b"late"), photo="rumah.jpg")

    carried = field_office.sync()

    assert carried.files_received == 1
    assert field_office.shown()["records"][record][4] == 0
    assert agree(centre, field_office)


def test_both_photos_of_one_name_are_on_both_servers(centre: Office, field_office: Office) -> None:
    record = new_id()
    mine, yours = centre.keep(b"mine"), centre.keep(b"yours")
    centre.collect(record, mine, photo="rumah.jpg")
    centre.collect(record, yours, photo="rumah.jpg", name="Pak Budi")

    carried = field_office.sync()

    assert carried.files_received == 2
    assert (record, "@rumah.jpg") in field_office.shown()["clashes"]
    here = [field_office.blobs.has(field_office.project_id, photo.sha256) for photo in (mine, yours)]
    assert here == [True, True]
    assert agree(centre, field_office)


def test_what_waits_and_what_went_wrong_is_noted(centre: Office, field_office: Office) -> None:
    field_office.collect(new_id())
    with Session(field_office.engine) as session:
        session.scalars(select(Peer)).one()
        before = peers.lag(session, session.scalars(select(Peer)).one())
    peers.note(field_office.engine, field_office.peer(), base="http://127.0.0.1:9")
    with pytest.raises(ServerUnreachable):
        field_office.sync()
    failed = field_office.peer()
    due = peers.sync_due(field_office.engine, field_office.blobs, secret_key=SECRET, connect=QUICK, clock=now)
    assert due["peers"] == 0

    peers.note(field_office.engine, field_office.peer(), base=centre.address)
    field_office.sync()

    assert (before.operations > 0, failed.failures, bool(failed.error), failed.next_at is not None) == (
        True,
        1,
        True,
        True,
    )
    fixed = field_office.peer()
    with Session(field_office.engine) as session:
        assert (fixed.failures, fixed.error, peers.lag(session, fixed).operations) == (0, "", 0)


def test_a_server_that_was_shut_out_is_told_so(centre: Office, field_office: Office) -> None:
    def revoke(session: Session) -> None:
        project = session.get_one(Project, centre.project_id)
        (device,) = devices.listed(session, project, kind="server")
        devices.revoke(session, device, actor=SYSTEM, now=now())

    in_transaction(centre.engine, revoke)

    with pytest.raises(NotKnownThere):
        field_office.sync()


def test_a_device_cannot_act_as_a_server(centre: Office) -> None:
    def create(session: Session) -> str:
        project = session.get_one(Project, centre.project_id)
        return devices.create_enrolment(session, project, name="Tablet", actor=SYSTEM, now=now()).code

    code = in_transaction(centre.engine, create)
    as_server = requests.post(f"{centre.address}/v1/enrol", json={"code": code, "kind": "server"}, timeout=10)
    told = requests.post(f"{centre.address}/v1/enrol", json={"code": code}, timeout=10).json()
    bearer = {"Authorization": f"Bearer {told['token']}"}
    read = requests.get(f"{centre.address}/v1/projects/1/sync/operations", headers=bearer, timeout=10)

    assert as_server.status_code == 403
    assert read.status_code == 403


def test_a_centre_restored_from_last_week_gets_everything_again(
    centre: Office, field_office: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    centre.collect(new_id())
    field_office.sync()
    back_up(centre.engine, centre.blobs, tmp_path / "b.zip", now=now())
    centre.collect(new_id(), centre.keep(b"came to the centre later"), photo="rumah.jpg")
    field_office.collect(new_id())
    field_office.sync()
    before = centre.operations()

    again = office("again", is_empty=True)
    restore(again.engine, again.blobs, tmp_path / "b.zip", now=now())
    with serving(again.app) as address:
        peers.note(field_office.engine, field_office.peer(), base=address)
        field_office.sync()

    assert again.operations() == before
    assert agree(again, field_office)


def test_an_exchange_that_was_overtaken_by_a_restore_undoes_nothing_of_the_next_one(
    centre: Office, field_office: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    back_up(centre.engine, centre.blobs, tmp_path / "b.zip", now=now())
    again = office("again", is_empty=True)
    restore(again.engine, again.blobs, tmp_path / "b.zip", now=now())
    for _record in range(3):
        field_office.collect(new_id())
    before = field_office.operations()
    with serving(again.app) as address:

        class Slow(Link):
            """While its answer to a push travels, the centre is restored, and somebody exchanges with it anew."""

            def ask(self, method: str, path: str, **request: Any) -> Answer:
                answer = super().ask(method, path, **request)
                if path.endswith("/push") and field_office.peer().base != address:
                    peers.note(field_office.engine, field_office.peer(), base=address)
                    field_office.sync()
                return answer

        with pytest.raises(Overtaken):
            peers.sync(
                field_office.engine, field_office.blobs, field_office.peer(), secret_key=SECRET, connect=Slow, clock=now
            )
        field_office.sync()

    assert again.operations() == before
    assert agree(again, field_office)
    assert field_office.peer().error == ""


def test_a_field_office_restored_from_last_week_gets_its_own_work_back(
    centre: Office, field_office: Office, office: Callable[..., Office], tmp_path: Path
) -> None:
    back_up(field_office.engine, field_office.blobs, tmp_path / "b.zip", now=now())
    field_office.collect(new_id(), field_office.keep(b"a photo"), photo="rumah.jpg")
    field_office.sync()

    again = office("again", is_empty=True)
    restore(again.engine, again.blobs, tmp_path / "b.zip", now=now())
    again.project_id = centre.project_id
    again.sync()

    assert agree(centre, again)


def test_a_restored_field_office_reads_on_where_a_thin_line_broke(
    centre: Office,
    field_office: Office,
    office: Callable[..., Office],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    back_up(field_office.engine, field_office.blobs, tmp_path / "b.zip", now=now())
    for _record in range(8):
        field_office.collect(new_id())
    field_office.sync()
    again = office("again", is_empty=True)
    restore(again.engine, again.blobs, tmp_path / "b.zip", now=now())
    again.project_id = centre.project_id
    monkeypatch.setattr("sync.peers.exchange.PAGE", 1)

    for _visit in range(8):
        with suppress(ServerUnreachable):
            peers.sync(again.engine, again.blobs, again.peer(), secret_key=SECRET, connect=ThinLine, clock=now)

    assert agree(centre, again)


class ThinLine(Link):
    """It breaks after three questions."""

    def ask(self, method: str, path: str, **request: Any) -> Answer:
        if self.attempts == 1:
            raise ServerUnreachable(self.base)
        answer = super().ask(method, path, **request)
        self.attempts -= 1
        return answer


def test_a_form_is_open_or_closed_for_the_fieldwork_of_one_server(centre: Office, field_office: Office) -> None:
    def close(session: Session) -> None:
        form = session.get_one(Form, (field_office.project_id, FORM_ID))
        form_list.set_state(session, form, "closed", actor=SYSTEM, now=now())

    in_transaction(field_office.engine, close)
    field_office.sync()
    at_the_centre, in_the_field = centre.collect(new_id()), field_office.collect(new_id())
    field_office.sync()

    assert (at_the_centre, in_the_field) == ("accepted", "quarantined")
    assert field_office.shown() == centre.shown()


def test_a_field_office_that_has_nothing_to_send_is_heard_of(centre: Office, field_office: Office) -> None:
    with Session(centre.engine) as session:
        (device,) = devices.listed(session, session.get_one(Project, centre.project_id), kind="server")

    assert device.last_seen_at is not None
    assert device.waiting == 0


def test_the_centre_knows_what_a_field_office_has_not_read_yet(centre: Office, field_office: Office) -> None:
    with Session(centre.engine) as session:
        before = peers.lag(session, peers.named(session, "Field office"))
    centre.collect(new_id())
    with Session(centre.engine) as session:
        after = peers.lag(session, peers.named(session, "Field office"))

    assert (before.operations, after.operations) == (0, 2)
