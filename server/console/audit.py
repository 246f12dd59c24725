"""The audit log: who did what, and when."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server.auth import actor
from server.console.blueprint import bp
from server.console.history import ACTIONS, DEEDS
from server.console.names import Names
from server.console.submissions import offset
from server.db import session
from server.projects import project
from sync import audit as log
from sync.access import require
from sync.models import Event, Project

PAGE = 100


@bp.get("/projects/<int:number>/audit")
def audit(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "event.read", found.project_id)
    action = request.args.get("action", "")
    wanted = log.Filter(project_id=found.project_id, action=action, limit=PAGE + 1, offset=offset())
    events = log.events(session(), wanted)
    return render_template(
        "console/audit.html",
        project=found,
        events=events[:PAGE],
        has_more=len(events) > PAGE,
        offset=offset(),
        limit=PAGE,
        action=action,
        actions=sorted(_titles().items(), key=lambda pair: pair[1]),
        names=Names.of(session(), found),
    )


def _titles() -> dict[str, str]:
    """The actions by which the log can be filtered, in words."""
    return {key: str(title) for key, title in {**DEEDS, **ACTIONS}.items() if "." in key}


@bp.app_template_filter()
def target_in_words(event: Event, found: Project, names: Names) -> tuple[str, str]:
    """What an event was about, and where that can be seen ("" when nowhere)."""
    kind, key = event.target_kind, event.target_id
    if kind == "submission":
        name = str(event.detail.get("instance_name") or "")
        return name or gettext("a record"), url_for("console.submission", number=found.number, instance_id=key)
    if kind == "entity":
        return gettext("an entry"), url_for("console.entity_by_id", number=found.number, entity_id=key)
    if kind == "account":
        return names.account(key), ""
    if kind == "device":
        return names.device(key), ""
    return (found.name if kind == "project" else key), ""
