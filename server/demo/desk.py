"""What the supervisor does in the morning and in the evening, so that there is something to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.library.sample import FieldworkDay
from server.clock import now
from server.commands.database import Opened
from server.demo.people import actor
from sync import devices, find, review
from sync.access import Actor, Role
from sync.assignments import assign
from sync.assignments.assign import Task
from sync.find import Filter
from sync.models import Account, Conflict, Entity, Indicator, Project, Submission

REMARK = "Pemakaian kredit lebih besar daripada kredit yang diterima. Mohon dicek lagi dengan informan."


@dataclass(frozen=True, slots=True)
class Left:
    """Work of one device, by so many days after the day that is played."""

    device: int
    form_id: str
    informant: str
    days: int = 0
    target: int = 1
    note: str = ""


LEFT = (
    Left(2, "dokumentasi", "INF-07", note="Foto kartu pinjaman belum ada."),
    Left(2, "dokumentasi", "INF-09", days=4),
    Left(1, "dokumentasi", "", days=7, target=5, note="Prasarana yang dibangun P2KP di RW 3."),
)
"""What nobody gets to on that day."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How many records the supervisor approved, and gave back."""

    approved: int
    returned: int


def invite(opened: Opened, project: Project, names: dict[int, tuple[str, str]]) -> dict[int, str]:
    """A code for each device: index -> (name of the device, e-mail of its enumerator)."""
    codes = {}
    with opened.writing() as session:
        manager = actor(session, Role.MANAGER)
        for index, (name, email) in names.items():
            account = session.scalar(select(Account).where(Account.email == email))
            owner = account.account_id if account else None
            codes[index] = devices.create_enrolment(
                session, project, name=name, account_id=owner, actor=manager, now=now()
            ).code
    return codes


def assign_day(opened: Opened, project: Project, day: FieldworkDay, date_: date, emails: Mapping[int, str]) -> int:
    """How much was assigned: the visits of the day by its evening, and a little that nobody gets to.

    `emails` are those of the enumerators, by device. Said again it changes nothing."""
    informants = {visit.informant: visit.creates_entity for visit in day.visits if visit.creates_entity}
    wanted = [Left(visit.device, visit.form_id, visit.informant) for visit in day.visits if not visit.creates_entity]
    with opened.writing() as session:
        accounts = {
            index: session.scalars(select(Account).where(Account.email == emails[index])).one() for index in emails
        }
        tasks = [
            Task(
                left.form_id,
                accounts[left.device].account_id,
                informants.get(left.informant, ""),
                due=str(date_ + timedelta(days=left.days)),
                target=str(left.target),
                note=left.note,
            )
            for left in (*(one for one in wanted if one.informant), *LEFT)
        ]
        given = assign.give(session, project, tasks, actor=actor(session, Role.SUPERVISOR), now=now())
    return len(given.created)


def review_day(opened: Opened, project: Project) -> Reviewed:
    """Clean records are approved, the newest of each form is left for whoever looks; broken ones go back."""
    with opened.writing() as session:
        supervisor = actor(session, Role.SUPERVISOR)
        found = find.submissions(session, project, Filter(review_state="received", limit=1000), actor=supervisor).rows
        clean: dict[str, list[Submission]] = defaultdict(list)
        broken = []
        for submission in found:
            if submission.errors:
                broken.append(submission)
            elif not submission.conflicts:
                clean[submission.form_id].append(submission)
        approved = [submission for rows in clean.values() for submission in rows[1:]]
        for submission in approved:
            review.approve(session, submission, actor=supervisor, now=now())
        for submission in broken:
            _give_back(session, submission, supervisor)
    return Reviewed(len(approved), len(broken))


@dataclass(frozen=True, slots=True)
class Clash:
    """A property of an entity that several devices changed without seeing each other."""

    label: str
    path: str
    values: tuple[str, ...]
    device_ids: tuple[str, ...]


def clashes(opened: Opened, project: Project) -> list[Clash]:
    """Those that are open, by entity."""
    with opened.reading() as session:
        rows = session.execute(
            select(Entity.label, Conflict.path, Conflict.siblings)
            .join(Entity, (Entity.project_id == Conflict.project_id) & (Entity.entity_id == Conflict.record_id))
            .where(Conflict.project_id == project.project_id, Conflict.kind == "entity")
            .order_by(Entity.label, Conflict.path)
        )
        return [
            Clash(label, path, _each(siblings, "value"), _each(siblings, "device")) for label, path, siblings in rows
        ]


def _each(siblings: Sequence[Mapping[str, Any]], name: str) -> tuple[str, ...]:
    return tuple(str(one.get(name) or "") for one in siblings)


def finding_of_the_study(opened: Opened, project: Project) -> Indicator | None:
    """The change of income in %, over all approved interviews."""
    with opened.reading() as session:
        return session.get(Indicator, (project.project_id, "income_change_pct", "all", ""))


def _give_back(session: Session, submission: Submission, supervisor: Actor) -> None:
    errors = [one for one in find.findings(session, submission) if one.severity == "error"]
    review.comment(session, submission, REMARK, path=errors[0].path if errors else "", actor=supervisor, now=now())
    review.return_(session, submission, actor=supervisor, now=now())
