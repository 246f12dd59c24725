"""Whom work can be given to: the members of a project, devices that belong to nobody, whoever has sent records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from sync.models import Account, Device, Membership, Project, RemoteName, Submission


@dataclass(frozen=True, slots=True)
class Assignee:
    """`id` is an account's, or that of a device which belongs to nobody."""

    id: str
    name: str
    email: str = ""
    role: str = ""
    """In the project; "" for a device, and for people of another server."""


def assignees(session: Session, project: Project) -> list[Assignee]:
    """Enumerators first, then everybody else by name."""
    members = session.execute(
        select(Account.account_id, Account.name, Account.email, Membership.role)
        .join(Membership, Membership.account_id == Account.account_id)
        .where(Membership.project_id == project.project_id, Account.is_active.is_(True), Membership.role != "viewer")
    )
    devices = session.execute(
        select(Device.device_id, Device.name).where(
            Device.project_id == project.project_id,
            Device.account_id.is_(None),
            Device.revoked_at.is_(None),
            Device.kind != "server",
        )
    )
    # Those of another server are known here by the records that it has forwarded.
    is_author = func.coalesce(Submission.account_id, Submission.device_id) == RemoteName.id
    sent = exists().where(Submission.project_id == project.project_id, is_author)
    strangers = session.execute(
        select(RemoteName.id, RemoteName.name).where(RemoteName.project_id == project.project_id, sent)
    )
    found = [Assignee(*row) for rows in (members, devices, strangers) for row in rows.all()]
    unique = {one.id: one for one in reversed(found)}
    return sorted(unique.values(), key=lambda one: (one.role != "enumerator", one.name.casefold(), one.id))


def named(found: Iterable[Assignee], text: str) -> Assignee | None:
    """By id, e-mail address, what stands before the @ of it, or name; None when it is nobody, or more than one."""
    wanted = text.strip().casefold()
    fitting = [one for one in found if wanted and wanted in _names(one)]
    return fitting[0] if len(fitting) == 1 else None


def _names(one: Assignee) -> set[str]:
    email = one.email.casefold()
    return {one.id.casefold(), one.name.casefold(), email, email.partition("@")[0]} - {""}
