"""Entity lists and entities on the wire, as ODK Central's clients know them ("datasets" there)."""

from __future__ import annotations

from collections.abc import Mapping
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
    properties = fields.Function(lambda told: [_property(name, told) for name in told["properties"]])
    entities = fields.Integer()


def _property(name: str, list_: Mapping[str, Any]) -> dict[str, Any]:
    """As ODK Central, and what it does not know: the type, the choices of a select, and the merge policy."""
    rule = list_["rules"].of(name)
    told = {"name": name, "odataName": name, "publishedAt": PUBLISHED.serialize("created_at", list_), "forms": []}
    told |= {"type": rule.type.value, "merge": rule.policy.value}
    return told | ({"choices": list(rule.choices)} if rule.choices else {})


PUBLISHED = Moment()


class EntityVersionSchema(Schema):
    version = fields.Integer()
    label = fields.String()
    data = fields.Dict(keys=fields.String(), values=fields.String(allow_none=True))
    at = Moment(data_key="createdAt")
    instance_id = fields.Function(lambda row: row.instance_id or None, data_key="source")


class CurrentVersionSchema(Schema):
    label = fields.String()
    version = fields.Integer()
    data = fields.Dict()
    is_current = fields.Constant(True, data_key="current")
    updated_at = Moment(data_key="createdAt")
    changer_id = fields.Integer(data_key="creatorId")
    user_agent = fields.Constant("", data_key="userAgent")
    """Clients ask for one; ours is that of a whole batch."""


CURRENT = CurrentVersionSchema()


class EntitySchema(Schema):
    entity_id = fields.String(data_key="uuid")
    creator_id = fields.Integer(data_key="creatorId")
    created_at = Moment(data_key="createdAt")
    updated_at = Moment(data_key="updatedAt")
    deleted_at = Moment(data_key="deletedAt")
    is_deleted = fields.Boolean(data_key="isDeleted")
    is_waiting = fields.Boolean(data_key="isWaiting")
    conflict = fields.String(allow_none=True)
    current = fields.Function(lambda told: CURRENT.dump(told), data_key="currentVersion")


class EntityTableSchema(Schema):
    """The query of the table of a list (OData). `columns`: those that are wanted, with commas; "" is all."""

    class Meta:
        unknown = EXCLUDE

    limit = fields.Integer(data_key="$top", load_default=None, validate=validate.Range(0))
    offset = fields.Integer(data_key="$skip", load_default=0, validate=validate.Range(0))
    is_counted = fields.Boolean(data_key="$count", load_default=False)
    columns = fields.String(data_key="$select", load_default="")
    condition = fields.String(data_key="$filter", load_default="")


class EntitySystemSchema(Schema):
    created_at = Moment(data_key="createdAt")
    creator_id = fields.Function(lambda told: str(told["creator_id"]), data_key="creatorId")
    creator_name = fields.String(data_key="creatorName")
    updates = fields.Function(lambda told: told["version"] - 1)
    updated_at = Moment(data_key="updatedAt")
    deleted_at = Moment(data_key="deletedAt")
    version = fields.Integer()
    conflict = fields.String(allow_none=True)


SYSTEM = EntitySystemSchema()


class EntityRowSchema(Schema):
    """A row of that table; the properties of the entity stand beside."""

    entity_id = fields.String(data_key="__id")
    label = fields.String()
    system = fields.Function(lambda told: SYSTEM.dump(told), data_key="__system")


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
