"""The draft of a form, and its publication."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from forms.errors import Problem
from forms.fault import as_kept
from forms.form_file import FormFile
from schemas.form import FormSchema, FormUploadSchema
from server.api.blueprint import bp, done, query, shown
from server.api.form_files import received_form, workbook, xform
from server.auth import actor
from server.clock import now
from server.db import own_transactions, session, writing
from server.projects import project
from server.services import services
from sync import access, form_list, publish
from sync.errors import NoSuchVersion


class OtherForm(Problem):
    """This file is another form: its form ID is not the one in the address. Correct the form_id in its settings."""

    slug = "form/other-form"


@bp.post("/projects/<int:number>/forms/<form_id>/draft")
@own_transactions
def save_draft(number: int, form_id: str) -> ResponseReturnValue:
    """The body becomes the draft; without a body, the published version does."""
    found = project(number)
    access.require(actor(), "form.update", found.project_id)
    form = form_list.form(session(), found, form_id, actor=actor())
    if request.get_data():
        upload = received_form(ignores_warnings=query(FormUploadSchema())["ignore_warnings"])
    else:
        row = form_list.version(session(), form, form.version)
        again = publish.definition(session(), found.project_id, form_id, row.version)
        if again is None:
            raise NoSuchVersion(row.version)
        upload = FormFile(row.xform, again, row.workbook, row.workbook_name, tuple(as_kept(row.notices)))
    with writing() as opened:
        saved = publish.save_file(opened, services().blobs, found.project_id, upload, actor=actor(), now=now())
        if saved.form_id != form_id:
            raise OtherForm(saved.form_id)
    return done()


@bp.get("/projects/<int:number>/forms/<form_id>/draft")
def show_draft(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    form = form_list.form(session(), found, form_id, actor=actor())
    return shown(FormSchema(), form_list.listed(found, form, form_list.draft(session(), form)))


@bp.get("/projects/<int:number>/forms/<form_id>/draft.xml")
def download_draft(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    return xform(form_list.draft(session(), form_list.form(session(), found, form_id, actor=actor())))


@bp.get("/projects/<int:number>/forms/<form_id>/draft.<any(xlsx, xls):extension>")
def download_draft_workbook(number: int, form_id: str, extension: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    return workbook(form_list.draft(session(), form_list.form(session(), found, form_id, actor=actor())), extension)


@bp.post("/projects/<int:number>/forms/<form_id>/draft/publish")
def publish_draft(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.publish", found.project_id)
    publish.publish(session(), found.project_id, form_id, actor=actor(), now=now())
    return done()
