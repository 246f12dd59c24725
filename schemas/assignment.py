"""Assignments on the wire, where they are called tasks: ODK Central's "assignments" are roles."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from schemas.moment import Moment


class AssignmentSchema(Schema):
    """`progress` counts records; add `?assignment=ID` to the console's list of submissions to see them."""

    assignment_id = fields.String(data_key="id")
    form_id = fields.String(data_key="formId")
    assignee_id = fields.String(data_key="assigneeId")
    assignee = fields.String()
    entity_id = fields.String(data_key="entityId", allow_none=True)
    about = fields.String()
    due = fields.String(allow_none=True)
    target = fields.Integer()
    note = fields.String()
    state = fields.String()
    is_overdue = fields.Boolean(data_key="isOverdue")
    progress = fields.Dict(keys=fields.String(), values=fields.Integer())
    conflicts = fields.Integer()
    seq = fields.Integer()
    assigned_at = Moment(data_key="assignedAt")
    updated_at = Moment(data_key="updatedAt")


class AssignmentFilterSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    state = fields.String(load_default="open", validate=validate.OneOf(("open", "withdrawn", "all")))
    assignee = fields.String(load_default="")
    form_id = fields.String(data_key="form", load_default="")
    entity_id = fields.String(data_key="entity", load_default="")
    mark = fields.String(load_default="", validate=validate.OneOf(("", "overdue", "to_do", "done")))


class Number(fields.Field[str]):
    """A number of records, as a number or as text: what it may be is said where it is judged."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return str(value)


class NewTaskSchema(Schema):
    """In words, as in a CSV: the person by name, e-mail address or id, the entity by code, name or id."""

    class Meta:
        unknown = EXCLUDE

    form = fields.String(required=True)
    person = fields.String(required=True)
    entity = fields.String(load_default="")
    due = fields.String(load_default="")
    target = Number(load_default="1")
    note = fields.String(load_default="")


class NewTasksSchema(Schema):
    tasks = fields.List(fields.Nested(NewTaskSchema), required=True, validate=validate.Length(1, 1000))


class ChangedAssignmentSchema(Schema):
    """What is new; "" takes the day or the note away. `seq` is that of the state on which the change was made."""

    class Meta:
        unknown = EXCLUDE

    person = fields.String()
    due = fields.String()
    target = Number()
    note = fields.String()
    state = fields.String(validate=validate.OneOf(("open", "withdrawn")))
    seq = fields.Integer()


class GivenSchema(Schema):
    created = fields.List(fields.String())
    updated = fields.List(fields.String())
    unchanged = fields.List(fields.String())
