"""The files of a submission: photos, sound, audit logs."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from schemas.submission import AttachmentSchema
from server.api.blueprint import bp, shown
from server.api.submissions import SUBMISSION, submission
from server.db import session
from server.files import send_blob
from sync import find
from sync.errors import NoSuchAttachment

CHUNK = 64 * 1024


@bp.get(SUBMISSION + "/attachments")
def list_attachments(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id)
    return shown(AttachmentSchema(), find.attachments(session(), row), many=True)


@bp.get(SUBMISSION + "/attachments/<name>")
def download_attachment(number: int, form_id: str, instance_id: str, name: str) -> ResponseReturnValue:
    found, row = submission(number, form_id, instance_id)
    file = next((file for file in find.attachments(session(), row) if file.name == name), None)
    if file is None or file.sha256 is None:
        raise NoSuchAttachment(name)
    return send_blob(found.project_id, file.sha256, name=name, media_type=file.media_type)
