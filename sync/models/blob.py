"""Attachments by content. A row means that the bytes are stored and hash to their name."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Blob(Base):
    __tablename__ = "blob"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(Name, default="")
    created_at: Mapped[datetime]


class Upload(Base):
    """A resumable upload that has begun; how far it got is the length of its partial file."""

    __tablename__ = "upload"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(Id, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime]
