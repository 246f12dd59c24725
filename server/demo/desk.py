"""What the supervisor does in the evening, so that there is something to see."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from server.commands.database import Opened
from server.demo.people import actor
from sync import devices, find, review
from sync.access import Actor, Role
from sync.find import Filter
from sync.models import Account, Conflict, Entity, Indicator, Project, Submission

REMARK = "Pemakaian kredit lebih besar daripada kredit yang diterima. Mohon dicek lagi dengan informan."


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
