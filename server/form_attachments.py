"""The files of a form version, going out: uploaded ones, and entity lists that stand in for them."""

from __future__ import annotations

from flask import Response, request

from server.auth import actor
from server.db import session
from server.files import send_blob
from sync import publish
from sync.entities import entity_lists
from sync.entities.scope import scope_of
from sync.errors import NoSuchAttachment
from sync.models import FormVersion, Project
from sync.publish import FormMedia

CSV = "text/csv; charset=utf-8"


def media(row: FormVersion) -> list[FormMedia]:
    """The files that this version names, by name, filled or not."""
    scope = scope_of(session(), row.project_id, actor())
    return publish.form_attachments(session(), row.project_id, row.form_id, row.version, scope=scope)


def send(found: Project, row: FormVersion, name: str) -> Response:
    """The file of this name. Refuses NoSuchAttachment when the version names none, or nobody has filled it."""
    wanted = next((file for file in media(row) if file.name == name and file.is_filled), None)
    if wanted is None:
        raise NoSuchAttachment(name)
    if wanted.sha256:
        return send_blob(found.project_id, wanted.sha256, name=name, media_type=wanted.media_type)
    return send_list(found, wanted.entity_list, name)


def send_list(found: Project, list_name: str, file_name: str) -> Response:
    """The entity list as CSV. Refuses NoSuchList."""
    scope = scope_of(session(), found.project_id, actor())
    content, md5 = entity_lists.csv(session(), found, list_name, scope=scope)
    response = Response(content, content_type=CSV)
    response.headers.set("Content-Disposition", "attachment", filename=file_name)
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(md5)
    response.make_conditional(request)
    return response
