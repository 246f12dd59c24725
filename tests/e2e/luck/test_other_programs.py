"""The server is of another age than the field client, or too busy: over real HTTP, nothing is lost or doubled."""

from __future__ import annotations

import gzip
import time
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from werkzeug import Request, Response

import server.tablet.batch
import sync.device.link
from server.clock import now
from server.commands.device_words import receipt_lines
from sync.device import FieldDevice
from sync.device.errors import NewerServer, ServerUnreachable
from sync.device.link import Link
from sync.models import Operation, Submission
from tests.conftest import Team
from tests.e2e.fieldwork import add, visits
from tests.e2e.luck.conftest import Enrol
from tests.e2e.luck.meddler import Meddler
from tests.e2e.reader import Reader


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


@pytest.fixture
def meddler(app: Flask) -> Meddler:
    return Meddler(app)


@pytest.fixture
def supervisor(app: Flask, study: Team) -> Reader:
    return Reader(app.test_client()).log_in("supervisor")


def kept(engine: Engine) -> set[str]:
    """The records, each of which was written once."""
    with Session(engine) as session:
        shown = list(session.scalars(select(Submission.instance_id)))
        assert session.scalar(select(func.count()).where(Operation.kind == "submission")) == len(shown)
        return set(shown)


def says(device: FieldDevice, record: str) -> list[str]:
    return next(receipt_lines(one) for one in device.receipts() if one.instance_id == record)


def is_push(request: Request) -> bool:
    return request.path.endswith("/sync/push")


def records_in(request: Request) -> int:
    return len(gzip.decompress(request.get_data(cache=True)).splitlines()) - 1


def test_words_of_a_newer_server_lose_nothing(
    meddler: Meddler, enrol: Enrol, engine: Engine, supervisor: Reader
) -> None:
    """It has verdicts, reasons, fields and kinds of records of which this program knows nothing."""
    device = enrol()
    archived, postponed = (add(device, visit) for visit in visits("pendaftaran")[:2])

    def receipt(told: dict[str, Any]) -> None:
        told["mood"] = "good"
        told["items"][0] |= {"verdict": "archived", "mood": "good"}
        told["items"][1] |= {"verdict": "postponed", "safe": False, "why": "full_moon"}

    def page(told: dict[str, Any]) -> None:
        told["mood"] = "good"
        told["records"].append({"kind": "hologram", "record": "h-1", "deleted": False, "seq": 1})

    meddler.after = {"push": receipt, "pull": page}
    synced = device.sync()
    status = device.status()
    words = says(device, archived), says(device, postponed)
    meddler.after = {}
    again = device.sync()

    assert synced.pulled.records > 2
    assert (status.waiting, status.kept, status.refused) == (0, 1, 1)
    assert words == (
        ["Safe on the server"],
        [
            "Not taken; stays here and is sent again",
            "The server says why in words that this program does not know. Update the program.",
        ],
    )
    assert [item["verdict"] for item in again.pushed.items] == ["duplicate"]
    assert (device.status().kept, device.status().refused) == (2, 0)
    assert says(device, postponed) == ["Safe on the server"]
    assert kept(engine) == {archived, postponed}
    page_ = supervisor.get("/projects/1/submissions")
    assert archived in page_
    assert postponed in page_


@pytest.mark.parametrize("answer", ["push", "pull"])
def test_a_protocol_that_nobody_here_knows_changes_nothing_here(
    meddler: Meddler, enrol: Enrol, engine: Engine, answer: str
) -> None:
    device = enrol()
    record = add(device, visits("pendaftaran")[0])
    before = device.inbox.received()

    meddler.after = {answer: lambda told: told.update(v=2)}
    with pytest.raises(NewerServer) as refused:
        device.sync()
    waiting, here = device.status().waiting, device.inbox.received()
    meddler.after = {}
    device.sync()

    assert (
        refused.value.title()
        == "The server is newer than this program. Nothing is lost; update this program, then send again."
    )
    assert (waiting, here) == (1 if answer == "push" else 0, before)
    assert [one.instance_id for one in device.inbox.received()] == [record]
    assert kept(engine) == {record}


@pytest.mark.parametrize("how", ["in seconds", "as a date"])
@pytest.mark.parametrize("years", [-20, 0, 20])
def test_a_busy_server_says_when_to_come_back(
    meddler: Meddler, enrol: Enrol, engine: Engine, how: str, years: int
) -> None:
    """By its own clock: that of the tablet may be wrong."""
    device, pauses = enrol(), list[float]()
    device.clock = lambda: now() + timedelta(days=365 * years)
    device.connect = partial(Link, sleep=pauses.append)
    record = add(device, visits("pendaftaran")[0])

    def busy(request: Request) -> Response | None:
        if not is_push(request) or len(pauses) == 2:
            return None
        at = format_datetime(now() + timedelta(seconds=40), usegmt=True)
        date = format_datetime(now(), usegmt=True)
        told = {"in seconds": {"Retry-After": "40"}, "as a date": {"Retry-After": at, "Date": date}}
        return Response(status=503, headers=told[how])

    meddler.before = busy
    device.sync()

    assert len(pauses) == 2
    assert all(39 <= pause <= 61 for pause in pauses)
    assert device.status().waiting == 0
    assert kept(engine) == {record}


def test_who_gets_no_answer_waits_longer_each_time_and_not_as_long_as_others(meddler: Meddler, enrol: Enrol) -> None:
    device, pauses = enrol(), list[float]()
    device.connect = partial(Link, sleep=pauses.append)
    add(device, visits("pendaftaran")[0])
    meddler.before = lambda _request: Response(status=502)

    for _ in range(2):
        with pytest.raises(ServerUnreachable):
            device.sync()

    first, second = pauses[:3], pauses[3:]
    assert all(2**step / 2 <= pause <= 2**step for one in (first, second) for step, pause in enumerate(one))
    assert first != second
    assert device.status().waiting == 1


def test_a_batch_that_is_too_large_goes_in_halves_and_grows_again(
    meddler: Meddler, enrol: Enrol, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    device, sizes = enrol(), list[int]()
    made = {add(device, visit) for visit in visits("pendaftaran")[:8]}
    monkeypatch.setattr(server.tablet.batch, "MOST_ITEMS", 3)

    def measure(request: Request) -> None:
        if is_push(request):
            sizes.append(records_in(request))

    meddler.before = measure
    device.sync()

    assert sizes[:4] == [8, 4, 2, 4]
    assert (device.status().waiting, kept(engine)) == (0, made)


def test_a_batch_that_does_not_arrive_as_it_was_sent_is_sent_again(
    meddler: Meddler, enrol: Enrol, engine: Engine
) -> None:
    device, pushes = enrol(), list[int]()
    device.connect = partial(Link, sleep=lambda _s: None)
    made = {add(device, visit) for visit in visits("pendaftaran")[:2]}

    def garble(request: Request) -> None:
        if is_push(request):
            pushes.append(records_in(request))
            if len(pushes) == 1:
                request.environ["wsgi.input"].seek(0)
                request.environ["wsgi.input"].write(b"\x00")
                request.environ["wsgi.input"].seek(0)

    meddler.before = garble
    device.sync()

    assert pushes == [2, 2]
    assert (device.status().waiting, kept(engine)) == (0, made)


def test_a_batch_that_gets_no_answer_goes_in_halves_too_and_counts_once(
    meddler: Meddler, enrol: Enrol, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server took it, and its answer came too late."""
    device = enrol()
    made = {add(device, visit) for visit in visits("pendaftaran")[:4]}
    monkeypatch.setattr(sync.device.link, "TIMEOUT_S", (10, 3))

    def late(request: Request) -> None:
        if is_push(request) and records_in(request) > 2:
            time.sleep(5)

    meddler.before = late
    synced = device.sync()

    assert synced.pushed.batches == 2
    assert (device.status().waiting, kept(engine)) == (0, made)
