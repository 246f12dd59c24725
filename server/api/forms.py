"""Forms: the list, one form, its versions, and new ones."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from schemas.form import FormChangeSchema, FormSchema, FormUploadSchema
from server.api.blueprint import body, bp, query, shown
from server.api.form_files import received_form, workbook, xform
from server.auth import actor
from server.clock import now
from server.db import own_transactions, session, writing
from server.projects import project
from server.services import services
from sync import access, form_list, publish

EMPTY_VERSION = "___"
"""How ODK Central writes a version that is "" in a path."""


@bp.get("/projects/<int:number>/forms")
def list_forms(number: int) -> ResponseReturnValue:
    return shown(FormSchema(), form_list.forms(session(), project(number), actor=actor()), many=True)


@bp.post("/projects/<int:number>/forms")
@own_transactions
def create_form(number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.create", found.project_id)
    wanted = query(FormUploadSchema())
    upload = received_form(ignores_warnings=wanted["ignore_warnings"])
    with writing() as opened:
        row = publish.save_file(opened, services().blobs, found.project_id, upload, actor=actor(), now=now())
        if wanted["publish"]:
            row = publish.publish(opened, found.project_id, row.form_id, actor=actor(), now=now())
        form = form_list.form(opened, found, row.form_id, actor=actor())
        return shown(FormSchema(), form_list.listed(found, form, row))


@bp.get("/projects/<int:number>/forms/<form_id>")
def show_form(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    form = form_list.form(session(), found, form_id, actor=actor())
    row = form_list.version(session(), form, form.version) if form.version is not None else None
    return shown(FormSchema(), form_list.listed(found, form, row))


@bp.patch("/projects/<int:number>/forms/<form_id>")
def change_form(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.update", found.project_id)
    form = form_list.form(session(), found, form_id, actor=actor())
    form_list.set_state(session(), form, body(FormChangeSchema())["state"], actor=actor(), now=now())
    return show_form(number, form_id)


@bp.get("/projects/<int:number>/forms/<form_id>.xml")
def download_form(number: int, form_id: str) -> ResponseReturnValue:
    form = form_list.form(session(), project(number), form_id, actor=actor())
    return xform(form_list.version(session(), form, form.version))


@bp.get("/projects/<int:number>/forms/<form_id>.<any(xlsx, xls):extension>")
def download_workbook(number: int, form_id: str, extension: str) -> ResponseReturnValue:
    form = form_list.form(session(), project(number), form_id, actor=actor())
    return workbook(form_list.version(session(), form, form.version), extension)


@bp.get("/projects/<int:number>/forms/<form_id>/versions")
def list_versions(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    form = form_list.form(session(), found, form_id, actor=actor())
    rows = [form_list.listed(found, form, row) for row in form_list.versions(session(), form)]
    return shown(FormSchema(), rows, many=True)


@bp.get("/projects/<int:number>/forms/<form_id>/versions/<version>")
def show_version(number: int, form_id: str, version: str) -> ResponseReturnValue:
    found = project(number)
    form = form_list.form(session(), found, form_id, actor=actor())
    row = form_list.version(session(), form, named_version(version))
    return shown(FormSchema(), form_list.listed(found, form, row))


@bp.get("/projects/<int:number>/forms/<form_id>/versions/<version>.xml")
def download_version(number: int, form_id: str, version: str) -> ResponseReturnValue:
    form = form_list.form(session(), project(number), form_id, actor=actor())
    return xform(form_list.version(session(), form, named_version(version)))


@bp.get("/projects/<int:number>/forms/<form_id>/versions/<version>.<any(xlsx, xls):extension>")
def download_version_workbook(number: int, form_id: str, version: str, extension: str) -> ResponseReturnValue:
    form = form_list.form(session(), project(number), form_id, actor=actor())
    return workbook(form_list.version(session(), form, named_version(version)), extension)


def named_version(version: str) -> str:
    return "" if version == EMPTY_VERSION else version
