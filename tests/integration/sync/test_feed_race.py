"""Many writers and readers at once: the feed skips nothing, and rows that the database numbers itself get skipped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from sync import feed, operations
from sync.access import Actor, Role
from sync.engine import reader, writer
from sync.models import Project
from tests.integration.sync.field import Field, Tablet, new_id

WRITERS, EACH = 8, 12
ROWS_AT_ONCE = 10
MOST_ROUNDS = 10


@dataclass
class Reader:
    """Goes on from its cursor again and again, and notes what it was told."""

    read: Callable[[Reader], None]
    cursor: str = ""
    passed: int = 0
    seen: set[str] = field(default_factory=set)

    def follow(self, stopped: threading.Event) -> None:
        while not stopped.wait(0.001):
            self.read(self)
        self.read(self)


class Naive:
    """What one writes first: a serial column, and a reader that asks for `seq > cursor`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        serial = "bigserial" if engine.dialect.name == "postgresql" else "integer"
        with engine.begin() as connection:
            connection.execute(text(f"CREATE TABLE naive (seq {serial} PRIMARY KEY, name text NOT NULL)"))

    def write(self, names: list[str]) -> None:
        with writer(self.engine), self.engine.begin() as connection:
            for name in names:
                connection.execute(text("INSERT INTO naive (name) VALUES (:name)"), {"name": name})

    def read(self, who: Reader) -> None:
        with reader(self.engine).connect() as connection:
            found = text("SELECT seq, name FROM naive WHERE seq > :passed ORDER BY seq")
            for seq, name in connection.execute(found, {"passed": who.passed}):
                who.passed = seq
                who.seen.add(name)

    def skipped(self, who: Reader) -> int:
        with self.engine.connect() as connection:
            kept = {row.name for row in connection.execute(text("SELECT name FROM naive"))}
        return len(kept - who.seen)


def race(write: list[Callable[[], None]], *readers: Reader) -> None:
    """All write at once while all read; the readers have the last word."""
    stopped = threading.Event()
    with ThreadPoolExecutor(len(write) + len(readers)) as threads:
        following = [threads.submit(reader.follow, stopped) for reader in readers]
        writing = [threads.submit(act) for act in write]
        try:
            for one in writing:
                one.result()
        finally:
            stopped.set()
        for one in following:
            one.result()


def as_device(field: Field) -> Reader:
    """Records, by the cursor of a page."""
    actor = Actor("account", id="x", roles={field.project_id: Role.SUPERVISOR})

    def read(who: Reader) -> None:
        with Session(reader(field.engine)) as session:
            project = session.get_one(Project, field.project_id)
            page = feed.pull(session, project, device=None, actor=actor, cursor=who.cursor, limit=500, now=field.now)
        who.cursor = page.cursor
        who.seen |= {record["record"] for record in page.records}

    return Reader(read)


def as_server(field: Field) -> Reader:
    """Operations, by number."""

    def read(who: Reader) -> None:
        with Session(reader(field.engine)) as session:
            sent = operations.after(session, field.project_id, who.passed, limit=500)
        who.passed = max(who.passed, sent.until)
        who.seen |= {one.op_id for one in sent.operations}

    return Reader(read)


def test_writers_at_once_make_the_feed_skip_nothing_and_numbers_of_the_database_skip_rows(
    engine: Engine, field: Field
) -> None:
    """On PostgreSQL such a number is taken before anybody can see the row that has it, and rows with greater ones may
    be seen first. SQLite lets one writer in at a time: there nothing can come between, and the scheme seems to work."""
    is_postgres = engine.dialect.name == "postgresql"
    tablets = [field.tablet(f"d-{number}") for number in range(WRITERS)]
    naive, device, server = Naive(engine), as_device(field), as_server(field)
    records: set[str] = set()
    made: set[str] = set()
    skipped = rounds = 0

    def write(tablet: Tablet, ops: list[dict[str, Any]]) -> None:
        for op in ops:
            field.push(tablet, op)
            naive.write([f"{op['op']}/{row}" for row in range(ROWS_AT_ONCE)])

    while not skipped and rounds < (MOST_ROUNDS if is_postgres else 1):
        ops = {one.device_id: [one.fill_in(new_id(), nama="Siti") for _op in range(EACH)] for one in tablets}
        records |= {op["record"] for some in ops.values() for op in some}
        made |= {op["op"] for some in ops.values() for op in some}
        naive_reader = Reader(naive.read)
        race([partial(write, one, ops[one.device_id]) for one in tablets], device, server, naive_reader)
        skipped, rounds = naive.skipped(naive_reader), rounds + 1

    assert records - device.seen == set()
    assert made - server.seen == set()
    assert (skipped > 0) is is_postgres
