"""Attachments that nothing names go when the operator wants it, and no others."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import attach
from sync.attach import BlobStore
from sync.bucket import open_bucket
from sync.consolidate import Keeping, run_job
from sync.engine import in_transaction
from sync.models import Blob, Event, InboxItem
from sync.verdict import SentFile
from tests.integration.sync.field import Field, Tablet, instance, new_id

DAY = timedelta(days=1)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", reserve=0)


def keep(field: Field, blobs: BlobStore, content: bytes, *, at: datetime | None = None) -> str:
    """A file that arrived, at the field's time if not at another one; its hash."""
    at = at or field.now
    stored = blobs.write(field.project_id, [content], limit=1000)
    assert stored.path is not None
    os.utime(stored.path, (at.timestamp(), at.timestamp()))
    in_transaction(field.engine, lambda session: attach.keep(session, field.project_id, stored, media_type="", now=at))
    return stored.sha256


def forget(field: Field, blobs: BlobStore, *, days: int | None, later: int = 100) -> None:
    keeping = Keeping(orphans=None if days is None else timedelta(days=days))
    told = {"slot": f"manual-{days}-{later}", "cause": "person", "account_id": None, "folder": blobs.root}
    run = run_job(field.engine, "forget", **told, now=field.now + later * DAY, blobs=blobs, keeping=keeping)
    assert run.outcome == "done", run.error


def here(field: Field, blobs: BlobStore, *hashes: str) -> list[bool]:
    """Whether each is here; row and bytes agree."""
    with Session(field.engine) as session:
        rows = set(session.scalars(select(Blob.sha256)))
    found = [sha256 in rows for sha256 in hashes]
    assert [blobs.has(field.project_id, sha256) for sha256 in hashes] == found
    return found


def test_by_default_everything_stays(field: Field, blobs: BlobStore) -> None:
    orphan = keep(field, blobs, b"a")

    forget(field, blobs, days=None, later=10_000)

    assert here(field, blobs, orphan) == [True]


def test_what_nothing_names_goes_when_it_is_old_and_the_audit_log_tells(field: Field, blobs: BlobStore) -> None:
    orphan, young = keep(field, blobs, b"a"), keep(field, blobs, b"b", at=field.now + 90 * DAY)

    forget(field, blobs, days=100, later=99)
    still = here(field, blobs, orphan, young)
    forget(field, blobs, days=30)

    assert (still, here(field, blobs, orphan, young)) == ([True, True], [False, True])
    with Session(field.engine) as session:
        noted = session.scalars(select(Event).where(Event.action == "attachment.delete")).all()
    assert [(one.target_id, one.detail["size"], one.actor_kind) for one in noted] == [(orphan, 1, "system")]


def test_what_anything_names_stays(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    """A record, a change that was superseded, a change that waits, and what is in quarantine."""
    record = new_id()
    files = [keep(field, blobs, content) for content in (b"shown", b"superseded", b"held", b"quarantined")]
    shown, superseded, held, put_aside = ([{"name": "rumah.jpg", "sha256": one, "size": 5}] for one in files)
    field.push(
        tablet,
        tablet.op(record, xml=instance(record, foto="rumah.jpg"), attachments=superseded),
        tablet.op(record, set={"foto": "rumah.jpg"}, attachments=shown),
        tablet.op(new_id(), version="9", xml=instance(new_id(), version="9"), attachments=held),
        tablet.op(new_id(), form="lain", xml=instance(new_id(), form_id="lain"), attachments=put_aside),
    )

    forget(field, blobs, days=1)

    assert here(field, blobs, *files) == [True] * 4


def test_what_a_revoked_device_has_in_quarantine_stays(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    photo = keep(field, blobs, b"a day's walk")
    announced = [{"name": "rumah.jpg", "sha256": photo, "size": 12}]
    xml = instance(new_id(), foto="rumah.jpg")
    field.push(tablet, tablet.op(new_id(), xml=xml, attachments=announced), is_revoked=True)

    forget(field, blobs, days=1)

    assert here(field, blobs, photo) == [True]


def test_what_came_with_something_unreadable_stays_and_is_named_there(field: Field, blobs: BlobStore) -> None:
    photo = keep(field, blobs, b"quarantined")

    field.post("<data", SentFile("rumah.jpg", photo, 11, "image/jpeg"))
    forget(field, blobs, days=1)

    assert here(field, blobs, photo) == [True]
    assert field.all(InboxItem)[0].detail == f"rumah.jpg {photo}"


def test_a_file_that_comes_again_while_it_is_dropped_stays(field: Field, blobs: BlobStore) -> None:
    sha256 = blobs.write(field.project_id, [b"a"], limit=10).sha256

    is_gone = blobs.drop(field.project_id, sha256, before=field.now - 10_000 * DAY)

    assert (is_gone, blobs.has(field.project_id, sha256)) == (False, True)
    assert list((blobs.root / field.project_id / "partial").iterdir()) == []


def test_a_file_in_a_bucket_goes_there_too(field: Field, tmp_path: Path, bucket_url: str) -> None:
    blobs = BlobStore(tmp_path / "blobs", reserve=0, bucket=open_bucket(bucket_url))
    orphan = keep(field, blobs, b"a")

    # The bucket says itself when a file came: today, whenever that is.
    forget(field, blobs, days=30, later=10_000)

    assert here(field, blobs, orphan) == [False]
