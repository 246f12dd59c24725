"""Attachments of a device: which are wanted, and the small ones in one request."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Request, request
from flask.typing import ResponseReturnValue

from schemas.sync import HaveSchema, MissingSchema
from server.clock import now
from server.db import own_transactions, session, writing
from server.projects import project
from server.sender import require_reader
from server.services import services
from server.tablet.blueprint import bp, shown
from sync import attach
from sync.attach import Stored

LARGEST_PUT = 256 * 1024
"""Bytes; what is larger comes by a resumable upload."""
LARGEST_QUESTION = 256 * 1024
CHUNK = 64 * 1024


@bp.post("/projects/<int:number>/sync/blobs/have")
@own_transactions
def have(number: int) -> ResponseReturnValue:
    """Which of these files are missing, and from which offset each goes on."""
    found = project(number)
    require_reader(found)
    request.max_content_length = LARGEST_QUESTION
    asked = HaveSchema().load(request.get_json(force=True, silent=True) or {})
    wanted = [(blob["sha256"], blob["size"]) for blob in asked["blobs"]]
    missing = [
        {"sha256": sha256, "size": size, "offset": services().blobs.offset(found.project_id, sha256)}
        for sha256, size in attach.missing(session(), found.project_id, wanted)
    ]
    return shown(MissingSchema().dump({"missing": missing}))


@bp.put("/projects/<int:number>/sync/blobs/<sha256>")
@own_transactions
def put_blob(number: int, sha256: str) -> ResponseReturnValue:
    """The file is durable and known under its hash; putting it twice is as good as once."""
    found = project(number)
    require_reader(found)
    request.max_content_length = LARGEST_PUT
    stored = services().blobs.write(found.project_id, chunks_of(request), limit=LARGEST_PUT, expected_sha256=sha256)
    keep(found.project_id, stored, request.mimetype)
    return shown({"sha256": stored.sha256, "size": stored.size}, 201)


def chunks_of(request: Request) -> Iterator[bytes]:
    """The body, piece by piece."""
    while chunk := request.stream.read(CHUNK):
        yield chunk


def keep(project_id: str, stored: Stored, media_type: str) -> None:
    """The row after the bytes, in a transaction of its own."""
    with writing() as opened:
        attach.keep(opened, project_id, stored, media_type=media_type, now=now())
