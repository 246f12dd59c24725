"""Backups as an administrator makes them, and what a device does at a server that was restored (I17)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from config import Settings
from server.app import create_app
from server.cli import main
from server.clock import now
from server.commands.device_words import receipt_lines
from sync.backup import back_up
from sync.device import FieldDevice
from sync.engine import connect
from sync.models import Blob, Epoch, Operation, Submission, SubmissionAttachment
from sync.restore import restore
from tests.conftest import NewDatabase, Team
from tests.e2e.fieldwork import add, code, enrolled, visits
from tests.e2e.reader import Reader
from tests.e2e.serving import serving


@pytest.fixture
def device(address: str, engine: Engine, study: Team, tmp_path: Path) -> Iterator[FieldDevice]:
    with enrolled(tmp_path / "tablet", code(engine, study), address) as device:
        yield device


def restored_app(file: Path, url: str, folder: Path) -> Flask:
    settings = Settings(data_dir=folder, secret_key="k" * 64, database_url=url, port=0, log_level="WARNING")
    app = create_app(settings)
    services = app.extensions["lapangan"]
    restore(services.engine, services.blobs, file, now=now())
    return app


def count(engine: Engine, table: type, *where: object) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0  # type: ignore[arg-type]


def test_a_device_sends_again_what_the_restored_server_lacks(
    device: FieldDevice,
    app: Flask,
    engine: Engine,
    another_database: NewDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    services = app.extensions["lapangan"]
    add(device, visits("pendaftaran", "INF-01")[0])
    device.sync()
    back_up(engine, services.blobs, tmp_path / "b.zip", now=now())
    add(device, visits("wawancara", "INF-01")[0])
    device.sync()
    kept = list((tmp_path / "tablet" / "media").iterdir())

    again = restored_app(tmp_path / "b.zip", another_database(is_empty=True), tmp_path / "again")
    other = again.extensions["lapangan"].engine
    before = count(other, Submission)
    with serving(again) as address:
        device.store.keep_setting("base", address)
        device.sync()
        device.sync()

    assert {receipt_lines(one)[0] for one in device.receipts()} == {"Safe on the server"}
    page = Reader(again.test_client()).log_in("supervisor").get("/projects/1/submissions")
    assert [one.instance_id for one in device.receipts() if one.instance_id not in page] == []
    assert "restored to the state of" in Reader(again.test_client()).log_in("administrator").get("/server")
    assert kept, "photos stay on the device until a backup holds them"
    assert (before, count(other, Submission)) == (1, 2)
    assert count(other, Operation) == count(engine, Operation)
    assert count(other, Blob) == count(engine, Blob) > 0
    assert count(other, SubmissionAttachment, SubmissionAttachment.arrived_at.is_(None)) == 0
    assert device.status().waiting == 0
    other.dispose()


def test_what_a_backup_holds_leaves_the_device(device: FieldDevice, app: Flask, engine: Engine, tmp_path: Path) -> None:
    add(device, visits("pendaftaran", "INF-01")[0])
    back_up(engine, app.extensions["lapangan"].blobs, tmp_path / "a.zip", now=now())
    add(device, visits("wawancara", "INF-01")[0])
    device.sync()
    here = list((tmp_path / "tablet" / "media").iterdir())
    add(device, visits("pendaftaran", "INF-02")[0])
    device.sync()
    back_up(engine, app.extensions["lapangan"].blobs, tmp_path / "b.zip", now=now())

    device.sync()

    assert here
    assert not [file for file in here if file.exists()]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, data: str = "data") -> Result:
        monkeypatch.setenv("LAPANGAN_DATA_DIR", str(tmp_path / data))
        return CliRunner().invoke(main, arguments)

    return run


def test_an_administrator_backs_up_tries_and_restores(run: Callable[..., Result], tmp_path: Path) -> None:
    run("project", "create", "Study")
    made = run("backup", "b.zip")
    tried = run("restore", "--drill", "b.zip")
    refused = run("restore", "b.zip")
    restored = run("restore", "b.zip", data="new")
    listed = run("project", "list", data="new")

    assert [made.exit_code, tried.exit_code, restored.exit_code] == [0, 0, 0], made.output + tried.output
    assert refused.exit_code == 1
    assert "Study" in listed.output
    assert (tmp_path / "new" / "secret-key").read_text() == (tmp_path / "data" / "secret-key").read_text()


def test_a_database_put_back_by_other_means_begins_an_epoch(run: Callable[..., Result], tmp_path: Path) -> None:
    run("project", "create", "Study")

    assert run("restore", "--here").exit_code == 0

    engine = connect(f"sqlite:///{tmp_path}/data/lapangan.sqlite3")
    assert count(engine, Epoch) == 1
    engine.dispose()


def test_the_doctor_asks_for_a_backup_once_there_is_something_to_lose(
    settings: Settings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LAPANGAN_DATABASE_URL", str(settings.database_url))

    def doctor() -> str:
        return CliRunner().invoke(main, ["doctor"]).output

    empty = doctor()
    request.getfixturevalue("study")  # its forms are there
    before = doctor()
    made = CliRunner().invoke(main, ["backup"])

    assert made.exit_code == 0, made.output
    assert ["Run: lapangan backup" in told for told in (empty, before, doctor())] == [False, True, False]
