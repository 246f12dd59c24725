"""Attachments in a bucket: an S3 server as a process of its own."""

from __future__ import annotations

import hashlib
import os
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from forms.errors import Kind
from server.clock import now
from server.commands.doctor import doctor
from sync.attach import BlobStore
from sync.bucket import open_bucket
from sync.errors import BucketUnreachable, HashMismatch

PROJECT, LIMIT = str(uuid.UUID(int=7)), 2**20
PHOTO = os.urandom(3000)
SHA256 = hashlib.sha256(PHOTO).hexdigest()


@pytest.fixture
def store(bucket_url: str, tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", reserve=0, bucket=open_bucket(bucket_url))


def test_what_one_server_keeps_another_one_serves(store: BlobStore, bucket_url: str, tmp_path: Path) -> None:
    store.write(PROJECT, [PHOTO], limit=LIMIT)
    elsewhere = BlobStore(tmp_path / "another machine", reserve=0, bucket=open_bucket(bucket_url))

    assert elsewhere.has(PROJECT, SHA256)
    file = elsewhere.local(PROJECT, SHA256)
    assert file is not None
    assert file.read_bytes() == PHOTO
    assert elsewhere.local(PROJECT, "0" * 64) is None


def test_copies_that_nobody_looks_at_make_room_and_are_fetched_again(store: BlobStore) -> None:
    place = store.write(PROJECT, [PHOTO], limit=LIMIT).path
    assert place is not None
    dropped = store.drop_copies(before=now() + timedelta(minutes=1))

    assert dropped == 1
    assert not place.exists()
    assert store.local(PROJECT, SHA256) == place
    assert place.read_bytes() == PHOTO


def test_the_only_copy_is_never_dropped(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs", reserve=0)
    store.write(PROJECT, [PHOTO], limit=LIMIT)

    assert store.drop_copies(before=now() + timedelta(minutes=1)) == 0
    assert store.has(PROJECT, SHA256)


def test_other_bytes_under_a_files_name_are_not_served(store: BlobStore, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"something else")
    assert store.bucket is not None
    store.bucket.put(f"{PROJECT}/{SHA256[:2]}/{SHA256}", other)

    with pytest.raises(HashMismatch):
        store.local(PROJECT, SHA256)


def test_a_large_file_goes_in_parts(store: BlobStore) -> None:
    stored = store.write(PROJECT, (os.urandom(2**20) for _part in range(12)), limit=2**24)
    store.drop_copies(before=now() + timedelta(minutes=1))

    file = store.local(PROJECT, stored.sha256)

    assert file is not None
    assert file.stat().st_size == 12 * 2**20


def test_a_bucket_that_is_not_there_refuses_and_the_upload_waits(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = BlobStore(tmp_path / "blobs", reserve=0, bucket=open_bucket("s3://nobody-made-this"))
    away.append(PROJECT, SHA256, 0, [PHOTO], size=len(PHOTO), limit=LIMIT)

    with pytest.raises(BucketUnreachable) as refusal:
        away.finish(PROJECT, SHA256)

    assert refusal.value.kind is Kind.UNAVAILABLE
    assert away.offset(PROJECT, SHA256) == len(PHOTO)
    back = BlobStore(tmp_path / "blobs", reserve=0, bucket=open_bucket(bucket_url))
    assert back.finish(PROJECT, SHA256).sha256 == SHA256
    assert back.has(PROJECT, SHA256)


@pytest.mark.parametrize(("place", "word"), [("", "can be written"), ("s3://nobody-made-this", "credentials")])
def test_the_doctor_tries_the_bucket(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, word: str
) -> None:
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LAPANGAN_BLOB_URL", place or bucket_url)

    shown = CliRunner().invoke(doctor).output

    assert word in " ".join(shown.split())
