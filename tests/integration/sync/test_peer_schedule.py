"""When other servers are tried again, by a clock of the test's own, and how the access to them is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync import peers
from sync.attach import BlobStore
from sync.consolidate import JOBS
from sync.device.link import Link
from sync.engine import in_transaction
from sync.models import Peer
from sync.peers.schedule import FIRST_PAUSE, LONGEST_PAUSE, SPREAD
from sync.seal import CannotUnseal, is_sealed, seal, unseal
from tests.conftest import NOW, Team

SECRET = "k" * 64
BEAT = timedelta(minutes=5)
NOBODY = "http://127.0.0.1:9"


def add_peer(session: Session, project_id: str, name: str, **columns: Any) -> None:
    peer = Peer(project_id=project_id, peer_id=f"s-{name}", name=name, base=NOBODY, number=1, device_id="d", token="t")
    peer.added_at = NOW
    for column, value in columns.items():
        setattr(peer, column, value)
    session.add(peer)


@pytest.fixture
def beat(engine: Engine, a_project: Team, tmp_path: Any) -> Callable[[datetime], dict[str, Any]]:
    """What the scheduled job does at an instant."""
    in_transaction(engine, lambda session: add_peer(session, a_project.project_id, "centre"))
    blobs = BlobStore(tmp_path / "blobs")
    quick = partial(Link, attempts=1, sleep=lambda _pause: None)
    return lambda at: peers.sync_due(engine, blobs, secret_key=SECRET, connect=quick, clock=lambda: at)


def test_a_server_that_cannot_be_reached_is_tried_less_and_less_often(
    engine: Engine, beat: Callable[[datetime], dict[str, Any]]
) -> None:
    assert JOBS["peers"].cron == "*/5 * * * *"
    times = [NOW + count * BEAT for count in range(2 * 24 * 12)]

    tried = [at for at in times if beat(at)["peers"]]

    pauses = [later - earlier for earlier, later in pairwise(tried)]
    for failures, pause in enumerate(pauses, 1):
        planned = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE)
        assert planned * (1 - SPREAD) <= pause <= planned * (1 + SPREAD) + BEAT
    with Session(engine) as session:
        peer = session.scalars(select(Peer)).one()
        assert peer.failures == len(tried)
        assert "cannot be reached" in peer.error


def test_one_who_cannot_be_reached_keeps_nobody_else_waiting(
    engine: Engine, a_project: Team, beat: Callable[[datetime], dict[str, Any]]
) -> None:
    beat(NOW)
    in_transaction(engine, lambda session: add_peer(session, a_project.project_id, "new"))

    assert beat(NOW + timedelta(minutes=1)) == {"peers": 1, "failed": 1, "sent": 0, "received": 0}


def test_a_server_without_an_address_is_never_called(
    engine: Engine, a_project: Team, beat: Callable[[datetime], dict[str, Any]]
) -> None:
    beat(NOW)
    in_transaction(engine, lambda session: add_peer(session, a_project.project_id, "by hand", base=""))

    assert beat(NOW + timedelta(minutes=1))["peers"] == 0


def test_a_token_that_lay_in_clear_is_sealed_with_the_next_beat(
    engine: Engine, beat: Callable[[datetime], dict[str, Any]]
) -> None:
    beat(NOW)

    with Session(engine) as session:
        peer = session.scalars(select(Peer)).one()
        assert is_sealed(peer.token)
        assert peers.token_of(peer, SECRET) == "t"
        with pytest.raises(peers.TokenUnreadable):
            peers.token_of(peer, "x" * 64)


def test_a_sealed_secret_opens_with_its_key_for_its_owner_and_unchanged_only() -> None:
    sealed = seal(SECRET, "peer a", "a token")

    assert unseal(SECRET, "peer a", sealed) == "a token"
    assert sealed != seal(SECRET, "peer a", "a token")
    changed = sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB")
    for key, owner, kept in ((SECRET, "peer b", sealed), ("x" * 64, "peer a", sealed), (SECRET, "peer a", changed)):
        with pytest.raises(CannotUnseal):
            unseal(key, owner, kept)
