"""Scheduled work: who leads, what ran, what it made, and the indicators that came out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class JobLease(Base):
    """Whoever holds the row until `until_at` runs the job; taken by one conditional UPDATE."""

    __tablename__ = "job_lease"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(Name, default="")
    until_at: Mapped[datetime]
    epoch: Mapped[int] = mapped_column(Integer, default=0)


class JobRun(Base):
    """One run of one job for one slot of its schedule; the key makes a slot run once."""

    __tablename__ = "job_run"
    __table_args__ = (
        CheckConstraint("outcome in ('running', 'done', 'failed')", name="outcome"),
        CheckConstraint("cause in ('schedule', 'catch_up', 'person')", name="cause"),
    )

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The planned instant, or "manual-<uuid>"."""
    cause: Mapped[str] = mapped_column(String(10))
    account_id: Mapped[str | None] = mapped_column(Id)
    outcome: Mapped[str] = mapped_column(String(10))
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    files: Mapped[list[Any]] = mapped_column(default=list)
    """[{"project", "name", "size"}], relative to the exports folder."""
    error: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Indicator(Base):
    """One number of the study over one group of records, with the values that it came from."""

    __tablename__ = "indicator"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    """"income_before", "income_after", "income_change", "income_change_pct"."""
    dimension: Mapped[str] = mapped_column(String(40), primary_key=True)
    """"all", "aid", "credit_use"."""
    category: Mapped[str] = mapped_column(Name, primary_key=True)
    """A choice name of the dimension, "" for all."""
    n: Mapped[int] = mapped_column(Integer)
    missing: Mapped[int] = mapped_column(Integer)
    mean: Mapped[float | None] = mapped_column(Float)
    median: Mapped[float | None] = mapped_column(Float)
    least: Mapped[float | None] = mapped_column(Float)
    most: Mapped[float | None] = mapped_column(Float)
    evidence: Mapped[list[Any]] = mapped_column(default=list)
    """[{"instance_id", "op_id", "revision", "value"}], value None when missing."""
    computed_at: Mapped[datetime]
