"""Projects and the roles of people in them."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from schemas.account import AssignmentSchema
from schemas.project import NewProjectSchema, ProjectSchema
from server.api.blueprint import body, bp, done, shown
from server.auth import actor, require_login
from server.clock import now
from server.db import session
from server.projects import project
from sync import access, accounts, projects


@bp.get("/projects")
def list_projects() -> ResponseReturnValue:
    require_login()
    return shown(ProjectSchema(), projects.visible(session(), actor()), many=True)


@bp.post("/projects")
def create_project() -> ResponseReturnValue:
    require_login()
    access.require(actor(), "project.create")
    wanted = body(NewProjectSchema())
    made = projects.create_project(session(), **wanted, actor=actor(), now=now())
    return shown(ProjectSchema(), made)


@bp.get("/projects/<int:number>")
def show_project(number: int) -> ResponseReturnValue:
    return shown(ProjectSchema(), project(number))


@bp.get("/projects/<int:number>/assignments")
def list_assignments(number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "member.list", found.project_id)
    return shown(AssignmentSchema(), projects.members(session(), found), many=True)


@bp.post("/projects/<int:number>/assignments/<role>/<int:account_number>")
def assign(number: int, role: str, account_number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "member.update", found.project_id)
    person = accounts.by_number(session(), account_number)
    projects.set_role(session(), found, person, projects.role_named(role), actor=actor(), now=now())
    return done()


@bp.delete("/projects/<int:number>/assignments/<role>/<int:account_number>")
def unassign(number: int, role: str, account_number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "member.update", found.project_id)
    person = accounts.by_number(session(), account_number)
    projects.drop_role(session(), found, person, projects.role_named(role), actor=actor(), now=now())
    return done()
