"""What a device asks for beside its push: what changed, which files are wanted, and its enrolment."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.batch import PROTOCOL

LONGEST_PAGE = 1000
MOST_RECORDS = 200
MOST_WAITING = 1000
MOST_BLOBS = 1000
"""Hashes in one question."""

SHA256 = validate.Regexp(r"^[0-9a-f]{64}\Z", error="Must be a SHA-256: 64 digits from 0 to 9 and a to f.")


class PullSchema(Schema):
    """The query of a pull. `wait`: how many seconds the answer may take when there is no news."""

    class Meta:
        unknown = EXCLUDE

    cursor = fields.String(load_default="", validate=validate.Length(max=64))
    limit = fields.Integer(load_default=500, validate=validate.Range(1, LONGEST_PAGE))
    wait = fields.Integer(load_default=0, validate=validate.Range(0, 60))


class OperationsSchema(Schema):
    """The query of another server; `whole` asks also for what it has brought itself."""

    class Meta:
        unknown = EXCLUDE

    cursor = fields.String(load_default="", validate=validate.Length(max=64))
    limit = fields.Integer(load_default=200, validate=validate.Range(1, LONGEST_PAGE))
    whole = fields.Boolean(load_default=False)


class RecordsSchema(Schema):
    """`{"records": [instance ID]}`: another server lacks files of these, and does not know which."""

    class Meta:
        unknown = EXCLUDE

    records = fields.List(
        fields.String(validate=validate.Length(1, 255)), required=True, validate=validate.Length(max=MOST_RECORDS)
    )


class WaitingSchema(Schema):
    """`{"operations": [op id], "after", "until"}`: what waits at another server, of the ids in between."""

    class Meta:
        unknown = EXCLUDE

    operations = fields.List(
        fields.String(validate=validate.Length(1, 64)), required=True, validate=validate.Length(max=MOST_WAITING)
    )
    after = fields.String(load_default="", validate=validate.Length(max=64))
    until = fields.String(load_default="", validate=validate.Length(max=64))


class PageSchema(Schema):
    """Records that changed since the cursor, each once in its latest state; `needs` are hashes the server lacks,
    `approval_lists` the entity lists in which what a device registers waits for an approval."""

    protocol = fields.Constant(PROTOCOL, data_key="v")
    epoch = fields.Integer()
    forks = fields.Raw()
    cursor = fields.String()
    has_more = fields.Boolean(data_key="more")
    head = fields.Integer()
    durable_seq = fields.Integer()
    durable_by = fields.String()
    server_id = fields.String(data_key="server")
    records = fields.Raw()
    needs = fields.Raw()
    drop = fields.Raw()
    approval_lists = fields.Raw()
    clock = fields.String()


class DigestSchema(Schema):
    """`{"cursor", "buckets": {bucket: digest}}`: what a device holds after it has read up to there."""

    class Meta:
        unknown = EXCLUDE

    cursor = fields.String(required=True, validate=validate.Length(1, 64))
    buckets = fields.Dict(
        keys=fields.String(validate=validate.Regexp(r"^[0-9a-f]{2}\Z")),
        values=fields.String(validate=validate.Length(32, 32)),
        required=True,
    )


class ComparedSchema(Schema):
    """`differ` are buckets to be read again; with `current` false there was nothing to compare."""

    is_current = fields.Boolean(data_key="current")
    differing = fields.List(fields.String(), data_key="differ")


class WantedBlobSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    sha256 = fields.String(required=True, validate=SHA256)
    size = fields.Integer(required=True, strict=True, validate=validate.Range(0, 2**63 - 1))


class HaveSchema(Schema):
    """`{"blobs": [{"sha256", "size"}]}`: which of these does the server have?"""

    class Meta:
        unknown = EXCLUDE

    blobs = fields.List(fields.Nested(WantedBlobSchema), required=True, validate=validate.Length(max=MOST_BLOBS))


class MissingSchema(Schema):
    """`{"missing": [{"sha256", "size", "offset"}]}`: send these, from these offsets."""

    class Missing(Schema):
        sha256 = fields.String()
        size = fields.Integer()
        offset = fields.Integer()

    missing = fields.List(fields.Nested(Missing))


class EnrolSchema(Schema):
    """`POST /v1/enrol`."""

    class Meta:
        unknown = EXCLUDE

    code = fields.String(required=True, validate=validate.Length(1, 64))
    kind = fields.String(load_default="client", validate=validate.OneOf(("client", "tablet", "server")))
    user_agent = fields.String(load_default="", validate=validate.Length(max=255))
    server = fields.String(load_default="", validate=validate.Regexp(r"^[0-9A-Za-z_.-]{0,64}\Z"))
    """Of another server: its id, its epoch, and the public key with which it signs its bundles."""
    epoch = fields.Integer(load_default=0, validate=validate.Range(0, 2**31 - 1))
    key = fields.String(load_default="", validate=validate.Regexp(r"^([0-9a-f]{64})?\Z"))


class EnrolledSchema(Schema):
    """The token is told here once. `base` is the address of the server, without /v1, `key` its public key."""

    project = fields.Function(
        lambda told: {**_named(told["project"].number, told["project"].name), "uid": told["project"].project_id}
    )
    device = fields.Function(lambda told: _named(told["device"].device_id, told["device"].name))
    token = fields.String()
    server = fields.String()
    base = fields.String()
    key = fields.String()


def _named(identity: Any, name: str) -> dict[str, Any]:
    return {"id": identity, "name": name}
