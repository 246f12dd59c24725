"""Submissions on the wire, as ODK Central's clients know them, and what the server found in them."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from schemas.moment import Moment

CENTRAL_STATES = {
    "received": None,
    "edited": "edited",
    "has_issues": "hasIssues",
    "rejected": "rejected",
    "approved": "approved",
}
"""Our review states by the names of ODK Central (its lib/constants.js); null is "received"."""


class ReviewState(fields.Field[str | None]):
    """A review state by Central's name."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return CENTRAL_STATES[value]

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        for ours, theirs in CENTRAL_STATES.items():
            if theirs == value:
                return ours
        raise ValidationError("Must be hasIssues, rejected, approved, or null.")


class SubmissionSchema(Schema):
    instance_id = fields.String(data_key="instanceId")
    instance_name = fields.String(data_key="instanceName")
    submitter_id = fields.Integer(data_key="submitterId", allow_none=True)
    submitter_name = fields.String(data_key="submitterName")
    device_id = fields.String(data_key="deviceId", allow_none=True)
    review_state = ReviewState(data_key="reviewState")
    version = fields.String(data_key="formVersion")
    edits = fields.Integer()
    errors = fields.Integer()
    warnings = fields.Integer()
    conflicts = fields.Integer()
    attachments_missing = fields.Integer(data_key="attachmentsMissing")
    received_at = Moment(data_key="createdAt")
    updated_at = Moment(data_key="updatedAt")


class SubmissionFilterSchema(Schema):
    """The query of `GET .../submissions`."""

    class Meta:
        unknown = EXCLUDE

    review_state = ReviewState(data_key="reviewState", load_default="")
    limit = fields.Integer(load_default=250, validate=validate.Range(1, 1000))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))


class AttachmentSchema(Schema):
    name = fields.String()
    exists = fields.Method("say_exists")
    is_expected = fields.Boolean(data_key="isExpected")
    sha256 = fields.String(allow_none=True)
    arrived_at = Moment(data_key="updatedAt")

    removed_at = Moment(data_key="removedAt")
    rule = fields.String(data_key="removedBy", allow_none=True)
    """By which rule it was deleted after it had come: see sync.retention.Rule."""

    def say_exists(self, attachment: Any) -> bool:
        return attachment["arrived_at"] is not None and attachment["removed_at"] is None


class FindingSchema(Schema):
    path = fields.String()
    rule = fields.String()
    severity = fields.String()
    value = fields.String()
    message = fields.Dict(keys=fields.String(), values=fields.String())
    params = fields.Dict(keys=fields.String(), values=fields.String())
    is_certain = fields.Boolean(data_key="isCertain")
    state = fields.String()
    note = fields.String()
    reviewed_at = Moment(data_key="reviewedAt")


class ReceiptLineSchema(Schema):
    """What became of one submission that came by REST."""

    op_id = fields.String(data_key="op")
    outcome = fields.String()
    seq = fields.Integer(allow_none=True)
    detail = fields.String()


class HistoryLineSchema(Schema):
    at = Moment(data_key="loggedAt")
    who = fields.String(data_key="actor")
    what = fields.String(data_key="action")
    detail = fields.Raw(data_key="details")
    op_id = fields.String(data_key="op")


class SubmissionVersionSchema(Schema):
    """One instance of a submission: the first one or a correction. `is_current`: it is the one that is shown."""

    instance_id = fields.String(data_key="instanceId")
    submitter_id = fields.Integer(data_key="submitterId", allow_none=True)
    device_id = fields.String(data_key="deviceId", allow_none=True)
    version = fields.String(data_key="formVersion")
    received_at = Moment(data_key="createdAt")
    is_current = fields.Boolean(data_key="current")
