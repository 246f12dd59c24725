"""How fast the doors are: submissions a second and CPU a submission, beside the machine's own limit in the same run.

python -m tests.bench.doors                one device on SQLite, both doors; under a minute
python -m tests.bench.doors --full         then by size of the batch and number of devices, on SQLite and PostgreSQL;
                                           some minutes
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import requests
from lxml import etree
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from sync import devices, install, projects, publish
from sync.access import SYSTEM
from sync.engine import connect, in_transaction, sqlite_driver
from tests.bench.questionnaire import form_file, instance, instance_id
from tests.postgres import cluster, make_database

BATCH, BATCHES, SINGLES = 100, 15, 150
WARM = range(1_000_000, 1_000_000 + BATCH)
"""Instances that go before what is measured: the first of a form compiles it, the first of a door its statements."""
SIZES, DEVICES = (1, 10, 100, 500), (1, 4, 16)
REQUESTS, RECORDS = (2, 30), 2000
"""Of one row of the table: the fewest and the most requests of each device, and about so many records in all."""
EDITS, WRITES, AUTHORS = 100, 500, 20
"""Edits that are measured, and how many a household may have after a season of visits by so many devices."""
ROWS_OF = ("operation", "submission", "feed")
"""What a plain submission leaves behind."""


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
    """A server process with one project, one form, some field clients and one app user of ODK Collect."""

    process: subprocess.Popen[bytes]
    database_url: str
    address: str
    client_tokens: Sequence[str]
    collect_token: str

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--quick", action="store_true", help="one device on SQLite (the default)")
    kind.add_argument("--full", action="store_true", help="then by batch size and devices, on both databases")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _print_doors(Path(folder))
    if asked.full:
        with tempfile.TemporaryDirectory() as folder:
            _print_table("SQLite", Path(folder), f"sqlite:///{Path(folder) / 'lapangan.sqlite3'}")
        with tempfile.TemporaryDirectory() as folder, cluster() as server:
            url = make_database(server, "bench").render_as_string(hide_password=False)
            _print_table("PostgreSQL (its own processes' CPU is not counted)", Path(folder), url)


def _print_doors(folder: Path) -> None:
    with running(folder, f"sqlite:///{folder / 'lapangan.sqlite3'}") as server:
        idle = server.memory_mb()
        instances = [instance(number) for number in range(BATCH * BATCHES + SINGLES)]
        print(f"{len(instances)} instances of {sum(map(len, instances)) / len(instances):.0f} bytes, 40 questions\n")
        several, single = range(BATCH * BATCHES), instances[BATCH * BATCHES :]
        in_batches(server, WARM, "")
        one_by_one(server, [instance(WARM.stop + number) for number in range(10)], "")
        floor = raw([instances[number] for number in several], folder)
        print(floor.line(floor))
        print(in_batches(server, several, "sync door, batches of 100, checks on").line(floor))
        print(raw_rows(server.database_url).line(floor))
        print(in_batches(server, several, "sync door, the same batches sent again").line(floor))
        print(edits(server, several[:EDITS], "sync door, edits of records with 1 write, by 10").line(floor))
        edits(server, [WARM[0]] * WRITES, "")
        written = edits(
            server, [WARM[0]] * EDITS, f"sync door, edits of a record with {WRITES} writes, by 10", first=WRITES
        )
        print(written.line(floor))
        print(one_by_one(server, single, "OpenRosa door, one by one, checks on").line(floor))
        print(one_by_one(server, single, "OpenRosa door, the same sent again").line(floor))
        print(f"\nmemory: {idle:.0f} MB idle, {server.memory_mb():.0f} MB afterwards")
    batched, single_size = _bytes_of_a_batch(instances[:BATCH]), sum(map(_bytes_of_a_post, instances[:BATCH]))
    print(
        f"on the wire, {BATCH} submissions: {batched / 1000:.0f} kB by the sync door,"
        f" {single_size / 1000:.0f} kB by OpenRosa ({single_size / batched:.0f} times)"
    )


def _print_table(name: str, folder: Path, database_url: str) -> None:
    print(f"\n{name}\n{'devices':>9}{'batch':>7}{'records/s':>12}{'ms CPU each':>13}{'slowest push':>15}")
    with running(folder, database_url) as server:
        numbers = itertools.count(1)
        in_batches(server, WARM, "")
        for count, size in itertools.product(DEVICES, SIZES):
            requests_each = max(REQUESTS[0], min(REQUESTS[1], RECORDS // (count * size)))
            mine = [[next(numbers) for _ in range(requests_each * size)] for _ in range(count)]
            pushed, slowest_s = at_once(server, mine, size)
            wall, cpu = pushed.count / pushed.wall_s, pushed.cpu_s / pushed.count * 1000
            print(f"{count:>9}{size:>7}{wall:>12.0f}{cpu:>13.3f}{slowest_s * 1000:>12.0f} ms", flush=True)
        floor = raw_rows(server.database_url)
        each_ms = floor.cpu_s / floor.count * 1000
        print(f"{'':>9}{'':>7}{floor.count / floor.wall_s:>12.0f}{each_ms:>13.3f}   {floor.name}")


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
    return Measured("raw limit: lxml parse and SQLite insert", len(instances), *_since(wall, cpu))


def raw_rows(database_url: str) -> Measured:
    """Insert the rows that the server has written once more, by the bare driver, into tables and indexes like them."""
    on_sqlite = database_url.startswith("sqlite")
    connection: Any = _bare_sqlite(database_url) if on_sqlite else psycopg.connect(_bare_address(database_url))
    rows = {table: _rows_as_text(connection, table) for table in ROWS_OF}
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(rows["operation"]), BATCH):
        if on_sqlite:
            connection.execute("BEGIN IMMEDIATE")
        cursor = connection.cursor()
        for table in ROWS_OF:
            part = rows[table][start : start + BATCH]
            marks = ", ".join(["?" if on_sqlite else "%s"] * len(part[0])) if part else ""
            if part:
                cursor.executemany(f"INSERT INTO raw_{table} VALUES ({marks})", part)
        connection.commit()
    took = _since(wall, cpu)
    connection.close()
    return Measured("raw insert of the rows that this left behind", len(rows["operation"]), *took)


def in_batches(server: Running, numbers: Sequence[int], name: str) -> Measured:
    """One device pushes them as a field client does."""
    pushed, _slowest_s = at_once(server, [numbers], BATCH)
    return Measured(name, pushed.count, pushed.wall_s, pushed.cpu_s)


def at_once(server: Running, numbers: Sequence[Sequence[int]], size: int) -> tuple[Measured, float]:
    """Each device pushes its numbers in batches of `size`, all of them at once; and the longest that a push took."""
    pushes = [
        [gzip.compress(_batch(device, own[start : start + size]), 6) for start in range(0, len(own), size)]
        for device, own in enumerate(numbers)
    ]
    with ThreadPoolExecutor(len(pushes)) as pool:
        wall, cpu = time.perf_counter(), server.cpu_s()
        slowest_s = max(pool.map(lambda device: _push(server, device, pushes[device]), range(len(pushes))))
        took = time.perf_counter() - wall, server.cpu_s() - cpu
    return Measured("", sum(map(len, numbers)), *took), slowest_s


def edits(server: Running, numbers: Sequence[int], name: str, *, first: int = 0) -> Measured:
    """These records are changed by many devices in turn, each having seen all that was written before. A record has had
    `first` such edits already."""
    lines = [orjson.dumps(_edit(number, first + numbers[:at].count(number))) for at, number in enumerate(numbers)]
    bodies = [gzip.compress(b"\n".join([_head(0), *lines[at : at + 10]]), 6) for at in range(0, len(lines), 10)]
    wall, cpu = time.perf_counter(), server.cpu_s()
    _push(server, 0, bodies)
    return Measured(name, len(lines), time.perf_counter() - wall, server.cpu_s() - cpu)


def _push(server: Running, device: int, bodies: Sequence[bytes]) -> float:
    """NDJSON, gzip."""
    slowest_s = 0.0
    with requests.Session() as session:
        session.headers.update(
            {
                "Authorization": f"Bearer {server.client_tokens[device]}",
                "Content-Type": "application/x-ndjson",
                "Content-Encoding": "gzip",
            }
        )
        for body in bodies:
            answer = session.post(f"{server.address}/v1/projects/1/sync/push", data=body, timeout=120)
            answer.raise_for_status()
            slowest_s = max(slowest_s, answer.elapsed.total_seconds())
            _require(all(item["verdict"] in ("accepted", "duplicate") for item in answer.json()["items"]), answer.text)
    return slowest_s


def one_by_one(server: Running, instances: Sequence[str], name: str) -> Measured:
    """Send them as ODK Collect does: multipart, each a request of its own."""
    address = f"{server.address}/v1/key/{server.collect_token}/projects/1/submission?deviceID=bench"
    with requests.Session() as session:
        session.headers["X-OpenRosa-Version"] = "1.0"
        wall, cpu = time.perf_counter(), server.cpu_s()
        for xml in instances:
            answer = session.post(address, files=_part(xml), timeout=60)
            _require(answer.status_code == 201, answer.text)
        return Measured(name, len(instances), time.perf_counter() - wall, server.cpu_s() - cpu)


@contextmanager
def running(folder: Path, database_url: str) -> Iterator[Running]:
    """A real `lapangan serve` on a database of its own."""
    port, secret = _free_port(), "b" * 64
    engine = connect(database_url)
    install.upgrade(engine)
    install.ensure_installation(engine, now=datetime.now(UTC))
    tokens = in_transaction(engine, lambda session: prepare(session, secret))
    engine.dispose()
    environment = os.environ | {
        "LAPANGAN_DATA_DIR": str(folder),
        "LAPANGAN_DATABASE_URL": database_url,
        "LAPANGAN_SECRET_KEY": secret,
        "LAPANGAN_LOG_LEVEL": "ERROR",
        "LAPANGAN_PORT": str(port),
    }
    command = [sys.executable, "-m", "server.cli", "serve"]
    process = subprocess.Popen(command, env=environment)
    try:
        server = Running(process, database_url, f"http://127.0.0.1:{port}", *tokens)
        _wait_for(server)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def prepare(session: Session, secret: str) -> tuple[list[str], str]:
    """A project with the form and all devices; the tokens of the field clients and that of ODK Collect."""
    now, file = datetime.now(UTC), form_file()
    project = projects.create_project(session, name="Bench", actor=SYSTEM, now=now)
    publish.save_draft(session, project.project_id, file.xform, workbook=None, workbook_name="", actor=SYSTEM, now=now)
    publish.publish(session, project.project_id, "questionnaire", actor=SYSTEM, now=now)
    enrolled = []
    for number in range(max(DEVICES)):
        name = f"bench {number}"
        code = devices.create_enrolment(session, project, name=name, actor=SYSTEM, now=now, ttl_s=600)
        enrolled.append(devices.enrol(session, code.code, kind="client", user_agent="bench", now=now).token)
    collect = devices.create_app_user(session, project, name="collect", actor=SYSTEM, now=now, secret_key=secret)
    return enrolled, devices.app_user_token(collect, secret)


def _head(device: int) -> bytes:
    return orjson.dumps({"v": 1, "origin": _origin(device), "sent_at": datetime.now(UTC).isoformat()})


def _batch(device: int, numbers: Sequence[int]) -> bytes:
    lines = [_head(device)]
    lines += [orjson.dumps(_operation(device, number, instance(number))) for number in numbers]
    return b"\n".join(lines) + b"\n"


def _operation(device: int, number: int, xml: str) -> dict[str, object]:
    return {
        "op": f"00000000-0000-7000-8000-{number:012x}",
        "origin": _origin(device),
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


def _edit(number: int, before: int) -> dict[str, object]:
    """What one of many devices changes in a record that has had so many edits."""
    made = {f"author {edit % AUTHORS} of {number}": edit + 1 for edit in range(before)}
    origin = f"author {before % AUTHORS} of {number}"
    return _operation(0, number, "") | {
        "op": f"00000000-0000-7000-{0x9000 + before:04x}-{number:012x}",
        "origin": origin,
        "n": before + 1,
        "prev": made.pop(origin, 0),
        "context": {_origin(0): number + 1, **made},
        "xml": None,
        "set": {"count_00": str(before % 20 + 1)},
    }


def _origin(device: int) -> str:
    return f"bench~{device:010x}"


def _part(xml: str) -> dict[str, tuple[str, bytes, str]]:
    return {"xml_submission_file": ("submission.xml", xml.encode(), "text/xml")}


def _bytes_of_a_batch(instances: Sequence[str]) -> int:
    body = gzip.compress(_batch(0, range(len(instances))), 6)
    return _bytes_of(requests.Request("POST", "http://server/v1/projects/1/sync/push", data=body))


def _bytes_of_a_post(xml: str) -> int:
    return _bytes_of(requests.Request("POST", "http://server/v1/key/-/projects/1/submission", files=_part(xml)))


def _bytes_of(request: requests.Request) -> int:
    prepared = requests.Session().prepare_request(request)
    head = sum(len(name) + len(value) + 4 for name, value in prepared.headers.items())
    return len(f"POST {prepared.path_url} HTTP/1.1\r\n\r\n") + head + len(prepared.body or b"")


def _bare_sqlite(database_url: str) -> Any:
    """A connection to the server's file, with a database beside it that has the same tables and indexes."""
    path = make_url(database_url).database or ""
    source = sqlite_driver().connect(path)
    connection = sqlite_driver().connect(f"{path}.rows", isolation_level=None)
    connection.execute("PRAGMA page_size=8192")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    for table in ROWS_OF:
        made = source.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC", (table,)
        )
        for (statement,) in made.fetchall():
            connection.execute(statement)
        connection.execute(f"ALTER TABLE {table} RENAME TO raw_{table}")
    connection.execute("ATTACH ? AS given", (path,))
    source.close()
    return connection


def _bare_address(database_url: str) -> str:
    address = make_url(database_url).set(drivername="postgresql")
    return address.render_as_string(hide_password=False)


def _rows_as_text(connection: Any, table: str) -> list[tuple[Any, ...]]:
    if not isinstance(connection, psycopg.Connection):
        return list(connection.execute(f"SELECT * FROM given.{table}").fetchall())
    connection.execute(f"CREATE TABLE raw_{table} (LIKE {table} INCLUDING ALL)")
    described = connection.execute(f"SELECT * FROM {table} LIMIT 0").description or []
    columns = ", ".join(f'"{column.name}"::text' for column in described)
    return connection.execute(f"SELECT {columns} FROM {table}").fetchall()


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
