"""Review decisions and comments on the wire."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment
from schemas.submission import ReviewState


class ReviewSchema(Schema):
    """`PATCH .../submissions/:id`; the note comes in the header X-Action-Notes."""

    class Meta:
        unknown = EXCLUDE

    review_state = ReviewState(data_key="reviewState", required=True, allow_none=True)


class CommentSchema(Schema):
    comment_id = fields.String(data_key="id", dump_only=True)
    body = fields.String(required=True, validate=validate.Length(1, 10_000))
    path = fields.String(load_default="", validate=validate.Length(max=255))
    """The question it is about; "" for the whole record. Ours: Central has only the latter."""
    actor_id = fields.Integer(data_key="actorId", dump_only=True, allow_none=True)
    actor_name = fields.String(data_key="actorName", dump_only=True)
    created_at = Moment(data_key="createdAt", dump_only=True)

    class Meta:
        unknown = EXCLUDE
