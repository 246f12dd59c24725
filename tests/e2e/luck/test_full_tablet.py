"""The storage of the tablet is full: the enumerator is told so, what is there stays; with room again all goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.cli import main
from server.commands.device_words import receipt_lines
from sync.device import FieldDevice
from sync.device.errors import DeviceFull
from sync.models import Submission
from tests.conftest import Team
from tests.e2e.fieldwork import add, code, enrolled, visits
from tests.e2e.luck.small_disk import Disk, small_disk

SAID = "There is no room left on this device. What was kept before is safe: make room, then do this once more."


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


@pytest.fixture
def disk() -> Iterator[Disk]:
    with small_disk("16m", left=150_000) as made:
        yield made


@pytest.fixture
def device(disk: Disk, engine: Engine, study: Team, address: str) -> Iterator[FieldDevice]:
    made = enrolled(disk.folder / "tablet", code(engine, study), address)
    yield made
    made.close()


def _add_until_full(device: FieldDevice) -> set[str]:
    made: set[str] = set()
    for visit in (*visits("dokumentasi"), *visits("pendaftaran")) * 3:
        try:
            made.add(add(device, visit, as_is=True))
        except DeviceFull:
            return made
    raise AssertionError("it did not fill up")


def kept(engine: Engine) -> set[str]:
    with Session(engine) as session:
        return set(session.scalars(select(Submission.instance_id)))


def test_what_is_kept_stays_and_the_rest_is_said(device: FieldDevice, disk: Disk, engine: Engine) -> None:
    visit = visits("dokumentasi")[0]
    disk.fill()
    made = _add_until_full(device)
    here, words = {one.instance_id for one in device.receipts()}, {tuple(receipt_lines(o)) for o in device.receipts()}
    files = {file.name for file in device.media.folder.iterdir()} if device.media.folder.exists() else set()

    disk.free()
    late = add(device, visit, as_is=True)
    device.sync()

    assert DeviceFull().title() == SAID
    assert here == made
    assert words <= {("Waits to be sent",)}
    assert not any(name.startswith(".") for name in files)
    assert kept(engine) == {*made, late}
    assert device.status().waiting == 0
    assert device.store.rows("PRAGMA integrity_check")[0][0] == "ok"


def test_receipts_for_which_there_is_no_room_are_asked_for_again(
    device: FieldDevice, disk: Disk, engine: Engine
) -> None:
    """The server has taken the records by then: it counts each once."""
    made = {add(device, visit) for visit in visits("pendaftaran")}
    device.store.run("PRAGMA wal_checkpoint(TRUNCATE)")
    replace(disk, left=0).fill()

    for _ in range(2):
        with pytest.raises(DeviceFull):
            device.sync()
    waiting, arrived = device.status().waiting, kept(engine)
    disk.free()
    synced = device.sync()

    assert (waiting, arrived) == (len(made), made)
    assert {item["verdict"] for item in synced.pushed.items} == {"duplicate"}
    assert device.status().waiting == 0
    assert kept(engine) == made


def test_a_folder_that_cannot_even_be_opened_says_why(device: FieldDevice, disk: Disk, engine: Engine) -> None:
    record = add(device, visits("pendaftaran")[0])
    device.close()
    replace(disk, left=0).fill()

    said = CliRunner().invoke(main, ["device", "--folder", str(device.folder), "sync"])
    disk.free()
    went_on = CliRunner().invoke(main, ["device", "--folder", str(device.folder), "sync"])

    assert (said.exit_code, went_on.exit_code) == (1, 0)
    assert SAID in " ".join(said.stderr.split())
    assert kept(engine) == {record}
