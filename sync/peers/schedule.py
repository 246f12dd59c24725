"""When a peer is met: at once if somebody wants it, else when its time has come; after a failure later each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.device.errors import AccessEnded, ShutOut
from sync.device.link import Link
from sync.engine import in_transaction, reader
from sync.models import Peer
from sync.parcel import OtherContent
from sync.peers.errors import NoLine, NotKnownThere, Overtaken
from sync.peers.exchange import Exchange
from sync.peers.roster import listed, note, seal_all, token_of
from sync.peers.talk import Carried
from sync.record import record

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
SPREAD = 0.25
"""By so much a pause is shorter or longer: never all field offices at once."""


def sync(
    engine: Engine,
    blobs: BlobStore,
    peer: Peer,
    *,
    secret_key: str,
    connect: Callable[..., Link] = Link,
    clock: Callable[[], datetime],
) -> Carried:
    """Exchange everything with this peer, and note how it went. Refuses NoLine, TokenUnreadable,
    NotKnownThere and what `Exchange.run` refuses."""
    began = clock()
    try:
        carried = _meet(engine, blobs, peer, secret_key, connect, clock)
    except Overtaken:
        raise  # how it went is for the other exchange to note
    except Problem as problem:
        failures = peer.failures + 1
        told = f"{problem.title()}\n{problem.detail}".strip()
        next_at = began + pause(failures)
        note(engine, peer, tried_at=began, next_at=next_at, failures=failures, error=told[:2000])
        raise
    error = ""
    if carried.clashing:
        error = in_transaction(engine, lambda session: note_clashes(session, peer, carried.clashing, now=began))
    note(engine, peer, tried_at=began, synced_at=clock(), next_at=None, failures=0, error=error)
    return carried


def sync_due(
    engine: Engine,
    blobs: BlobStore,
    *,
    secret_key: str,
    connect: Callable[..., Link] = Link,
    clock: Callable[[], datetime],
) -> dict[str, Any]:
    """Every peer whose time has come; the trouble of one costs the others nothing. What happened, in numbers."""
    in_transaction(engine, lambda session: seal_all(session, secret_key))
    with Session(reader(engine), expire_on_commit=False) as session:
        due = [peer for peer in listed(session) if peer.next_at is None or peer.next_at <= clock()]
    summary = {"peers": len(due), "failed": 0, "sent": 0, "received": 0}
    for peer in due:
        try:
            carried = sync(engine, blobs, peer, secret_key=secret_key, connect=connect, clock=clock)
        except Problem:
            summary["failed"] += 1
            continue
        summary["sent"] += carried.sent
        summary["received"] += carried.received
    return summary


def pause(failures: int) -> timedelta:
    """Twice as long each time."""
    doublings = min(failures - 1, 10)
    return min(FIRST_PAUSE * int(2**doublings), LONGEST_PAUSE) * random.uniform(1 - SPREAD, 1 + SPREAD)


def note_clashes(session: Session, peer: Peer, clashing: Iterable[str], *, now: datetime) -> str:
    """That both have a form version with different content stands in the audit log; the words for it."""
    forms = sorted(clashing)
    told: dict[str, Any] = {"project_id": peer.project_id, "target": ("peer", peer.peer_id)}
    record(session, "peer.clash", actor=SYSTEM, at=now, detail={"name": peer.name, "forms": forms}, **told)
    problem = OtherContent(", ".join(forms))
    return f"{problem.title()}\n{problem.detail}"[:2000]


def _meet(
    engine: Engine,
    blobs: BlobStore,
    peer: Peer,
    secret_key: str,
    connect: Callable[..., Link],
    clock: Callable[[], datetime],
) -> Carried:
    if not peer.base:
        raise NoLine(peer.name)
    link = connect(peer.base, token=token_of(peer, secret_key))
    try:
        return Exchange(engine, blobs, peer, link, clock).run()
    except (AccessEnded, ShutOut) as refused:
        raise NotKnownThere(peer.base) from refused
    finally:
        link.close()
