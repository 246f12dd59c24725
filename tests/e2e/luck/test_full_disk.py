"""A full disk: nothing is acknowledged that is not kept, nothing breaks, and with room again all goes on.

The disk is a real one, small and in memory: that of the database; with PostgreSQL also that of its write-ahead log, for
want of which the whole cluster stops; and the tablet's."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from config import Settings
from server.app import create_app
from server.clock import now
from server.commands.device_words import receipt_lines
from sync import install, receive
from sync.device import FieldDevice
from sync.device.errors import ServerUnreachable
from sync.device.push import encode
from sync.engine import connect
from sync.models import InboxItem, Operation, Submission
from tests import postgres
from tests.conftest import Team, missing
from tests.e2e.collect import Collect, NotOpenRosa
from tests.e2e.conftest import Known
from tests.e2e.luck.small_disk import Disk, small_disk
from tests.e2e.luck.test_database_away import enrol
from tests.e2e.reader import Reader
from tests.e2e.visits import FORM_ID, instance, new_id

RECORDS = "/projects/1/submissions"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a database lies. After `crash` it has read its files again."""

    disk: Disk
    url: str
    crash: Callable[[], None]
    status: int = 507
    """What is answered to who writes."""
    reading: int = 200
    """And to who reads."""
    said: str = "The server's disk is full. Nothing was changed; keep your data and tell the administrator."


@contextmanager
def _sqlite(_folder: Path) -> Iterator[Place]:
    with small_disk("48m") as disk:
        yield Place(disk, f"sqlite:///{disk.folder / 'lapangan.sqlite3'}", lambda: None)


@contextmanager
def _postgresql(_folder: Path) -> Iterator[Place]:
    """The database alone is on the small disk; the catalogue and the log of the cluster have room."""
    with small_disk("48m") as disk, _cluster(None) as cluster:
        space = disk.folder / "space"
        space.mkdir()
        postgres.unprivileged(space)
        postgres.execute(cluster.url, f"CREATE TABLESPACE small LOCATION '{space}'")
        postgres.execute(cluster.url, "CREATE DATABASE small TEMPLATE template0 TABLESPACE small")
        url = cluster.url.set(database="small").render_as_string(hide_password=False)
        yield Place(disk, url, cluster.crash)


@contextmanager
def _postgresql_log(_folder: Path) -> Iterator[Place]:
    with small_disk("24m", left=0) as disk:
        wal = disk.folder / "wal"
        wal.mkdir()
        with _cluster(wal) as cluster:
            url = postgres.make_database(cluster.url, "small").render_as_string(hide_password=False)
            # Without its log PostgreSQL stops: nobody can tell any more why it does not answer.
            yield Place(
                disk, url, cluster.crash, 503, 503, "The server is busy. Nothing was changed; try again in a minute."
            )


@contextmanager
def _cluster(wal: Path | None) -> Iterator[postgres.Cluster]:
    try:
        with postgres.own_cluster(wal=wal) as made:
            yield made
    except postgres.NoPostgres as error:
        missing(str(error))


@pytest.fixture(params=[_sqlite, _postgresql, _postgresql_log])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with request.param(tmp_path) as made:
        yield made


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    engine = connect(place.url)
    install.upgrade(engine)
    install.ensure_installation(engine, now=now())
    yield engine
    engine.dispose()


@pytest.fixture
def settings(place: Place, engine: Engine, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret_key="k" * 64, database_url=place.url, port=0, log_level="CRITICAL")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    app.extensions["lapangan"].engine.dispose()


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


def _acknowledged(device: FieldDevice) -> set[str]:
    return {one.op_id for one in device.receipts() if one.state == "kept"}


def _kept(engine: Engine) -> set[str]:
    """What the server has of submissions, judged or not."""
    with Session(engine) as session:
        landed = session.scalars(select(InboxItem.op_id)).all()
        return {str(one) for one in landed} | set(
            session.scalars(select(Operation.op_id).where(Operation.kind == "submission"))
        )


def _long_name() -> str:
    """So long that it fits nowhere any more; and nothing can make it shorter."""
    return "Bu Siti " + secrets.token_hex(20_000)


def _until_refused(device: FieldDevice) -> ServerUnreachable:
    """The enumerator goes on until the server takes no more."""
    for _ in range(400):
        device.add(FORM_ID, {"nama": _long_name(), "umur": "41"})
        try:
            device.sync()
        except ServerUnreachable as refusal:
            return refusal
    raise AssertionError("the disk did not fill up")


def _comment(supervisor: Reader, record: str) -> Callable[[], TestResponse]:
    """Somebody has the record open, and sends a comment that is too long for the room that is left."""
    csrf = re.search(r'name="csrf" value="([^"]+)"', supervisor.get(record))
    assert csrf is not None
    told = {"csrf": csrf[1], "body": _long_name()}
    return lambda: supervisor.client.post(f"{record}/comments", data=told, headers=supervisor.headers)


def _push(device: FieldDevice) -> requests.Response:
    body, headers = encode(device.outbox.batch(), device_id="d", waiting=1, now=now())
    headers["Authorization"] = f"Bearer {device.store.setting('token')}"
    address = f"{device.membership().base}/v1/projects/1/sync/push"
    return requests.post(address, data=body, headers=headers, timeout=60)


def test_a_full_disk_loses_nothing(
    place: Place, engine: Engine, app: Flask, visits: Team, app_user: Known, address: str, tmp_path: Path
) -> None:
    supervisor = Reader(app.test_client()).log_in("supervisor")
    collect = Collect(f"{address}/v1/key/{app_user.token}/projects/1")
    collect.session.headers["Accept-Language"] = "en"
    xml = instance(new_id(), name=_long_name())
    with closing(enrol(tmp_path / "tablet", engine, visits, address)) as device:
        first = device.add(FORM_ID, {"nama": "Bu Siti", "umur": "41"}).instance_id
        device.sync()
        comment = _comment(supervisor, f"/projects/1/submissions/{first}")
        place.disk.fill()
        refusal = _until_refused(device)
        acknowledged, waiting = _acknowledged(device), device.status().waiting
        words = receipt_lines(device.receipts()[0])
        answer = _push(device)
        with pytest.raises(NotOpenRosa) as shown:
            collect.send(xml)
        records, commented = supervisor.client.get(RECORDS, headers=supervisor.headers), comment()

        place.disk.free()
        place.crash()
        receive.sweep(engine, now=now() + timedelta(minutes=5))
        kept = _kept(engine)
        device.sync()
        shown_then = collect.send(xml)

        assert words == ["Waits to be sent"]
        assert place.said in refusal.detail
        assert (answer.status_code, answer.json()["title"]) == (place.status, place.said)
        assert str(shown.value).startswith(place.said)
        assert place.said in html.unescape(commented.text)
        assert commented.status_code == place.status
        assert records.status_code == place.reading
        assert acknowledged <= kept
        assert device.status() == replace(device.status(), waiting=0, refused=0, kept=len(acknowledged) + waiting)
        assert _acknowledged(device) <= _kept(engine)
    assert shown_then == "Success"
    assert comment().status_code == 303
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == len(acknowledged) + waiting + 1
        assert session.scalars(select(InboxItem.op_id)).all() == []
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
