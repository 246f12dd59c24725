"""The blueprint, and what all answers to OpenRosa clients have in common."""

from __future__ import annotations

from email.utils import formatdate

from flask import Blueprint, Response

from server.language import chosen
from server.services import services

bp = Blueprint("openrosa", __name__)

KEY = "/v1/key/<token>/projects/<int:number>"
"""For app users, whose token stands in the address."""
OPEN = "/v1/projects/<int:number>"
"""For people with a session or Basic credentials."""


def xml(body: bytes, status: int = 200) -> Response:
    """An OpenRosa document. Collect insists on text/xml and on the version header."""
    return Response(body, status, content_type="text/xml; charset=utf-8")


@bp.after_request
def _speak_openrosa(response: Response) -> Response:
    response.headers["X-OpenRosa-Version"] = "1.0"
    # Collect packs its files into requests up to this size; a larger file comes alone, and is taken as well.
    response.headers["X-OpenRosa-Accept-Content-Length"] = str(services().settings.max_submission_bytes)
    response.headers["Date"] = formatdate(usegmt=True)
    response.headers.setdefault("Content-Language", chosen())
    return response
