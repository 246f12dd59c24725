"""One run with one peer: what both halves of it need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync.attach import BlobStore
from sync.device.errors import ServerUnreachable
from sync.device.link import Link
from sync.engine import reader
from sync.models import Peer, Project
from sync.peers.roster import note


@dataclass(slots=True)
class Carried:
    """What one synchronisation did."""

    received: int = 0
    sent: int = 0
    files_received: int = 0
    files_sent: int = 0
    quarantined: int = 0
    clashing: set[str] = field(default_factory=set)
    """Form versions that both servers have, with different content: each keeps its own."""


@dataclass(slots=True)
class Talk:
    """`link` is closed by whoever made it."""

    engine: Engine
    blobs: BlobStore
    peer: Peer
    link: Link
    clock: Callable[[], datetime]
    carried: Carried = field(default_factory=Carried)
    waiting: str | None = None
    """The digest of what waits over there; None where nobody told."""

    @property
    def project_id(self) -> str:
        return self.peer.project_id

    @property
    def path(self) -> str:
        """Of the other server's sync endpoints."""
        return f"/v1/projects/{self.peer.number}/sync"

    def reading(self, act: Callable[[Session], Any]) -> Any:
        with Session(reader(self.engine), expire_on_commit=False) as session:
            return act(session)

    def keep(self, **columns: Any) -> None:
        """These are so from now on. Refuses Overtaken: what was sent in an epoch that is over may be lost."""
        note(self.engine, self.peer, met_in=self.peer.epoch, **columns)
        for name, value in columns.items():
            setattr(self.peer, name, value)

    def own_head(self) -> int:
        return int(self.reading(lambda session: head_of(session, self.project_id)))

    def json(self, told: Any) -> Any:
        """A proxy may answer 200 with a log-in page: that is no answer."""
        if not isinstance(told, dict):
            raise ServerUnreachable(f"{self.peer.base} answered, but not as this program does.", address=self.peer.base)
        return told


def head_of(session: Session, project_id: str) -> int:
    """How far our feed has got."""
    return session.scalars(select(Project.head).where(Project.project_id == project_id)).one()


def after_restore(peer: Peer, epoch: int, forks: Iterable[Mapping[str, Any]], own_head: int) -> dict[str, Any]:
    """What is to be noted when a peer is met in another epoch: it came back from a backup. What was sent after the
    fork is sent again, and what came from there too."""
    if not peer.epoch or epoch == peer.epoch:
        return {"epoch": epoch}
    ends = {int(fork["epoch"]): int(fork["seq"]) for fork in forks}
    covered = [mark for mark in peer.marks if mark[1] <= ends.get(mark[0], -1)]
    return {
        "epoch": epoch,
        "sent_seq": max((mark[2] for mark in covered), default=0),
        "echo_seq": own_head,
        "marks": covered,
        "files_until_at": None,
    }
