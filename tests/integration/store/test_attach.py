"""The rows of attachments: they come after the bytes, and end the waiting of the records that named them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync import attach, find, publish
from sync.attach import BlobStore, Stored
from sync.engine import in_transaction
from sync.errors import BadName, BlobTooLarge
from sync.models import Blob, Submission, SubmissionAttachment, Upload
from sync.receive import Sender, receive_submission
from sync.verdict import SentFile
from tests.conftest import Team
from tests.integration.store.races import at_once
from tests.integration.store.records import FORM, add_records, row, xform


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", reserve=0)


def write(store: BlobStore, team: Team, content: bytes) -> Stored:
    return store.write(team.project_id, [content], limit=2**20)


def keep(engine: Engine, team: Team, stored: Stored, now: datetime) -> Blob:
    return in_transaction(  # type: ignore[no-any-return]
        engine, lambda session: attach.keep(session, team.project_id, stored, media_type="image/jpeg", now=now)
    )


def a_waiting_record(engine: Engine, team: Team, files: dict[str, str | None], now: datetime) -> None:
    add_records(engine, team.project_id, now, [row(team.project_id, 1, now, attachments_missing=len(files))])
    rows = [
        SubmissionAttachment(project_id=team.project_id, instance_id="uuid:000001", name=name, sha256=sha256)
        for name, sha256 in files.items()
    ]
    in_transaction(engine, lambda session: session.add_all(rows))


def missing_of(engine: Engine, team: Team) -> int:
    with Session(engine) as session:
        return session.get_one(Submission, (team.project_id, "uuid:000001")).attachments_missing


def test_a_file_that_arrives_ends_the_waiting_for_it(
    engine: Engine, a_project: Team, store: BlobStore, now: datetime
) -> None:
    photo = write(store, a_project, b"photo")
    a_waiting_record(engine, a_project, {"a.jpg": photo.sha256, "b.jpg": None}, now)
    later = now + timedelta(hours=1)

    keep(engine, a_project, photo, later)

    with Session(engine) as session:
        record = session.get_one(Submission, (a_project.project_id, "uuid:000001"))
        assert record.attachments_missing == 1
        assert [(one.name, one.arrived_at) for one in find.attachments(session, record)] == [
            ("a.jpg", later),
            ("b.jpg", None),
        ]


def test_a_file_kept_twice_is_one_row(engine: Engine, a_project: Team, store: BlobStore, now: datetime) -> None:
    photo = write(store, a_project, b"photo")

    first, again = keep(engine, a_project, photo, now), keep(engine, a_project, photo, now + timedelta(days=1))

    assert first.created_at == again.created_at == now
    with Session(engine) as session:
        assert len(session.scalars(select(Blob)).all()) == 1


def test_two_files_of_one_record_that_arrive_at_once_are_both_counted(
    engine: Engine, a_project: Team, store: BlobStore, now: datetime
) -> None:
    photos = [write(store, a_project, bytes([number])) for number in range(8)]
    a_waiting_record(engine, a_project, {f"{number}.jpg": one.sha256 for number, one in enumerate(photos)}, now)

    at_once(8, lambda: keep(engine, a_project, photos.pop(), now))

    assert missing_of(engine, a_project) == 0


def test_what_is_missing_is_told_once_and_in_order(
    engine: Engine, a_project: Team, store: BlobStore, now: datetime
) -> None:
    known = write(store, a_project, b"known")
    keep(engine, a_project, known, now)
    wanted = [("f" * 64, 3), (known.sha256, 5), ("0" * 64, 4), ("f" * 64, 3)]

    with Session(engine) as session:
        assert attach.missing(session, a_project.project_id, wanted) == [("f" * 64, 3), ("0" * 64, 4)]
        with pytest.raises(BadName):
            attach.missing(session, a_project.project_id, [("no hash", 3)])


def test_a_finished_upload_has_begun_no_more(engine: Engine, a_project: Team, store: BlobStore, now: datetime) -> None:
    photo = write(store, a_project, b"photo")
    begun = in_transaction(engine, lambda session: _begin(session, a_project, photo.sha256, 5, now).size)

    keep(engine, a_project, photo, now)

    assert begun == 5
    with Session(engine) as session:
        assert attach.upload(session, a_project.project_id, photo.sha256) is None


def test_an_upload_over_the_limit_does_not_begin(engine: Engine, a_project: Team, now: datetime) -> None:
    with Session(engine) as session, pytest.raises(BlobTooLarge):
        _begin(session, a_project, "f" * 64, 2**20 + 1, now)


def _begin(session: Session, team: Team, sha256: str, size: int, now: datetime) -> Upload:
    return attach.begin(session, team.project_id, sha256, size, device_id=None, limit=2**20, now=now)


def test_a_file_and_the_record_that_names_it_find_each_other_when_they_arrive_at_once(
    engine: Engine, a_project: Team, store: BlobStore, now: datetime
) -> None:
    def make_form(session: Session) -> None:
        publish.save_draft(session, a_project.project_id, xform(), actor=a_project.manager, now=now)
        publish.publish(session, a_project.project_id, FORM, actor=a_project.manager, now=now)

    in_transaction(engine, make_form)
    sender = Sender(a_project.project_id, a_project.enumerator, "openrosa", account_id=a_project.enumerator.id)
    for number in range(5):
        photo = write(store, a_project, bytes([number]))
        xml = f'<data id="{FORM}" version="1"><meta><instanceID>uuid:{number}</instanceID></meta></data>'.encode()
        files = [SentFile("photo.jpg", photo.sha256, photo.size, "image/jpeg")]
        acts: list[Callable[[], object]] = [
            partial(keep, engine, a_project, photo, now),
            partial(receive_submission, engine, sender, xml, files, form_id=FORM, now=now),
        ]

        at_once(2, lambda acts=acts: acts.pop()())  # type: ignore[misc]  # bound now, not when it runs

    with Session(engine) as session:
        arrived = session.scalars(select(SubmissionAttachment.arrived_at)).all()
        assert list(arrived) == [now] * 5
