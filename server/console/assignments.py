"""Assignments: who has what to do, how far it has got, and what is overdue; each number opens the records behind it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.names import Names
from server.console.properties import Properties
from server.console.submissions import forms_of, offset
from server.console.words import local_day
from server.db import session
from server.problems import STATUS, Fault, fault_of
from server.projects import project
from sync.access import may
from sync.assignments import assign
from sync.assignments.assignees import assignees
from sync.assignments.progress import Line, Wanted, listed, one
from sync.errors import StaleEdit
from sync.models import Operation, Project

PAGE = 50
KEYS = ("who", "form", "mark", "state")
FIELDS = ("assignee", "due", "target", "note", "state")
"""What of an assignment may be changed."""


@dataclass(slots=True)
class Sum:
    """The open assignments of one person, or of one form."""

    key: str
    name: str
    tasks: int = 0
    wanted: int = 0
    done: int = 0
    overdue: int = 0

    def add(self, line: Line) -> None:
        """Work beyond what was wanted does not make up for other work."""
        self.tasks += 1
        self.wanted += line.assignment.target
        self.done += min(line.progress.done, line.assignment.target)
        self.overdue += line.is_overdue


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of an assignment's history: what somebody said, as (field, value) in words."""

    at: datetime
    who: str
    said: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AssignmentWords(Properties):
    """The fields of an assignment in the reader's words."""

    names: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str:
        titles = {
            "due": gettext("By"),
            "target": gettext("How many"),
            "note": gettext("Note"),
            "assignee": gettext("Who"),
            "state": gettext("State"),
        }
        return str(titles.get(name, name))

    def value(self, name: str, raw: object) -> str:
        states = {"open": gettext("open"), "withdrawn": gettext("withdrawn")}
        text = "" if raw is None else str(raw)
        return self.names.get(text, text) if name == "assignee" else str(states.get(text, text))


@bp.get("/projects/<int:number>/assignments")
def assignments(number: int) -> ResponseReturnValue:
    found = project(number)
    asked = {key: value for key in KEYS if (value := request.args.get(key, "").strip())}
    state = "withdrawn" if asked.get("state") == "withdrawn" else "open"
    wanted = Wanted(state, asked.get("who", ""), asked.get("form", ""), mark=asked.get("mark", ""))
    lines = listed(session(), found, wanted, today=today(), actor=actor())
    everything = lines if not asked else listed(session(), found, Wanted(), today=today(), actor=actor())
    people, forms = people_of(found), forms_of(found)
    called = called_of(found, people)
    first = offset()
    return render_template(
        "console/assignments.html",
        project=found,
        lines=lines[first : first + PAGE],
        total=len(lines),
        offset=first,
        limit=PAGE,
        asked=asked,
        all=everything,
        by_person=_sums(((line.assignment.assignee_id, line) for line in everything), called, gettext("somebody")),
        by_form=_sums(((line.assignment.form_id, line) for line in everything), forms),
        people=people,
        called=called,
        forms=forms,
        may_assign=may(actor(), "assignment.update", found.project_id),
    )


@bp.get("/projects/<int:number>/assignments/<assignment_id>")
def assignment(number: int, assignment_id: str) -> ResponseReturnValue:
    return _page(project(number), assignment_id)


@bp.post("/projects/<int:number>/assignments/<assignment_id>")
def change_assignment(number: int, assignment_id: str) -> ResponseReturnValue:
    """What somebody else changed since the page was opened is merged with it; what cannot be stays on the page."""
    found = project(number)
    line = one(session(), found, assignment_id, today=today(), actor=actor())
    changes = {name: request.form[name] for name in FIELDS if name in request.form}
    base = request.form.get("seq", "")
    seq = int(base) if base.isascii() and base.isdigit() else None
    try:
        assign.change(session(), line.assignment, changes, base_seq=seq, merges=True, actor=actor(), now=now())
    except (assign.BadDue, assign.BadTarget, assign.NoSuchAssignee, StaleEdit) as problem:
        return _page(found, assignment_id, request.form, fault_of(problem)), STATUS[problem.kind]
    if changes.get("state") == "withdrawn":
        flash(gettext("Withdrawn. The device drops it at its next sync; the records stay."), "good")
        return redirect(url_for("console.assignments", number=number), 303)
    flash(gettext("Saved."), "good")
    return redirect(url_for("console.assignment", number=number, assignment_id=assignment_id), 303)


def people_of(found: Project) -> dict[str, str]:
    """Whom work can be given to, by id."""
    return {one.id: one.name for one in assignees(session(), found)}


def called_of(found: Project, people: Mapping[str, str]) -> dict[str, str]:
    """What people and devices are called, those too who have left since."""
    names = Names.of(session(), found)
    return {**names.devices, **names.accounts, **people}


def today() -> str:
    return local_day(now()).isoformat()


def _page(
    found: Project, assignment_id: str, typed: Mapping[str, str] | None = None, fault: Fault | None = None
) -> str:
    line = one(session(), found, assignment_id, today=today(), actor=actor())
    row = line.assignment
    names = Names.of(session(), found)
    kept = {"due": row.due, "target": str(row.target), "note": row.note, "assignee": row.assignee_id}
    people = people_of(found)
    people.setdefault(row.assignee_id, called_of(found, people).get(row.assignee_id) or gettext("somebody"))
    return render_template(
        "console/assignment.html",
        project=found,
        line=line,
        typed={**kept, **(typed or {})},
        fault=fault,
        people=people,
        names=names,
        history=_history(found, assignment_id, names),
        forms=forms_of(found),
        may_assign=may(actor(), "assignment.update", found.project_id),
    )


def _history(found: Project, assignment_id: str, names: Names) -> list[Deed]:
    """The newest first, whichever server it was said on."""
    rows = session().scalars(
        select(Operation)
        .where(
            Operation.project_id == found.project_id,
            Operation.kind == "assignment",
            Operation.record_id == assignment_id,
            Operation.state == "ready",
        )
        .order_by(Operation.seq.desc())
    )
    words = AssignmentWords(names={**names.devices, **names.accounts})
    return [
        Deed(
            row.received_at,
            names.who(row.account_id, row.device_id),
            [(words.label(name), words.value(name, row.changes[name])) for name in FIELDS if name in row.changes],
        )
        for row in rows
    ]


def _sums(lines: Iterable[tuple[str, Line]], names: Mapping[str, str], unknown: str = "") -> Sequence[Sum]:
    """Those with something overdue first, then by name."""
    sums: dict[str, Sum] = {}
    for key, line in lines:
        sums.setdefault(key, Sum(key, names.get(key) or unknown or key)).add(line)
    return sorted(sums.values(), key=lambda one: (-one.overdue, one.name.casefold()))
