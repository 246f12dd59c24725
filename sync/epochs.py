"""The lives of this server. A restore from a backup opens a new epoch; what the old one acknowledged after the state
that was restored is not here any more, and devices push it again.

An epoch's number is never used twice, also when one backup is restored twice: whoever holds an acknowledgement of a
life that this server does not remember knows by the number that it must send again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, exists, insert, select, true, update
from sqlalchemy.orm import Session

from sync.access import Actor
from sync.models import Backup, Epoch, Fork, Installation, Project
from sync.record import record
from sync.rows import table_of

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
FIRST_EPOCH = 1
LARGEST_STEP = 10**6
"""Cursors have room for a thousand of them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a receipt and a page of the feed say about the server and the project."""

    server_id: str
    epoch: int
    forks: tuple[Mapping[str, int], ...]
    """[{"epoch": 2, "seq": 10412}]: what has a greater seq of that epoch must be pushed again, and all that was
    acknowledged in an epoch that is not named."""
    head: int
    durable_seq: int
    """Up to here not even a restore from the latest backup loses anything."""
    durable_by: str
    """"database": what is acknowledged is durable for ever; "backup": what `durable_seq` covers."""

    def continues(self, epoch: int, seq: int) -> bool:
        """Whether the feed up to this point of that epoch is the feed that is here."""
        if epoch == self.epoch:
            return seq <= self.head
        return any(fork["epoch"] == epoch and seq <= fork["seq"] for fork in self.forks)


def standing(session: Session, project_id: str) -> Standing:
    """How things stand now. Before the first backup there is nothing that could be restored: the head is durable. Of
    a project that came after it, no backup holds anything yet."""
    found = session.execute(_STANDING, {"project_id": project_id}).one()
    is_durable = found.durable_by == "database" or (found.durable_seq is None and not found.has_backup)
    return Standing(
        found.server_id,
        found.epoch,
        _forks(session, project_id) if found.epoch > FIRST_EPOCH else (),
        found.head,
        found.head if is_durable else found.durable_seq or 0,
        "database" if is_durable else "backup",
    )


# Every page and every receipt asks it: put together once.
_STANDING = (
    select(
        *(Installation.server_id, Installation.epoch, Installation.durable_by, Project.head, Project.durable_seq),
        exists().where(Backup.backup_id != "").label("has_backup"),
    )
    .join_from(Project, Installation, true())
    .where(Project.project_id == bindparam("project_id"))
)


def await_backup(session: Session) -> None:
    """A first backup begins: what is acknowledged while it is made is not in it."""
    session.execute(update(Project).where(Project.durable_seq.is_(None)).values(durable_seq=0))


def open_epoch(session: Session, *, source: str, state_at: datetime | None, now: datetime) -> int:
    """The database that is here was restored: its feed goes on in a new epoch. The number of that epoch."""
    installation = session.scalars(select(Installation)).one()
    ended = installation.epoch
    opened = max(_after(ended, state_at, now), int((now - BEGAN).total_seconds()))
    heads = session.execute(select(Project.project_id, Project.head)).all()
    if heads:
        rows = [{"project_id": project_id, "epoch": ended, "seq": head} for project_id, head in heads]
        session.execute(insert(table_of(Fork)), rows)
    told = {"epoch": opened, "opened_at": now, "after": ended, "source": source[:255], "state_at": state_at}
    session.execute(insert(table_of(Epoch)), [told])
    # What was restored is what the backup held; without one, nothing is known to be safe from the next accident.
    session.execute(update(Project).values(durable_seq=Project.head))
    session.execute(update(Installation).values(epoch=opened))
    session.expire_all()
    return opened


def _after(ended: int, state_at: datetime | None, now: datetime) -> int:
    """A number that no other life has had. Where the clock has been put back it may say the same for the second restore
    of a backup as for the first: then chance keeps them apart."""
    is_clock_behind = now < max(BEGAN + timedelta(seconds=ended), state_at or BEGAN)
    return ended + 1 + (secrets.randbelow(LARGEST_STEP) if is_clock_behind else 0)


def note_epoch(session: Session, epoch: int, *, actor: Actor, now: datetime) -> None:
    """The restore stands in the audit log."""
    opened = session.get_one(Epoch, epoch)
    detail = {"epoch": epoch, "after": opened.after, "source": opened.source}
    record(session, "server.restore", actor=actor, at=now, target=("epoch", str(epoch)), detail=detail)


def declare(session: Session, durable_by: str) -> None:
    """The operator says what makes data safe for ever: "backup" or "database"."""
    session.execute(update(Installation).where(Installation.durable_by != durable_by).values(durable_by=durable_by))


def _forks(session: Session, project_id: str) -> tuple[Mapping[str, int], ...]:
    rows = session.execute(select(Fork.epoch, Fork.seq).where(Fork.project_id == project_id).order_by(Fork.epoch))
    return tuple({"epoch": epoch, "seq": seq} for epoch, seq in rows)
