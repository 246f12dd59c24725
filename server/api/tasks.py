"""Assignments: who is to visit whom with which form by when, and how far that has got.

Their address is "tasks": with "assignments" ODK Central means the roles that people have."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import request
from flask.typing import ResponseReturnValue

from schemas.assignment import (
    AssignmentFilterSchema,
    AssignmentSchema,
    ChangedAssignmentSchema,
    GivenSchema,
    NewTasksSchema,
)
from server.api.blueprint import body, bp, done, query, shown
from server.auth import actor
from server.clock import now
from server.db import session
from server.projects import project
from server.services import services
from sync.assignments import assign, assign_csv, progress
from sync.assignments.assignees import Assignee, assignees, named
from sync.models import Assignment, Project

TASKS = "/projects/<int:number>/tasks"


@bp.get(TASKS)
def list_tasks(number: int) -> ResponseReturnValue:
    """Overdue ones first."""
    found, asked = project(number), query(AssignmentFilterSchema())
    people = assignees(session(), found)
    wanted = progress.Wanted(
        state="" if asked["state"] == "all" else asked["state"],
        assignee_id=_person(people, asked["assignee"]),
        form_id=asked["form_id"],
        entity_id=asked["entity_id"],
        mark=asked["mark"],
    )
    lines = progress.listed(session(), found, wanted, today=_today(), actor=actor())
    return shown(AssignmentSchema(), [_told(line, people) for line in lines], many=True)


@bp.post(TASKS)
def create_tasks(number: int) -> ResponseReturnValue:
    """All of them or none. What somebody has to do already gets its new day, target and note."""
    found, told = project(number), body(NewTasksSchema())
    tasks = assign_csv.tasks_of(session(), found, told["tasks"])
    return shown(GivenSchema(), assign.give(session(), found, tasks, actor=actor(), now=now()))


@bp.post(TASKS + ".csv")
def upload_tasks(number: int) -> ResponseReturnValue:
    """The body is a CSV with a row for each assignment."""
    content = request.stream.read(assign_csv.LARGEST_CSV + 1)
    return shown(GivenSchema(), assign_csv.take_csv(session(), project(number), content, actor=actor(), now=now()))


@bp.get(TASKS + "/<task_id>")
def show_task(number: int, task_id: str) -> ResponseReturnValue:
    found = project(number)
    return _shown(found, task_id)


@bp.patch(TASKS + "/<task_id>")
def change_task(number: int, task_id: str) -> ResponseReturnValue:
    found, told = project(number), body(ChangedAssignmentSchema())
    base = told.pop("seq", None)
    if "person" in told:
        told["assignee"] = _person(assignees(session(), found), told.pop("person"))
    assign.change(session(), _one(found, task_id), told, base_seq=base, actor=actor(), now=now())
    return _shown(found, task_id)


@bp.delete(TASKS + "/<task_id>")
def withdraw_task(number: int, task_id: str) -> ResponseReturnValue:
    """It stays in the history, and may be opened again."""
    assign.withdraw(session(), _one(project(number), task_id), actor=actor(), now=now())
    return done()


def _one(found: Project, assignment_id: str) -> Assignment:
    return progress.one(session(), found, assignment_id, today=_today(), actor=actor()).assignment


def _shown(found: Project, assignment_id: str) -> ResponseReturnValue:
    line = progress.one(session(), found, assignment_id, today=_today(), actor=actor())
    return shown(AssignmentSchema(), _told(line, assignees(session(), found)))


def _person(people: list[Assignee], text: str) -> str:
    one = named(people, text) if text else None
    return one.id if one is not None else text


def _today() -> str:
    return now().astimezone(ZoneInfo(services().settings.timezone)).date().isoformat()


def _told(line: progress.Line, people: list[Assignee]) -> dict[str, Any]:
    row, progress = line.assignment, line.progress
    columns = ("assignment_id", "form_id", "assignee_id", "target", "note", "state", "conflicts", "seq")
    return {name: getattr(row, name) for name in columns} | {
        "assignee": next((one.name for one in people if one.id == row.assignee_id), ""),
        "entity_id": row.entity_id or None,
        "about": line.about,
        "due": row.due or None,
        "is_overdue": line.is_overdue,
        "assigned_at": row.assigned_at,
        "updated_at": row.updated_at,
        "progress": {name: getattr(progress, name) for name in ("done", "approved", "waiting", "returned", "rejected")},
    }
