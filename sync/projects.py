"""Projects and who works in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync.access import Actor, Role, may
from sync.accounts import NumbersTaken
from sync.identity import uuid7
from sync.models import Account, Membership, Project
from sync.record import record

_BY_NUMBER = select(Project).where(Project.number == bindparam("number"))
"""Made once: every request asks it."""


class UnnamedProject(Problem):
    """A project needs a name of 1 to 255 characters. Write one."""

    slug = "project/unnamed"


class NoSuchRole(Problem):
    """There is no such role. Choose manager, supervisor, enumerator or viewer."""

    kind = Kind.NOT_FOUND
    slug = "project/no-such-role"


class NotAMember(Problem):
    """This person does not have that role in the project. Load the list of members again."""

    kind = Kind.NOT_FOUND
    slug = "project/not-a-member"


@dataclass(frozen=True, slots=True)
class Member:
    """An account with its role in one project."""

    account_id: str
    number: int
    name: str
    role: str


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


def adopt_project(session: Session, project_id: str, *, name: str, actor: Actor, now: datetime) -> Project:
    """The project of another server is here too, under the same id and a number of its own."""
    known = session.get(Project, project_id)
    if known is not None:
        return known
    project = Project(project_id=project_id, name=name.strip()[:255], description="", head=0, created_at=now)
    _number(session, project)
    target = ("project", project_id)
    record(session, "project.create", actor=actor, at=now, project_id=project_id, target=target)
    return project


def by_number(session: Session, number: int) -> Project | None:
    return session.scalar(_BY_NUMBER, {"number": number})


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
    record(session, "member.update", actor=actor, at=now, project_id=project.project_id, target=target, detail=detail)


def drop_role(session: Session, project: Project, account: Account, role: Role, *, actor: Actor, now: datetime) -> None:
    """The account no longer has this role in the project. Refuses NotAMember when it never had."""
    membership = session.get(Membership, (project.project_id, account.account_id))
    if membership is None or membership.role != role.value:
        raise NotAMember
    set_role(session, project, account, None, actor=actor, now=now)


def members(session: Session, project: Project) -> list[Member]:
    """Who works in the project, by number."""
    rows = session.execute(
        select(Account.account_id, Account.number, Account.name, Membership.role)
        .join(Account, Account.account_id == Membership.account_id)
        .where(Membership.project_id == project.project_id)
        .order_by(Account.number)
    )
    return [Member(*row) for row in rows]


def role_named(name: str) -> Role:
    """The role; Central's "formfill" is our enumerator. Refuses NoSuchRole."""
    try:
        return Role({"formfill": "enumerator"}.get(name, name))
    except ValueError:
        raise NoSuchRole(name) from None


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
