"""A tablet whose storage fails: what it held of the server's records has changed, and nobody has told it to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import orjson
import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.cli import main
from server.clock import now
from server.commands.device_words import show_synced
from sync import tripwire
from sync.device import FieldDevice
from sync.models import Event
from tests.e2e.fieldwork import add, visits
from tests.e2e.luck.conftest import Enrol
from tests.e2e.reader import Reader


def _lose(device: FieldDevice, record: str) -> None:
    device.store.run("DELETE FROM record WHERE record_id = ?", record)


def _change(device: FieldDevice, record: str) -> None:
    body = orjson.loads(device.store.rows("SELECT body FROM record WHERE record_id = ?", record)[0][0])
    body["answers"] = {"nama": "Somebody else"}
    device.store.run("UPDATE record SET body = ? WHERE record_id = ?", orjson.dumps(body), record)


def _garble(device: FieldDevice, record: str) -> None:
    device.store.run("UPDATE record SET body = ? WHERE record_id = ?", b"\x00\xff{", record)


def _swap(device: FieldDevice, record: str) -> None:
    """Another record's body under this one's name."""
    device.store.run(
        "UPDATE record SET body = (SELECT body FROM record AS other WHERE other.kind = 'form' LIMIT 1)"
        " WHERE record_id = ?",
        record,
    )


@pytest.mark.parametrize("harm", [_lose, _change, _garble, _swap])
def test_it_is_noticed_told_and_put_right(
    enrol: Enrol, engine: Engine, harm: Callable[[FieldDevice, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    device = enrol()
    record, other = (add(device, visit) for visit in visits("pendaftaran")[:2])
    assert device.sync().pulled.repaired == 0
    before = device.inbox.received()

    harm(device, record)
    late = add(device, visits("pendaftaran")[2])
    synced = device.sync()

    assert synced.pulled.repaired == 1
    kept = {one.instance_id: one for one in device.inbox.received()}
    assert kept.keys() == {record, other, late}
    assert [kept[one.instance_id].answers for one in before] == [one.answers for one in before]
    show_synced(synced)
    assert "had become different here, and were fetched again: 1" in capsys.readouterr().out.replace("\n", " ")
    with Session(engine) as session:
        noted = session.scalars(select(Event).where(Event.action == tripwire.ACTION)).all()
    assert [one.target_id for one in noted] == [device.membership().device_id]
    assert device.sync().pulled.repaired == 0


def test_what_nobody_has_told_it_is_gone_and_own_work_stays(enrol: Enrol) -> None:
    device = enrol()
    record = add(device, visits("pendaftaran")[0])
    device.sync()
    body = orjson.loads(device.store.rows("SELECT body FROM record WHERE record_id = ?", record)[0][0])
    ghost = orjson.dumps({**body, "record": "uuid:ghost"})
    device.store.run("INSERT INTO record (kind, record_id, body) VALUES ('submission', 'uuid:ghost', ?)", ghost)

    synced = device.sync()

    assert synced.pulled.repaired == 1
    assert [one.instance_id for one in device.inbox.received()] == [record]
    assert [one.instance_id for one in device.receipts()] == [record]


def test_the_administrator_sees_it(enrol: Enrol, app: Flask, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = app.extensions["lapangan"].settings
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LAPANGAN_DATABASE_URL", settings.database_url)
    device = enrol()
    record = add(device, visits("pendaftaran")[0])
    device.sync()
    reader = Reader(app.test_client())
    calm = CliRunner().invoke(main, ["doctor"]).output

    _lose(device, record)
    device.sync()

    assert "become different in the last 30 days: 0" in calm.replace("\n", " ")
    told = CliRunner().invoke(main, ["doctor"]).output.replace("\n", " ")
    assert "become different in the last 30 days: 1" in told
    page = reader.log_in("administrator").get("/server")
    assert "held something else than it had been told" in page
    with Session(engine) as session:
        assert tripwire.noted(session, since=now() + timedelta(days=1)) == 0
