"""What waits for something that has not arrived: what it says, what it waits for, and the ways out."""

from __future__ import annotations

import orjson
from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from forms.definition import FormDefinition, Question
from forms.errors import Problem
from forms.instance import leaves, open_instance
from server.auth import actor
from server.clock import now
from server.console.answers import Reader
from server.console.blueprint import bp
from server.console.names import Names
from server.console.quarantine import PATIENCE
from server.console.words import language
from server.db import session
from server.projects import project
from sync import definitions, find, form_list, operations, release
from sync.access import require
from sync.lost import waiting_in_vain
from sync.models import Form, Operation, Project
from sync.verdict import Why

APART = frozenset({"form", "review", "comment"})
"""These are about something else, and without it they are about nothing."""


@bp.get("/projects/<int:number>/held/<op_id>")
def held(number: int, op_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.read", found.project_id)
    operation = _operation(found, op_id)
    return render_template(
        "console/held.html",
        project=found,
        row=operation,
        is_discarded=operation.state == "void",
        is_lost=bool(waiting_in_vain(session(), [operation])),
        reason=find.reason(session(), found, "held.discard", _target(operation)),
        answers=_answers(found, operation),
        choices=_choices(found, operation),
        can_apply=_can_apply(operation),
        overdue=now() - PATIENCE,
        names=Names.of(session(), found),
    )


@bp.get("/projects/<int:number>/held/<op_id>/raw")
def held_raw(number: int, op_id: str) -> ResponseReturnValue:
    """The instance as its author wrote it; of a change without one, the change."""
    found = project(number)
    require(actor(), "quarantine.read", found.project_id)
    operation = _operation(found, op_id)
    xml = operation.xml
    raw = xml.encode() if xml is not None else orjson.dumps(operations.shape_of(operation), option=orjson.OPT_INDENT_2)
    response = Response(raw, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename=held.{'xml' if xml is not None else 'json'}"
    return response


@bp.post("/projects/<int:number>/held/<op_id>/apply")
def apply_held(number: int, op_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    form_id, version = request.form.get("form", ""), request.form.get("version")
    chosen = session().get(Form, (found.project_id, form_id)) if form_id else None
    version = chosen.version if chosen is not None else version
    operation = _operation(found, op_id)
    release.apply_without(session(), operation, form_id=form_id, version=version, actor=actor(), now=now())
    flash(gettext("Applied without what it waited for. If others have changed the same, both are shown."), "good")
    return redirect(url_for("console.quarantine", number=number), 303)


@bp.post("/projects/<int:number>/held/<op_id>/discard")
def discard_held(number: int, op_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    note = request.form.get("note", "")
    release.discard_held(session(), _operation(found, op_id), note=note, actor=actor(), now=now())
    flash(gettext("Discarded. It is kept, out of sight, with your reason; nothing waits for it any more."), "good")
    return redirect(url_for("console.quarantine", number=number), 303)


@bp.post("/projects/<int:number>/held/<op_id>/take-back")
def take_back_held(number: int, op_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    release.take_back(session(), _operation(found, op_id), actor=actor(), now=now())
    flash(gettext("It waits again, or has applied if what it waited for has come."), "good")
    return redirect(url_for("console.quarantine", number=number), 303)


def _operation(found: Project, op_id: str) -> Operation:
    operation = session().get(Operation, (found.project_id, op_id))
    if operation is None or not (operation.state == "held" or operation.why == Why.SET_ASIDE.value):
        raise release.NotWaiting
    return operation


def _target(operation: Operation) -> str:
    """Under which the audit log tells of it."""
    return operation.record_id if operation.kind == "entity" else operation.op_id


def _answers(found: Project, operation: Operation) -> list[tuple[str, str]]:
    """Question and answer; in the words of the form, where a version of it is here."""
    said = {path: str(value) for path, value in operation.changes.items() if value}
    if operation.xml is not None:
        try:
            said = dict(leaves(open_instance(operation.xml)))
        except Problem:
            return []
    asked = _asked(found, operation) if operation.kind == "submission" else None
    reader = Reader(asked, language()) if asked is not None else None
    return [_line(reader, path, value) if reader else (path, value) for path, value in said.items()]


def _asked(found: Project, operation: Operation) -> FormDefinition | None:
    """Its own version of the form; where that is not here, the one in use."""
    form = session().get(Form, (found.project_id, operation.form_id))
    for version in (operation.version, form.version if form is not None else None):
        asked = version and definitions.definition(session(), found.project_id, operation.form_id, version)
        if asked:
            return asked
    return None


def _line(reader: Reader, path: str, value: str) -> tuple[str, str]:
    node = reader.node(path)
    said = reader.value(node, value).text if isinstance(node, Question) else ""
    return reader.question(path), said or value


def _choices(found: Project, operation: Operation) -> list[tuple[str, str]]:
    """What it may be read by where its own version is not here: a version of its form, or a form."""
    if operation.kind != "submission":
        return []
    if not operation.form_id:
        forms = form_list.forms(session(), found, actor=actor())
        return [(one.form_id, one.title) for one in forms if one.version is not None]
    form = session().get(Form, (found.project_id, operation.form_id))
    known = form_list.versions(session(), form) if form is not None else []
    if any(one.version == operation.version for one in known):
        return []
    return [(one.version, one.version or gettext("without a name")) for one in known]


def _can_apply(operation: Operation) -> bool:
    if operation.kind == "submission" and not operation.form_id:
        return operation.xml is not None
    return operation.kind not in APART
