"""Forms on paper, going out over HTTP."""

from __future__ import annotations

from flask import Response, request
from flask_babel import get_locale

from server.db import session
from server.paper import MEDIA_TYPES, fingerprint, language_of, printed
from sync import publish
from sync.errors import NoSuchVersion
from sync.models import FormVersion, Project


def send_paper(found: Project, row: FormVersion, kind: str) -> Response:
    """A version of a form to print, in the language that the query names. Refuses NotSpoken and NoSuchVersion."""
    definition = publish.definition(session(), found.project_id, row.form_id, row.version, with_draft=True)
    if definition is None:
        raise NoSuchVersion(row.version)
    locale = get_locale()
    reader = locale.language if locale is not None else "en"
    language = language_of(definition, request.args.get("language", "").strip(), reader)
    response = Response(content_type=MEDIA_TYPES[kind])
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(fingerprint(definition, row.md5, kind, language, reader, found.name))
    if request.if_none_match.contains_weak(response.get_etag()[0] or ""):
        response.make_conditional(request)
        return response
    made = printed(definition, kind, language, reader=reader, study=found.name)
    response.set_data(made.content)
    response.headers.set("Content-Disposition", "attachment", filename=made.name)
    return response
