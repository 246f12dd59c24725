"""The database goes away and comes back under a running server: nobody loses anything, and all goes on by itself."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import orjson
import pytest
import requests
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

import sync.engine
from config import Settings
from server.app import create_app
from server.cli import main
from server.clock import now
from sync import install, publish, receive
from sync.device import FieldDevice
from sync.device.errors import ServerUnreachable
from sync.device.link import Link
from sync.engine import connect, in_transaction
from sync.models import FeedRow, InboxItem, Operation, Submission
from sync.verdict import Outcome, Sender, Why
from tests import postgres
from tests.conftest import NOW, PASSWORD, Team, make_team, missing
from tests.e2e.fieldwork import code
from tests.e2e.real_server import RealServer
from tests.e2e.serving import serving
from tests.e2e.visits import FORM_ID, instance, new_id, xform

impatient = partial(Link, sleep=lambda _s: None)


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    try:
        with postgres.own_cluster() as made:
            yield made
    except postgres.NoPostgres as error:
        missing(str(error))


def furnish(engine: Engine) -> Team:
    """Tables, people and one form."""
    install.upgrade(engine)
    install.ensure_installation(engine, now=NOW)
    team: Team = in_transaction(engine, make_team)

    def act(session: Session) -> None:
        publish.save_draft(session, team.project_id, xform(), actor=team.manager, now=NOW)
        publish.publish(session, team.project_id, FORM_ID, actor=team.manager, now=NOW)

    in_transaction(engine, act)
    return team


def enrol(folder: Path, engine: Engine, team: Team, address: str) -> FieldDevice:
    device = FieldDevice(folder, connect=impatient)
    device.enrol(code(engine, team), address)
    device.pull()
    return device


def refused(address: str, token: str) -> requests.Response:
    body = b'{"v": 1}\n{"op": "o-1", "kind": "submission", "origin": "o", "n": 1, "record": "r"}'
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{address}/v1/projects/1/sync/push", data=body, headers=headers, timeout=60)


def kept(engine: Engine) -> tuple[set[str], int, int]:
    """The records; how many operations on submissions and rows of the feed there are about them."""
    with Session(engine) as session:
        records = set(session.scalars(select(Submission.instance_id)))
        operations = session.scalars(select(Operation.op_id).where(Operation.kind == "submission")).all()
        told = session.scalars(select(FeedRow.op_id).where(FeedRow.kind == "submission")).all()
        assert set(operations) == set(told)
        return records, len(operations), len(told)


@pytest.mark.slow
def test_a_postgresql_that_is_stopped_and_started_costs_nobody_anything(
    cluster: postgres.Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = postgres.make_database(cluster.url, "away").render_as_string(hide_password=False)
    engine = connect(url)
    team = furnish(engine)
    server = RealServer(url, tmp_path)
    request.addfinalizer(server.kill)
    request.addfinalizer(engine.dispose)
    server.start()
    with closing(enrol(tmp_path / "tablet", engine, team, server.address)) as device:
        made = [device.add(FORM_ID, {"nama": "Bu Siti", "umur": "41"}).instance_id]
        device.sync()
        supervisor = requests.Session()
        words = {"email": "supervisor@example.org", "password": PASSWORD}
        supervisor.post(f"{server.address}/login", data=words, timeout=60)
        before = supervisor.get(f"{server.address}/projects/1/submissions", timeout=60)
        with _pushing(server.address, device.store.setting("token")) as acknowledged:
            _wait(lambda: len(acknowledged) > 5)
            cluster.stop()
            made.append(device.add(FORM_ID, {"nama": "Pak Budi", "umur": "51"}).instance_id)
            answer = refused(server.address, device.store.setting("token"))
            page = supervisor.get(f"{server.address}/projects/1/submissions", timeout=60)
            with pytest.raises(ServerUnreachable, match="The server is busy"):
                device.sync()
            assert device.status().waiting == 1
            cluster.start()
            count = len(acknowledged)
            _wait(lambda: len(acknowledged) > count + 5)
        device.sync()

        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/server/busy")
        assert int(answer.headers["Retry-After"]) > 0
        assert (before.status_code, page.status_code) == (200, 503)
        assert "The server is busy. Nothing was changed; try again in a minute." in page.text
        assert device.status().waiting == 0
        page = supervisor.get(f"{server.address}/projects/1/submissions", timeout=60)
        assert made[1] in page.text
    assert requests.get(f"{server.address}/health", timeout=60).ok
    receive.sweep(engine, now=now() + timedelta(minutes=5))
    server.stop()
    records, operations, _told = kept(engine)
    with Session(engine) as session:
        assert session.scalars(select(InboxItem.op_id)).all() == []
    assert {*made, *acknowledged} <= records
    assert operations == len(records)


@contextmanager
def _pushing(address: str, token: str) -> Iterator[list[str]]:
    """Somebody sends one record after another, all the time; those that the server has called safe."""
    safe: list[str] = []
    enough = threading.Event()

    def push() -> None:
        number = 0
        while not enough.is_set():
            number += 1
            record = new_id()
            op = {
                "op": record[5:],
                "origin": "d-load~1",
                "n": number,
                "prev": 0,
                "kind": "submission",
                "record": record,
            }
            op |= {"form": FORM_ID, "version": "1", "at": f"{number:012x}-0000", "xml": instance(record).decode()}
            if _is_safe(address, token, orjson.dumps(op)):
                safe.append(record)

    thread = threading.Thread(target=push)
    thread.start()
    try:
        yield safe
    finally:
        enough.set()
        thread.join()


def _is_safe(address: str, token: str, raw: bytes) -> bool:
    headers, path = {"Authorization": f"Bearer {token}"}, f"{address}/v1/projects/1/sync/push"
    answer = requests.post(path, data=b'{"v": 1}\n' + raw, headers=headers, timeout=60)
    assert answer.status_code in (200, 503), answer.text
    return answer.ok and all(item["safe"] for item in answer.json()["items"])


def _wait(is_true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(600):
        if is_true():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen in time")


def test_a_file_that_another_process_holds_is_waited_for_and_then_asked_again(
    app: Flask, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite the whole file, on PostgreSQL the row of the project."""
    monkeypatch.setattr(sync.engine, "BUSY_TIMEOUT_MS", 50)
    monkeypatch.setattr(sync.engine, "WRITER_PATIENCE_S", 0.05)
    team = furnish(engine)
    with serving(app) as address, closing(enrol(tmp_path / "tablet", engine, team, address)) as device:
        app.extensions["lapangan"].engine.dispose()
        record = device.add(FORM_ID, {"nama": "Bu Siti", "umur": "41"}).instance_id
        with engine.connect() as other:
            other.execute(text("UPDATE project SET name = name"))
            other.execute(text("LOCK TABLE inbox_item" if engine.dialect.name == "postgresql" else "SELECT 1"))
            with pytest.raises(ServerUnreachable):
                device.sync()
            answer = refused(address, device.store.setting("token"))
            waiting = device.status().waiting
            other.rollback()

        synced = device.sync()

    assert (answer.status_code, answer.json()["type"], waiting) == (503, "/problems/server/busy", 1)
    assert int(answer.headers["Retry-After"]) > 0
    assert [item["verdict"] for item in synced.pushed.items] == ["accepted"]
    assert kept(engine) == ({record}, 1, 1)


READ_ONLY = "database takes no changes now. Nothing was changed; keep your data and tell the administrator."


@contextmanager
def _standing_by(cluster: postgres.Cluster) -> Iterator[None]:
    cluster.stand_by(is_standby=True)
    yield
    cluster.stand_by(is_standby=False)


@contextmanager
def _closed_by_its_host(cluster: postgres.Cluster) -> Iterator[None]:
    """As hosts do when the disk is almost full."""
    setting = "default_transaction_read_only"
    postgres.execute(cluster.url, f"ALTER SYSTEM SET {setting} = on")
    postgres.execute(cluster.url, "SELECT pg_reload_conf()")
    _wait(lambda: postgres.shown(cluster.url, setting) == "on")
    yield
    for statement in (f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()"):
        postgres.execute(cluster.url, statement)
    _wait(lambda: postgres.shown(cluster.url, setting) == "off")


@pytest.fixture(params=[_standing_by, _closed_by_its_host])
def read_only(request: pytest.FixtureRequest) -> Callable[[postgres.Cluster], AbstractContextManager[None]]:
    return request.param  # type: ignore[no-any-return]


def test_a_database_that_takes_no_changes_is_told_and_acknowledges_nothing(
    cluster: postgres.Cluster,
    read_only: Callable[[postgres.Cluster], AbstractContextManager[None]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = postgres.make_database(cluster.url, "away").render_as_string(hide_password=False)
    app = create_app(Settings(data_dir=tmp_path, secret_key="k" * 64, database_url=url, port=0, log_level="WARNING"))
    engine = app.extensions["lapangan"].engine
    team = furnish(engine)
    with serving(app) as address, closing(enrol(tmp_path / "tablet", engine, team, address)) as device:
        token = device.store.setting("token")
        made = device.add(FORM_ID, {"nama": "Bu Siti", "umur": "41"}).instance_id
        with read_only(cluster):
            # Whoever had only looked leaves the connection to the next one.
            looked = requests.get(f"{address}/v1/key/{token}/projects/1/formList", timeout=60)
            with pytest.raises(ServerUnreachable, match="takes no changes"):
                device.sync()
            pushed = refused(address, token)
            files = {"xml_submission_file": ("a.xml", instance(new_id()), "text/xml")}
            door = f"{address}/v1/key/{token}/projects/1/submission"
            posted = requests.post(door, files=files, headers={"Accept-Language": "en"}, timeout=60)
            words = {"email": "supervisor@example.org", "password": PASSWORD}
            page = requests.post(f"{address}/login", data=words, timeout=60)
            monkeypatch.setenv("LAPANGAN_DATABASE_URL", url)
            doctor = CliRunner().invoke(main, ["doctor"], env={"LAPANGAN_DATA_DIR": str(tmp_path)})
            waiting = device.status().waiting
        device.sync()

    assert looked.status_code == 200
    assert [answer.status_code for answer in (pushed, posted, page)] == [503, 503, 503]
    assert pushed.json()["type"] == "/problems/server/takes-no-changes"
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in (pushed, posted, page))
    assert all(READ_ONLY in html.unescape(answer.text) for answer in (pushed, posted, page))
    assert (doctor.exit_code, "turn default_transaction_read_only off" in doctor.output) == (1, True)
    assert "default_transaction_read_only" in caplog.text
    assert waiting == 1
    assert kept(engine) == ({made}, 1, 1)
    engine.dispose()


def test_what_has_landed_when_the_database_stops_taking_changes_is_judged_later(
    cluster: postgres.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.make_database(cluster.url, "away").render_as_string(hide_password=False)
    engine = connect(url)
    team, record = furnish(engine), new_id()
    sender = Sender(team.project_id, team.enumerator, "rest", account_id=team.enumerator.account_id)
    with ExitStack() as stack:

        def close(*_arguments: object, **_named: object) -> NoReturn:
            monkeypatch.undo()
            stack.enter_context(_closed_by_its_host(cluster))
            raise ConnectionError("the batch is judged item by item now")

        monkeypatch.setattr(receive, "prepare", close)
        line = receive.receive_submission(engine, sender, instance(record), now=NOW)

    assert (line.outcome, line.why) == (Outcome.HELD, Why.BUSY)
    assert receive.sweep(engine, now=NOW + timedelta(minutes=5)) == 1
    assert kept(engine) == ({record}, 1, 1)
    engine.dispose()
