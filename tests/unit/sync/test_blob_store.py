"""Bytes on disk: durable under their hash, or not there at all."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forms.errors import Kind, Problem
from sync.attach import BlobStore, Stored, UploadBusy
from sync.bucket import open_bucket
from sync.errors import BadName, BlobTooLarge, HashMismatch, StorageFull, WrongOffset

PROJECT = str(uuid.UUID(int=7))
PHOTO = b"a photo of a stall" * 1000
SHA256 = hashlib.sha256(PHOTO).hexdigest()
LIMIT = 2**20


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """A folder alone, and one beside a bucket: they keep the same promises."""
    bucket = open_bucket(request.getfixturevalue("bucket_url")) if request.param == "bucket" else None
    return BlobStore(tmp_path / "blobs", reserve=0, bucket=bucket)


def content(store: BlobStore) -> bytes:
    file = store.local(PROJECT, SHA256)
    assert file is not None
    return file.read_bytes()


def files(store: BlobStore) -> list[str]:
    return sorted(file.name for file in store.root.rglob("*") if file.is_file())


def append(store: BlobStore, offset: int, *chunks: bytes, size: int = len(PHOTO)) -> int:
    return store.append(PROJECT, SHA256, offset, chunks, size=size, limit=LIMIT)


def test_what_is_written_is_found_by_its_hash(store: BlobStore) -> None:
    stored = store.write(PROJECT, [PHOTO[:10], PHOTO[10:]], limit=LIMIT, expected_sha256=SHA256)

    assert stored == Stored(SHA256, hashlib.md5(PHOTO).hexdigest(), len(PHOTO))
    assert stored.path == store.root / PROJECT / SHA256[:2] / SHA256
    assert content(store) == PHOTO
    assert files(store) == [SHA256]


def test_a_file_is_kept_apart_from_other_projects(store: BlobStore) -> None:
    store.write(PROJECT, [PHOTO], limit=LIMIT)

    assert not store.has(str(uuid.UUID(int=8)), SHA256)


def test_bytes_of_another_hash_leave_nothing_behind(store: BlobStore) -> None:
    with pytest.raises(HashMismatch):
        store.write(PROJECT, [b"another photo"], limit=LIMIT, expected_sha256=SHA256)

    assert files(store) == []


def test_a_file_over_the_limit_is_refused_while_it_streams(store: BlobStore) -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield bytes(1000)

    with pytest.raises(BlobTooLarge) as refusal:
        store.write(PROJECT, endless(), limit=10_000)

    assert refusal.value.kind is Kind.TOO_LARGE
    assert len(taken) == 11
    assert files(store) == []


def test_an_upload_goes_on_where_it_stopped(store: BlobStore) -> None:
    first = append(store, 0, PHOTO[:7000])
    offset = store.offset(PROJECT, SHA256)
    last = append(store, offset, PHOTO[7000:])
    stored = store.finish(PROJECT, SHA256)

    assert (first, offset, last) == (7000, 7000, len(PHOTO))
    assert stored.sha256 == SHA256
    assert content(store) == PHOTO
    assert files(store) == [SHA256]


def test_no_offset_is_told_and_no_file_is_finished_that_a_power_cut_could_take_back(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, dict[int, int]()

    def fsync(handle: int) -> None:
        real(handle)
        synced[os.fstat(handle).st_ino] = os.fstat(handle).st_size

    monkeypatch.setattr(os, "fsync", fsync)
    partial = store.root / PROJECT / "partial" / SHA256

    reached = append(store, 0, PHOTO[:7000])
    assert (reached, synced[partial.stat().st_ino]) == (7000, 7000)
    synced.clear()
    assert store.offset(PROJECT, SHA256) == synced[partial.stat().st_ino] == 7000
    append(store, 7000, PHOTO[7000:])
    synced.clear()
    place = store.finish(PROJECT, SHA256).path

    assert place is not None
    assert synced[place.stat().st_ino] == len(PHOTO)
    assert place.parent.stat().st_ino in synced


def test_what_arrived_before_the_connection_broke_is_kept(store: BlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield PHOTO[:5000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.append(PROJECT, SHA256, 0, broken(), size=len(PHOTO), limit=LIMIT)

    assert store.offset(PROJECT, SHA256) == 5000


def test_an_upload_from_another_offset_is_refused_with_the_right_one(store: BlobStore) -> None:
    append(store, 0, PHOTO[:100])

    with pytest.raises(WrongOffset) as refusal:
        append(store, 50, PHOTO[50:])

    assert refusal.value.members == {"offset": 100}


def test_more_bytes_than_announced_are_refused(store: BlobStore) -> None:
    with pytest.raises(BlobTooLarge):
        append(store, 0, PHOTO, size=len(PHOTO) - 1)

    assert store.offset(PROJECT, SHA256) == 0


def test_an_upload_announced_over_the_limit_makes_no_file(store: BlobStore) -> None:
    with pytest.raises(BlobTooLarge):
        append(store, 0, b"x", size=LIMIT + 1)

    assert files(store) == []


def test_an_upload_of_other_bytes_starts_again(store: BlobStore) -> None:
    append(store, 0, b"x" * len(PHOTO))

    with pytest.raises(HashMismatch):
        store.finish(PROJECT, SHA256)

    assert store.offset(PROJECT, SHA256) == 0
    assert not store.has(PROJECT, SHA256)


def test_an_upload_finished_twice_is_the_same_file(store: BlobStore) -> None:
    append(store, 0, PHOTO)

    assert store.finish(PROJECT, SHA256) == store.finish(PROJECT, SHA256)


def test_two_requests_never_write_one_upload_at_once(store: BlobStore) -> None:
    append(store, 0, PHOTO[:100])
    partial = next(store.root.rglob(SHA256))

    with partial.open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UploadBusy):
            append(store, 100, PHOTO[100:])

    assert append(store, 100, PHOTO[100:]) == len(PHOTO)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256.upper(), SHA256[:-1], SHA256 + "0", SHA256 + "\n"])
def test_only_a_hash_names_a_file(store: BlobStore, name: str) -> None:
    with pytest.raises(BadName):
        store.local(PROJECT, name)


def test_a_project_that_is_no_uuid_names_no_folder(store: BlobStore) -> None:
    with pytest.raises(ValueError, match="UUID"):
        store.local("../other", SHA256)


def test_no_room_beyond_the_reserve_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs", reserve=shutil.disk_usage(tmp_path).total)

    with pytest.raises(StorageFull) as refusal:
        store.write(PROJECT, [PHOTO], limit=LIMIT)

    assert refusal.value.kind is Kind.FULL
    assert files(store) == []


def test_a_disk_that_fills_up_while_writing_is_a_refusal(store: BlobStore) -> None:
    def filling_up() -> Iterator[bytes]:
        yield PHOTO
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageFull):
        store.write(PROJECT, filling_up(), limit=LIMIT)

    assert files(store) == []


def test_another_failure_of_the_disk_is_not_called_full(store: BlobStore) -> None:
    def failing() -> Iterator[bytes]:
        yield PHOTO
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match="Input/output") as failure:
        store.write(PROJECT, failing(), limit=LIMIT)

    assert not isinstance(failure.value, Problem)


def test_forgotten_uploads_are_swept_and_fresh_ones_kept(store: BlobStore) -> None:
    append(store, 0, PHOTO[:100])
    old = next(store.root.rglob(SHA256))
    os.utime(old, (0, 0))
    fresh = hashlib.sha256(b"fresh").hexdigest()
    store.append(PROJECT, fresh, 0, [b"fr"], size=5, limit=LIMIT)

    swept = store.sweep(before=datetime.now(UTC) - timedelta(days=7))

    assert swept == 1
    assert files(store) == [fresh]
