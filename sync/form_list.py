"""Forms and their versions, looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from forms.fault import Fault, as_kept
from sync import author
from sync.access import Actor, may, require
from sync.errors import NoSuchForm, NoSuchVersion
from sync.lock import lock_project
from sync.models import Form, FormVersion, Project
from sync.record import record


@dataclass(frozen=True, slots=True)
class Listed:
    """A form with one of its versions: the one that devices use now, the draft, or an old one."""

    project_number: int
    form_id: str
    title: str
    version: str | None
    md5: str | None
    state: str
    workbook_name: str
    notices: list[Fault]
    published_at: datetime | None
    created_at: datetime
    updated_at: datetime


def forms(session: Session, project: Project, *, actor: Actor) -> list[Listed]:
    """The forms that the actor may see, by title: who only collects sees those that are open."""
    found = (
        select(Form, FormVersion)
        .join(
            FormVersion,
            (FormVersion.project_id == Form.project_id)
            & (FormVersion.form_id == Form.form_id)
            & (FormVersion.version == Form.version),
            isouter=True,
        )
        .where(Form.project_id == project.project_id)
        .order_by(Form.title, Form.form_id)
    )
    if not may(actor, "form.list", project.project_id):
        require(actor, "open_form.read", project.project_id)
        found = found.where(Form.state == "open", Form.version.is_not(None))
    return [listed(project, form, version) for form, version in session.execute(found)]


def form(session: Session, project: Project, form_id: str, *, actor: Actor) -> Form:
    """Refuses NoSuchForm, also for a closed form when the actor only collects."""
    found = session.get(Form, (project.project_id, form_id))
    if found is None:
        raise NoSuchForm(form_id)
    if not may(actor, "form.read", project.project_id):
        require(actor, "open_form.read", project.project_id)
        if found.state == "closed" or found.version is None:
            raise NoSuchForm(form_id)
    return found


def version(session: Session, found: Form, name: str | None) -> FormVersion:
    """A version that has been published. Refuses NoSuchVersion."""
    row = session.get(FormVersion, (found.project_id, found.form_id, name)) if name is not None else None
    if row is None or row.state != "published":
        raise NoSuchVersion(name or "")
    return row


def draft(session: Session, found: Form) -> FormVersion:
    """The draft. Refuses NoSuchVersion when there is none."""
    row = session.scalar(_versions(found).where(FormVersion.state == "draft"))
    if row is None:
        raise NoSuchVersion("draft")
    return row


def versions(session: Session, found: Form) -> list[FormVersion]:
    """The published versions, the newest first."""
    newest = FormVersion.published_at.desc()
    return list(session.scalars(_versions(found).where(FormVersion.state == "published").order_by(newest)))


def set_state(session: Session, found: Form, state: str, *, actor: Actor, now: datetime) -> None:
    """The form is open, closing (devices that have it may still send) or closed from now on; devices are told."""
    lock_project(session, found.project_id)
    detail = {"from": found.state, "to": state}
    found.state, found.updated_at = state, now
    if found.version is not None and detail["from"] != state:
        author.write(
            session,
            session.get_one(Project, found.project_id),
            kind="form",
            record_id=found.form_id,
            changes={"state": state},
            actor=actor,
            now=now,
            form_id=found.form_id,
            version=found.version,
        )
    target = ("form", found.form_id)
    record(session, "form.state", actor=actor, at=now, project_id=found.project_id, target=target, detail=detail)


def _versions(found: Form) -> Select[FormVersion]:
    return select(FormVersion).where(FormVersion.project_id == found.project_id, FormVersion.form_id == found.form_id)


def listed(project: Project, found: Form, row: FormVersion | None) -> Listed:
    """One form as lists show it."""
    return Listed(
        project_number=project.number,
        form_id=found.form_id,
        title=row.title if row else found.title,
        version=row.version if row else None,
        md5=row.md5 if row else None,
        state=found.state,
        workbook_name=row.workbook_name if row else "",
        notices=as_kept(row.notices) if row else [],
        published_at=row.published_at if row else None,
        created_at=row.created_at if row else found.created_at,
        updated_at=found.updated_at,
    )
