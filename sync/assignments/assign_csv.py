"""Assignments from a CSV file: a row is one of them, in words that people write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync import access
from sync.access import Actor
from sync.assignments import assign
from sync.assignments.assign import BadDue, BadTarget, FormDoesNotAsk, Given, NoSuchAssignee, NotOffered, Task
from sync.assignments.assignees import Assignee, assignees, named
from sync.errors import NoSuchEntity, NoSuchForm
from sync.form_table import FaultyRows, RowFault, Wanted, sent_rows
from sync.models import Entity, Form, Project
from sync.record import record

FORM, PERSON, ENTITY, DUE, TARGET, NOTE = "form", "person", "entity", "due", "target", "note"
CODES = ("code", "kode")
"""Properties by which an entry may be named, beside its id and its label."""

LARGEST_CSV = 4 * 2**20
WANTED = Wanted((FORM, PERSON), most_rows=5_000, most_bytes=LARGEST_CSV)

WHY: Mapping[type[Problem], tuple[str, str]] = {
    NoSuchForm: (FORM, "no_such_form"),
    NoSuchAssignee: (PERSON, "no_such_person"),
    NoSuchEntity: (ENTITY, "no_such_entity"),
    FormDoesNotAsk: (FORM, "form_does_not_ask"),
    NotOffered: (ENTITY, "not_offered"),
    BadDue: (DUE, "bad_due"),
    BadTarget: (TARGET, "bad_target"),
}
"""In which column the fault is, and its name."""


def take_csv(session: Session, project: Project, content: bytes, *, actor: Actor, now: datetime) -> Given:
    """A row is an assignment: `form` (form ID or title), `person` (name or e-mail address), and if wanted `entity`
    (code, name or id of an entry), `due` (YYYY-MM-DD), `target`, `note`.

    The same file again changes nothing. Refuses NotAllowed, and BadTable; FaultyRows list what is wrong by row."""
    access.require(actor, "assignment.update", project.project_id)
    reading = _Reading.of(session, project)
    tasks: list[Task] = []
    faults: list[RowFault] = []
    for number, row in sent_rows(content, WANTED).rows.items():
        task = reading.task(row)
        try:
            assign.require_sound(session, project, task, reading.ids)
        except tuple(WHY) as problem:
            column, why = WHY[type(problem)]
            faults.append({"row": number, "column": column, "value": row.get(column, "")[:100], "why": why})
        tasks.append(task)
    if faults:
        raise FaultyRows(faults)
    given = assign.place_tasks(session, project, tasks, actor=actor, now=now)
    detail = {"created": len(given.created), "updated": len(given.updated)}
    target = ("project", project.project_id)
    record(
        session,
        "assignment.import",
        actor=actor,
        at=now,
        project_id=project.project_id,
        target=target,
        detail=detail,
    )
    return given


def tasks_of(session: Session, project: Project, rows: Iterable[Mapping[str, str]]) -> list[Task]:
    """Rows with the columns of a file, read as one is; what is not understood stays as it was written."""
    reading = _Reading.of(session, project)
    return [reading.task(row) for row in rows]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the words of a file can mean in this project."""

    people: Sequence[Assignee]
    ids: Collection[str]
    forms: Mapping[str, str]
    entities: Mapping[str, Collection[str]]

    @classmethod
    def of(cls, session: Session, project: Project) -> _Reading:
        people = assignees(session, project)
        forms = session.execute(select(Form.form_id, Form.title).where(Form.project_id == project.project_id)).all()
        by_title = {title.casefold(): form_id for form_id, title in forms}
        entries = session.execute(
            select(Entity.entity_id, Entity.label, Entity.data).where(
                Entity.project_id == project.project_id, Entity.is_deleted.is_(False)
            )
        )
        called: dict[str, set[str]] = defaultdict(set)
        for entity_id, label, data in entries:
            for name in (entity_id, label, *(str(data.get(code) or "") for code in CODES)):
                called[name.casefold()].add(entity_id)
        return cls(people, {one.id for one in people}, by_title | {one.form_id: one.form_id for one in forms}, called)

    def task(self, row: Mapping[str, str]) -> Task:
        """The row as far as it can be understood: what cannot stays as it was written, and is refused later."""
        told = {name: value.strip() for name, value in row.items()}
        form, person = told.get(FORM, ""), told.get(PERSON, "")
        found = named(self.people, person)
        return Task(
            self.forms.get(form) or self.forms.get(form.casefold()) or form,
            found.id if found is not None else person,
            self.entity(told.get(ENTITY, "")),
            told.get(DUE, ""),
            told.get(TARGET, "") or "1",
            told.get(NOTE, "")[: assign.LONGEST_NOTE],
        )

    def entity(self, text: str) -> str:
        fitting = self.entities.get(text.strip().casefold(), ()) if text.strip() else ()
        return next(iter(fitting)) if len(fitting) == 1 else text.strip()
