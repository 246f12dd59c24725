"""Projects, who works in them, and the installation that holds them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Installation(Base):
    """This server: one row. `epoch` rises at every restore from a backup."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("durable_by in ('backup', 'database')", name="durable_by"),)

    server_id: Mapped[str] = mapped_column(Id, primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, default=1)
    durable_by: Mapped[str] = mapped_column(String(10), default="backup")
    """What makes an acknowledged operation safe for ever: a "backup", or the "database" itself (replication)."""
    created_at: Mapped[datetime]


class Project(Base):
    """A study. `number` is the small integer of the REST API; `head` the feed's last sequence number.

    `head` is raised by the last statement of each transaction that writes to the feed: that row lock is what
    makes the feed free of gaps."""

    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("number"),)

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Name)
    description: Mapped[str] = mapped_column(Text, default="")
    is_synthetic: Mapped[bool] = mapped_column(default=False)
    head: Mapped[int] = mapped_column(BigInteger, default=0)
    durable_seq: Mapped[int | None] = mapped_column(BigInteger)
    """The head that the latest backup holds; 0 while the first one is made, None before it."""
    forgotten_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """Nobody is told any more of what was deleted up to here: who has read less reads everything again."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class Membership(Base):
    """The role of an account in a project; what a role may do is data in sync/access.py."""

    __tablename__ = "membership"
    __table_args__ = (CheckConstraint("role in ('manager', 'supervisor', 'enumerator', 'viewer')", name="role"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("account.account_id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    since_at: Mapped[datetime]
