"""Who works in the demonstration."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.library.profile import cast
from server.clock import now
from server.commands.database import Opened
from sync import accounts, projects
from sync.access import SYSTEM, Actor, Role
from sync.devices import LETTERS
from sync.models import Account, Event, Project


@dataclass(frozen=True, slots=True)
class Part:
    """A person of the demonstration; `role` None is the administrator."""

    email: str
    name: str
    role: Role | None


PARTS: tuple[Part, ...] = (
    Part("admin@lapangan.example", "Administrator", None),
    Part("peneliti@lapangan.example", "Peneliti", Role.MANAGER),
    Part("supervisor@lapangan.example", "Supervisor", Role.SUPERVISOR),
    *(
        Part(f"{enumerator.username}@lapangan.example", enumerator.name, Role.ENUMERATOR)
        for enumerator in cast().enumerators
    ),
)


@dataclass(frozen=True, slots=True)
class LogIn:
    """How somebody gets in; the password is "" where a person has chosen one."""

    part: Part
    password: str


def ensure_people(opened: Opened) -> list[LogIn]:
    """The accounts are there, with passwords drawn just now.

    Passwords are never stored in clear, so a later run draws new ones, except where a person has set one since."""
    drawn = [(part, password := _password(), accounts.hashed(password)) for part in PARTS]
    with opened.writing() as session:
        return [_ensure(session, part, password, hashed) for part, password, hashed in drawn]


def ensure_roles(session: Session, project: Project) -> None:
    """Everybody has their role in the project."""
    for part in PARTS:
        account = accounts.by_email(session, part.email)
        if part.role is not None and account is not None:
            projects.set_role(session, project, account, part.role, actor=SYSTEM, now=now())


def actor(session: Session, role: Role) -> Actor:
    """The first person with that role, as one who acts."""
    (part, *_others) = (part for part in PARTS if part.role is role)
    account = accounts.by_email(session, part.email)
    if account is None:
        raise accounts.NoSuchAccount(part.email)
    return accounts.actor_for(session, account)


def _ensure(session: Session, part: Part, password: str, hashed: str) -> LogIn:
    account = accounts.by_email(session, part.email)
    if account is None:
        accounts.create_account(
            session,
            email=part.email,
            name=part.name,
            password_hash=hashed,
            is_administrator=part.role is None,
            actor=SYSTEM,
            now=now(),
        )
        return LogIn(part, password)
    if _has_chosen(session, account):
        return LogIn(part, "")
    account.password_hash = hashed
    return LogIn(part, password)


def _has_chosen(session: Session, account: Account) -> bool:
    """Somebody other than this command has set the password."""
    chosen = select(Event.event_id).where(
        Event.action == "account.password", Event.target_kind == "account", Event.target_id == account.account_id
    )
    return session.scalar(chosen.limit(1)) is not None


def _password() -> str:
    """71 random bits that can be typed from a screen."""
    groups = ("".join(secrets.choice(LETTERS.lower()) for _letter in range(4)) for _group in range(3))
    return "-".join(groups)
