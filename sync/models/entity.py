"""Entity lists (registries such as the informants) and their entities, folded from operations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base, Id, Name


class EntityList(Base):
    """A registry. `properties` are the names that forms or people have declared, in order; `settings` what the list
    asks of them: see sync.entities.list_rules."""

    __tablename__ = "entity_list"

    project_id: Mapped[str] = mapped_column(ForeignKey("project.project_id"), primary_key=True)
    name: Mapped[str] = mapped_column(Name, primary_key=True)
    properties: Mapped[list[Any]] = mapped_column(default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class Entity(Base):
    """One thing or person of a list, as it stands now."""

    __tablename__ = "entity"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "list_name"], ["entity_list.project_id", "entity_list.name"]),
        Index(None, "project_id", "list_name"),
        Index(None, "project_id", "seq"),
    )

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    entity_id: Mapped[str] = mapped_column(Id, primary_key=True)
    list_name: Mapped[str] = mapped_column(Name)
    label: Mapped[str] = mapped_column(Name)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    version: Mapped[int] = mapped_column(Integer)
    vector: Mapped[dict[str, Any]] = mapped_column(default=dict)
    op_id: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str | None] = mapped_column(Id)
    """Who registered it, with which device; of several who did so without seeing each other, the first."""
    device_id: Mapped[str | None] = mapped_column(Id)
    is_approved: Mapped[bool] = mapped_column(default=False)
    """Somebody has written something by hand, or approved a record that registers it: where the list asks for that,
    devices get it."""
    was_contested: Mapped[bool] = mapped_column(default=False)
    """People have written one of its properties without seeing each other, at whatever time: how its list merges
    values may decide what it says."""
    is_deleted: Mapped[bool] = mapped_column(default=False)
    conflicts: Mapped[int] = mapped_column(Integer, default=0)
    heads: Mapped[int] = mapped_column(Integer, default=1)
    """Changes that nobody has built on yet. With more than one the entity was merged, and no person has looked."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    seq: Mapped[int] = mapped_column(BigInteger, default=0)


class EntityVersion(Base):
    """The entity after one operation. `vector` is what an offline edit based on this version had seen."""

    __tablename__ = "entity_version"
    __table_args__ = (ForeignKeyConstraint(["project_id", "entity_id"], ["entity.project_id", "entity.entity_id"]),)

    project_id: Mapped[str] = mapped_column(Id, primary_key=True)
    entity_id: Mapped[str] = mapped_column(Id, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    label: Mapped[str] = mapped_column(Name)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    vector: Mapped[dict[str, Any]] = mapped_column(default=dict)
    op_id: Mapped[str] = mapped_column(Id)
    instance_id: Mapped[str] = mapped_column(Name, default="")
    """The submission that made it, "" when it was edited by hand."""
    at: Mapped[datetime]
