"""Forms, their versions (kept for ever, never changed) and their attachments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sync.models.base import Base, Id, Name


class Form(Base):
    """A form of a project. `version` is the published one that new submissions should use; None before the first."""

    __tablename__ = "form"
    __table_args__ = (CheckConstraint("state in ('open', 'closing', 'closed')", name="state"),)

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    form_id: Mapped[str] = mapped_column(Name, primary_key=True)
    title: Mapped[str] = mapped_column(Name)
    state: Mapped[str] = mapped_column(String(10), default="open")
    version: Mapped[str | None] = mapped_column(Name)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    versions: Mapped[list[FormVersion]] = relationship(
        order_by="FormVersion.published_at",
        viewonly=True,
        foreign_keys="[FormVersion.project_id, FormVersion.form_id]",
        primaryjoin="and_(Form.project_id == FormVersion.project_id, Form.form_id == FormVersion.form_id)",
    )


class FormVersion(Base):
    """The bytes that devices download. A published version never changes; `state` "draft" is the one that may.

    At most one draft a form: its key is the version it declares."""

    __tablename__ = "form_version"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "form_id"], ["form.project_id", "form.form_id"]),
        CheckConstraint("state in ('draft', 'published')", name="state"),
    )

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    form_id: Mapped[str] = mapped_column(Name, primary_key=True)
    version: Mapped[str] = mapped_column(Name, primary_key=True)
    state: Mapped[str] = mapped_column(String(10))
    title: Mapped[str] = mapped_column(Name)
    xform: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    md5: Mapped[str] = mapped_column(String(32))
    """Of `xform`; OpenRosa's form list shows it."""
    workbook: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    workbook_name: Mapped[str] = mapped_column(Name, default="")
    notices: Mapped[list[Any]] = mapped_column("warnings", default=list)
    """What its author should know, as forms.fault shapes it."""
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    account_id: Mapped[str | None] = mapped_column(ForeignKey("account.account_id"))


class FormAttachment(Base):
    """A file that a form version needs; an entity list of the same name stands in when `sha256` is None."""

    __tablename__ = "form_attachment"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project_id", "form_id", "version"],
            ["form_version.project_id", "form_version.form_id", "form_version.version"],
        ),
        ForeignKeyConstraint(["project_id", "sha256"], ["blob.project_id", "blob.sha256"]),
    )

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    form_id: Mapped[str] = mapped_column(Name, primary_key=True)
    version: Mapped[str] = mapped_column(Name, primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    sha256: Mapped[str | None] = mapped_column(Id)
    md5: Mapped[str] = mapped_column(String(32), default="")
    media_type: Mapped[str] = mapped_column(Name, default="")
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """The bytes once more when they are a table that questions look things up in: the checks know no blob store."""
    note: Mapped[str] = mapped_column(Text, default="")
