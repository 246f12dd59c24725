"""Opening a session: `POST /v1/sessions`."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields

from schemas.moment import Moment


class CredentialsSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    email = fields.String(required=True)
    password = fields.String(required=True)


class LoginSchema(Schema):
    token = fields.String(required=True)
    csrf = fields.String(required=True)
    created_at = Moment(data_key="createdAt")
    expires_at = Moment(data_key="expiresAt")
