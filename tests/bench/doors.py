"""How fast the doors are: submissions a second and CPU a submission, beside the machine's own limit in the same run."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import requests
from lxml import etree
from sqlalchemy.orm import Session

from sync import devices, install, projects, publish
from sync.access import SYSTEM
from sync.engine import connect, in_transaction, sqlite_driver
from tests.bench.questionnaire import form_file, instance, instance_id

BATCH, BATCHES, SINGLES = 100, 30, 300
ORIGIN = "bench~0000000000"


@dataclass(frozen=True, slots=True)
class Measured:
    """`wall_s` and `cpu_s` are for all `count` of them; CPU is that of the process that did the work."""

    name: str
    count: int
    wall_s: float
    cpu_s: float

    def line(self, floor: Measured) -> str:
        each_ms, floor_ms = self.cpu_s / self.count * 1000, floor.cpu_s / floor.count * 1000
        return (
            f"{self.name:<52}{self.count / self.wall_s:>9.0f}/s {each_ms:>8.3f} ms CPU each"
            f" {each_ms / floor_ms:>7.1f} times the raw limit"
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A server process with one project, one form, one field client and one app user of ODK Collect."""

    process: subprocess.Popen[bytes]
    address: str
    client_token: str
    collect_token: str

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        idle = server.memory_mb()
        instances = [instance(number) for number in range(BATCH * BATCHES + SINGLES)]
        print(f"{len(instances)} instances of {sum(map(len, instances)) / len(instances):.0f} bytes, 40 questions\n")
        floor = raw(instances[: BATCH * BATCHES], Path(folder))
        print(floor.line(floor))
        print(in_batches(server, instances[: BATCH * BATCHES]).line(floor))
        print(in_batches(server, instances[: BATCH * BATCHES], "sync door, the same batches sent again").line(floor))
        print(one_by_one(server, instances[BATCH * BATCHES :]).line(floor))
        print(f"\nmemory: {idle:.0f} MB idle, {server.memory_mb():.0f} MB afterwards")


def raw(instances: Sequence[str], folder: Path) -> Measured:
    """Parse the same bytes with lxml and insert them into SQLite, in transactions of the same size, made durable."""
    connection = sqlite_driver().connect(folder / "raw.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE instance (id TEXT PRIMARY KEY, xml TEXT)")
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(instances), BATCH):
        connection.execute("BEGIN IMMEDIATE")
        for offset, xml in enumerate(instances[start : start + BATCH]):
            etree.fromstring(xml.encode())
            connection.execute("INSERT INTO instance VALUES (?, ?)", (str(start + offset), xml))
        connection.execute("COMMIT")
    return Measured("lxml parse and SQLite insert", len(instances), *_since(wall, cpu))


def in_batches(
    server: Running, instances: Sequence[str], name: str = "sync door, batches of 100, checks on"
) -> Measured:
    """Push them as a field client does: NDJSON, gzip."""
    bodies = [gzip.compress(_batch(instances, start), 6) for start in range(0, len(instances), BATCH)]
    headers = {
        "Authorization": f"Bearer {server.client_token}",
        "Content-Type": "application/x-ndjson",
        "Content-Encoding": "gzip",
    }
    with requests.Session() as session:
        wall, cpu = time.perf_counter(), server.cpu_s()
        for body in bodies:
            answer = session.post(f"{server.address}/v1/projects/1/sync/push", data=body, headers=headers, timeout=60)
            answer.raise_for_status()
            _require(all(item["verdict"] in ("accepted", "duplicate") for item in answer.json()["items"]), answer.text)
        return Measured(name, len(instances), time.perf_counter() - wall, server.cpu_s() - cpu)


def one_by_one(server: Running, instances: Sequence[str]) -> Measured:
    """Send them as ODK Collect does: multipart, each a request of its own."""
    address = f"{server.address}/v1/key/{server.collect_token}/projects/1/submission?deviceID=bench"
    with requests.Session() as session:
        session.headers["X-OpenRosa-Version"] = "1.0"
        wall, cpu = time.perf_counter(), server.cpu_s()
        for xml in instances:
            part = {"xml_submission_file": ("submission.xml", xml.encode(), "text/xml")}
            answer = session.post(address, files=part, timeout=60)
            _require(answer.status_code == 201, answer.text)
        return Measured(
            "OpenRosa door, one by one, checks on", len(instances), time.perf_counter() - wall, server.cpu_s() - cpu
        )


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """A real `lapangan serve` on a database of its own."""
    data, port, secret = folder / "data", _free_port(), "b" * 64
    data.mkdir()
    engine = connect(f"sqlite:///{data / 'lapangan.sqlite3'}")
    install.upgrade(engine)
    install.ensure_installation(engine, now=datetime.now(UTC))
    tokens = in_transaction(engine, lambda session: _prepare(session, secret))
    engine.dispose()
    environment = os.environ | {
        "LAPANGAN_DATA_DIR": str(data),
        "LAPANGAN_SECRET_KEY": secret,
        "LAPANGAN_LOG_LEVEL": "WARNING",
        "LAPANGAN_PORT": str(port),
    }
    command = [sys.executable, "-m", "server.cli", "serve"]
    process = subprocess.Popen(command, env=environment)
    try:
        server = Running(process, f"http://127.0.0.1:{port}", *tokens)
        _wait_for(server)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _prepare(session: Session, secret: str) -> tuple[str, str]:
    now, file = datetime.now(UTC), form_file()
    project = projects.create_project(session, name="Bench", actor=SYSTEM, now=now)
    publish.save_draft(
        session, project.project_id, file.xform, workbook=None, workbook_name="", warnings=(), actor=SYSTEM, now=now
    )
    publish.publish(session, project.project_id, "questionnaire", actor=SYSTEM, now=now)
    code = devices.create_enrolment(session, project, name="bench", account_id=None, actor=SYSTEM, now=now, ttl_s=600)
    enrolled = devices.enrol(session, code.code, kind="client", user_agent="bench", now=now)
    collect = devices.create_app_user(session, project, name="collect", actor=SYSTEM, now=now, secret_key=secret)
    return enrolled.token, devices.app_user_token(collect, secret)


def _batch(instances: Sequence[str], start: int) -> bytes:
    lines = [orjson.dumps({"v": 1, "origin": ORIGIN, "sent_at": datetime.now(UTC).isoformat()})]
    for number in range(start, min(start + BATCH, len(instances))):
        lines.append(orjson.dumps(_operation(number, instances[number])))
    return b"\n".join(lines) + b"\n"


def _operation(number: int, xml: str) -> dict[str, object]:
    return {
        "op": f"00000000-0000-7000-8000-{number:012x}",
        "origin": ORIGIN,
        "n": number + 1,
        "prev": 0,
        "kind": "submission",
        "record": instance_id(number),
        "context": {},
        "at": f"{number:012x}-0000",
        "form": "questionnaire",
        "version": "1",
        "xml": xml,
        "attachments": [],
    }


def _wait_for(server: Running) -> None:
    for _attempt in range(200):
        try:
            if requests.get(f"{server.address}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _require(is_right: bool, words: str) -> None:
    if not is_right:
        raise RuntimeError(words[:500])


def _since(wall: float, cpu: float) -> tuple[float, float]:
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
