"""The Python field client against a real server: nothing lost, nothing doubled, wherever it is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from forms.library.sample import Kind
from server.clock import now
from server.tablet import uploads
from sync import devices, find, projects, review
from sync.device import FieldDevice, Progress, Stage, Watch, Work
from sync.device.errors import (
    AccessEnded,
    AlreadyEnrolled,
    BreaksRules,
    FileNotHere,
    FormNotHere,
    OtherProject,
    OtherServer,
    ServerRefused,
    ServerUnreachable,
)
from sync.device.progress import unwatched
from sync.engine import in_transaction
from sync.errors import BucketUnreachable
from sync.models import (
    Blob,
    Conflict,
    Entity,
    InboxItem,
    Operation,
    Project,
    Submission,
    SubmissionAttachment,
    SubmissionFinding,
)
from tests.conftest import Team
from tests.e2e.conftest import Known
from tests.e2e.fieldwork import add, code, enrolled, visits, work
from tests.e2e.visits import FORM_ID

NEVER_HERE = {Stage.PULLED, Stage.FETCH_FORM, Stage.WAIT}
"""Stages of a device that has to read many pages, or forms, or to wait."""
Enrol = Callable[..., FieldDevice]


class LineDropped(Exception):
    """The network is gone."""


@pytest.fixture
def enrol(address: str, engine: Engine, study: Team, tmp_path: Path) -> Iterator[Enrol]:
    opened: list[FieldDevice] = []

    def enrol(name: str = "tablet-1", watch: Watch = unwatched) -> FieldDevice:
        device = enrolled(tmp_path / name, code(engine, study, name), address, watch)
        opened.append(device)
        return device

    yield enrol
    for device in opened:
        device.close()


def count(engine: Engine, table: type, *where: object) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0  # type: ignore[arg-type]


def test_an_enrolled_device_has_the_forms_of_its_project(enrol: Enrol) -> None:
    device = enrol()

    current = {form.form_id: form.version for form in device.forms() if form.is_current}
    assert len(current) == 5
    assert current["wawancara"] == "2026112601"
    assert device.membership().project_name == "P2KP Pakis"


def test_a_code_works_once_and_a_folder_belongs_to_one_project(
    enrol: Enrol, address: str, engine: Engine, study: Team, tmp_path: Path
) -> None:
    device, spent = enrol(), code(engine, study)
    with FieldDevice(tmp_path / "b") as second, FieldDevice(tmp_path / "c") as third:
        second.enrol(spent, address)
        with pytest.raises(ServerRefused):
            third.enrol(spent, address)
    with pytest.raises(AlreadyEnrolled):
        device.enrol("AAAA-AAAA", address)


def test_a_server_that_has_moved_is_told_to_the_folder_and_gets_what_waits(enrol: Enrol, engine: Engine) -> None:
    device = enrol()
    before = device.membership()
    add(device, visits("pendaftaran")[0])

    with pytest.raises(ServerUnreachable):
        device.move("http://127.0.0.1:9")
    assert device.membership() == before
    moved = device.move(before.base.replace("127.0.0.1", "localhost") + "/enrol#7KQM-X2RD")
    device.sync()

    assert moved.base == device.membership().base == before.base.replace("127.0.0.1", "localhost")
    assert count(engine, Submission) == 1


def test_another_server_at_the_address_gets_nothing(enrol: Enrol, engine: Engine) -> None:
    device = enrol()
    base = device.membership().base

    device.store.keep_setting("server_id", "s-another")
    with pytest.raises(OtherServer):
        device.move(base)
    device.store.keep_setting("token", "of-no-device-there")
    with pytest.raises(OtherServer):
        device.move(base)


def test_a_code_of_another_project_changes_nothing_in_a_folder_that_belongs_to_one(
    enrol: Enrol, address: str, engine: Engine, study: Team
) -> None:
    device = enrol()
    before = device.membership()
    add(device, visits("pendaftaran")[0])

    def begin(session: Session) -> str:
        other = projects.create_project(session, name="Another", actor=study.administrator, now=now())
        made = devices.create_enrolment(session, other, name="t", account_id=None, actor=study.administrator, now=now())
        return made.code

    with pytest.raises(OtherProject) as refusal:
        device.enrol(in_transaction(engine, begin), address, again=True)

    assert "Another" in refusal.value.detail
    assert device.membership() == before
    assert device.sync().status.waiting == 0
    assert count(engine, Submission) == 1


def test_a_table_that_comes_after_its_form_reaches_who_has_the_form_already(
    address: str, engine: Engine, visits: Team, log_in: Callable[[str], requests.Session], tmp_path: Path
) -> None:
    with enrolled(tmp_path / "tablet-1", code(engine, visits), address) as device:
        definition = device.library.compiled(FORM_ID).definition
        before = list(device.library.lists(definition)["warga"].rows)
        url = f"{address}/v1/projects/1/forms/{FORM_ID}/attachments/warga.csv"
        log_in("manager").post(url, data=b"name,label\n1,Bu Siti\n", timeout=10).raise_for_status()

        pulled = device.pull()

        assert before == []
        assert [row["label"] for row in device.library.lists(definition)["warga"].rows] == ["Bu Siti"]
        assert pulled.forms == []
        assert device.inbox.forms_told() == set()


def test_a_day_goes_to_the_server_with_its_photos(enrol: Enrol, engine: Engine) -> None:
    device = enrol()
    add(device, visits("pendaftaran", "INF-01")[0])
    add(device, visits("wawancara", "INF-01")[0])

    synced = device.sync()

    assert [item["verdict"] for item in synced.pushed.items] == ["accepted", "accepted"]
    assert (synced.status.waiting, synced.status.files_waiting) == (0, 0)
    assert count(engine, Submission) == 2
    assert count(engine, SubmissionAttachment, SubmissionAttachment.arrived_at.is_(None)) == 0
    assert count(engine, SubmissionFinding, SubmissionFinding.severity == "error") == 0


@pytest.mark.parametrize("fault", ["_finish", "keep"])
def test_a_photo_that_the_server_could_not_put_in_its_place_at_once_is_not_lost(
    address: str, engine: Engine, visits: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    real, broken = getattr(uploads, fault), [BucketUnreachable("away")]

    def breaks_once(*arguments: Any) -> None:
        if broken:
            raise broken.pop()
        real(*arguments)

    monkeypatch.setattr(uploads, fault, breaks_once)
    with enrolled(tmp_path / "tablet-1", code(engine, visits), address) as device:
        answers = {"nama": "Siti", "umur": "41", "foto": "rumah.jpg"}
        device.add(FORM_ID, answers, {"rumah.jpg": os.urandom(300_000)}, Work(as_is=True))

        device.sync()

        assert device.status().files_waiting == 0
    assert broken == []
    assert count(engine, Blob) == 1
    assert count(engine, SubmissionAttachment, SubmissionAttachment.arrived_at.is_not(None)) == 1


def test_what_the_server_found_is_what_the_device_had_found(enrol: Enrol, engine: Engine) -> None:
    device = enrol()
    (broken,) = (visit for visit in visits("wawancara") if visit.kind is Kind.BREAKS_A_CONSTRAINT)
    add(device, visits("pendaftaran", broken.informant)[0])
    photos = {photo.name: b"a photo" for photo in broken.photos}
    found = device.fill("wawancara", broken.answers, photos, work(broken)).findings

    add(device, broken, as_is=True)
    device.sync()

    with Session(engine) as session:
        rows = session.scalars(
            select(SubmissionFinding).where(SubmissionFinding.instance_id == broken.instance_id)
        ).all()
    assert {(one.rule, one.path) for one in rows} == {(one.rule.value, one.path) for one in found}
    assert [one.rule.value for one in found] == ["constraint"]


def test_broken_rules_are_told_before_anything_is_kept(enrol: Enrol) -> None:
    device = enrol()
    (broken,) = (visit for visit in visits("wawancara") if visit.kind is Kind.BREAKS_A_CONSTRAINT)
    add(device, visits("pendaftaran", broken.informant)[0])

    with pytest.raises(BreaksRules) as refusal:
        add(device, broken)

    assert [finding.path for finding in refusal.value.findings] == ["credit/unspent"]
    assert device.status().waiting == 1


def test_a_missing_photo_and_an_unknown_form_are_named(enrol: Enrol) -> None:
    device, visit = enrol(), visits("dokumentasi")[0]

    with pytest.raises(FileNotHere, match=visit.photos[0].name):
        device.add(visit.form_id, visit.answers, {}, work(visit))
    with pytest.raises(FormNotHere, match="sensus"):
        device.add("sensus", {})


def test_a_registered_informant_can_be_interviewed_before_any_sync(enrol: Enrol) -> None:
    device = enrol()
    before = device.inbox.entities("informan")

    add(device, visits("pendaftaran", "INF-01")[0])
    (row,) = device.inbox.entities("informan")

    assert before == []
    assert (row["label"], row["status"], row["__version"]) == ("INF-01 Siti Aminah", "registered", "1")


def test_an_informant_reaches_the_other_device(enrol: Enrol) -> None:
    one, other = enrol("tablet-1"), enrol("tablet-2")
    add(one, visits("pendaftaran", "INF-05")[0])
    one.sync()

    other.pull()

    assert [row["code"] for row in other.inbox.entities("informan")] == ["INF-05"]


def test_two_devices_that_changed_an_informant_offline_are_a_conflict(enrol: Enrol, engine: Engine) -> None:
    one, other = enrol("tablet-1"), enrol("tablet-2")
    add(one, visits("pendaftaran", "INF-05")[0])
    one.sync()
    other.pull()

    add(one, visits("wawancara", "INF-05")[0])
    add(other, visits("observasi", "INF-05")[0])
    one.sync()
    other.sync()

    with Session(engine) as session:
        (conflict,) = session.scalars(select(Conflict).where(Conflict.kind == "entity"))
        entity = session.scalars(select(Entity)).one()
    assert conflict.path == "phone"
    assert len(conflict.siblings) == 2
    assert entity.data["business"] == "Jahit dan obras pakaian"


def test_an_answer_that_gets_lost_doubles_nothing(enrol: Enrol, engine: Engine) -> None:
    dropped = []

    def drop(progress: Progress) -> None:
        if progress.stage is Stage.PUSH_ANSWERED and not dropped:
            dropped.append(progress)
            raise LineDropped

    device = enrol(watch=drop)
    add(device, visits("pendaftaran", "INF-01")[0])

    with pytest.raises(LineDropped):
        device.sync()
    synced = device.sync()

    assert [item["verdict"] for item in synced.pushed.items] == ["duplicate"]
    assert [item["first"] for item in synced.pushed.items] == ["accepted"]
    assert count(engine, Operation, Operation.kind == "submission") == 1
    assert device.receipts()[0].verdict == "accepted"


def test_a_returned_record_comes_back_with_its_comment_and_goes_out_corrected(
    enrol: Enrol, engine: Engine, study: Team
) -> None:
    device = enrol()
    instance_id = add(device, visits("dokumentasi", "")[0])
    device.sync()

    def give_back(session: Session) -> None:
        project = session.get_one(Project, study.project_id)
        found = find.submission(session, project, instance_id, actor=study.supervisor)
        review.comment(session, found, "Tahunnya benar?", path="document/doc_year", actor=study.supervisor, now=now())
        review.return_(session, found, actor=study.supervisor, now=now(), note="Lihat lagi sampulnya.")

    in_transaction(engine, give_back)
    device.pull()
    (returned,) = device.returned()

    assert returned.instance_id == instance_id
    assert [(remark.path, remark.body, remark.author) for remark in returned.remarks] == [
        ("document/doc_year", "Tahunnya benar?", "Supervisor"),
        ("", "Lihat lagi sampulnya.", "Supervisor"),
    ]

    device.correct(instance_id, {"document": {"doc_year": "2007"}})
    synced = device.sync()

    with Session(engine) as session:
        corrected = session.get_one(Submission, (study.project_id, instance_id))
    assert corrected.answers["document"]["doc_year"] == "2007"
    assert (corrected.review_state, corrected.revision, corrected.conflicts) == ("edited", 2, 0)
    assert synced.status.returned == 0


def test_a_correction_changes_only_what_was_corrected(enrol: Enrol) -> None:
    device = enrol()
    instance_id = add(device, visits("dokumentasi", "")[0])
    device.sync()

    device.correct(instance_id, {"document": {"doc_year": "2007"}})

    (body,) = [body for body in device.outbox.bodies(instance_id) if body["context"]]
    written = {path for path in body["set"] if path not in ("start", "end", "today", "deviceid", "username")}
    assert written == {"document/doc_year"}


def test_an_answer_that_is_taken_back_before_it_was_sent_is_taken_back(
    enrol: Enrol, engine: Engine, study: Team
) -> None:
    device = enrol()
    instance_id = add(device, visits("dokumentasi", "")[0])
    device.sync()
    before = device.received(instance_id).answers["document"]["doc_year"]

    device.correct(instance_id, {"document": {"doc_year": "2007"}})
    assert device.received(instance_id).answers["document"]["doc_year"] == "2007"
    device.correct(instance_id, {"document": {"doc_year": before}})
    device.sync()

    with Session(engine) as session:
        corrected = session.get_one(Submission, (study.project_id, instance_id))
    assert corrected.answers["document"]["doc_year"] == before
    assert corrected.conflicts == 0


def test_a_revoked_device_still_hands_over_what_it_has(
    enrol: Enrol, engine: Engine, study: Team, revoke: Callable[[Known], None]
) -> None:
    device = enrol()
    add(device, visits("pendaftaran", "INF-01")[0])
    revoke(Known(device.membership().device_id, 1, ""))

    with pytest.raises(ServerRefused):
        device.sync()

    assert device.status().waiting == 0
    assert device.receipts()[0].why == "revoked_device"
    assert count(engine, InboxItem, InboxItem.state == "quarantined") == 1


def test_an_unknown_token_loses_nothing(enrol: Enrol) -> None:
    device = enrol()
    add(device, visits("pendaftaran", "INF-01")[0])
    device.store.keep_setting("token", "x" * 43)

    with pytest.raises(AccessEnded):
        device.sync()

    assert device.status().waiting == 1


@pytest.mark.parametrize("cursor", ["e9.1", "what its storage has spoilt"])
def test_a_device_that_the_server_has_forgotten_the_place_of_reads_everything_again(enrol: Enrol, cursor: str) -> None:
    device = enrol()
    add(device, visits("pendaftaran", "INF-01")[0])
    device.store.keep_setting("cursor", cursor)

    pulled = device.pull()

    assert pulled.records >= 5
    assert device.status().waiting == 1
    assert device.store.setting("cursor").startswith("e1.")


def test_a_renewed_device_sends_what_it_had_kept(enrol: Enrol, address: str, engine: Engine, study: Team) -> None:
    device = enrol()
    add(device, visits("pendaftaran", "INF-01")[0])
    device.store.keep_setting("token", "x" * 43)

    device.enrol(code(engine, study), address, again=True)
    device.sync()

    assert device.status().waiting == 0
    assert count(engine, Submission) == 1


def test_a_client_killed_between_any_two_steps_loses_and_doubles_nothing(
    enrol: Enrol, engine: Engine, study: Team, tmp_path: Path
) -> None:
    enrol("template").close()

    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.e2e.killed_client",
            "collect",
            str(tmp_path / "template"),
            str(tmp_path / "copies"),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) > 15  # there were that many steps to be killed at
    assert [one["killed"] for one in told] == [True] * (len(told) - 1) + [False]
    assert {one["stage"] for one in told} >= {stage.value for stage in set(Stage) - NEVER_HERE}
    records = 2 * len(told)
    assert count(engine, Submission) == records
    assert count(engine, Operation, Operation.kind == "submission") == records
    assert count(engine, SubmissionAttachment, SubmissionAttachment.arrived_at.is_not(None)) == records
    assert count(engine, Blob) == records
    for folder in (tmp_path / "copies").iterdir():
        with FieldDevice(folder) as device:
            assert (device.status().waiting, device.status().files_waiting) == (0, 0)
            assert len(device.receipts()) == 2
            assert list(device.media.folder.iterdir()) == []
