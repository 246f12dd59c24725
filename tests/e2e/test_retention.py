"""What people, devices and other servers see of a file that was deleted because its time was over."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from config import BadSetting, Settings, from_env
from server.cli import main
from server.clock import now
from server.services import services
from sync import review
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.backup import back_up
from sync.consolidate.job import Task
from sync.consolidate.release import consolidate
from sync.device.link import Link
from sync.engine import in_transaction
from sync.models import Blob, Project, RemovedBlob, Submission
from sync.receive import receive_submission
from sync.restore import drill
from sync.retention import Due, Terms, remove_due
from tests import desk
from tests.conftest import Team
from tests.e2e.carried import CENTRE, VILLAGE, carry, pack
from tests.e2e.conftest import Known
from tests.e2e.offices import Office
from tests.e2e.reader import Reader
from tests.e2e.test_sync_door import Tablet
from tests.e2e.visits import FORM_ID, instance, new_id

PHOTO = b"a photo of somebody"
SHA256 = hashlib.sha256(PHOTO).hexdigest()
LOW = {(0, "", rule): 1 for rule in ("superseded", "rejected", "deleted", "approved")}


def remove(engine: Engine, blobs: BlobStore, project_id: str, *, days: int = 3) -> list[Due]:
    """What the job does so many days from now, when the administrator wants everything gone after one."""
    with Session(engine, expire_on_commit=False) as session:
        project = session.get_one(Project, project_id)
    later = now() + timedelta(days=days)
    return remove_due(engine, blobs, project, Terms(LOW), as_of=later, now=later)


def reject(engine: Engine, project_id: str, instance_id: str) -> None:
    def act(session: Session) -> None:
        found = session.get_one(Submission, (project_id, instance_id))
        review.reject(session, found, actor=SYSTEM, now=now(), note="percobaan")

    in_transaction(engine, act)


@pytest.fixture
def door(address: str, tablet: Known) -> Tablet:
    return Tablet(f"{address}/v1/projects/1/sync", tablet.token, f"{tablet.device_id}~1")


@pytest.fixture
def record(door: Tablet, app: Flask, engine: Engine, visits: Team) -> str:
    """A rejected record whose photo was deleted."""
    made, name = new_id(), {"name": "rumah.jpg", "sha256": SHA256, "size": len(PHOTO), "type": "image/jpeg"}
    door.push([door.operation(made, instance(made, photo="rumah.jpg"), attachments=[name])])
    assert door.ask("PUT", f"blobs/{SHA256}", data=PHOTO).status_code == 201
    reject(engine, visits.project_id, made)
    assert [one.sha256 for one in remove(engine, services(app).blobs, visits.project_id)] == [SHA256]
    return made


def test_a_device_hears_that_nobody_wants_the_file_and_may_drop_it(
    door: Tablet, record: str, app: Flask, visits: Team
) -> None:
    told = door.ask("POST", "blobs/have", json={"blobs": [{"sha256": SHA256, "size": len(PHOTO)}]}).json()
    needs = door.ask("GET", "pull").json()["needs"]
    tus = {"Tus-Resumable": "1.0.0"}
    put = door.ask("PUT", f"blobs/{SHA256}", data=PHOTO)
    asked = door.ask("HEAD", f"uploads/{SHA256}", headers=tus)
    begun = door.ask("POST", f"uploads/{SHA256}", headers=tus | {"Upload-Length": str(len(PHOTO))})

    assert (told["missing"], needs) == ([], [])
    assert (put.status_code, put.json()["size"]) == (200, len(PHOTO))
    assert (asked.status_code, asked.headers["Upload-Offset"]) == (200, str(len(PHOTO)))
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (201, str(len(PHOTO)))
    assert not services(app).blobs.has(visits.project_id, SHA256)


def test_what_is_known_of_the_file_stays_with_the_record(
    record: str, address: str, log_in: Callable[[str], requests.Session]
) -> None:
    manager, path = log_in("manager"), f"{address}/v1/projects/1/forms/{FORM_ID}/submissions/{record}"

    (listed,) = manager.get(f"{path}/attachments", timeout=10).json()
    served = manager.get(f"{path}/attachments/rumah.jpg", timeout=10)
    sent = manager.post(f"{path}/attachments/rumah.jpg", data=PHOTO, timeout=10)
    shown = manager.get(path, timeout=10).json()

    assert (listed["exists"], listed["sha256"], listed["removedBy"]) == (False, SHA256, "rejected")
    assert listed["removedAt"] > listed["updatedAt"]
    assert (served.status_code, served.json()["type"].rpartition("problems")[2]) == (410, "/attachment/removed")
    assert sent.status_code == 410
    assert shown["attachmentsMissing"] == 0


def test_the_page_of_the_record_says_when_and_why_the_file_was_deleted(client: FlaskClient, record: str) -> None:
    reader, path = Reader(client).log_in("supervisor"), f"/projects/1/submissions/{record}"

    page = reader.get(path)
    gone = reader.get(f"{path}/attachments/rumah.jpg", status=410)
    reader.get(f"{path}/thumbnails/rumah.jpg", status=410)

    assert "Deleted" in page
    assert "because it had been rejected or discarded" in page
    assert "Not here yet" not in page
    assert f"{path}/attachments/rumah.jpg" not in page
    assert "its time was over" in gone


def test_a_file_whose_row_is_gone_is_not_served_although_its_bytes_still_lie_there(
    record: str, app: Flask, visits: Team, address: str, log_in: Callable[[str], requests.Session]
) -> None:
    services(app).blobs.write(visits.project_id, [PHOTO], limit=100)

    path = f"{address}/v1/projects/1/forms/{FORM_ID}/submissions/{record}/attachments/rumah.jpg"

    assert log_in("manager").get(path, timeout=10).status_code == 410


def test_the_tables_count_what_was_deleted(app: Flask, engine: Engine, visits: Team, tmp_path: Path) -> None:
    desk_photo = desk.keep_photo(engine, visits, services(app).blobs)
    made = new_id()
    desk.send(engine, visits, instance(new_id()))
    sender = desk.sender(engine, visits, "Tablet Anggrek")
    receive_submission(engine, sender, instance(made, photo=desk.PHOTO), [desk_photo], now=now())

    def approve(session: Session) -> None:
        found = session.get_one(Submission, (visits.project_id, made))
        review.approve(session, found, actor=SYSTEM, now=now())

    in_transaction(engine, approve)
    remove(engine, services(app).blobs, visits.project_id)
    with Session(engine, expire_on_commit=False) as session:
        project = session.get_one(Project, visits.project_id)
    outcome = consolidate(engine, project, Task("manual-1", now(), tmp_path))

    (row,) = csv.DictReader(
        io.StringIO((tmp_path / next(one["name"] for one in outcome.files if one["name"].endswith(".csv"))).read_text())
    )
    counts = [row[f"Attachments{what}"] for what in ("Present", "Expected", "Removed")]
    assert counts == ["0", "1", "1"]


def test_a_backup_of_what_is_left_can_be_restored(record: str, engine: Engine, app: Flask, tmp_path: Path) -> None:
    back_up(engine, services(app).blobs, tmp_path / "backup.zip", now=now())

    drilled = drill(tmp_path / "backup.zip", now=now())

    assert (drilled.manifest.files, drilled.manifest.files_missing) == (0, 0)


def test_a_server_that_has_deleted_a_file_is_not_sent_it_again(centre: Office, field_office: Office) -> None:
    made = new_id()
    field_office.collect(made, field_office.keep(PHOTO), photo="rumah.jpg")
    field_office.sync()
    reject(centre.engine, centre.project_id, made)
    remove(centre.engine, centre.blobs, centre.project_id)

    carried = [field_office.sync() for _time in range(2)]

    assert [one.files_sent for one in carried] == [0, 0]
    assert not centre.blobs.has(centre.project_id, SHA256)
    assert field_office.blobs.has(field_office.project_id, SHA256)


def test_a_file_that_another_server_has_deleted_is_asked_for_once(
    centre: Office, field_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_id()
    centre.collect(made, centre.keep(PHOTO), photo="rumah.jpg")
    reject(centre.engine, centre.project_id, made)
    remove(centre.engine, centre.blobs, centre.project_id)
    asked = count_questions(monkeypatch)

    for _time in range(3):
        field_office.sync()

    assert asked.count(f"/v1/projects/1/sync/blobs/{SHA256}") == 1
    assert field_office.shown()["records"][made][4] == 0
    with Session(field_office.engine) as session:
        assert session.scalars(select(RemovedBlob.rule)).all() == ["elsewhere"]


def count_questions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that servers ask each other for from now on."""
    asked: list[str] = []
    ask = Link.ask

    def counted(link: Link, method: str, path: str, **more: Any) -> Any:
        asked.append(path)
        return ask(link, method, path, **more)

    monkeypatch.setattr(Link, "ask", counted)
    return asked


def test_a_bundle_tells_which_files_do_not_come(centre: Office, village: Office, tmp_path: Path) -> None:
    made = new_id()
    village.collect(made, village.keep(PHOTO), photo="rumah.jpg")
    reject(village.engine, village.project_id, made)
    remove(village.engine, village.blobs, village.project_id)

    carry(centre, pack(village, tmp_path, CENTRE))
    back = pack(centre, tmp_path, VILLAGE)

    assert centre.shown()["records"][made][4] == 0
    assert json.loads(zipfile.ZipFile(back).read("manifest.json"))["lacks"] == []
    with Session(centre.engine) as session:
        assert session.scalars(select(RemovedBlob.rule)).all() == ["elsewhere"]


def test_a_bundle_brings_no_file_that_was_deleted_here(centre: Office, village: Office, tmp_path: Path) -> None:
    made = new_id()
    village.collect(made, village.keep(PHOTO), photo="rumah.jpg")
    file = pack(village, tmp_path, CENTRE)
    carry(centre, file)
    reject(centre.engine, centre.project_id, made)
    remove(centre.engine, centre.blobs, centre.project_id)

    again = carry(centre, file)

    assert again.files == 0
    with Session(centre.engine) as session:
        assert session.scalars(select(Blob)).all() == []


def test_the_command_shows_what_would_go_and_the_job_deletes_it(
    app: Flask, engine: Engine, settings: Settings, visits: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapangan = commands(settings, monkeypatch)
    by_default = lapangan("retention")
    monkeypatch.setenv("LAPANGAN_RETENTION", "rejected=30 1/kunjungan:rejected=1")
    nothing = lapangan("retention")
    made, photo = new_id(), desk.keep_photo(engine, visits, services(app).blobs)
    sender = desk.sender(engine, visits, "Tablet Anggrek")
    receive_submission(engine, sender, instance(made, photo=desk.PHOTO), [photo], now=now())
    reject(engine, visits.project_id, made)
    age(engine, made)

    shown = lapangan("retention")
    once = lapangan("jobs", "once", "retention")
    after = lapangan("retention")

    assert "kept for ever" in by_default
    assert "No attachment is due" in nothing
    assert [word in shown for word in ("kunjungan", "rejected", "lapangan jobs once retention")] == [True] * 3
    assert "is done" in once
    assert "No attachment is due" in after


def commands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`lapangan ...` in this installation; what it says."""
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LAPANGAN_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("LANGUAGE", "en")
    return lambda *words: CliRunner().invoke(main, list(words)).output


def age(engine: Engine, instance_id: str) -> None:
    """The record has not changed for ten days."""

    def act(session: Session) -> None:
        found = session.scalars(select(Submission).where(Submission.instance_id == instance_id)).one()
        found.updated_at -= timedelta(days=10)

    in_transaction(engine, act)


def test_the_doctor_sees_a_term_for_what_is_not_there(
    settings: Settings, visits: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    lapangan = commands(settings, monkeypatch)

    monkeypatch.setenv("LAPANGAN_RETENTION", "deleted=90 1/kunjungan:approved=30")
    right = lapangan("doctor")
    monkeypatch.setenv("LAPANGAN_RETENTION", "7:deleted=90 1/kunjngan:approved=30")
    wrong = lapangan("doctor")

    assert "LAPANGAN_RETENTION" not in right
    assert "1/kunjngan, 7" in wrong.replace("\n", " ")


@pytest.mark.parametrize(
    "text", ["deleted", "delted=3", "deleted=90 deleted=80", "1/wawancara:orphan=3", "x:deleted=3", "deleted=36501"]
)
def test_a_term_that_says_nothing_clear_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="LAPANGAN_RETENTION"):
        from_env({"LAPANGAN_DATA_DIR": str(tmp_path), "LAPANGAN_RETENTION": text})


def test_terms_are_read_for_all_for_a_project_and_for_a_form(tmp_path: Path) -> None:
    text = "orphan=30 deleted=90\n2:deleted=0 2/wawancara-1.0:approved=365"

    read = from_env({"LAPANGAN_DATA_DIR": str(tmp_path), "LAPANGAN_RETENTION": text}).retention

    assert read == {
        (0, "", "orphan"): 30,
        (0, "", "deleted"): 90,
        (2, "", "deleted"): 0,
        (2, "wawancara-1.0", "approved"): 365,
    }
