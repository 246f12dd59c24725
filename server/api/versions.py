"""The instances of a submission: the first one and its corrections, each kept as it was sent."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from schemas.submission import SubmissionVersionSchema
from server.api.blueprint import bp, shown
from server.api.shown_submission import submitter
from server.api.submissions import SUBMISSION, submission
from server.db import session
from sync import find
from sync.errors import NoSuchSubmission
from sync.models import Operation, Submission


@bp.get(SUBMISSION + "/versions")
def list_submission_versions(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    """The newest first."""
    _found, row = submission(number, form_id, instance_id)
    told = [_told(row, one) for one in reversed(_instances(row))]
    return shown(SubmissionVersionSchema(), told, many=True)


@bp.get(SUBMISSION + "/versions/<version_id>")
def show_submission_version(number: int, form_id: str, instance_id: str, version_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id)
    return shown(SubmissionVersionSchema(), _told(row, _instance(row, version_id)))


@bp.get(SUBMISSION + "/versions/<version_id>.xml")
def download_submission_version(number: int, form_id: str, instance_id: str, version_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id)
    return Response(_instance(row, version_id).xml, content_type="application/xml; charset=utf-8")


def _instances(row: Submission) -> list[Operation]:
    return [one for one in find.versions(session(), row) if one.instance_id]


def _instance(row: Submission, version_id: str) -> Operation:
    found = next((one for one in _instances(row) if one.instance_id == version_id), None)
    if found is None:
        raise NoSuchSubmission(version_id)
    return found


def _told(row: Submission, one: Operation) -> dict[str, Any]:
    return {
        "instance_id": one.instance_id,
        "submitter_id": submitter(session(), one.project_id, one.account_id, one.device_id).number,
        "device_id": one.device_id,
        "version": one.version,
        "received_at": one.received_at,
        "is_current": one.op_id == row.op_id,
    }
