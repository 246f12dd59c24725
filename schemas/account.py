"""People, app users and events of the audit log, as ODK Central's clients know them."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment


class AccountSchema(Schema):
    number = fields.Integer(data_key="id")
    type = fields.Constant("user")
    name = fields.String(data_key="displayName")
    email = fields.String()
    created_at = Moment(data_key="createdAt")
    updated_at = fields.Constant(None, data_key="updatedAt")
    is_administrator = fields.Boolean(data_key="isAdministrator")


class NewAccountSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    email = fields.String(required=True)
    name = fields.String(data_key="displayName", load_default="", validate=validate.Length(max=255))
    password = fields.String(load_default="", allow_none=False)


class AppUserSchema(Schema):
    """A device of kind "collect". `token` stands in the server URL of ODK Collect; null once revoked."""

    number = fields.Integer(data_key="id")
    type = fields.Constant("field_key")
    name = fields.String(data_key="displayName")
    project_number = fields.Integer(data_key="projectId")
    token = fields.String(allow_none=True)
    enrolled_at = Moment(data_key="createdAt")
    updated_at = fields.Constant(None, data_key="updatedAt")
    deleted_at = fields.Constant(None, data_key="deletedAt")
    """A revoked one stays, with what it has sent."""
    last_seen_at = Moment(data_key="lastUsed")
    properties = fields.Dict(keys=fields.String(), values=fields.String())


class AppUserChangeSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    properties = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class NewAppUserSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    name = fields.String(data_key="displayName", required=True, validate=validate.Length(1, 255))


class AssignmentSchema(Schema):
    """Who has which role in a project; roles go by their system name, which ODK Central also accepts."""

    role = fields.String(data_key="roleId")
    number = fields.Integer(data_key="actorId")


class EventSchema(Schema):
    actor = fields.Method("name_actor")
    action = fields.String()
    target = fields.Method("name_target", data_key="actee")
    detail = fields.Dict(data_key="details")
    at = Moment(data_key="loggedAt")

    def name_actor(self, event: Any) -> dict[str, str]:
        return {"type": event.actor_kind, "id": event.actor_id, "displayName": event.actor_name}

    def name_target(self, event: Any) -> dict[str, str]:
        return {"type": event.target_kind, "id": event.target_id}


class EventFilterSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    action = fields.String(load_default="")
    start = Moment(load_default=None)
    end = Moment(load_default=None)
    limit = fields.Integer(load_default=250, validate=validate.Range(1, 10_000))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))
