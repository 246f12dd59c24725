"""Projects on the wire."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment


class ProjectSchema(Schema):
    number = fields.Integer(data_key="id")
    name = fields.String()
    description = fields.String()
    archived = fields.Method("say_archived")
    key_id = fields.Constant(None, data_key="keyId")
    created_at = Moment(data_key="createdAt")
    updated_at = fields.Constant(None, data_key="updatedAt")
    is_synthetic = fields.Boolean(data_key="isSynthetic")

    def say_archived(self, project: Any) -> bool:
        return project.archived_at is not None


class NewProjectSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    name = fields.String(required=True, validate=validate.Length(1, 255))
    description = fields.String(load_default="")
