"""Assignments as they are read: who has what to do, and how far it has got, counted from the records themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, or_, select
from sqlalchemy.orm import Session

from forms.about import asks_about, before_repeat, names_in
from forms.definition import Path
from forms.errors import Kind, Problem
from sync import access, definitions
from sync.access import Actor
from sync.models import Assignment, Entity, FormVersion, Project, Submission


class NoSuchAssignment(Problem):
    """There is no such assignment in this project. Load the list of assignments again."""

    kind = Kind.NOT_FOUND
    slug = "assignment/not-found"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assignments; "" leaves a question open."""

    state: str = "open"
    assignee_id: str = ""
    form_id: str = ""
    entity_id: str = ""
    mark: str = ""
    """"overdue", "to_do", "done"."""


@dataclass(slots=True)
class Progress:
    """Records that count for an assignment, by what was decided about them."""

    approved: int = 0
    waiting: int = 0
    """Nobody has decided yet, or somebody changed it since."""
    returned: int = 0
    rejected: int = 0

    @property
    def done(self) -> int:
        """All but the rejected ones."""
        return self.approved + self.waiting + self.returned

    def count(self, review_state: str) -> None:
        name = {"approved": "approved", "has_issues": "returned", "rejected": "rejected"}.get(review_state, "waiting")
        setattr(self, name, getattr(self, name) + 1)


@dataclass(frozen=True, slots=True)
class Line:
    """An assignment with what has been done of it."""

    assignment: Assignment
    progress: Progress
    entity: Entity | None
    today: str

    @property
    def is_done(self) -> bool:
        return self.progress.done >= self.assignment.target

    @property
    def is_overdue(self) -> bool:
        is_late = bool(self.assignment.due) and self.assignment.due < self.today
        return is_late and not self.is_done and self.assignment.state == "open"

    @property
    def about(self) -> str:
        """Whom it is about: the entry's name, its id while the entry has not arrived, "" for nobody."""
        return self.entity.label if self.entity is not None else self.assignment.entity_id


def listed(session: Session, project: Project, wanted: Wanted, *, today: str, actor: Actor) -> list[Line]:
    """Overdue ones first, then what is to be done by its day, then what is done. `today` is a day as YYYY-MM-DD.

    Refuses NotAllowed."""
    access.require(actor, "assignment.list", project.project_id)
    found = select(Assignment).where(Assignment.project_id == project.project_id)
    for column, value in (
        (Assignment.state, wanted.state),
        (Assignment.assignee_id, wanted.assignee_id),
        (Assignment.form_id, wanted.form_id),
        (Assignment.entity_id, wanted.entity_id),
    ):
        if value:
            found = found.where(column == value)
    rows = session.scalars(found.order_by(Assignment.assigned_at, Assignment.assignment_id)).all()
    return sorted((line for line in _lines(session, project, rows, today) if _fits(line, wanted.mark)), key=_order)


def one(session: Session, project: Project, assignment_id: str, *, today: str, actor: Actor) -> Line:
    """Refuses NotAllowed, NoSuchAssignment."""
    access.require(actor, "assignment.list", project.project_id)
    found = session.get(Assignment, (project.project_id, assignment_id))
    if found is None:
        raise NoSuchAssignment(assignment_id)
    (line,) = _lines(session, project, [found], today)
    return line


def overdue(session: Session, project: Project, *, today: str) -> int:
    """How many are open, past their day, and not done."""
    rows = session.scalars(
        select(Assignment).where(
            Assignment.project_id == project.project_id,
            Assignment.state == "open",
            Assignment.due != "",
            Assignment.due < today,
        )
    ).all()
    progress = counted(session, project.project_id, rows)
    return sum(1 for row in rows if progress[row.assignment_id].done < row.target)


def counted(session: Session, project_id: str, rows: Iterable[Assignment]) -> dict[str, Progress]:
    """What has been done, by assignment ID: records of the form, by the person, about the entity, since then."""
    progress: dict[str, Progress] = {}
    by_form: dict[str, list[Assignment]] = defaultdict(list)
    for row in rows:
        progress[row.assignment_id] = Progress()
        by_form[row.form_id].append(row)
    for form_id, given in by_form.items():
        _count_form(session, project_id, form_id, given, progress)
    return progress


def records_of(session: Session, project_id: str, assignment_id: str) -> list[ColumnElement[bool]]:
    """Which submissions count for it: the very ones that `counted` counts."""
    found = session.get(Assignment, (project_id, assignment_id))
    if found is None:
        return [false()]
    conditions: list[ColumnElement[bool]] = [
        Submission.form_id == found.form_id,
        or_(Submission.account_id == found.assignee_id, Submission.device_id == found.assignee_id),
        Submission.received_at >= found.assigned_at,
    ]
    if not found.entity_id:
        return conditions
    answers = [cast(Submission.answers[path], Text) for path in asking_paths(session, project_id, found.form_id)]
    named = [answer.contains(found.entity_id, autoescape=True) for answer in answers]
    return [*conditions, or_(*named) if named else false()]


def asking_paths(session: Session, project_id: str, form_id: str) -> list[Path]:
    """Where any version of the form asks for an entry of a list, as far as the first repeat."""
    versions = session.scalars(
        select(FormVersion.version).where(
            FormVersion.project_id == project_id, FormVersion.form_id == form_id, FormVersion.state == "published"
        )
    )
    paths: set[Path] = set()
    for version in versions:
        definition = definitions.definition(session, project_id, form_id, version)
        if definition is not None:
            paths |= {before_repeat(definition, path) for path in asks_about(definition)}
    return sorted(paths)


def _lines(session: Session, project: Project, rows: Sequence[Assignment], today: str) -> list[Line]:
    progress = counted(session, project.project_id, rows)
    entities = _entities(session, project.project_id, {row.entity_id for row in rows if row.entity_id})
    return [Line(row, progress[row.assignment_id], entities.get(row.entity_id), today) for row in rows]


def _fits(line: Line, mark: str) -> bool:
    return {"overdue": line.is_overdue, "to_do": not line.is_done, "done": line.is_done}.get(mark, True)


def _order(line: Line) -> tuple[bool, bool, str, str, str]:
    due = line.assignment.due or "9999"
    return not line.is_overdue, line.is_done, due, line.about, line.assignment.assignment_id


def _entities(session: Session, project_id: str, ids: set[str]) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    wanted = sorted(ids)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        rows = session.scalars(select(Entity).where(Entity.project_id == project_id, Entity.entity_id.in_(part)))
        found.update((row.entity_id, row) for row in rows)
    return found


def _count_form(
    session: Session, project_id: str, form_id: str, given: Sequence[Assignment], progress: dict[str, Progress]
) -> None:
    """One walk through the records of the form, however many assignments there are."""
    by_work: dict[tuple[str, str], list[Assignment]] = defaultdict(list)
    for row in given:
        by_work[row.assignee_id, row.entity_id].append(row)
    is_about = any(entity_id for _assignee, entity_id in by_work)
    paths = asking_paths(session, project_id, form_id) if is_about else []
    people = {assignee_id for assignee_id, _entity in by_work}
    for account_id, device_id, state, received_at, *answers in session.execute(
        _records(project_id, form_id, min(row.assigned_at for row in given), paths)
    ):
        about = {"", *names_in(answers)}
        for person in people & {account_id, device_id}:
            for entity_id in about:
                for row in by_work.get((person, entity_id), ()):
                    if received_at >= row.assigned_at:
                        progress[row.assignment_id].count(state)


def _records(project_id: str, form_id: str, since: datetime, paths: Sequence[Path]) -> Any:
    answers = [Submission.answers[path].label(f"about_{at}") for at, path in enumerate(paths)]
    columns = (Submission.account_id, Submission.device_id, Submission.review_state, Submission.received_at)
    return select(*columns, *answers).where(
        Submission.project_id == project_id,
        Submission.form_id == form_id,
        Submission.is_deleted.is_(False),
        Submission.received_at >= since,
    )
