"""The audit log: who did what to what, and when. Rows are added, never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Event(Base):
    """`project_id` is SITE for what belongs to no project."""

    __tablename__ = "event"
    __table_args__ = (Index(None, "project_id", "target_id"), Index(None, "project_id", "at"))

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    event_id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(60))
    """"submission.approve", "form.publish", "login.fail" ..."""
    actor_kind: Mapped[str] = mapped_column(String(12))
    """"account", "device", "system"."""
    actor_id: Mapped[str] = mapped_column(Id, default="")
    actor_name: Mapped[str] = mapped_column(Name, default="")
    target_kind: Mapped[str] = mapped_column(String(20), default="")
    target_id: Mapped[str] = mapped_column(Name, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
