"""Backups that were made, and the epochs of this server: at each restore a new one opens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Backup(Base):
    """A backup that is complete on disk. What it does not cover, devices keep and can send again."""

    __tablename__ = "backup"
    __table_args__ = (CheckConstraint("cause in ('schedule', 'person', 'restore')", name="cause"),)

    backup_id: Mapped[str] = mapped_column(Id, primary_key=True)
    made_at: Mapped[datetime]
    """The instant of the state that it holds."""
    cause: Mapped[str] = mapped_column(String(10))
    """"restore": this database itself came out of it."""
    file: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    """Of the file, without the attachments that lie beside it."""
    epoch: Mapped[int] = mapped_column(Integer)
    heads: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """project_id -> the last number of its feed that is in there."""
    rows: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[int] = mapped_column(BigInteger)
    """Attachments in there."""
    files_missing: Mapped[int] = mapped_column(BigInteger, default=0)
    """Attachments that this server should have had when it was made, and had not."""
    drilled_at: Mapped[datetime | None]
    drill_error: Mapped[str] = mapped_column(Text, default="")


class Epoch(Base):
    """A life of this server that began with a restore."""

    __tablename__ = "epoch"

    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    opened_at: Mapped[datetime]
    after: Mapped[int] = mapped_column(Integer)
    """The epoch that the restored state was of."""
    source: Mapped[str] = mapped_column(Name, default="")
    """The file that was restored, "" when the database was restored by other means."""
    state_at: Mapped[datetime | None]
    """The instant of the restored state, where it is known."""


class Fork(Base):
    """How far an earlier epoch counts in this project: what it acknowledged after `seq` is not here."""

    __tablename__ = "fork"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
