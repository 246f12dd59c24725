"""The audit log: who did what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from server.auth import actor
from server.console.blueprint import bp
from server.console.history import ACTIONS, DEEDS
from server.console.names import Names
from server.console.submissions import offset
from server.db import session
from server.projects import project
from sync import audit as log
from sync.access import require
from sync.models import Entity, Event, Project, Submission

PAGE = 100


@bp.get("/projects/<int:number>/audit")
def audit(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "event.read", found.project_id)
    action = request.args.get("action", "")
    wanted = log.Filter(project_id=found.project_id, action=action, limit=PAGE + 1, offset=offset())
    events = log.events(session(), wanted)
    labels = _labels(found, events)
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
        labels=labels,
    )


def _titles() -> dict[str, str]:
    """The actions by which the log can be filtered, in words."""
    return {key: str(title) for key, title in {**DEEDS, **ACTIONS}.items() if "." in key}


def _labels(found: Project, events: Sequence[Event]) -> dict[str, str]:
    """What the records and entries of these events are called, by their ids."""
    ids = {event.target_id for event in events if event.target_kind in ("submission", "entity")}
    records = select(Submission.instance_id, Submission.instance_name).where(
        Submission.project_id == found.project_id, Submission.instance_id.in_(ids)
    )
    entries = select(Entity.entity_id, Entity.label).where(
        Entity.project_id == found.project_id, Entity.entity_id.in_(ids)
    )
    return {key: name for asked in (records, entries) for key, name in session().execute(asked).all()}


@bp.app_template_filter()
def target_in_words(event: Event, found: Project, names: Names, labels: Mapping[str, str]) -> tuple[str, str]:
    """What an event was about, and where that can be seen ("" when nowhere)."""
    kind, key, number = event.target_kind, event.target_id, found.number
    if kind == "submission":
        there = url_for("console.submission", number=number, instance_id=key)
        return labels.get(key) or gettext("a record"), there
    if kind == "entity":
        there = url_for("console.entity_by_id", number=number, entity_id=key)
        return labels.get(key) or gettext("an entry"), there
    if kind == "assignment":
        return gettext("an assignment"), url_for("console.assignment", number=number, assignment_id=key)
    plain = {
        "account": names.account(key),
        "device": names.device(key),
        "project": found.name,
        "job": "",
        "peer": str(event.detail.get("name") or event.detail.get("to") or key),
        "": str(event.detail.get("name") or ""),
    }
    return plain.get(kind, key), ""
