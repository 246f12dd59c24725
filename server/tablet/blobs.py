"""Attachments of a device: which are wanted, and the small ones in one request."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Request, request
from flask.typing import ResponseReturnValue

from schemas.sync import HaveSchema, MissingSchema
from server.clock import now
from server.db import own_transactions, session, writing
from server.projects import project
from server.sender import require_file_sender, require_reader, revoked
from server.services import services
from server.tablet.blueprint import bp, shown
from sync import announced, attach, removed
from sync.attach import Stored
from sync.models import Project

LARGEST_PUT = 256 * 1024
"""Bytes; what is larger comes by a resumable upload."""
LARGEST_QUESTION = 256 * 1024
CHUNK = 64 * 1024


@bp.post("/projects/<int:number>/sync/blobs/have")
@own_transactions
def have(number: int) -> ResponseReturnValue:
    """Which of these files are missing, and from which offset each goes on. One that was deleted on purpose is not:
    whoever has it may drop it."""
    found = project(number)
    own = revoked()
    if own is None:
        require_reader(found)
    request.max_content_length = LARGEST_QUESTION
    asked = HaveSchema().load(request.get_json(force=True, silent=True) or {})
    wanted = {blob["sha256"]: blob["size"] for blob in asked["blobs"]}
    lacking = dict(attach.missing(session(), found.project_id, list(wanted.items())))
    # Of a revoked device's files only those that its work names count as here: what else is here, it must not learn.
    told = wanted.keys() if own is None else wanted.keys() & announced.by_device(session(), own)
    missing = [
        {"sha256": sha256, "size": size, "offset": _offset(found, sha256) if sha256 in told else 0}
        for sha256, size in wanted.items()
        if sha256 in lacking or sha256 not in told
    ]
    return shown(MissingSchema().dump({"missing": missing}))


@bp.put("/projects/<int:number>/sync/blobs/<sha256>")
@own_transactions
def put_blob(number: int, sha256: str) -> ResponseReturnValue:
    """The file is durable and known under its hash; putting it twice is as good as once. One that was deleted on
    purpose is not kept: its answer is 200 then."""
    found = project(number)
    require_file_sender(found, sha256, LARGEST_PUT)
    request.max_content_length = LARGEST_PUT
    if is_refused(found.project_id, sha256):
        return shown({"sha256": sha256, "size": sum(map(len, chunks_of(request)))})
    stored = services().blobs.write(found.project_id, chunks_of(request), limit=LARGEST_PUT, expected_sha256=sha256)
    keep(found.project_id, stored, request.mimetype)
    return shown({"sha256": stored.sha256, "size": stored.size}, 201)


def _offset(found: Project, sha256: str) -> int:
    return services().blobs.offset(found.project_id, sha256)


def is_refused(project_id: str, sha256: str) -> bool:
    """Whether it was deleted on purpose, and nothing has named it anew."""
    return bool(removed.refused(session(), project_id, [sha256]))


def chunks_of(request: Request) -> Iterator[bytes]:
    """The body, piece by piece."""
    while chunk := request.stream.read(CHUNK):
        yield chunk


def keep(project_id: str, stored: Stored, media_type: str) -> None:
    """The row after the bytes, in a transaction of its own."""
    with writing() as opened:
        attach.keep(opened, project_id, stored, media_type=media_type, now=now())
