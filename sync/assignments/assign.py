"""Assign: who is to visit whom with which form by when, said by supervisors: in the console, by REST, from a CSV file.

Each assignment and each change of it is an operation, so that it reaches devices and other servers."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.about import asks_about, offers
from forms.errors import Kind, Problem
from sync import access, author, definitions
from sync.access import Actor
from sync.assignments import progress
from sync.assignments.apply import OPEN, WITHDRAWN, day_of, number_of
from sync.assignments.assignees import assignees
from sync.errors import NoSuchEntity, NoSuchForm, StaleEdit
from sync.ledger import Act, open_ledger
from sync.lock import lock_project
from sync.merge import View, fold
from sync.models import Assignment, Entity, Form, Project
from sync.place import place
from sync.record import record

LONGEST_NOTE = 2000


class NoSuchAssignee(Problem):
    """Nobody of this name works in this project. Choose somebody from the list, or add the person first."""

    kind = Kind.NOT_FOUND
    slug = "assignment/no-such-person"


class FormDoesNotAsk(Problem):
    """This form does not ask whom it is about, so nothing could ever be counted. Choose another form, or nobody."""

    slug = "assignment/form-does-not-ask"


class NotOffered(Problem):
    """This form does not offer this entry: its own filter leaves it out. Choose another form, or another entry."""

    slug = "assignment/not-offered"


class BadDue(Problem):
    """This is not a day. Write it as year, month, day: 2026-11-30."""

    slug = "assignment/bad-due"


class BadTarget(Problem):
    """This is not a number of records. Write one from 1 to 10000."""

    slug = "assignment/bad-target"


@dataclass(frozen=True, slots=True)
class Task:
    """What somebody is to do. `due` is a day as YYYY-MM-DD or ""."""

    form_id: str
    assignee_id: str
    entity_id: str = ""
    due: str = ""
    target: str = "1"
    note: str = ""

    @property
    def work(self) -> tuple[str, str, str]:
        return self.form_id, self.assignee_id, self.entity_id

    @property
    def changes(self) -> dict[str, str | None]:
        """What of it may become different later."""
        return {"due": self.due or None, "target": self.target, "note": self.note or None}


@dataclass(frozen=True, slots=True)
class Given:
    """What came of it: IDs of assignments."""

    created: Sequence[str]
    updated: Sequence[str]
    unchanged: Sequence[str]


def give(session: Session, project: Project, tasks: Sequence[Task], *, actor: Actor, now: datetime) -> Given:
    """These tasks are assigned, all or none.

    What somebody has to do already and has not done gets its new day, target and note; it is not given twice. Refuses
    NotAllowed, NoSuchForm, NoSuchAssignee, NoSuchEntity, FormDoesNotAsk, NotOffered, BadDue, BadTarget."""
    access.require(actor, "assignment.update", project.project_id)
    people = {one.id for one in assignees(session, project)}
    for task in tasks:
        require_sound(session, project, task, people)
    given = place_tasks(session, project, tasks, actor=actor, now=now)
    for action, ids in (("assignment.create", given.created), ("assignment.update", given.updated)):
        for assignment_id in ids:
            _note(session, action, project, assignment_id, {}, actor, now)
    return given


def place_tasks(session: Session, project: Project, tasks: Sequence[Task], *, actor: Actor, now: datetime) -> Given:
    """The operations of sound tasks."""
    lock_project(session, project.project_id)
    known = _known(session, project)
    written: dict[str, Mapping[str, str | None]] = {}
    created, updated, unchanged = [], [], []
    for task in dict.fromkeys(tasks):
        same = _same(known.get(task.work, ()), task)
        if same is None:
            id_ = str(uuid.uuid4())
            created.append(id_)
            written[id_] = {"form": task.form_id, "assignee": task.assignee_id, "entity": task.entity_id or None}
            written[id_] = {**written[id_], **task.changes, "state": OPEN}
        elif changed := _difference(_standing(same.assignment), task.changes):
            updated.append(same.assignment.assignment_id)
            written[same.assignment.assignment_id] = changed
        else:
            unchanged.append(same.assignment.assignment_id)
    _write(session, project, written, actor=actor, now=now)
    return Given(created, updated, unchanged)


def change(
    session: Session,
    found: Assignment,
    changes: Mapping[str, str],
    *,
    base_seq: int | None = None,
    merges: bool = False,
    actor: Actor,
    now: datetime,
) -> Assignment:
    """The assignment says what is new in `changes` ("due", "target", "note", "assignee", "state").

    `base_seq` is the state that the author saw, None whichever stands now. When that is another one by now, the change
    is refused, or with `merges` merged with what the author had not seen. Refuses NotAllowed, StaleEdit, BadDue,
    BadTarget, NoSuchAssignee."""
    access.require(actor, "assignment.update", found.project_id)
    project = session.get_one(Project, found.project_id)
    task = Task(
        found.form_id,
        changes.get("assignee", found.assignee_id),
        due=changes.get("due", found.due).strip(),
        target=changes.get("target", str(found.target)).strip(),
        note=changes.get("note", found.note).strip()[:LONGEST_NOTE],
    )
    _require_shape(task)
    if task.assignee_id != found.assignee_id and not _is_assignee(session, project, task.assignee_id):
        raise NoSuchAssignee(task.assignee_id, field="assignee")
    lock_project(session, found.project_id)
    session.refresh(found)
    seen = None
    if base_seq not in (None, found.seq):
        seen = _as_seen(session, found, base_seq or 0, now) if merges else None
        if seen is None:
            raise StaleEdit
    state = changes.get("state", found.state)
    stands = _standing(found) if seen is None else seen.values
    changed = _difference(stands, {**task.changes, "assignee": task.assignee_id, "state": state})
    if changed:
        bases = {} if seen is None else {found.assignment_id: seen.vector}
        _write(session, project, {found.assignment_id: changed}, bases=bases, actor=actor, now=now)
        session.refresh(found)
        action = {WITHDRAWN: "assignment.withdraw"}.get(changed.get("state") or "", "assignment.update")
        _note(session, action, project, found.assignment_id, {"changes": changed}, actor, now)
    return found


def withdraw(session: Session, found: Assignment, *, actor: Actor, now: datetime) -> Assignment:
    """Devices drop it; its history stays, and so do the records. Refuses NotAllowed."""
    return change(session, found, {"state": WITHDRAWN}, actor=actor, now=now)


def require_sound(session: Session, project: Project, task: Task, people: Collection[str]) -> None:
    """Refuses what can never be done or counted; `people` are the ids of all to whom work can be given."""
    _require_shape(task)
    form = session.get(Form, (project.project_id, task.form_id))
    if form is None or form.version is None:
        raise NoSuchForm(task.form_id, field="form")
    if task.assignee_id not in people:
        raise NoSuchAssignee(task.assignee_id, field="assignee")
    if not task.entity_id:
        return
    entity = session.get(Entity, (project.project_id, task.entity_id))
    if entity is None or entity.is_deleted:
        raise NoSuchEntity(task.entity_id, field="entity")
    definition = definitions.definition(session, project.project_id, form.form_id, form.version)
    if definition is None or not asks_about(definition, entity.list_name):
        raise FormDoesNotAsk(task.form_id, field="form")
    if not offers(definition, entity.list_name, row_of(entity)):
        raise NotOffered(entity.label, field="entity")


def row_of(entity: Entity) -> dict[str, str]:
    """The entity as forms look it up."""
    return {name: str(value or "") for name, value in entity.data.items()} | {
        "name": entity.entity_id,
        "label": entity.label,
    }


def _is_assignee(session: Session, project: Project, assignee_id: str) -> bool:
    return any(one.id == assignee_id for one in assignees(session, project))


def _require_shape(task: Task) -> None:
    if task.due and not day_of(task.due):
        raise BadDue(task.due[:40], field="due")
    if number_of(task.target) is None:
        raise BadTarget(task.target[:40], field="target")


def _known(session: Session, project: Project) -> dict[tuple[str, str, str], list[progress.Line]]:
    """What is open, by work."""
    rows = session.scalars(
        select(Assignment).where(Assignment.project_id == project.project_id, Assignment.state == OPEN)
    ).all()
    counts = progress.counted(session, project.project_id, rows)
    known: dict[tuple[str, str, str], list[progress.Line]] = {}
    for row in rows:
        line = progress.Line(row, counts[row.assignment_id], None, "")
        known.setdefault((row.form_id, row.assignee_id, row.entity_id), []).append(line)
    return known


def _same(known: Sequence[progress.Line], task: Task) -> progress.Line | None:
    """The same day is the same assignment; one that is not done yet gets another day."""
    same = next((line for line in known if line.assignment.due == task.due), None)
    return same or next((line for line in known if not line.is_done), None)


def _standing(found: Assignment) -> dict[str, str | None]:
    return {
        "due": found.due or None,
        "target": str(found.target),
        "note": found.note or None,
        "assignee": found.assignee_id,
        "state": found.state,
    }


def _as_seen(session: Session, found: Assignment, seq: int, now: datetime) -> View | None:
    """What the assignment said when the feed had come to this number, None when it was not there yet."""
    ledger = open_ledger(session, found.project_id, now=now)
    ledger.load_records(["assignment"], [found.assignment_id])
    view = fold(ledger.record("assignment", found.assignment_id).standing(seq))
    return view if view.ready else None


def _difference(stands: Mapping[str, Any], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    return {path: value for path, value in wanted.items() if stands.get(path) != value}


def _write(
    session: Session,
    project: Project,
    changes: Mapping[str, Mapping[str, str | None]],
    *,
    bases: Mapping[str, Mapping[str, int]] | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """An operation for each assignment, by this server's hand: on what stands now, or on the state with the vector in
    `bases`, which its author saw."""
    ledger = open_ledger(session, project.project_id, now=now)
    ledger.load_records(["assignment"], changes)
    for assignment_id, changed in changes.items():
        said = {path: value for path, value in changed.items() if value is not None or "form" not in changed}
        row = author.own_row(
            ledger,
            kind="assignment",
            record_id=assignment_id,
            actor=actor,
            context=(bases or {}).get(assignment_id),
            changes=said,
        )
        act = Act(row)
        ledger.add(act)
        place(ledger, act)
    ledger.write()
    session.expire_all()


def _note(
    session: Session,
    action: str,
    project: Project,
    assignment_id: str,
    detail: Mapping[str, object],
    actor: Actor,
    now: datetime,
) -> None:
    target = ("assignment", assignment_id)
    record(session, action, actor=actor, at=now, project_id=project.project_id, target=target, detail=dict(detail))
