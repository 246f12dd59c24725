"""Submissions from ODK Collect: whatever has arrived is kept, and the answer says in words what became of it."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response, request
from flask.typing import ResponseReturnValue

from forms.errors import Kind, Problem
from schemas.openrosa import response
from server.clock import now
from server.db import engine, own_transactions, session
from server.openrosa import multipart
from server.openrosa.blueprint import KEY, OPEN, bp, xml
from server.openrosa.message import said
from server.projects import project
from server.sender import require_sender, sender
from server.services import services
from sync.attach import Stored
from sync.models import Project
from sync.receive import receive_submission
from sync.verdict import Line, Outcome


class NotKept(Problem):
    """The server cannot keep this submission. It is still on the device; tell the project's manager."""

    kind = Kind.TOO_LARGE
    slug = "submission/not-kept"


@bp.route(KEY + "/submission", methods=["HEAD"])
@bp.route(OPEN + "/submission", methods=["HEAD"])
def invite_submission(number: int, token: str = "") -> ResponseReturnValue:
    """Collect asks before it sends, and takes nothing but 204 for yes."""
    require_sender(project(number), "submission.create")
    return Response(status=204)


@bp.post(KEY + "/submission")
@bp.post(OPEN + "/submission")
@own_transactions
def receive_openrosa(number: int, token: str = "") -> ResponseReturnValue:
    """201 for what is settled, 202 for what waits or needs a supervisor; both only once it is durable."""
    found = project(number)
    require_sender(found, "submission.create")
    sent = _read(found)
    line = receive_submission(
        engine(),
        sender(found, "openrosa"),
        sent.xml or b"",
        [kept.file for kept in sent.files],
        form_id=None,
        now=now(),
        reading=session(),
    )
    return _answer(line, is_incomplete=sent.is_incomplete)


def _read(found: Project) -> multipart.Sent:
    limit = services().settings.max_blob_bytes
    request.max_content_length = limit + multipart.LONGEST_XML

    def keep(chunks: Iterable[bytes]) -> Stored:
        return services().blobs.write(found.project_id, chunks, limit=limit)

    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype == "multipart/form-data" and boundary:
        return multipart.read(request.stream, boundary.encode(), keep)
    # Whatever else an authenticated client posts is taken for the XML itself: better in quarantine than lost.
    body = multipart.whole(request.stream)
    if not body:
        raise multipart.NoSubmission
    return multipart.Sent(body)


def _answer(line: Line, *, is_incomplete: bool) -> Response:
    if line.outcome is Outcome.REJECTED:
        raise NotKept(line.detail)
    is_settled = (line.first or line.outcome).is_shown and not line.conflicts
    words = said(line, is_incomplete=is_incomplete)
    return xml(response(words, nature="submit_success"), 201 if is_settled else 202)
