"""Forms on paper: PDF and Word, ?language=id."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from server.api.blueprint import bp
from server.api.forms import named_version
from server.auth import actor
from server.db import session
from server.paper_response import send_paper
from server.projects import project
from sync import access, form_list


@bp.get("/projects/<int:number>/forms/<form_id>.<any(pdf, docx):kind>")
def download_paper(number: int, form_id: str, kind: str) -> ResponseReturnValue:
    found = project(number)
    form = form_list.form(session(), found, form_id, actor=actor())
    return send_paper(found, form_list.version(session(), form, form.version), kind)


@bp.get("/projects/<int:number>/forms/<form_id>/versions/<version>.<any(pdf, docx):kind>")
def download_version_paper(number: int, form_id: str, version: str, kind: str) -> ResponseReturnValue:
    found = project(number)
    form = form_list.form(session(), found, form_id, actor=actor())
    return send_paper(found, form_list.version(session(), form, named_version(version)), kind)


@bp.get("/projects/<int:number>/forms/<form_id>/draft.<any(pdf, docx):kind>")
def download_draft_paper(number: int, form_id: str, kind: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    return send_paper(found, form_list.draft(session(), form_list.form(session(), found, form_id, actor=actor())), kind)
