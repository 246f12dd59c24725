"""Submissions as they stand now: all of it can be rebuilt from the operations, but for reviews of findings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class Submission(Base):
    """One record, folded from its operations."""

    __tablename__ = "submission"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "form_id"], ["form.project_id", "form.form_id"]),
        CheckConstraint(
            "review_state in ('received', 'edited', 'has_issues', 'rejected', 'approved')", name="review_state"
        ),
        Index(None, "project_id", "form_id", "received_at"),
        Index(None, "project_id", "review_state"),
        Index(None, "project_id", "received_at"),
    )

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    instance_id: Mapped[str] = mapped_column(Name, primary_key=True)
    form_id: Mapped[str] = mapped_column(Name)
    version: Mapped[str] = mapped_column(Name)
    instance_name: Mapped[str] = mapped_column(Name, default="")
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Nested lexical answers of the merged record."""
    xml: Mapped[str | None] = mapped_column(Text, deferred=True)
    """Written by the merge; None while the record is exactly the instance of `op_id`."""
    op_id: Mapped[str] = mapped_column(Id)
    """The operation that was shown last; with `revision` it names the version that a number came from."""
    vector: Mapped[dict[str, Any]] = mapped_column(default=dict)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    """How many operations have been folded into it."""
    review_state: Mapped[str] = mapped_column(String(12), default="received")
    is_deleted: Mapped[bool] = mapped_column(default=False)
    account_id: Mapped[str | None] = mapped_column(Id)
    """The enumerator."""
    device_id: Mapped[str | None] = mapped_column(Id)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    errors: Mapped[int] = mapped_column(Integer, default=0)
    """Open findings by severity."""
    warnings: Mapped[int] = mapped_column(Integer, default=0)
    conflicts: Mapped[int] = mapped_column(Integer, default=0)
    attachments_missing: Mapped[int] = mapped_column(Integer, default=0)
    seq: Mapped[int] = mapped_column(BigInteger, default=0)


class SubmissionAlias(Base):
    """The instanceID of an edit, and the record that it belongs to."""

    __tablename__ = "submission_alias"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    alias: Mapped[str] = mapped_column(Name, primary_key=True)
    instance_id: Mapped[str] = mapped_column(Name)


class SubmissionAttachment(Base):
    """A file that a submission names (`is_expected`) or brought along; `sha256` is None until it has arrived."""

    __tablename__ = "submission_attachment"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "instance_id"], ["submission.project_id", "submission.instance_id"]),
        Index(None, "project_id", "sha256"),
        # Few wait, of many: every pull asks which.
        Index(
            "ix_submission_attachment_waiting",
            "project_id",
            "instance_id",
            postgresql_where=text("arrived_at IS NULL"),
            sqlite_where=text("arrived_at IS NULL"),
        ),
    )

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    instance_id: Mapped[str] = mapped_column(Name, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    is_expected: Mapped[bool] = mapped_column(default=True)
    sha256: Mapped[str | None] = mapped_column(Id)
    """What its author announced; the bytes are here when the blob is."""
    size: Mapped[int | None] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(Name, default="")
    arrived_at: Mapped[datetime | None]


class SubmissionFinding(Base):
    """A finding on the record as it stands. Its review outlives a new check while path, rule and value are the same."""

    __tablename__ = "submission_finding"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "instance_id"], ["submission.project_id", "submission.instance_id"]),
        CheckConstraint("state in ('open', 'dismissed')", name="state"),
    )

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    instance_id: Mapped[str] = mapped_column(Name, primary_key=True)
    rule: Mapped[str] = mapped_column(String(20), primary_key=True)
    path: Mapped[str] = mapped_column(Name, primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, default=0)
    """Tells two findings of one rule on one path apart."""
    severity: Mapped[str] = mapped_column(String(8))
    value: Mapped[str] = mapped_column(Text, default="")
    message: Mapped[dict[str, Any]] = mapped_column(default=dict)
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_certain: Mapped[bool] = mapped_column(default=True)
    state: Mapped[str] = mapped_column(String(10), default="open")
    note: Mapped[str] = mapped_column(Text, default="")
    """Why it was dismissed."""
    account_id: Mapped[str | None] = mapped_column(Id)
    reviewed_at: Mapped[datetime | None]


class Conflict(Base):
    """A path for which people wrote different values without seeing each other. Open while the row stands."""

    __tablename__ = "conflict"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    record_id: Mapped[str] = mapped_column(Name, primary_key=True)
    path: Mapped[str] = mapped_column(Name, primary_key=True)
    """"" for edit against delete; "@" and a name for two files of one name, whose values are their hashes."""
    siblings: Mapped[list[Any]] = mapped_column(default=list)
    """[{"op", "value", "at", "account", "device", "is_shown", "is_delete"}], the shown one first; of an edit against a
    delete also "changes", what each of them wrote; "file" where it brought one of the name that it wrote."""
    base: Mapped[str | None] = mapped_column(Text)
    """The value that all of them started from, where there was one."""
    opened_at: Mapped[datetime]


class Comment(Base):
    """Words about a record, or about one question of it (`path`)."""

    __tablename__ = "comment"
    __table_args__ = (Index(None, "project_id", "instance_id"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    comment_id: Mapped[str] = mapped_column(Id, primary_key=True)
    instance_id: Mapped[str] = mapped_column(Name)
    path: Mapped[str] = mapped_column(Name, default="")
    body: Mapped[str] = mapped_column(Text)
    account_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime]
