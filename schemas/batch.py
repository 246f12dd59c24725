"""One push: the header line that comes in, the receipt that goes out."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment

PROTOCOL = 1
"""The version of the sync protocol that this server speaks."""


class BatchHeaderSchema(Schema):
    """The first line of a push. `sent_at` is the device's clock when it sent, `waiting` what its outbox still holds."""

    class Meta:
        unknown = EXCLUDE

    version = fields.Integer(data_key="v", required=True, strict=True, validate=validate.Equal(PROTOCOL))
    device = fields.String(load_default="", validate=validate.Length(max=64))
    origin = fields.String(load_default="", validate=validate.Length(max=255))
    sent_at = Moment(load_default=None, allow_none=True)
    waiting = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 2**31 - 1))


class LineSchema(Schema):
    """The verdict on one item: `safe` is all that a client must look at before it drops the item."""

    op_id = fields.String(data_key="op")
    outcome = fields.Function(lambda line: line.outcome.value, data_key="verdict")
    safe = fields.Boolean()
    seq = fields.Integer(allow_none=True)
    form_id = fields.String(data_key="form")
    version = fields.String()
    why = fields.Function(lambda line: line.why.value)
    instance_id = fields.String(data_key="record")
    instance_name = fields.String(data_key="name")
    errors = fields.Integer()
    warnings = fields.Integer()
    conflicts = fields.Integer()
    missing = fields.List(fields.String())
    detail = fields.String()
    first = fields.Function(lambda line: line.first and line.first.value)


class ReceiptSchema(Schema):
    """The answer to a push: every item has its line, in the order in which the items came."""

    server_id = fields.String(data_key="server")
    epoch = fields.Integer()
    forks = fields.Function(lambda receipt: [dict(fork) for fork in receipt.forks])
    now = Moment()
    head = fields.Integer()
    durable_seq = fields.Integer()
    durable_by = fields.String()
    batch_id = fields.String(data_key="batch")
    lines = fields.Nested(LineSchema, many=True, data_key="items")


def receipt_of(receipt: Any) -> dict[str, Any]:
    """The receipt as JSON values."""
    return dict(RECEIPT.dump(receipt))


RECEIPT = ReceiptSchema()
