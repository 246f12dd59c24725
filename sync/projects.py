"""Projects and who works in them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync.access import Actor, Role, may
from sync.accounts import NumbersTaken
from sync.identity import uuid7
from sync.models import Account, Membership, Project
from sync.record import record


class UnnamedProject(Problem):
    """A project needs a name of 1 to 255 characters. Write one."""

    slug = "project/unnamed"


def create_project(
    session: Session,
    *,
    name: str,
    description: str = "",
    is_synthetic: bool = False,
    actor: Actor,
    now: datetime,
) -> Project:
    """A new project with the next number. Refuses UnnamedProject."""
    if not 1 <= len(name.strip()) <= 255:
        raise UnnamedProject(field="name")
    project = Project(
        project_id=uuid7(),
        name=name.strip(),
        description=description,
        is_synthetic=is_synthetic,
        head=0,
        created_at=now,
    )
    _number(session, project)
    target = ("project", project.project_id)
    record(session, "project.create", actor=actor, at=now, project_id=project.project_id, target=target)
    return project


def by_number(session: Session, number: int) -> Project | None:
    return session.scalar(select(Project).where(Project.number == number))


def visible(session: Session, actor: Actor) -> list[Project]:
    """The projects that the actor may read, by name; archived ones are left out."""
    projects = session.scalars(select(Project).where(Project.archived_at.is_(None)).order_by(Project.name))
    return [project for project in projects if may(actor, "project.read", project.project_id)]


def set_role(
    session: Session, project: Project, account: Account, role: Role | None, *, actor: Actor, now: datetime
) -> None:
    """The account has this role in the project from now on; None takes it away."""
    key = (project.project_id, account.account_id)
    membership = session.get(Membership, key)
    if membership is not None and role is None:
        session.delete(membership)
    elif membership is not None and role is not None:
        membership.role, membership.since_at = role.value, now
    elif role is not None:
        session.add(Membership(project_id=key[0], account_id=key[1], role=role.value, since_at=now))
    session.flush()
    detail = {"role": role.value if role else None}
    target = ("account", account.account_id)
    record(
        session, "member.update", actor=actor, at=now, project_id=project.project_id, target=target, detail=detail
    )


def _number(session: Session, project: Project) -> None:
    """Insert with the next number; two at once are told apart by the UNIQUE constraint."""
    for _attempt in range(5):
        project.number = (session.scalar(select(func.max(Project.number))) or 0) + 1
        try:
            with session.begin_nested():
                session.add(project)
                session.flush()
        except IntegrityError:
            continue
        return
    raise NumbersTaken
