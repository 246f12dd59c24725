"""Two servers that were apart hold the same operations and show the same records after they have met (I3, I19)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, undefer

from config import Settings
from server.app import create_app
from server.clock import now
from sync import attach, devices, operations, peers, publish, receive, review
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.backup import back_up
from sync.device.errors import ServerRefused, ServerUnreachable
from sync.device.link import Link
from sync.engine import in_transaction
from sync.models import Conflict, Entity, Form, Installation, Operation, Peer, Project, RemoteName, Submission
from sync.receive import receive_submission
from sync.restore import restore
from sync.verdict import Sender, SentFile
from tests.conftest import NewDatabase, Team, make_team
from tests.e2e.serving import serving
from tests.e2e.visits import FORM_ID, instance, new_id, xform
from tests.integration.sync.field import Tablet

QUICK = partial(Link, attempts=1, sleep=lambda _pause: None)


@dataclass
class Office:
    """A server with its people; `up` says whether the other one can reach it."""

    app: Flask
    team: Team | None
    project_id: str = ""
    address: str = ""
    tablets: dict[str, Tablet] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.app.extensions["lapangan"].engine  # type: ignore[no-any-return]

    @property
    def blobs(self) -> BlobStore:
        return self.app.extensions["lapangan"].blobs  # type: ignore[no-any-return]

    def sync(self) -> peers.Carried:
        return peers.sync(self.engine, self.blobs, self.peer(), connect=QUICK, clock=now)

    def peer(self) -> Peer:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.scalars(select(Peer)).one()

    def publish(self, version: str = "1") -> None:
        def act(session: Session) -> None:
            publish.save_draft(session, self.project_id, xform(version), actor=SYSTEM, now=now())
            publish.publish(session, self.project_id, FORM_ID, actor=SYSTEM, now=now())

        in_transaction(self.engine, act)

    def collect(self, instance_id: str, *files: SentFile, name: str = "Bu Siti", **more: str) -> str:
        """ODK Collect sends a record here."""
        sender = self.sender("collect")
        line = receive_submission(self.engine, sender, instance(instance_id, name=name, **more), files, now=now())
        return line.outcome.value

    def sender(self, name: str) -> Sender:
        def enrol(session: Session) -> Sender:
            project = session.get_one(Project, self.project_id)
            known = [one for one in devices.listed(session, project) if one.name == name]
            if known:
                made = known[0]
            else:
                code = devices.create_enrolment(session, project, name=name, actor=SYSTEM, now=now())
                made = devices.enrol(session, code.code, now=now()).device
            return Sender(self.project_id, devices.actor_for(made), "sync", device_id=made.device_id)

        return in_transaction(self.engine, enrol)  # type: ignore[no-any-return]

    def push(self, name: str, *ops: dict[str, Any]) -> list[str]:
        raws = [orjson.dumps(op) for op in ops]
        receipt = receive.receive(self.engine, self.sender(name), raws, size=1, now=now())
        return [line.outcome.value for line in receipt.lines]

    def tablet(self, name: str) -> Tablet:
        return self.tablets.setdefault(name, Tablet(name, f"{name}~{self.project_id[:4]}"))

    def keep(self, content: bytes, name: str = "rumah.jpg") -> SentFile:
        stored = self.blobs.write(self.project_id, [content], limit=10**8)
        told = {"media_type": "image/jpeg", "now": now()}
        in_transaction(self.engine, lambda session: attach.keep(session, self.project_id, stored, **told))
        return SentFile(name, stored.sha256, stored.size, "image/jpeg")

    def act(self, act: Callable[[Session, Submission], object], instance_id: str) -> None:
        def found(session: Session) -> None:
            act(session, session.get_one(Submission, (self.project_id, instance_id)))

        in_transaction(self.engine, found)

    def operations(self) -> dict[str, dict[str, Any]]:
        """As they replicate."""
        with Session(self.engine) as session:
            rows = session.scalars(select(Operation).options(undefer(Operation.xml)))
            told = {one.op_id: operations.shape_of(one) | {"state": one.state} for one in rows}
        for one in told.values():
            if one["origin"].startswith(("x~", "e~")):
                # Who handed in a bare instance is what each server saw for itself.
                one.pop("device", None)
        return told

    def shown(self) -> dict[str, Any]:
        """What a supervisor sees."""
        with Session(self.engine) as session:
            records = {
                one.instance_id: (one.answers, one.version, one.conflicts, one.review_state, one.attachments_missing)
                for one in session.scalars(select(Submission))
            }
            entities = {one.entity_id: (one.label, one.data, one.version) for one in session.scalars(select(Entity))}
            clashes = sorted((one.record_id, one.path) for one in session.scalars(select(Conflict)))
            forms = {one.form_id: one.version for one in session.scalars(select(Form))}
            return {"records": records, "entities": entities, "clashes": clashes, "forms": forms}


@pytest.fixture
def office(another_database: NewDatabase, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    opened: list[Flask] = []

    def make(name: str, url: str = "", *, is_empty: bool = False) -> Office:
        url = url or another_database(is_empty=is_empty)
        settings = Settings(data_dir=tmp_path / name, secret_key="k" * 64, database_url=url, log_level="WARNING")
        opened.append(create_app(settings))
        return Office(opened[-1], None)

    yield make
    for app in opened:
        app.extensions["lapangan"].engine.dispose()


@pytest.fixture
def centre(office: Callable[..., Office]) -> Iterator[Office]:
    made = office("centre")
    made.team = in_transaction(made.engine, make_team)
    made.project_id = made.team.project_id
    made.publish()
    with serving(made.app) as address:
        made.address = address
        yield made


@pytest.fixture
def field_office(centre: Office, office: Callable[..., Office]) -> Office:
    made = office("field", is_empty=False)
    in_transaction(made.engine, _rename)
    added = peers.add(made.engine, server_code(centre), centre.address, actor=SYSTEM, now=now())
    made.project_id = added.project_id
    made.sync()
    return made


def _rename(session: Session) -> None:
    """Both databases are copies of one template: this one is another server."""
    session.scalars(select(Installation)).one().server_id = "s-field"


def server_code(centre: Office) -> str:
    def create(session: Session) -> str:
        project = session.get_one(Project, centre.project_id)
        return devices.create_enrolment(
            session, project, name="Field office", is_server=True, actor=SYSTEM, now=now()
        ).code

    code: str = in_transaction(centre.engine, create)
    return code


def agree(*offices: Office) -> bool:
    first = offices[0]
    for one in offices[1:]:
        assert one.operations() == first.operations()
        assert one.shown() == first.shown()
    return True


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


def test_photos_that_come_after_their_record_follow(centre: Office, field_office: Office) -> None:
    record = new_id()
    field_office.collect(record, photo="rumah.jpg")
    field_office.sync()
    field_office.collect(record, field_office.keep(b"late"), photo="rumah.jpg")

    field_office.sync()

    assert centre.shown()["records"][record][4] == 0


def test_what_waits_and_what_went_wrong_is_noted(centre: Office, field_office: Office) -> None:
    field_office.collect(new_id())
    with Session(field_office.engine) as session:
        session.scalars(select(Peer)).one()
        before = peers.lag(session, session.scalars(select(Peer)).one())
    peers.note(field_office.engine, field_office.peer(), base="http://127.0.0.1:9")
    with pytest.raises(ServerUnreachable):
        field_office.sync()
    failed = field_office.peer()
    assert peers.sync_due(field_office.engine, field_office.blobs, connect=QUICK, clock=now)["peers"] == 0

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

    with pytest.raises(ServerRefused):
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
