"""Other servers of a project, and what people and devices are called there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Peer(Base):
    """Another server of the project; its operations and ours become one set.

    At one above, this server is enrolled like a device (`base`); one below is enrolled here (`here_id`); one that is
    met by bundles alone is known by its key."""

    __tablename__ = "peer"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    peer_id: Mapped[str] = mapped_column(Id, primary_key=True)
    """The other server's own id."""
    name: Mapped[str] = mapped_column(Name)
    base: Mapped[str] = mapped_column(Name)
    """Its address; "" when there is no line to it from here."""
    number: Mapped[int] = mapped_column(Integer)
    """Of the project over there."""
    device_id: Mapped[str] = mapped_column(Id)
    """What this server is over there."""
    here_id: Mapped[str | None] = mapped_column(Id)
    """The device that it is here."""
    public_key: Mapped[str] = mapped_column(Id, default="")
    """With which it signs its bundles: Ed25519, 64 hex digits; "" is trusted by nobody."""
    token: Mapped[str] = mapped_column(Name)
    """Sealed under the secret key: see sync.seal."""
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    """In which of its epochs it was met last."""
    own_epoch: Mapped[int] = mapped_column(Integer, default=0)
    """In which of ours all of its operations were read; less than 0 while they are."""
    cursor: Mapped[str] = mapped_column(Id, default="")
    """How far its feed has been read."""
    head: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far its feed had got then."""
    sent_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far our feed has been sent."""
    echo_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    """Up to here what came from it is sent back too: it came back from a backup and may lack it."""
    marks: Mapped[list[Any]] = mapped_column(default=list)
    """[[epoch, head, sent_seq]]: what we had sent when its feed had got so far."""
    files_until_at: Mapped[datetime | None]
    """Attachments that arrived here before have been offered."""
    lacks: Mapped[list[Any]] = mapped_column(default=list)
    """The records that it has without all of their attachments, as its latest bundle says."""
    told_at: Mapped[datetime | None]
    """When it made the latest bundle that is here, by its clock."""
    exported_at: Mapped[datetime | None]
    """When the latest bundle for it was made."""
    imported_at: Mapped[datetime | None]
    """When the latest bundle of it was taken."""
    added_at: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    synced_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer, default=0)
    """In a row."""
    error: Mapped[str] = mapped_column(Text, default="")
    quarantined: Mapped[int] = mapped_column(Integer, default=0)
    """How many of our operations it has put aside or would not take."""


class RemoteName(Base):
    """What a person or a device is called that only another server knows."""

    __tablename__ = "remote_name"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name)
