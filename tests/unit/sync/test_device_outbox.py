"""Nothing leaves the device's outbox until its receipt is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sync import hybrid_clock
from sync.device.errors import SyncRunning
from sync.device.inbox import Inbox
from sync.device.media import Kept, MediaFolder
from sync.device.outbox import LARGEST_BATCH_BYTES, Draft, EntityChange, Outbox
from sync.device.store import CHANGES, FILE_NAME, SCHEMA, SCHEMA_VERSION, Store
from sync.engine import sqlite_driver

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ORIGIN = "d-1~aa"

Add = Callable[..., str]


class Killed(BaseException):
    """The process ends here."""


class Lost(list[EntityChange]):
    """The process dies after the number was drawn and the operation written, before both are committed."""

    def __iter__(self) -> Iterator[EntityChange]:
        raise Killed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


@pytest.fixture
def add(outbox: Outbox) -> Add:
    def add(
        record_id: str = "uuid:1", *, origin: str = ORIGIN, now: datetime = NOW, xml: str = "<d/>", **more: Any
    ) -> str:
        draft = Draft("submission", record_id, "form", "1", record_id, "A record", {"age": "41"}, xml, **more)
        return outbox.add(draft, origin=origin, user="rina", now=now)

    return add


def receipt(op_id: str, verdict: str = "accepted", **more: Any) -> dict[str, Any]:
    safe = verdict != "rejected"
    return {"epoch": 1, "forks": [], "items": [{"op": op_id, "verdict": verdict, "safe": safe, "seq": 7, **more}]}


def lines(outbox: Outbox) -> list[dict[str, Any]]:
    return [orjson.loads(one.body) for one in outbox.batch()]


def test_operations_are_numbered_by_origin_and_chained_by_record(outbox: Outbox, add: Add) -> None:
    add("uuid:1")
    add("uuid:2")
    add("uuid:1")
    add("uuid:1", origin="d-1~bb")

    assert [(line["origin"], line["n"], line["prev"]) for line in lines(outbox)] == [
        (ORIGIN, 1, 0),
        (ORIGIN, 2, 0),
        (ORIGIN, 3, 1),
        ("d-1~bb", 1, 0),
    ]


def test_a_number_is_never_used_twice_even_when_the_operation_is_lost(store: Store, outbox: Outbox, add: Add) -> None:
    add()
    with pytest.raises(Killed):
        add("uuid:2", entities=Lost())
    add("uuid:2")

    assert [line["n"] for line in lines(outbox)] == [1, 2]
    assert store.number("SELECT n FROM counter") == 2


def test_the_clock_of_the_device_may_go_back_but_its_operations_do_not(outbox: Outbox, add: Add) -> None:
    add()
    add(now=NOW - timedelta(days=3650))
    add(now=NOW + timedelta(seconds=1))

    instants = [line["at"] for line in lines(outbox)]
    assert instants == sorted(instants)
    assert len(set(instants)) == 3


@pytest.mark.parametrize("verdict", ["accepted", "merged", "conflict", "duplicate", "held", "quarantined"])
def test_what_is_safe_leaves_the_outbox(outbox: Outbox, add: Add, verdict: str) -> None:
    op_id = add()

    outbox.keep_receipts(receipt(op_id, verdict), now=NOW)

    assert outbox.waiting() == 0
    assert outbox.records()[0].verdict == verdict


def test_what_is_rejected_is_kept_but_blocks_nobody(outbox: Outbox, add: Add) -> None:
    rejected, waiting = add("uuid:1"), add("uuid:2")

    outbox.keep_receipts(receipt(rejected, "rejected", why="too_large"), now=NOW)

    assert [one.op_id for one in outbox.batch()] == [waiting]
    assert outbox.status().refused == 1
    assert {record.op_id for record in outbox.records()} == {rejected, waiting}


def test_a_verdict_that_is_not_called_safe_drops_nothing(outbox: Outbox, add: Add) -> None:
    op_id = add()
    unsafe = {"epoch": 1, "items": [{"op": op_id, "verdict": "accepted", "safe": "yes", "seq": 1}]}

    outbox.keep_receipts(unsafe, now=NOW)

    assert outbox.status().kept == 0


def test_a_word_that_nobody_here_knows_is_as_good_as_it_is_safe(outbox: Outbox, add: Add) -> None:
    safe, unsafe, rejected, waiting = (add(f"uuid:{number}") for number in range(4))
    for op_id, verdict, is_safe in (
        (safe, "archived", True),
        (unsafe, "postponed", False),
        (rejected, "rejected", False),
    ):
        outbox.keep_receipts(receipt(op_id, verdict, safe=is_safe, why="moon"), now=NOW)
    status, sent = outbox.status(), [one.op_id for one in outbox.batch()]

    outbox.offer_again()

    assert (status.waiting, status.kept, status.refused) == (1, 1, 2)
    assert sent == [waiting]
    assert [one.op_id for one in outbox.batch()] == [unsafe, waiting]


def test_what_is_said_later_takes_the_place_of_what_was_said_first(outbox: Outbox, add: Add) -> None:
    op_id = add()
    outbox.keep_receipts(receipt(op_id, "held", why="waits_for_version", detail="2"), now=NOW)

    outbox.keep_receipts(receipt(op_id, "accepted", warnings=1), now=NOW)

    (record,) = outbox.records()
    assert (record.verdict, record.why, record.detail, record.warnings) == ("accepted", "", "", 1)


def test_what_is_written_is_later_than_what_the_server_has_told(outbox: Outbox, add: Add) -> None:
    told = hybrid_clock.reading(NOW + timedelta(minutes=10))

    outbox.note_clock({"clock": told}, now=NOW)
    outbox.note_clock({"clock": ""}, now=NOW)
    add()

    assert lines(outbox)[0]["at"] > told


@pytest.mark.parametrize("years", [1, 20])
def test_a_server_that_is_off_by_years_drags_no_device_along(outbox: Outbox, add: Add, years: int) -> None:
    outbox.note_clock({"clock": hybrid_clock.reading(NOW + timedelta(days=365 * years))}, now=NOW)
    add()

    assert lines(outbox)[0]["at"] == hybrid_clock.reading(NOW)


def test_a_receipt_for_somebody_elses_operation_changes_nothing(outbox: Outbox, add: Add) -> None:
    add()

    outbox.keep_receipts(receipt("not-mine"), now=NOW)

    assert outbox.waiting() == 1


def test_a_duplicate_keeps_the_first_verdict(outbox: Outbox, add: Add) -> None:
    op_id = add()
    outbox.keep_receipts(receipt(op_id, "conflict", conflicts=2), now=NOW)

    outbox.keep_receipts(receipt(op_id, "duplicate"), now=NOW)

    (record,) = outbox.records()
    assert (record.verdict, record.conflicts, record.times) == ("conflict", 2, 2)


def test_the_body_stays_until_a_restored_server_would_have_it_too(outbox: Outbox, add: Add) -> None:
    op_id = add()
    outbox.keep_receipts(receipt(op_id), now=NOW)

    outbox.release(6, "backup")
    still_here = list(outbox.bodies("uuid:1"))
    outbox.release(7, "backup")

    assert len(still_here) == 1
    assert list(outbox.bodies("uuid:1")) == []
    assert outbox.records()[0].op_id == op_id


def test_after_a_restore_what_came_after_the_fork_is_sent_again(outbox: Outbox, add: Add) -> None:
    before, after = add("uuid:1"), add("uuid:2")
    outbox.keep_receipts(receipt(before, seq=6), now=NOW)
    outbox.keep_receipts(receipt(after, seq=8), now=NOW)

    outbox.note_server({"epoch": 2, "forks": [{"epoch": 1, "seq": 7}]})
    outbox.note_server({"epoch": 2, "forks": [{"epoch": 1, "seq": 7}]})

    assert [one.op_id for one in outbox.batch()] == [after]


def test_what_a_forgotten_life_of_the_server_acknowledged_is_sent_again(outbox: Outbox, add: Add) -> None:
    """One backup was restored twice: the server has never heard of the life in between."""
    first, second = add("uuid:1"), add("uuid:2")
    outbox.keep_receipts(receipt(first, seq=6), now=NOW)
    forks = [{"epoch": 1, "seq": 6}]
    outbox.keep_receipts({**receipt(second, seq=7), "epoch": 2, "forks": forks}, now=NOW)

    outbox.note_server({"epoch": 3, "forks": forks})

    assert [one.op_id for one in outbox.batch()] == [second]


def test_the_files_of_what_is_sent_again_go_along(outbox: Outbox, add: Add) -> None:
    photo = Kept("house.jpg", "a" * 64, 10, "image/jpeg")
    op_id = add("uuid:1", attachments=[photo])
    outbox.keep_receipts(receipt(op_id, seq=8), now=NOW)
    outbox.file_sent(photo.sha256)

    outbox.note_server({"epoch": 2, "forks": [{"epoch": 1, "seq": 7}]})
    outbox.keep_receipts({**receipt(op_id, seq=8), "epoch": 2}, now=NOW)

    assert outbox.files() == [photo]


def test_a_batch_holds_no_more_than_a_mebibyte_but_never_nothing(outbox: Outbox, add: Add) -> None:
    add("uuid:1", xml="x" * (LARGEST_BATCH_BYTES + 1))
    add("uuid:2", xml="x" * 600_000)
    add("uuid:3", xml="x" * 600_000)

    assert len(outbox.batch()) == 1


def test_files_follow_only_once_the_server_has_their_record(outbox: Outbox, add: Add) -> None:
    photo = Kept("house.jpg", "a" * 64, 10, "image/jpeg")
    op_id = add(attachments=[photo])
    before = outbox.files()

    outbox.keep_receipts(receipt(op_id), now=NOW)

    assert before == []
    assert outbox.files() == [photo]


def test_a_file_is_forgotten_when_nothing_needs_it_any_more(outbox: Outbox, add: Add) -> None:
    photo = Kept("house.jpg", "a" * 64, 10, "image/jpeg")
    first, second = add("uuid:1", attachments=[photo]), add("uuid:2", attachments=[photo])
    outbox.keep_receipts(receipt(first), now=NOW)
    outbox.file_sent(photo.sha256)
    early = outbox.release(7, "database")

    outbox.keep_receipts(receipt(second), now=NOW)
    late = outbox.release(7, "database")

    assert (early, late) == ([], [photo.sha256])


def test_a_file_stays_until_a_backup_holds_it_too(outbox: Outbox, add: Add) -> None:
    photo = Kept("house.jpg", "a" * 64, 10, "image/jpeg")
    outbox.keep_receipts(receipt(add("uuid:1", attachments=[photo])), now=NOW)
    outbox.file_sent(photo.sha256)
    unheard = outbox.release(9, "backup")

    outbox.files_held(9)
    early, late = outbox.release(9, "backup"), outbox.release(10, "backup")

    assert (unheard, early, late) == ([], [], [photo.sha256])


@pytest.mark.parametrize("verdict", ["held", "quarantined"])
def test_what_has_no_number_stays_until_the_server_s_backup_has_got_further(
    outbox: Outbox, add: Add, verdict: str
) -> None:
    op_id = add("uuid:1")
    outbox.keep_receipts({**receipt(op_id, verdict, seq=None), "head": 9}, now=NOW)

    outbox.release(9, "backup")
    still_here = list(outbox.bodies("uuid:1"))
    outbox.release(10, "backup")

    assert len(still_here) == 1
    assert list(outbox.bodies("uuid:1")) == []


def test_a_record_with_work_that_the_server_lacks_is_not_dropped(outbox: Outbox, store: Store, add: Add) -> None:
    inbox = Inbox(store)
    shown = [{"kind": "submission", "record": record, "vector": {}} for record in ("uuid:1", "uuid:2")]
    inbox.keep_page({"records": shown, "cursor": "e1.2"})
    op_id = add("uuid:1")
    page = {"drop": [{"kind": "submission", "record": one["record"]} for one in shown], "cursor": "e1.3"}

    inbox.keep_page(page)
    while_waiting = [one.instance_id for one in inbox.received()]
    outbox.keep_receipts(receipt(op_id), now=NOW)
    inbox.keep_page(page)

    assert while_waiting == ["uuid:1"]
    assert inbox.received() == []


def test_a_record_that_a_restored_server_has_lost_is_not_taken_for_one_of_its_own(store: Store, add: Add) -> None:
    inbox = Inbox(store)
    inbox.keep_page({"records": [{"kind": "submission", "record": "uuid:1", "vector": {}}], "cursor": "e1.2"})
    add("uuid:1")  # waits again, since the server came back from a backup

    inbox.start_again()
    inbox.keep_page({"records": [], "cursor": "e2.1"})
    inbox.complete()

    assert inbox.digests() == {}


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION))
def test_a_folder_of_an_older_program_keeps_what_it_has(tmp_path: Path, version: int) -> None:
    with closing(sqlite_driver().connect(tmp_path / FILE_NAME)) as old:
        for statement in (*SCHEMA.split(";\n"), *CHANGES[: version - 1]):
            old.execute(statement)
        old.execute("INSERT INTO setting VALUES ('cursor', 'e1.2')")
        old.execute(f"PRAGMA user_version={version}")
        old.commit()

    with closing(Store(tmp_path)) as store:
        inbox = Inbox(store)
        cursor = inbox.cursor
        inbox.start_again()
        inbox.keep_page({"records": [{"kind": "submission", "record": "uuid:1"}], "cursor": "e1.9"})
        before = inbox.received()
        inbox.complete()

        assert (cursor, before, inbox.cursor) == ("e1.2", [], "e1.9")
        assert [one.instance_id for one in inbox.received()] == ["uuid:1"]


def test_what_is_kept_survives_a_power_cut(store: Store) -> None:
    """FULL: the log is on disk when a transaction ends (sqlite.org/pragma.html#pragma_synchronous)."""
    assert store.number("PRAGMA synchronous") == 2
    assert store.rows("PRAGMA journal_mode")[0][0] == "wal"


def test_media_are_kept_under_the_hash_of_their_bytes(tmp_path: Path) -> None:
    media = MediaFolder(tmp_path / "media")
    (tmp_path / "photo.jpg").write_bytes(b"a photo")

    from_file, from_bytes = media.keep("photo.jpg", tmp_path / "photo.jpg"), media.keep("other.jpg", b"a photo")

    assert from_file.sha256 == from_bytes.sha256
    assert media.path(from_file.sha256).read_bytes() == b"a photo"
    assert [file.name for file in media.folder.iterdir()] == [from_file.sha256]


def test_two_processes_do_not_send_at_once(tmp_path: Path, store: Store) -> None:
    other = Store(tmp_path)
    try:
        with store.only_one(), pytest.raises(SyncRunning), other.only_one():
            pass
        with other.only_one():
            pass
    finally:
        other.close()


def test_others_on_the_machine_cannot_read_the_token(tmp_path: Path, store: Store) -> None:
    assert (tmp_path / "device.sqlite3").stat().st_mode & 0o077 == 0
