"""Assigning: one person, one form, as many entries of the list as are ticked; or a whole CSV."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from forms.about import asks_about, offers
from forms.errors import Problem
from server.auth import actor
from server.clock import now
from server.console.assignments import people_of, today
from server.console.blueprint import bp
from server.console.csv_faults import OF_ROWS
from server.console.submissions import forms_of
from server.db import session
from server.problems import STATUS, Fault, fault_of
from server.projects import project
from sync import publish
from sync.access import require
from sync.assignments import assign, assign_csv
from sync.assignments.assign import Given, Task
from sync.assignments.progress import Wanted, listed
from sync.entities import entity_lists
from sync.form_table import BadTable
from sync.models import Entity, Form, Project

MOST_ENTRIES = 300
"""On the page; of a longer registry those that fit the words."""

REFUSALS = (assign.BadDue, assign.BadTarget, assign.NoSuchAssignee, assign.FormDoesNotAsk, assign.NotOffered)

WHY: Mapping[str, str] = {
    **OF_ROWS,
    "no_such_form": lazy_gettext("There is no such form."),
    "no_such_person": lazy_gettext("Nobody here is called so, or more than one."),
    "no_such_entity": lazy_gettext("No entry is called so, or more than one."),
    "form_does_not_ask": lazy_gettext("This form does not ask about an entry of this list."),
    "not_offered": lazy_gettext("This form does not offer this entry: its own filter leaves it out."),
    "bad_due": lazy_gettext("Not a day. Write it as 2026-11-30."),
    "bad_target": lazy_gettext("Not a number from 1 to 10000."),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that may be ticked, and who has it to do already."""

    entity: Entity
    who: Sequence[str]


@bp.get("/projects/<int:number>/assignments/new")
def new_assignments(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "assignment.update", found.project_id)
    return _page(found, request.args.get("form", ""))


@bp.post("/projects/<int:number>/assignments/new")
def give_assignments(number: int) -> ResponseReturnValue:
    found, told = project(number), request.form
    shared = {name: told.get(name, "").strip() for name in ("due", "target", "note")}
    entities = told.getlist("entity") or [""]
    tasks = [Task(told.get("form", ""), told.get("assignee", ""), entity, **shared) for entity in entities]
    try:
        given = assign.give(session(), found, tasks, actor=actor(), now=now())
    except REFUSALS as problem:
        return _page(found, told.get("form", ""), fault_of(problem)), STATUS[problem.kind]
    return _given(number, given)


@bp.post("/projects/<int:number>/assignments/csv")
def upload_assignments(number: int) -> ResponseReturnValue:
    found, sent = project(number), request.files.get("file")
    content = sent.stream.read(assign_csv.LARGEST_CSV + 1) if sent is not None else b""
    try:
        given = assign_csv.take_csv(session(), found, content, actor=actor(), now=now())
    except BadTable as problem:
        return _refused(found, problem), STATUS[problem.kind]
    return _given(number, given)


def _given(number: int, given: Given) -> ResponseReturnValue:
    words = gettext(
        "Assigned: %(created)d. Changed: %(updated)d. As before: %(unchanged)d.",
        created=len(given.created),
        updated=len(given.updated),
        unchanged=len(given.unchanged),
    )
    flash(words, "good")
    return redirect(url_for("console.assignments", number=number), 303)


def _refused(found: Project, problem: Problem) -> str:
    faults = [{**fault, "why": WHY[fault["why"]]} for fault in problem.members.get("faults", ())]
    return render_template("console/assign_csv.html", project=found, fault=fault_of(problem), faults=faults)


def _page(found: Project, form_id: str, fault: Fault | None = None) -> str:
    people, forms = people_of(found), forms_of(found)
    chosen = form_id if form_id in forms else next(iter(forms), "")
    return render_template(
        "console/assign.html",
        project=found,
        forms=forms,
        form_id=chosen,
        people=people,
        entries=_entries(found, chosen, people),
        most=MOST_ENTRIES,
        text=request.values.get("text", ""),
        typed=request.form,
        ticked=request.form.getlist("entity"),
        fault=fault,
        today=today(),
    )


def _entries(found: Project, form_id: str, people: Mapping[str, str]) -> list[Entry]:
    """The entries of the lists that this form asks about, if it can offer them."""
    form = session().get(Form, (found.project_id, form_id))
    definition = publish.definition(session(), found.project_id, form_id, (form.version if form else "") or "")
    if definition is None:
        return []
    lists = [one.name for one in entity_lists.lists(session(), found) if asks_about(definition, one.name)]
    have = defaultdict(list)
    for line in listed(session(), found, Wanted(form_id=form_id, mark="to_do"), today=today(), actor=actor()):
        row = line.assignment
        have[row.entity_id].append(people.get(row.assignee_id) or gettext("somebody"))
    text = request.values.get("text", "")
    entries = (
        entity
        for name in lists
        for entity in entity_lists.entities(session(), found, name, text=text, limit=MOST_ENTRIES + 1)
    )
    offered = (entity for entity in entries if offers(definition, entity.list_name, assign.row_of(entity)))
    return [Entry(entity, have[entity.entity_id]) for entity in offered]
