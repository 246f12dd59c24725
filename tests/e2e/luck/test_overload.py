"""More comes than the server can answer: it says so, nobody loses anything, and afterwards all is well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

import sync.engine
from config import Settings
from server import overload
from server.serving import Serving
from sync.engine import connect, writer
from sync.errors import Overloaded
from sync.models import Submission
from tests.conftest import Team
from tests.e2e.fieldwork import add, code, enrolled, visits

CROWD = 40


@pytest.fixture
def small(settings: Settings, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server with two threads, before which at most eight requests may wait."""
    monkeypatch.setattr(overload, "WAITING_PER_THREAD", 4)
    monkeypatch.setattr(sync.engine, "WRITER_PATIENCE_S", 120)
    server = Serving(replace(settings, threads=2, run_jobs=False), app)
    server.start()
    yield server
    server.stop()
    server.join()


def test_who_cannot_be_answered_is_told_when_to_come_back(
    small: Serving, engine: Engine, study: Team, tmp_path: Path
) -> None:
    device = enrolled(tmp_path / "tablet", code(engine, study), small.url)
    add(device, visits("pendaftaran")[0])
    device.store.keep_setting("base", small.url)
    headers = {"Authorization": f"Bearer {device.store.setting('token')}"}
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        """Somebody writes for a long time: two requests wait for it, and all others for them."""
        with writer(engine), engine.connect() as connection:
            connection.execute(text("UPDATE project SET name = name"))
            begun.set()
            go_on.wait(120)
            connection.rollback()

    def ask(number: int) -> requests.Response:
        body = b'{"v": 1}\n{"op": "o-%d", "kind": "submission", "origin": "o", "n": %d, "record": "r"}' % (
            number,
            number + 1,
        )
        return requests.post(f"{small.url}/v1/projects/1/sync/push", data=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(CROWD + 1) as pool:
        holder = pool.submit(hold)
        begun.wait(120)
        crowd = [pool.submit(ask, number) for number in range(CROWD)]
        _wait_for_a_queue(small)
        go_on.set()
        holder.result()
        answers = [one.result() for one in crowd]

    refused = [one for one in answers if one.status_code == 503]
    assert {one.status_code for one in answers} == {200, 503}
    assert all(5 <= int(one.headers["Retry-After"]) <= 20 for one in refused)
    assert all(one.json()["type"] == "/problems/server/busy" for one in refused)
    device.sync()
    assert device.status().waiting == 0
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == 1
    device.close()


def _wait_for_a_queue(server: Serving) -> None:
    pause = threading.Event()
    for _ in range(1200):
        if len(server._server.task_dispatcher.queue) > CROWD // 2:
            return
        pause.wait(0.05)
    raise AssertionError("nobody waits")


def test_a_writer_waits_for_its_turn_only_so_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite; PostgreSQL has a lock time-out of its own."""
    engine = connect(f"sqlite:///{tmp_path / 'one.sqlite3'}")
    monkeypatch.setattr(sync.engine, "WRITER_PATIENCE_S", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with writer(engine):
            begun.set()
            go_on.wait(10)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        begun.wait(10)
        with pytest.raises(Overloaded), writer(engine):
            pass
        go_on.set()
        holder.result()
    with writer(engine):
        pass
