"""What arrived: batches, the inbox, the operations, and the feed that tells everyone else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Batch(Base):
    """One push as it came: a tablet's batch, or one submission by OpenRosa or REST."""

    __tablename__ = "batch"
    __table_args__ = (Index(None, "project_id", "received_at"), Index(None, "project_id", "device_id"))

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    batch_id: Mapped[str] = mapped_column(Id, primary_key=True)
    device_id: Mapped[str | None] = mapped_column(Id)
    account_id: Mapped[str | None] = mapped_column(Id)
    door: Mapped[str] = mapped_column(String(10))
    """"sync", "openrosa", "rest", "import", "server"."""
    user_agent: Mapped[str] = mapped_column(Name, default="")
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes on the wire."""
    items: Mapped[int] = mapped_column(Integer, default=0)
    verdicts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """How many items got which verdict."""
    skew_ms: Mapped[int | None] = mapped_column(Integer)
    received_at: Mapped[datetime]


class InboxItem(Base):
    """The raw bytes of one item, committed before anyone looks at them.

    A row goes when its operation is written; what cannot be placed stays, quarantined, with its reason."""

    __tablename__ = "inbox_item"
    __table_args__ = (
        CheckConstraint("state in ('landed', 'quarantined', 'released', 'discarded')", name="state"),
        Index(None, "project_id", "state", "device_id"),
        Index(None, "project_id", "op_id"),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    item_id: Mapped[str] = mapped_column(Id, primary_key=True)
    batch_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    device_id: Mapped[str | None] = mapped_column(Id)
    account_id: Mapped[str | None] = mapped_column(Id)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    op_id: Mapped[str] = mapped_column(Id, default="")
    why: Mapped[str] = mapped_column(String(40), default="")
    """The typed reason of a quarantine: see sync.verdict.Why."""
    detail: Mapped[str] = mapped_column(Text, default="")
    landed_at: Mapped[datetime]
    judged_at: Mapped[datetime | None]


class Operation(Base):
    """One immutable act of one author on one record: the only thing that replicates (docs: the sync protocol).

    `state` "ready" takes part in the fold, "held" waits for what it names in `why`, "void" only occupies its number."""

    __tablename__ = "operation"
    __table_args__ = (
        # Not unique: of two operations that claim one number each server takes the one that comes first, and what one
        # server has taken the others take too.
        Index(None, "project_id", "origin", "n"),
        CheckConstraint("state in ('ready', 'held', 'void')", name="state"),
        Index(None, "project_id", "kind", "record_id"),
        Index(None, "project_id", "batch_id"),
        Index(
            "ix_operation_cause",
            "project_id",
            "cause_id",
            postgresql_where=text("cause_id <> ''"),
            sqlite_where=text("cause_id <> ''"),
        ),
        Index(
            "ix_operation_held",
            "project_id",
            "state",
            postgresql_where=text("state = 'held'"),
            sqlite_where=text("state = 'held'"),
        ),
    )

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    op_id: Mapped[str] = mapped_column(Id, primary_key=True)
    origin: Mapped[str] = mapped_column(Name)
    n: Mapped[int] = mapped_column(BigInteger)
    prev: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(12))
    """"submission", "entity", "assignment", "review", "comment", "form", "list"."""
    record_id: Mapped[str] = mapped_column(Name)
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Version vector of the record state that the author saw: origin -> n."""
    at: Mapped[str] = mapped_column(String(40))
    """Hybrid logical clock of the author; only picks which of several flagged values is displayed."""
    rank: Mapped[int] = mapped_column(Integer, default=0)
    account_id: Mapped[str | None] = mapped_column(Id)
    device_id: Mapped[str | None] = mapped_column(Id)
    form_id: Mapped[str] = mapped_column(Name, default="")
    """For an entity: the name of its list."""
    version: Mapped[str] = mapped_column(Name, default="")
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Path -> new value, None clears; called "set" on the wire."""
    is_delete: Mapped[bool] = mapped_column(default=False)
    xml: Mapped[str | None] = mapped_column(Text, deferred=True)
    """The instance exactly as its author wrote it."""
    instance_id: Mapped[str] = mapped_column(Name, default="")
    """The instanceID of this very edit; the record keeps the first one."""
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    """[{"name", "sha256", "size", "type"}]"""
    via: Mapped[str | None] = mapped_column(Id)
    """The server that forwarded it; None for what arrived at this one."""
    cause_id: Mapped[str] = mapped_column(Id, default="")
    """The operation that this one follows from: an entity change declared by a submission, a release."""
    state: Mapped[str] = mapped_column(String(8))
    why: Mapped[str] = mapped_column(String(40), default="")
    verdict: Mapped[str] = mapped_column(String(12))
    seq: Mapped[int | None] = mapped_column(BigInteger)
    """Its number in the feed; of a void marker the number that the feed had come to."""
    batch_id: Mapped[str] = mapped_column(Id, default="")
    received_at: Mapped[datetime]


class FeedRow(Base):
    """Operation by operation, what took part in a project, without gaps from 1."""

    __tablename__ = "feed"
    __table_args__ = (UniqueConstraint("project_id", "op_id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    op_id: Mapped[str] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(12))
    record_id: Mapped[str] = mapped_column(Name)
    at: Mapped[datetime]
    """When it took part: later than it was received, if it had to wait."""
