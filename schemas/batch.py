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

    version = fields.Integer(data_key="v", required=True, strict=True, validate=validate.Range(0))
    """Of the protocol. What an older client does not say has a default; what a newer one means nobody here can know."""
    device = fields.String(load_default="", validate=validate.Length(max=64))
    origin = fields.String(load_default="", validate=validate.Length(max=255))
    sent_at = Moment(load_default=None, allow_none=True)
    names = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 64)),
        values=fields.String(validate=validate.Length(max=255)),
        load_default=dict,
        validate=validate.Length(max=1000),
    )
    """Of another server: what the people and devices of its operations are called."""
    read = fields.String(load_default="", validate=validate.Length(max=64))
    """Of another server: the cursor up to which it has read our operations."""
    waiting = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(0, 2**31 - 1))


class ReceiptSchema(Schema):
    """The answer to a push: every item has its line, in the order in which the items came."""

    protocol = fields.Constant(PROTOCOL, data_key="v")
    server_id = fields.String(data_key="server")
    epoch = fields.Integer()
    forks = fields.Function(lambda receipt: [dict(fork) for fork in receipt.forks])
    now = Moment()
    head = fields.Integer()
    durable_seq = fields.Integer()
    durable_by = fields.String()
    batch_id = fields.String(data_key="batch")
    lines = fields.Function(lambda receipt: [_line_of(line) for line in receipt.lines], data_key="items")


def receipt_of(receipt: Any) -> dict[str, Any]:
    """The receipt as JSON values."""
    return dict(RECEIPT.dump(receipt))


def _line_of(line: Any) -> dict[str, Any]:
    """The verdict on one item: `safe` is all that a client must look at before it drops the item.

    Not a Schema: the hundred lines of a receipt would take it longer than all the rest of a repeated push."""
    return {
        "op": line.op_id,
        "verdict": line.outcome.value,
        "safe": line.safe,
        "seq": line.seq,
        "form": line.form_id,
        "version": line.version,
        "why": line.why.value,
        "record": line.instance_id,
        "name": line.instance_name,
        "errors": line.errors,
        "warnings": line.warnings,
        "conflicts": line.conflicts,
        "missing": list(line.missing),
        "detail": line.detail,
        "first": line.first and line.first.value,
    }


RECEIPT = ReceiptSchema()
