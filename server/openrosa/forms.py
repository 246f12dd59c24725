"""Forms for ODK Collect: the list, the XForms, their manifests and files."""

from __future__ import annotations

from urllib.parse import quote

from flask import request
from flask.typing import ResponseReturnValue

from schemas.openrosa import ListedForm, MediaFile
from schemas.openrosa import form_list as written_list
from schemas.openrosa import integrity as written_integrity
from schemas.openrosa import manifest as written_manifest
from server.address import project_url
from server.auth import actor
from server.db import session
from server.form_attachments import media, send
from server.openrosa.blueprint import KEY, OPEN, bp, xml
from server.projects import project
from sync import access, form_list, publish
from sync.entities import entity_lists
from sync.entities.scope import scope_of
from sync.form_list import Listed
from sync.models import FormVersion, Project
from sync.publish import FormMedia

MOST_IDS = 1000


@bp.get(KEY + "/formList")
@bp.get(OPEN + "/formList")
def list_open_forms(number: int, token: str = "") -> ResponseReturnValue:
    """Published, open forms. Collect deletes from the device what is not listed here."""
    found, wanted = project(number), request.args.get("formID")
    listed = [
        _entry(found, form, token)
        for form in form_list.forms(session(), found, actor=actor())
        if form.state == "open" and form.version is not None and wanted in (None, form.form_id)
    ]
    return xml(written_list(listed))


@bp.get(KEY + "/forms/<form_id>.xml")
def download_xform(number: int, form_id: str, token: str) -> ResponseReturnValue:
    """The bytes whose MD5 the list announces."""
    row = _current(project(number), form_id)
    response = xml(row.xform)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(row.md5)
    return response.make_conditional(request)


@bp.get(KEY + "/forms/<form_id>/manifest")
@bp.get(OPEN + "/forms/<form_id>/manifest")
def show_manifest(number: int, form_id: str, token: str = "") -> ResponseReturnValue:
    """The files of the form that are here; a slot that nobody has filled is left out, as Collect needs it."""
    found = project(number)
    filled = [file for file in media(_current(found, form_id)) if file.is_filled]
    return xml(written_manifest(_media_file(found, file, form_id, token) for file in filled))


@bp.get(KEY + "/forms/<form_id>/attachments/<name>")
def download_form_file(number: int, form_id: str, name: str, token: str) -> ResponseReturnValue:
    found = project(number)
    return send(found, _current(found, form_id), name)


@bp.get(KEY + "/datasets/<name>/integrity")
@bp.get(OPEN + "/datasets/<name>/integrity")
def show_integrity(number: int, name: str, token: str = "") -> ResponseReturnValue:
    """Which of the entities that only the device still has are deleted. Of an unknown one nothing is said."""
    found = project(number)
    access.require(actor(), "entity.read", found.project_id)
    scope = scope_of(session(), found.project_id, actor())
    ids = [wanted for wanted in request.args.get("id", "").split(",") if wanted][:MOST_IDS]
    return xml(written_integrity(entity_lists.deleted(session(), found, name, ids, scope=scope)))


def _current(found: Project, form_id: str) -> FormVersion:
    form = form_list.form(session(), found, form_id, actor=actor())
    return form_list.version(session(), form, form.version)


def _entry(found: Project, form: Listed, token: str) -> ListedForm:
    here = _form_url(found, form.form_id, token)
    version = form.version or ""
    has_media = any(publish.form_attachments(session(), found.project_id, form.form_id, version))
    manifest_url = f"{here}/manifest" if has_media else ""
    return ListedForm(form.form_id, form.title, version, form.md5 or "", f"{here}.xml", manifest_url)


def _media_file(found: Project, file: FormMedia, form_id: str, token: str) -> MediaFile:
    download = f"{_form_url(found, form_id, token)}/attachments/{quote(file.name, safe='')}"
    if not file.entity_list:
        return MediaFile(file.name, file.md5, download)
    integrity = f"{project_url(found.number, token)}/datasets/{quote(file.entity_list, safe='')}/integrity"
    return MediaFile(file.name, file.md5, download, integrity, needs_approval=file.needs_approval)


def _form_url(found: Project, form_id: str, token: str) -> str:
    return f"{project_url(found.number, token)}/forms/{quote(form_id, safe='')}"
