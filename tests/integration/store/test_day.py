"""A fieldwork day at a glance, counted from what was really received."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from sync import devices, find, operations, publish
from sync.engine import in_transaction
from sync.models import Device, Project, Submission
from sync.receive import Sender, receive_submission
from tests.conftest import Team
from tests.integration.store.records import FORM, xform


def a_device(engine: Engine, team: Team, name: str, now: datetime) -> Device:
    def make(session: Session) -> Device:
        project = session.get_one(Project, team.project_id)
        return devices.create_app_user(
            session, project, name=name, account_id=team.enumerator.id, actor=team.manager, now=now, secret_key="s" * 64
        )

    return in_transaction(engine, make)  # type: ignore[no-any-return]


def send(engine: Engine, device: Device, number: int, age: str, now: datetime) -> None:
    xml = f'<data id="{FORM}" version="1"><age>{age}</age><meta><instanceID>uuid:{number}</instanceID></meta></data>'
    actor = devices.actor_for(device)
    sender = Sender(device.project_id, actor, "openrosa", device_id=device.device_id, account_id=device.account_id)
    receive_submission(engine, sender, xml.encode(), [], form_id=FORM, now=now)


def day(engine: Engine, team: Team, first: datetime) -> find.Day:
    with Session(engine) as session:
        project = session.get_one(Project, team.project_id)
        return find.day(session, project, (first, first + timedelta(days=1)))


def test_a_day_tells_who_sent_what_and_who_did_not(engine: Engine, a_project: Team, now: datetime) -> None:
    def make_form(session: Session) -> None:
        publish.save_draft(session, a_project.project_id, xform(), actor=a_project.manager, now=now)
        publish.publish(session, a_project.project_id, FORM, actor=a_project.manager, now=now)

    in_transaction(engine, make_form)
    busy, silent = a_device(engine, a_project, "Tablet 1", now), a_device(engine, a_project, "Tablet 2", now)
    for number, age in enumerate(["41", "forty", "42"]):
        send(engine, busy, number, age, now + timedelta(minutes=number))
    send(engine, busy, 0, "41", now + timedelta(minutes=9))
    send(engine, busy, 7, "50", now + timedelta(days=1))

    told = day(engine, a_project, now)

    first, second = told.lines
    assert (first.device_id, first.device, first.who) == (busy.device_id, "Tablet 1", "Enumerator")
    assert (first.records, first.forms, first.flagged) == (3, {FORM: 3}, 1)
    assert (first.first_at, first.last_at) == (now, now + timedelta(minutes=2))
    assert (first.batches, first.largest, first.duplicates) == (4, 1, 1)
    assert first.verdicts == {"accepted": 3, "duplicate": 1}
    assert (second.device_id, second.records, second.batches) == (silent.device_id, 0, 0)
    assert (told.records, told.flagged, told.states) == (3, 1, {"received": 3})


def test_what_came_by_another_server_is_counted_for_who_collected_it_there(
    engine: Engine, a_project: Team, now: datetime
) -> None:
    tablet, village = a_device(engine, a_project, "Tablet 1", now), a_device(engine, a_project, "Kantor Pakis", now)

    def come_from_elsewhere(session: Session) -> None:
        publish.save_draft(session, a_project.project_id, xform(), actor=a_project.manager, now=now)
        publish.publish(session, a_project.project_id, FORM, actor=a_project.manager, now=now)
        session.get_one(Device, (a_project.project_id, village.device_id)).kind = "server"
        operations.keep_names(session, a_project.project_id, {"d-there": "Tablet 7", "a-there": "Dewi"})

    in_transaction(engine, come_from_elsewhere)
    for number, own in enumerate([village, village, tablet]):
        send(engine, own, number, "41", now)

    def forwarded(session: Session) -> None:
        records = update(Submission).where(Submission.device_id == village.device_id)
        session.execute(records.values(device_id="d-there", account_id="a-there"))

    in_transaction(engine, forwarded)

    there, here = day(engine, a_project, now).lines

    assert (there.who, there.device, there.is_here, there.records) == ("Dewi", "Tablet 7", False, 2)
    assert (here.device, here.is_here, here.records) == ("Tablet 1", True, 1)


def test_a_project_without_records_has_an_empty_day(engine: Engine, a_project: Team, now: datetime) -> None:
    told = day(engine, a_project, now)

    assert (told.lines, told.records, told.quarantined, told.held, told.conflicts) == ((), 0, 0, 0, 0)
