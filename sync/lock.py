"""The lock that all who change a project's records take first."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.models import Project


def lock_project(session: Session, project_id: str) -> None:
    """Nobody else changes records of this project until this transaction ends.

    NO KEY UPDATE, since foreign keys to the project take KEY SHARE: landing and uploads need not wait. On SQLite
    BEGIN IMMEDIATE has taken care of it already."""
    session.execute(select(Project.head).where(Project.project_id == project_id).with_for_update(key_share=True))
