"""The audit log: who did what, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from sync.models import Entity, Event, Operation, Project, Submission

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


@dataclass(frozen=True, slots=True)
class Labels:
    """What the records and entries of some events are called, by their ids; and the records of operations."""

    called: Mapping[str, str]
    records: Mapping[str, str]


def _labels(found: Project, events: Sequence[Event]) -> Labels:
    mine = {_operation(event) for event in events} - {""}
    of_operations = select(Operation.op_id, Operation.record_id).where(
        Operation.project_id == found.project_id, Operation.kind == "submission", Operation.op_id.in_(mine)
    )
    operations = dict(session().execute(of_operations).all())
    # What waits may name a record that is not here.
    ids = {event.target_id for event in events if event.target_kind in ("submission", "entity")}
    ids |= set(operations.values())
    records = select(Submission.instance_id, Submission.instance_name).where(
        Submission.project_id == found.project_id, Submission.instance_id.in_(ids)
    )
    entries = select(Entity.entity_id, Entity.label).where(
        Entity.project_id == found.project_id, Entity.entity_id.in_(ids)
    )
    called = {key: name for asked in (records, entries) for key, name in session().execute(asked).all()}
    return Labels(called, {op_id: record for op_id, record in operations.items() if record in called})


def _operation(event: Event) -> str:
    """The operation that somebody released, applied or discarded; "" of other events."""
    if event.target_kind not in ("inbox_item", "operation"):
        return ""
    return str(event.detail.get("op") or (event.target_id if event.target_kind == "operation" else ""))


@bp.app_template_filter()
def target_in_words(event: Event, found: Project, names: Names, labels: Labels) -> tuple[str, str]:
    """What an event was about, and where that can be seen ("" when nowhere)."""
    kind, key, number = event.target_kind, event.target_id, found.number
    record = key if kind == "submission" else labels.records.get(_operation(event))
    if record is not None:
        there = url_for("console.submission", number=number, instance_id=record)
        return labels.called.get(record) or gettext("a record"), there
    if kind == "entity":
        there = url_for("console.entity_by_id", number=number, entity_id=key)
        return labels.called.get(key) or gettext("an entry"), there
    pages = {
        "assignment": (gettext("an assignment"), "console.assignment", "assignment_id"),
        "inbox_item": (gettext("an item in quarantine"), "console.quarantined", "item_id"),
        "operation": (gettext("a change that waited"), "console.held", "op_id"),
    }
    if kind in pages:
        text, endpoint, argument = pages[kind]
        has_left = event.action in ("quarantine.release", "held.apply")
        place: dict[str, Any] = {"number": number, argument: key}
        return text, "" if has_left else url_for(endpoint, **place)
    plain = {
        "account": names.account(key),
        "device": names.device(key),
        "project": found.name,
        "job": "",
        "peer": str(event.detail.get("name") or event.detail.get("to") or key),
        "bundle": str(event.detail.get("file") or key),
        "epoch": str(event.detail.get("source") or key),
        "attachment": f"{key[:12]}…",
        "": str(event.detail.get("name") or ""),
    }
    return plain.get(kind, key), ""
