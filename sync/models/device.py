"""Devices (tablets, field clients, app users of ODK Collect) and the codes that enrol them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Device(Base):
    """Something that sends submissions. Its token is 256 random bits of which only the SHA-256 is kept.

    A device of kind "collect" is an app user: its token stands in the server URL of ODK Collect."""

    __tablename__ = "device"
    __table_args__ = (
        UniqueConstraint("project_id", "token_sha256"),
        UniqueConstraint("project_id", "number"),
        CheckConstraint("kind in ('client', 'tablet', 'collect', 'server')", name="kind"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    device_id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(Name)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.account_id"))
    """Whose device it is; None for a shared one."""
    token_sha256: Mapped[str] = mapped_column(Id)
    token: Mapped[str] = mapped_column(Name, default="")
    """Only for app users of ODK Collect: the nonce from which, with the secret key, their token is derived again."""
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    skew_ms: Mapped[int | None] = mapped_column(Integer)
    """The device's clock minus ours, at its last sync."""
    waiting: Mapped[int | None] = mapped_column(Integer)
    """What it said was still in its outbox after its last sync."""
    user_agent: Mapped[str] = mapped_column(Name, default="")
    properties: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What entity lists are filtered by: "rt" -> "03, 04"."""


class Enrolment(Base):
    """A short code, usable once, that turns a fresh device into an enrolled one."""

    __tablename__ = "enrolment"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "device_id"], ["device.project_id", "device.device_id"]),
        Index(None, "code_sha256"),  # whoever types a code does not know its project yet
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    code_sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), default="device")
    """"device", or "server": whoever uses it forwards the work of others, with their rank."""
    name: Mapped[str] = mapped_column(Name)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.account_id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    device_id: Mapped[str | None] = mapped_column(Id)
    """The device that used it."""
