"""The first page: the projects of who is logged in."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import case, func, select

from server.auth import actor, require_login
from server.console.blueprint import bp
from server.db import session
from sync.models import Membership, Project, Submission
from sync.projects import visible


@bp.get("/")
def home() -> ResponseReturnValue:
    require_login()
    projects = visible(session(), actor())
    roles = {project.project_id: _role(project) for project in projects}
    return render_template("console/home.html", projects=projects, counts=_counts(projects), roles=roles)


def _role(project: Project) -> str:
    if actor().is_administrator:
        return ""
    row = session().get(Membership, (project.project_id, actor().account_id))
    return row.role if row is not None else ""


def _counts(projects: list[Project]) -> dict[str, tuple[int, int]]:
    """For each project: all records, and those that nobody has reviewed."""
    if not projects:
        return {}
    waits = case((Submission.review_state.in_(("received", "edited")), 1), else_=0)
    rows = session().execute(
        select(Submission.project_id, func.count(), func.sum(waits))
        .where(Submission.project_id.in_([project.project_id for project in projects]), ~Submission.is_deleted)
        .group_by(Submission.project_id)
    )
    return {project_id: (total, int(waiting or 0)) for project_id, total, waiting in rows}


@bp.get("/projects/<int:number>")
def overview(number: int) -> ResponseReturnValue:
    return redirect(url_for("console.day", number=number), 303)
