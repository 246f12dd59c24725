"""The REST API under /v1, shaped as ODK Central's where Central has the thing."""

from __future__ import annotations

from server.api import (
    accounts,
    app_users,
    attachments,
    audits,
    changes,
    datasets,
    drafts,
    form_attachments,
    form_papers,
    forms,
    projects,
    reviews,
    sessions,
    submissions,
    tasks,
    versions,
)
from server.api.blueprint import bp

__all__ = [
    "accounts",
    "app_users",
    "attachments",
    "audits",
    "bp",
    "changes",
    "datasets",
    "drafts",
    "form_attachments",
    "form_papers",
    "forms",
    "projects",
    "reviews",
    "sessions",
    "submissions",
    "tasks",
    "versions",
]
