"""Many devices at once on the same few households: each reads, changes what it saw, and pushes; at the end all hold the
same, each operation is there once, and no answer was an error but "not now".

    python -m tests.e2e.many --devices 50 --operations 200 --database postgresql
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import requests
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from server.clock import now
from sync import devices
from sync.device.outbox import Waiting
from sync.device.push import encode
from sync.engine import connect, in_transaction
from sync.models import FeedRow, InboxItem, Operation, Project
from tests.conftest import NOW, Team, make_team
from tests.e2e.kills import database
from tests.e2e.real_server import RealServer
from tests.integration.sync.field import Field, Tablet, new_id, xform

HOUSEHOLDS = 20
BATCH = 10
PATIENCE_S = 600
QUESTIONS = ("nama", "umur", "before", "after")


@dataclass(slots=True)
class Traffic:
    """What one device saw: how long its pushes took, and what it was answered."""

    pushes_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Client:
    """A device that holds what it has pulled, and writes upon that."""

    writer: Tablet
    token: str
    address: str
    rng: random.Random
    cursor: str = ""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    session: requests.Session = field(default_factory=requests.Session)

    def work(self, operations: int) -> None:
        """So many changes in batches, each upon what was read just before."""
        for first in range(0, operations, BATCH):
            self.pull()
            self.push([self._change() for _one in range(min(BATCH, operations - first))])

    def pull(self) -> None:
        """All that is new is here."""
        while True:
            told = self._ask("GET", "pull", params={"cursor": self.cursor}).json()
            for record in told["records"]:
                if record["kind"] == "submission":
                    self.records[record["record"]] = record
            if told["cursor"] == self.cursor:
                return
            self.cursor = told["cursor"]

    def push(self, lines: Sequence[bytes]) -> None:
        waiting = [Waiting("", line) for line in lines]
        body, headers = encode(waiting, device_id=self.writer.device_id, waiting=len(lines), now=now())
        began = time.perf_counter()
        answer = self._ask("POST", "push", data=body, headers=headers)
        self.traffic.pushes_s.append(time.perf_counter() - began)
        self.traffic.verdicts.update(item["verdict"] for item in answer.json()["items"])

    def _change(self) -> bytes:
        record = self.records[self.rng.choice(sorted(self.records))]
        seen = {**record["vector"]}
        seen.pop(self.writer.origin, None)
        path, value = self.rng.choice(QUESTIONS), str(self.rng.randrange(99))
        return orjson.dumps(self.writer.op(record["record"], context=seen, set={path: value}))

    def _ask(self, method: str, what: str, **request: Any) -> requests.Response:
        headers = {**request.pop("headers", {}), "Authorization": f"Bearer {self.token}"}
        url = f"{self.address}/v1/projects/1/sync/{what}"
        while True:
            answer = self.session.request(method, url, headers=headers, timeout=PATIENCE_S, **request)
            self.traffic.statuses[answer.status_code] += 1
            if answer.status_code != 503:
                assert answer.status_code == 200, answer.text
                return answer
            time.sleep(float(answer.headers["Retry-After"]) * self.rng.uniform(0.1, 1.0))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of all of them."""

    pushes_s: list[float]
    statuses: Counter[int]
    verdicts: Counter[str]
    took_s: float

    def percentile_s(self, share: float) -> float:
        ordered = sorted(self.pushes_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def run(address: str, engine: Engine, team: Team, *, count: int, operations: int, seed: int = 1) -> Outcome:
    """`count` devices work at once, each in a thread of its own; then everything is held against everything."""
    clients = _clients(address, engine, team, count, seed)
    clients[0].push([orjson.dumps(clients[0].writer.fill_in(new_id(), nama="Siti")) for _one in range(HOUSEHOLDS)])
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(count) as threads:
            for done in [threads.submit(client.work, operations) for client in clients]:
                done.result()
        took_s = time.monotonic() - began
        _check(clients, engine, team, HOUSEHOLDS + count * operations)
    finally:
        for client in clients:
            client.session.close()
    traffic = [client.traffic for client in clients]
    return Outcome(
        [push_s for one in traffic for push_s in one.pushes_s],
        sum((one.statuses for one in traffic), Counter()),
        sum((one.verdicts for one in traffic), Counter()),
        took_s,
    )


def _clients(address: str, engine: Engine, team: Team, count: int, seed: int) -> list[Client]:
    Field(engine, team.project_id, team.manager, team.supervisor, NOW).publish(xform())

    def enrol(session: Session, number: int) -> Client:
        project = session.get_one(Project, team.project_id)
        told = {"account_id": team.enumerator.id, "actor": team.manager, "now": now()}
        code = devices.create_enrolment(session, project, name=f"Tablet {number}", **told).code
        made = devices.enrol(session, code, now=now())
        device_id = made.device.device_id
        writer = Tablet(device_id, f"{device_id}~1")
        return Client(writer, made.token, address, random.Random(seed * 1000 + number))

    return [in_transaction(engine, lambda session, number=number: enrol(session, number)) for number in range(count)]


def _check(clients: Sequence[Client], engine: Engine, team: Team, made: int) -> None:
    """Everybody holds what the server tells whoever asks for all, and nothing is missing, double or put aside."""
    for client in clients:
        client.pull()
    clients[0].cursor, held = "", dict(clients[0].records)
    clients[0].records.clear()
    clients[0].pull()
    assert clients[0].records == held
    assert all(client.records == held for client in clients)
    with Session(engine) as session:
        states = select(Operation.state, func.count()).where(Operation.kind == "submission").group_by(Operation.state)
        assert dict(session.execute(states).all()) == {"ready": made}
        assert not session.scalars(select(InboxItem)).all()
        seqs = list(session.scalars(select(FeedRow.seq).order_by(FeedRow.seq)))
        assert seqs == list(range(1, session.get_one(Project, team.project_id).head + 1))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.many", description=__doc__)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--operations", type=int, default=200, help="of each device")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server, on PostgreSQL")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lapangan-many-") as folder, database(asked.database, folder) as url:
        engine = connect(url)
        server = RealServer(url, Path(folder), workers=asked.workers)
        try:
            team: Team = in_transaction(engine, make_team)
            server.start()
            told = {"count": asked.devices, "operations": asked.operations, "seed": asked.seed}
            outcome = run(server.address, engine, team, **told)
        finally:
            server.kill()
            engine.dispose()
    print(
        f"{asked.devices} devices, {len(outcome.pushes_s)} pushes in {outcome.took_s:.0f} s; a push took"
        f" {outcome.percentile_s(0.5) * 1000:.0f} ms (median), {outcome.percentile_s(0.99) * 1000:.0f} ms (p99),"
        f" {max(outcome.pushes_s) * 1000:.0f} ms (longest)\n"
        f"answers {dict(outcome.statuses)}; verdicts {dict(outcome.verdicts)}; all agree"
    )


if __name__ == "__main__":
    main()
