"""The files of a submission: photos, sound, audit logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from schemas.submission import AttachmentSchema
from server.api.blueprint import bp, done, shown
from server.api.submissions import SUBMISSION, submission
from server.api.verdict import require_shown
from server.clock import now
from server.db import engine, own_transactions, session
from server.files import send_blob
from server.projects import project
from server.sender import require_sender, sender
from server.services import services
from sync import find, receive, removed
from sync.errors import FileRemoved, NoSuchAttachment
from sync.models import Operation, RemovedBlob, Submission, SubmissionAttachment
from sync.verdict import SentFile

CHUNK = 64 * 1024


@bp.get(SUBMISSION + "/attachments")
def list_attachments(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id)
    gone = find.removals(session(), row)
    return shown(
        AttachmentSchema(), [_told(file, gone.get(file.name)) for file in find.attachments(session(), row)], many=True
    )


@bp.get(SUBMISSION + "/attachments/<name>")
def download_attachment(number: int, form_id: str, instance_id: str, name: str) -> ResponseReturnValue:
    found, row = submission(number, form_id, instance_id)
    file = next((file for file in find.attachments(session(), row) if file.name == name), None)
    if file is None or file.sha256 is None:
        raise NoSuchAttachment(name)
    return send_blob(found.project_id, file.sha256, name=name, media_type=file.media_type)


@bp.post(SUBMISSION + "/attachments/<name>")
@own_transactions
def add_attachment(number: int, form_id: str, instance_id: str, name: str) -> ResponseReturnValue:
    """The body is the file of this name: it comes with its instance, as ODK Collect sends what is late. Refuses
    FileRemoved for one that was deleted on purpose."""
    require_sender(project(number), "submission.create")
    found, row = submission(number, form_id, instance_id)
    xml, media_type = _instance(row, name), request.mimetype
    limit = request.max_content_length = services().settings.max_blob_bytes
    stored = services().blobs.write(found.project_id, _chunks(), limit=limit)
    file = SentFile(name, stored.sha256, stored.size, media_type)
    line = receive.receive_submission(engine(), sender(found, "rest"), xml, [file], form_id=form_id, now=now())
    require_shown(line)
    if removed.refused(session(), found.project_id, [stored.sha256]):
        raise FileRemoved(name)
    return done()


def _told(file: SubmissionAttachment, gone: RemovedBlob | None) -> dict[str, Any]:
    same = {name: getattr(file, name) for name in ("name", "is_expected", "sha256", "arrived_at")}
    return same | {"removed_at": gone.removed_at if gone else None, "rule": gone.rule if gone else None}


def _instance(row: Submission, name: str) -> bytes:
    """The instance that is shown, exactly as it was sent. Refuses NoSuchAttachment when it names no such file."""
    shown_now = session().get_one(Operation, (row.project_id, row.op_id))
    expected = {file.name for file in find.attachments(session(), row) if file.is_expected}
    if shown_now.xml is None or name not in expected:
        raise NoSuchAttachment(name)
    return shown_now.xml.encode()


def _chunks() -> Iterator[bytes]:
    while chunk := request.stream.read(CHUNK):
        yield chunk
