"""kill -9 of the real server in the middle of a push: what it acknowledged is there, and nothing is there twice."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.clock import now
from sync import receive
from sync.device import FieldDevice, Progress, Stage
from sync.device.errors import ServerUnreachable
from sync.device.link import Link
from sync.models import FeedRow, InboxItem, Operation, Project, Submission
from tests.conftest import Team
from tests.e2e import kills
from tests.e2e.fieldwork import code, enrolled, visits, work
from tests.e2e.real_server import RealServer

ROUNDS = 4
SAID = "The server cannot be reached. Nothing is lost: what it has not got waits here. Try again later."
RECORDS = 40
"""In each round: enough for the server to be at work when it dies."""


@pytest.fixture
def server(database_url: str, study: Team, tmp_path: Path) -> Iterator[RealServer]:
    server = RealServer(database_url, tmp_path)
    server.start()
    yield server
    server.kill()


def collect(device: FieldDevice, rng: random.Random) -> set[str]:
    """Records of a round, all different."""
    visit = visits("pendaftaran", "INF-01")[0]
    made = set()
    for _record in range(RECORDS):
        own = replace(
            work(visit),
            instance_id=f"uuid:{uuid.UUID(int=rng.getrandbits(128), version=4)}",
            entity_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        )
        made.add(device.add(visit.form_id, visit.answers, {}, own).instance_id)
    return made


def test_a_server_killed_in_the_middle_of_a_push_keeps_what_it_acknowledged(
    server: RealServer, engine: Engine, study: Team, tmp_path: Path
) -> None:
    rng = random.Random(2026)
    pending: list[threading.Timer] = []
    told: set[str] = set()

    def kill_soon(progress: Progress) -> None:
        """From the moment that the batch leaves, the server has a few hundredths of a second to live."""
        if progress.stage is Stage.PUSH and pending_kill:
            pending_kill.clear()
            pending.append(threading.Timer(rng.uniform(0.0, 0.15), server.kill))
            pending[-1].start()

    pending_kill: list[bool] = []
    made: set[str] = set()
    enrolled(tmp_path / "tablet", code(engine, study), server.address).close()
    impatient = partial(Link, attempts=1, sleep=lambda _pause: None)
    for _round in range(ROUNDS):
        with FieldDevice(tmp_path / "tablet", watch=kill_soon, connect=impatient) as device:
            made |= collect(device, rng)
            pending_kill.append(True)
            try:
                device.sync()
            except ServerUnreachable as refusal:
                told.add(refusal.title())
            acknowledged = {record.instance_id for record in device.receipts() if record.state == "kept"}
        for timer in pending:
            timer.join()
        server.kill()
        assert acknowledged <= operations(engine) | landed(engine)
        server.start()
    with FieldDevice(tmp_path / "tablet") as device:
        device.sync()
        assert device.status().waiting == 0
        assert {record.verdict for record in device.receipts()} == {"accepted"}

    assert told <= {SAID}
    server.kill()
    server.start()
    if engine.dialect.name == "postgresql":
        # Other servers may be at work on what landed just now: a new one takes it over only after a while.
        receive.sweep(engine, now=now() + timedelta(minutes=5))
    assert landed(engine) == set()
    with Session(engine) as session:
        assert set(session.scalars(select(Submission.instance_id))) == made
        sent = session.scalars(select(Operation.instance_id).where(Operation.kind == "submission")).all()
        assert (len(sent), set(sent)) == (len(made), made)
        seqs = list(session.scalars(select(FeedRow.seq).order_by(FeedRow.seq)))
        head = session.scalar(select(Project.head).where(Project.project_id == study.project_id))
        assert seqs == list(range(1, (head or 0) + 1))


@pytest.mark.slow
def test_a_hundred_servers_killed_in_the_middle_of_pushes_lose_and_double_nothing(
    database_url: str, tmp_path: Path
) -> None:
    toll = kills.run(database_url, tmp_path, cycles=100, seed=2026)

    assert toll.cycles == 100
    assert min(toll.answered, toll.unanswered) > 20  # servers died both over a push and after one


def operations(engine: Engine) -> set[str]:
    with Session(engine) as session:
        return set(session.scalars(select(Operation.instance_id).where(Operation.kind == "submission")))


def landed(engine: Engine) -> set[str]:
    """What is in the inbox, committed and not judged yet."""
    with Session(engine) as session:
        raws = session.scalars(select(InboxItem.raw)).all()
    return {orjson.loads(raw)["record"] for raw in raws}


def test_a_server_that_is_told_to_stop_ends_cleanly(server: RealServer) -> None:
    assert server.stop() == 0
    assert "Stopped" in server.log()
    assert "Traceback" not in server.log()
