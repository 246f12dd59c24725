"""Attachments by content. A row in `blob` means that the bytes are stored and hash to their name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Blob(Base):
    __tablename__ = "blob"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(Name, default="")
    created_at: Mapped[datetime]


class RemovedBlob(Base):
    """A file that was deleted on purpose. What is known of it stays; there is no row in `blob` beside it."""

    __tablename__ = "removed_blob"
    __table_args__ = (
        CheckConstraint(
            "rule in ('orphan', 'superseded', 'rejected', 'deleted', 'approved', 'elsewhere')", name="rule"
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    size: Mapped[int | None] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(Name, default="")
    rule: Mapped[str] = mapped_column(String(12))
    """Of sync.retention.Rule; "elsewhere": another server has deleted it before it came here."""
    removed_at: Mapped[datetime]
    is_refused: Mapped[bool]
    """Who offers it is told that nobody wants it: so until something new names it."""
    is_on_disk: Mapped[bool] = mapped_column(default=True)
    """Its bytes may still lie there: the next run deletes them."""


class Upload(Base):
    """A resumable upload that has begun; how far it got is the length of its partial file."""

    __tablename__ = "upload"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime]
