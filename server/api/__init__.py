"""The REST API under /v1, shaped as ODK Central's where Central has the thing."""

from __future__ import annotations

from server.api import accounts, app_users, audits, drafts, forms, projects, sessions, submissions
from server.api.blueprint import bp

__all__ = ["accounts", "app_users", "audits", "bp", "drafts", "forms", "projects", "sessions", "submissions"]
