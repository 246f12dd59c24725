"""The audit log."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from schemas.account import EventFilterSchema, EventSchema
from server.api.blueprint import bp, query, shown
from server.auth import actor, require_login
from server.db import session
from server.projects import project
from sync import access, audit


@bp.get("/audits")
def list_events() -> ResponseReturnValue:
    """Everything that happened on this server, the newest first."""
    require_login()
    access.require(actor(), "event.read")
    return shown(EventSchema(), audit.events(session(), audit.Filter(**query(EventFilterSchema()))), many=True)


@bp.get("/projects/<int:number>/audits")
def list_project_events(number: int) -> ResponseReturnValue:
    """What happened in one project, the newest first."""
    found = project(number)
    access.require(actor(), "event.read", found.project_id)
    wanted = audit.Filter(**query(EventFilterSchema()), project_id=found.project_id)
    return shown(EventSchema(), audit.events(session(), wanted), many=True)
