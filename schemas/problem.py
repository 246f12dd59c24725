"""The body of an answer that refuses: RFC 9457, with what clients of ODK Central look for."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_dump

RESERVED = frozenset({"type", "title", "status", "detail", "instance", "code", "message", "details"})


class ProblemSchema(Schema):
    """`members` stand beside the others at the top level, as RFC 9457 (3.2) wants; `details` holds them again."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String()
    code = fields.Float(required=True)
    """As ODK Central numbers its refusals: 409.3."""
    message = fields.String(required=True)
    details = fields.Dict(keys=fields.String(), required=True)

    @post_dump
    def lift_members(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return data | {name: value for name, value in data["details"].items() if name not in RESERVED}
