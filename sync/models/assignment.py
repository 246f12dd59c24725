"""Who is to visit whom with which form by when, folded from operations. What has been done is counted, never kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Assignment(Base):
    """A piece of work that somebody was given.

    Form, person and entity may be known to another server only: none of them is a foreign key."""

    __tablename__ = "assignment"
    __table_args__ = (
        CheckConstraint("state in ('open', 'withdrawn')", name="state"),
        Index(None, "project_id", "assignee_id"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    assignment_id: Mapped[str] = mapped_column(Id, primary_key=True)
    form_id: Mapped[str] = mapped_column(Name)
    assignee_id: Mapped[str] = mapped_column(Id)
    """The account whose work it is; of a device that belongs to nobody, the device."""
    entity_id: Mapped[str] = mapped_column(Id, default="")
    """Whom or what it is about; "" for nobody in particular."""
    due: Mapped[str] = mapped_column(String(10), default="")
    """The last day as YYYY-MM-DD, where the fieldwork is; "" when there is none."""
    target: Mapped[int] = mapped_column(Integer, default=1)
    """How many records are wanted."""
    note: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(String(10), default="open")
    account_id: Mapped[str | None] = mapped_column(Id)
    """Who gave it."""
    assigned_at: Mapped[datetime]
    """By the clock of the server on which it was given: the same everywhere. Records from then on count."""
    vector: Mapped[dict[str, Any]] = mapped_column(default=dict)
    op_id: Mapped[str] = mapped_column(Id)
    conflicts: Mapped[int] = mapped_column(Integer, default=0)
    updated_at: Mapped[datetime]
    seq: Mapped[int] = mapped_column(BigInteger, default=0)
