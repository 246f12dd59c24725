"""The shipped study as a project."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.form_file import FormFile, read_form_file
from forms.library import ABOUT, STUDY, TITLE
from server.clock import now
from server.commands.database import Opened
from server.demo.people import actor, ensure_roles
from sync import projects, publish
from sync.access import SYSTEM, Role
from sync.models import FormVersion, Project


def ensure_project(opened: Opened) -> Project:
    """The project of the study, marked as synthetic."""
    with opened.writing() as session:
        found = session.scalar(
            select(Project).where(Project.is_synthetic, Project.name == TITLE["id"]).order_by(Project.number).limit(1)
        )
        project = found or projects.create_project(
            session, name=TITLE["id"], description=ABOUT["id"], is_synthetic=True, actor=SYSTEM, now=now()
        )
        session.flush()
        if found is None:
            ensure_roles(session, project)
    return project


def workbooks(*, newest: bool) -> list[tuple[str, str, bytes]]:
    """(form ID, file name, bytes): the newest version of each form that has an earlier one, or all that come before."""
    found = []
    for form in STUDY:
        names = form.files[-1:] if newest else form.files[:1]
        if not newest or len(form.files) > 1:
            found += [(form.form_id, name, form.read(name)) for name in names]
    return found


def publish_workbook(opened: Opened, project: Project, name: str, content: bytes) -> None:
    """The version in the workbook is published, unless it is already."""
    file = read_form_file(content, name)
    with opened.writing() as session:
        if _is_published(session, project, file):
            return
        manager = actor(session, Role.MANAGER)
        publish.save_file(session, opened.blobs, project.project_id, file, actor=manager, now=now())
        publish.publish(session, project.project_id, file.definition.form_id, actor=manager, now=now())


def _is_published(session: Session, project: Project, file: FormFile) -> bool:
    row = session.get(FormVersion, (project.project_id, file.definition.form_id, file.definition.version))
    return row is not None and row.state == "published"
