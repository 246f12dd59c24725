"""kill -9 of the real server, again and again, in the middle of pushes: nothing that it acknowledged is missing, and
nothing is there twice.

    python -m tests.e2e.kills --cycles 1000 --database postgresql
"""

from __future__ import annotations

import argparse
import random
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import requests
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.clock import now
from sync import install, receive
from sync.device.outbox import Waiting
from sync.device.push import encode
from sync.engine import connect, in_transaction
from sync.identity import digest
from sync.models import Device, FeedRow, InboxItem, Operation, Project, Submission
from tests import postgres
from tests.conftest import NOW, make_team
from tests.e2e.nursery import Nursery
from tests.integration.sync.field import Field, Tablet, new_id, xform

TOKEN = "t" * 43  # only ever used here
BATCH = 10
LONGEST_LIFE = 3
"""Of a server, from the moment that the first push leaves, in pushes."""
PATIENCE_S = 30


@dataclass(slots=True)
class Toll:
    """What happened. `unanswered` pushes were on their way when the server died."""

    cycles: int = 0
    made: dict[str, bytes] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    answered: int = 0
    unanswered: int = 0
    took_s: float = 0.1
    """A push, lately."""


@dataclass(slots=True)
class Reaper:
    """One device that pushes to servers which are killed while they answer."""

    nursery: Nursery
    engine: Engine
    project_id: str
    rng: random.Random
    tablet: Tablet = field(default_factory=lambda: Tablet("d-kill", "d-kill~1"))
    toll: Toll = field(default_factory=Toll)

    def cycle(self) -> None:
        """A server starts, is pushed to, and dies; all that it has said was true."""
        self.nursery.start()
        self._await()
        stopped = threading.Event()
        sender = threading.Thread(target=self._push_until, args=(stopped,))
        sender.start()
        time.sleep(self.rng.uniform(0, LONGEST_LIFE * self.toll.took_s))
        stopped.set()
        self.nursery.kill()
        sender.join()
        self.toll.cycles += 1
        lost = self.toll.acknowledged - self._stored()
        assert not lost, f"acknowledged, and not there after kill {self.toll.cycles}: {sorted(lost)}"

    def finish(self) -> None:
        """Whatever was not acknowledged is pushed again: now everything is there, once."""
        self.nursery.start()
        self._await()
        with requests.Session() as session:
            lines = list(self.toll.made.values())
            for start in range(0, len(lines), 100):
                assert self._push(session, lines[start : start + 100])
        self.nursery.kill()
        # A server that starts judges what a dead one had landed: on PostgreSQL only after a while.
        receive.sweep(self.engine, now=now() + receive.LANDED_LONG_AGO * 2)
        with Session(self.engine) as session:
            ops = list(session.scalars(select(Operation.op_id).where(Operation.kind == "submission")))
            assert sorted(ops) == sorted(self.toll.made)
            assert set(session.scalars(select(Submission.instance_id))) == self.toll.records
            assert not session.scalars(select(InboxItem)).all()
            seqs = list(session.scalars(select(FeedRow.seq).order_by(FeedRow.seq)))
            head = session.scalars(select(Project.head).where(Project.project_id == self.project_id)).one()
            assert seqs == list(range(1, head + 1))
            assert head == 1 + len(ops)

    def _push_until(self, stopped: threading.Event) -> None:
        with requests.Session() as session:
            while not stopped.is_set():
                began = time.monotonic()
                is_answered = self._push(session, [self._make() for _item in range(BATCH)])
                took_s = time.monotonic() - began
                # Of one that was not answered, we know that it would have taken longer.
                self.toll.took_s = (
                    (self.toll.took_s + took_s) / 2 if is_answered else max(self.toll.took_s, took_s * 1.5)
                )
                self.toll.answered += is_answered

    def _make(self) -> bytes:
        if self.toll.records and self.rng.random() < 0.3:
            op = self.tablet.op(self.rng.choice(sorted(self.toll.records)), set={"umur": str(self.rng.randrange(99))})
        else:
            op = self.tablet.fill_in(new_id(), nama="Siti", umur="41")
        self.toll.records.add(op["record"])
        self.toll.made[op["op"]] = orjson.dumps(op)
        return self.toll.made[op["op"]]

    def _push(self, session: requests.Session, lines: list[bytes]) -> bool:
        waiting = [Waiting("", line) for line in lines]
        body, headers = encode(waiting, device_id="d-kill", waiting=len(lines), now=now())
        headers["Authorization"] = f"Bearer {TOKEN}"
        try:
            answer = session.post(
                f"{self.nursery.address}/v1/projects/1/sync/push", data=body, headers=headers, timeout=PATIENCE_S
            )
            told: dict[str, Any] = answer.json()
        except (requests.RequestException, ValueError):
            self.toll.unanswered += 1
            return False
        assert answer.status_code in (200, 503), answer.text
        self.toll.acknowledged |= {item["op"] for item in told.get("items", ()) if item["safe"]}
        return answer.status_code == 200

    def _stored(self) -> set[str]:
        with Session(self.engine) as session:
            stored = set(session.scalars(select(Operation.op_id)))
            return stored | {orjson.loads(raw)["op"] for raw in session.scalars(select(InboxItem.raw))}

    def _await(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                requests.get(f"{self.nursery.address}/health", timeout=PATIENCE_S)
                return
            except requests.RequestException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


@contextmanager
def reaper(database_url: str, data_dir: Path, seed: int) -> Iterator[Reaper]:
    """Over a migrated, empty database."""
    engine = connect(database_url)
    team = in_transaction(engine, make_team)
    Field(engine, team.project_id, team.manager, team.supervisor, NOW).publish(xform())
    in_transaction(engine, lambda session: session.add(_device(team.project_id)))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    nursery = Nursery(database_url, data_dir, port)
    nursery.open()
    try:
        yield Reaper(nursery, engine, team.project_id, random.Random(seed))
    finally:
        nursery.close()
        engine.dispose()


def _device(project_id: str) -> Device:
    return Device(
        project_id=project_id,
        device_id="d-kill",
        number=1,
        kind="client",
        name="Tablet",
        token_sha256=digest(TOKEN),
        enrolled_at=NOW,
    )


def run(database_url: str, data_dir: Path, *, cycles: int, seed: int) -> Toll:
    with reaper(database_url, data_dir, seed) as made:
        for _cycle in range(cycles):
            made.cycle()
        made.finish()
        return made.toll


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.kills", description=__doc__)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lapangan-kills-") as folder, database(asked.database, folder) as url:
        began = time.monotonic()
        toll = run(url, Path(folder), cycles=asked.cycles, seed=asked.seed)
    print(
        f"{toll.cycles} servers killed in {time.monotonic() - began:.0f} s; {len(toll.made)} operations made,"
        f" {len(toll.acknowledged)} acknowledged, {toll.unanswered} pushes unanswered: nothing lost, nothing twice"
    )


@contextmanager
def database(kind: str, folder: str) -> Iterator[str]:
    if kind == "sqlite":
        yield _migrated(f"sqlite:///{folder}/lapangan.sqlite3")
        return
    with postgres.cluster() as server:
        name = f"kills_{uuid.uuid4().hex}"
        yield _migrated(postgres.make_database(server, name).render_as_string(hide_password=False))
        postgres.drop_database(server, name)


def _migrated(url: str) -> str:
    engine = connect(url)
    install.upgrade(engine)
    install.ensure_installation(engine, now=NOW)
    engine.dispose()
    return url


if __name__ == "__main__":
    main()
