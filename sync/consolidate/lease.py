"""Who runs a job: a row that one process holds at a time, taken by one conditional UPDATE.

It works the same on SQLite and PostgreSQL, behind a pooler too, and lapses by itself when its holder is killed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

from sqlalchemy import CursorResult, Engine, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync.engine import in_transaction
from sync.identity import token
from sync.models import JobLease

log = logging.getLogger("lapangan.jobs")

TTL = timedelta(seconds=30)
BEAT_S = 8.0
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lease:
    """Proof that this process took the row, valid while nobody has taken it since."""

    name: str
    owner: str


def take(session: Session, name: str, *, now: datetime, ttl: timedelta = TTL) -> Lease | None:
    """The lease until `now` + `ttl`, or None while somebody else holds it."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(JobLease).values(name=name, owner="", until_at=LONG_AGO, epoch=0).on_conflict_do_nothing())
    lease = Lease(name, token())
    taken = session.execute(
        update(JobLease)
        .where(JobLease.name == name, JobLease.until_at <= now)
        .values(owner=lease.owner, until_at=now + ttl, epoch=JobLease.epoch + 1)
    )
    return lease if _changed(taken) else None


def renew(session: Session, *, lease: Lease, now: datetime, ttl: timedelta = TTL) -> bool:
    """Whether the lease was still ours; then it runs until `now` + `ttl`."""
    return _set(session, lease, now + ttl)


def release(session: Session, lease: Lease) -> bool:
    """Whether the lease was still ours; then the next one may take it at once."""
    return _set(session, lease, LONG_AGO)


@contextmanager
def beating(engine: Engine, lease: Lease, *, now: datetime, every_s: float = BEAT_S) -> Iterator[None]:
    """Renew the lease in the background for as long as the work inside takes."""
    began, done = time.monotonic(), threading.Event()

    def beat() -> None:
        while not done.wait(every_s):
            then = now + timedelta(seconds=time.monotonic() - began)
            try:
                in_transaction(engine, partial(renew, lease=lease, now=then))
            except (SQLAlchemyError, Problem):
                log.warning("could not renew the lease of %s; trying again", lease.name, exc_info=True)

    heart = threading.Thread(target=beat, name=f"lease of {lease.name}", daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()


def _set(session: Session, lease: Lease, until_at: datetime) -> bool:
    done = session.execute(
        update(JobLease).where(JobLease.name == lease.name, JobLease.owner == lease.owner).values(until_at=until_at)
    )
    return _changed(done)


def _changed(result: object) -> bool:
    return cast("CursorResult[tuple[()]]", result).rowcount == 1
