"""Entity lists and entities on the wire, as ODK Central's clients know them ("datasets" there)."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment


class EntityListSchema(Schema):
    name = fields.String()
    project_number = fields.Integer(data_key="projectId")
    created_at = Moment(data_key="createdAt")
    approval_required = fields.Function(lambda told: told["rules"].needs_approval, data_key="approvalRequired")
    owner_only = fields.Function(lambda told: told["rules"].is_owner_only, data_key="ownerOnly")
    filters = fields.Function(lambda told: dict(told["rules"].filters))
    properties = fields.Function(lambda told: [_property(name, told["rules"].of(name)) for name in told["properties"]])
    entities = fields.Integer()


def _property(name: str, rule: Any) -> dict[str, Any]:
    """As ODK Central, and what it does not know: the type, the choices of a select, and the merge policy."""
    told = {"name": name, "odataName": name, "type": rule.type.value, "merge": rule.policy.value}
    return told | ({"choices": list(rule.choices)} if rule.choices else {})


class EntityVersionSchema(Schema):
    version = fields.Integer()
    label = fields.String()
    data = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True))
    at = Moment(data_key="createdAt")
    instance_id = fields.Function(lambda row: row.instance_id or None, data_key="source")


def _conflict(row: Any) -> str | None:
    """In ODK Central's words: of several changes side by side, "hard" when one property has two values."""
    if row.conflicts:
        return "hard"
    return "soft" if row.heads > 1 else None


class EntitySchema(Schema):
    """`needs_approval`: whether the list serves only entities that are approved."""

    def __init__(self, *, needs_approval: bool) -> None:
        super().__init__()
        self.needs_approval = needs_approval

    entity_id = fields.String(data_key="uuid")
    created_at = Moment(data_key="createdAt")
    updated_at = Moment(data_key="updatedAt")
    is_deleted = fields.Boolean(data_key="isDeleted")
    is_waiting = fields.Method("_is_waiting", data_key="isWaiting")
    conflict = fields.Function(_conflict)
    current = fields.Function(
        lambda row: {"label": row.label, "version": row.version, "data": dict(row.data)}, data_key="currentVersion"
    )

    def _is_waiting(self, row: Any) -> bool:
        return self.needs_approval and not row.is_approved


class EntityFilterSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(load_default=1000, validate=validate.Range(1, 10_000))
    offset = fields.Integer(load_default=0, validate=validate.Range(0))
    is_waiting = fields.Boolean(data_key="waiting", load_default=False)


class ListAccessSchema(Schema):
    """Who gets the entities of a list; None says nothing. `filters`: property of the list -> that of a device."""

    class Meta:
        unknown = EXCLUDE

    needs_approval = fields.Boolean(data_key="approvalRequired", load_default=None)
    is_owner_only = fields.Boolean(data_key="ownerOnly", load_default=None)
    filters = fields.Dict(keys=fields.String(), values=fields.String(), load_default=None)


class NewListSchema(ListAccessSchema):
    name = fields.String(required=True)


class PropertySchema(Schema):
    """What is declared about a property; None says nothing."""

    class Meta:
        unknown = EXCLUDE

    type = fields.String(load_default=None)
    choices = fields.List(fields.String(), load_default=None)
    merge = fields.String(load_default=None)


class NewPropertySchema(PropertySchema):
    name = fields.String(required=True)


class ChangedEntitySchema(Schema):
    class Meta:
        unknown = EXCLUDE

    label = fields.String(load_default=None, allow_none=True)
    data = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class NewEntitySchema(ChangedEntitySchema):
    """One entity; with `entities`, several of the same shape."""

    entity_id = fields.String(data_key="uuid", load_default="")
    entities = fields.List(fields.Nested(lambda: NewEntitySchema()), load_default=None)


class EntityChangeSchema(Schema):
    """How a change is meant: on which version, or on whichever stands now; and whether it settles the conflicts."""

    class Meta:
        unknown = EXCLUDE

    base_version = fields.Integer(data_key="baseVersion", load_default=None)
    force = fields.Boolean(load_default=False)
    resolve = fields.Boolean(load_default=False)


class CsvSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    with_new_columns = fields.Boolean(data_key="newProperties", load_default=False)


class TakenSchema(Schema):
    created = fields.Integer()
    updated = fields.Integer()
    unchanged = fields.Integer()
