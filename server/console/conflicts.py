"""All open conflicts of the project on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server.auth import actor
from server.console.assignments import AssignmentWords, today
from server.console.blueprint import bp
from server.console.names import Names
from server.console.properties import properties
from server.console.record import reader_of
from server.console.review import resolve
from server.console.siblings import Clash, clash
from server.console.submissions import forms_of
from server.db import session
from server.projects import project
from sync import find
from sync.access import require
from sync.assignments.progress import one
from sync.models import Conflict, Entity, Project, Submission


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict with the record or entity that it belongs to."""

    clash: Clash
    title: str
    href: str


@bp.get("/projects/<int:number>/conflicts")
def conflicts(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "submission.list", found.project_id)
    names = Names.of(session(), found)
    cases = cases_of(found, find.conflicts(session(), found), names)
    return render_template("console/conflicts.html", project=found, cases=cases)


@bp.post("/projects/<int:number>/conflicts")
def resolve_conflict(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "conflict.resolve", found.project_id)
    resolve(found, request.form.get("kind", ""), request.form.get("record", ""))
    return redirect(url_for("console.conflicts", number=number), 303)


def cases_of(found: Project, rows: Sequence[Conflict], names: Names) -> list[Case]:
    """The conflicts, ready for a page."""
    return [_case(found, row, names) for row in rows]


def _case(found: Project, row: Conflict, names: Names) -> Case:
    if row.kind == "entity":
        return _entity_case(found, row, names)
    if row.kind == "assignment":
        return _assignment_case(found, row, names)
    record = session().get(Submission, (found.project_id, row.record_id))
    reader = reader_of(found, record) if record is not None else None
    href = url_for("console.submission", number=found.number, instance_id=row.record_id, _anchor="conflicts")
    title = (record.instance_name if record is not None else "") or row.record_id
    return Case(clash(row, reader, names, answers=record.answers if record else None), title, href)


def _assignment_case(found: Project, row: Conflict, names: Names) -> Case:
    line = one(session(), found, row.record_id, today=today(), actor=actor())
    href = url_for("console.assignment", number=found.number, assignment_id=row.record_id)
    forms = forms_of(found)
    title = " – ".join(filter(None, (line.about, forms.get(line.assignment.form_id, line.assignment.form_id))))
    return Case(clash(row, None, names, AssignmentWords(names={**names.devices, **names.accounts})), title, href)


def _entity_case(found: Project, row: Conflict, names: Names) -> Case:
    entity = session().get(Entity, (found.project_id, row.record_id))
    if entity is None:
        return Case(clash(row, None, names), row.record_id, "")
    href = url_for("console.entity", number=found.number, name=entity.list_name, entity_id=entity.entity_id)
    return Case(clash(row, None, names, properties(found, entity.list_name)), entity.label, href)
