"""The files that a form needs: CSV tables, pictures, sound."""

from __future__ import annotations

from collections.abc import Iterator

from flask import request
from flask.typing import ResponseReturnValue

from schemas.form import FormAttachmentSchema
from server.api.blueprint import bp, done, shown
from server.api.forms import named_version
from server.auth import actor
from server.clock import now
from server.db import own_transactions, session, writing
from server.form_attachments import media, send
from server.projects import project
from server.services import services
from sync import access, attach, form_list, publish
from sync.models import FormVersion, Project

CHUNK = 64 * 1024
FORM = "/projects/<int:number>/forms/<form_id>"


@bp.get(FORM + "/attachments")
def list_form_attachments(number: int, form_id: str) -> ResponseReturnValue:
    return shown(FormAttachmentSchema(), media(_current(project(number), form_id)), many=True)


@bp.get(FORM + "/attachments/<name>")
def download_form_attachment(number: int, form_id: str, name: str) -> ResponseReturnValue:
    found = project(number)
    return send(found, _current(found, form_id), name)


@bp.post(FORM + "/attachments/<name>")
@own_transactions
def fill_form_attachment(number: int, form_id: str, name: str) -> ResponseReturnValue:
    """The file of a published version that was still missing; one that is there never changes."""
    found = project(number)
    access.require(actor(), "form.update", found.project_id)
    _attach(found, _current(found, form_id), name)
    return done()


@bp.get(FORM + "/versions/<version>/attachments")
def list_version_attachments(number: int, form_id: str, version: str) -> ResponseReturnValue:
    return shown(FormAttachmentSchema(), media(_version(project(number), form_id, version)), many=True)


@bp.get(FORM + "/versions/<version>/attachments/<name>")
def download_version_attachment(number: int, form_id: str, version: str, name: str) -> ResponseReturnValue:
    found = project(number)
    return send(found, _version(found, form_id, version), name)


@bp.get(FORM + "/draft/attachments")
def list_draft_attachments(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    return shown(FormAttachmentSchema(), media(_draft(found, form_id)), many=True)


@bp.get(FORM + "/draft/attachments/<name>")
def download_draft_attachment(number: int, form_id: str, name: str) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    return send(found, _draft(found, form_id), name)


@bp.post(FORM + "/draft/attachments/<name>")
@own_transactions
def attach_to_draft(number: int, form_id: str, name: str) -> ResponseReturnValue:
    """The body is the file of this name, which the draft must ask for."""
    found = project(number)
    access.require(actor(), "form.update", found.project_id)
    _attach(found, _draft(found, form_id), name)
    return done()


def _attach(found: Project, row: FormVersion, name: str) -> None:
    limit, media_type = services().settings.max_submission_bytes, request.mimetype
    stored = services().blobs.write(found.project_id, _chunks(), limit=limit)
    with writing() as opened:
        attach.keep(opened, found.project_id, stored, media_type=media_type, now=now())
        publish.attach_form_file(
            opened,
            found.project_id,
            row.form_id,
            row.version,
            name,
            stored,
            media_type=media_type,
            actor=actor(),
            now=now(),
        )


def _chunks() -> Iterator[bytes]:
    while chunk := request.stream.read(CHUNK):
        yield chunk


def _current(found: Project, form_id: str) -> FormVersion:
    form = form_list.form(session(), found, form_id, actor=actor())
    return form_list.version(session(), form, form.version)


def _version(found: Project, form_id: str, version: str) -> FormVersion:
    form = form_list.form(session(), found, form_id, actor=actor())
    return form_list.version(session(), form, named_version(version))


def _draft(found: Project, form_id: str) -> FormVersion:
    return form_list.draft(session(), form_list.form(session(), found, form_id, actor=actor()))
