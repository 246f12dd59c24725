"""Entity lists, which ODK Central calls datasets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from flask.typing import ResponseReturnValue

from forms.errors import Problem
from schemas.account import EventSchema
from schemas.entity import (
    ChangedEntitySchema,
    CsvSchema,
    EntityChangeSchema,
    EntityFilterSchema,
    EntityListSchema,
    EntityRowSchema,
    EntitySchema,
    EntityTableSchema,
    EntityVersionSchema,
    ListAccessSchema,
    NewEntitySchema,
    NewListSchema,
    NewPropertySchema,
    PropertySchema,
    TakenSchema,
)
from server.api.blueprint import body, bp, done, query, shown
from server.api.shown_entity import in_rest
from server.auth import actor
from server.clock import now
from server.db import session
from server.form_attachments import send_list
from server.projects import project
from sync import access, audit, find, review
from sync.entities import declare_list, entity_lists, list_rules, register, take_csv
from sync.entities.scope import EntityScope, scope_of
from sync.models import Entity, EntityList, Project


class NoConditions(Problem):
    """This server does not filter tables. Read the whole table without $filter, and choose from it."""

    slug = "entity/no-conditions"


DATASET = "/projects/<int:number>/datasets/<name>"


@bp.get("/projects/<int:number>/datasets")
def list_datasets(number: int) -> ResponseReturnValue:
    found = _readable(number)
    counts = entity_lists.counts(session(), found)
    listed = [_told(found, one, counts) for one in entity_lists.lists(session(), found)]
    return shown(EntityListSchema(), listed, many=True)


@bp.get(DATASET)
def show_dataset(number: int, name: str) -> ResponseReturnValue:
    found = _readable(number)
    one, counts = entity_lists.named(session(), found, name), entity_lists.counts(session(), found)
    return shown(EntityListSchema(), _told(found, one, counts))


@bp.get(DATASET + "/entities.csv")
def download_entities(number: int, name: str) -> ResponseReturnValue:
    return send_list(_readable(number), name, f"{name}.csv")


@bp.get(DATASET + "/entities")
def list_entities(number: int, name: str) -> ResponseReturnValue:
    """Those that wait for an approval only with `waiting`, as ODK Central knows none of them."""
    wanted, found = query(EntityFilterSchema()), _readable(number)
    rows = entity_lists.entities(session(), found, name, scope=_scope(found), **wanted)
    return shown(EntitySchema(), _in_rest(found, name, rows), many=True)


@bp.get(DATASET + ".svc/Entities")
def read_table(number: int, name: str) -> ResponseReturnValue:
    """The list as the table that pyODK and ruODK read (OData). Refuses NoConditions."""
    found, wanted = _readable(number), query(EntityTableSchema())
    if wanted["condition"]:
        raise NoConditions
    seen: dict[str, Any] = {"scope": _scope(found), "is_waiting": False}
    part = entity_lists.entities(session(), found, name, **seen, limit=wanted["limit"], offset=wanted["offset"])
    rows = [_row(told) for told in _in_rest(found, name, part)]
    chosen = [one.partition("/")[0].strip() for one in wanted["columns"].split(",") if one.strip()]
    table: dict[str, Any] = {
        "value": [{key: row[key] for key in chosen if key in row} for row in rows] if chosen else rows
    }
    if wanted["is_counted"]:
        table["@odata.count"] = len(entity_lists.entities(session(), found, name, **seen))
    return table


@bp.get(DATASET + "/entities/<entity_id>")
def show_entity(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    found = _readable(number)
    return _shown(found, _one(found, name, entity_id))


@bp.get(DATASET + "/entities/<entity_id>/versions")
def list_entity_versions(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    found = _one(_readable(number), name, entity_id)
    return shown(EntityVersionSchema(), entity_lists.versions(session(), found), many=True)


@bp.get(DATASET + "/entities/<entity_id>/audits")
def list_entity_events(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    """What people did to it here, the newest first."""
    found = _readable(number)
    access.require(actor(), "event.read", found.project_id)
    about = audit.Filter(project_id=found.project_id, target=("entity", _one(found, name, entity_id).entity_id))
    return shown(EventSchema(), audit.events(session(), about), many=True)


@bp.post("/projects/<int:number>/datasets")
def create_dataset(number: int) -> ResponseReturnValue:
    found = project(number)
    told = body(NewListSchema())
    name = told.pop("name")
    declare_list.create_list(session(), found, name, actor=actor(), now=now())
    made = declare_list.restrict(session(), found, name, declare_list.Access(**told), actor=actor(), now=now())
    return shown(EntityListSchema(), _told(found, made, {}))


@bp.patch(DATASET)
def change_dataset(number: int, name: str) -> ResponseReturnValue:
    """Who gets its entities: `approvalRequired`, `ownerOnly` and `filters`; what is not named stays."""
    found, said = project(number), declare_list.Access(**body(ListAccessSchema()))
    one = declare_list.restrict(session(), found, name, said, actor=actor(), now=now())
    return shown(EntityListSchema(), _told(found, one, entity_lists.counts(session(), found)))


@bp.post(DATASET + "/properties")
def create_property(number: int, name: str) -> ResponseReturnValue:
    """As ODK Central; `type`, `choices` and `merge` may come along."""
    told = body(NewPropertySchema())
    declared = _declared(told)
    declare_list.add_property(session(), project(number), name, told["name"], declared, actor=actor(), now=now())
    return done()


@bp.patch(DATASET + "/properties/<property_name>")
def change_property(number: int, name: str, property_name: str) -> ResponseReturnValue:
    """Its type, its choices and how different values are merged; what is not named stays."""
    found, declared = project(number), _declared(body(PropertySchema()))
    one = declare_list.declare(session(), found, name, {property_name: declared}, actor=actor(), now=now())
    return shown(EntityListSchema(), _told(found, one, entity_lists.counts(session(), found)))


@bp.post(DATASET + "/entities")
def create_entities(number: int, name: str) -> ResponseReturnValue:
    """One entity, or all of `entities`."""
    found, told = project(number), body(NewEntitySchema())
    several = told["entities"]
    entries = [_entry(one) for one in ([told] if several is None else several)]
    made = register.create(session(), found, name, entries, actor=actor(), now=now())
    return _shown(found, made[0]) if several is None else done()


@bp.post(DATASET + "/entities.csv")
def upload_entities(number: int, name: str) -> ResponseReturnValue:
    """The body is a CSV: a row is a new entity, or changes the one of its id in the column `name`."""
    wanted = query(CsvSchema())
    content = request.stream.read(take_csv.LARGEST_CSV + 1)
    taken = take_csv.take_csv(session(), project(number), name, content, **wanted, actor=actor(), now=now())
    return shown(TakenSchema(), taken)


@bp.patch(DATASET + "/entities/<entity_id>")
def change_entity(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    """As ODK Central: `baseVersion` names the version that the change was made on, or `force` says that none counts.

    With `resolve` the conflicts are settled by what stands after the change."""
    found, how = project(number), query(EntityChangeSchema())
    one = entity_lists.entity(session(), found, name, entity_id)
    if how["base_version"] is None and not (how["force"] or how["resolve"]):
        raise register.NoBaseVersion(current=one.version, provided=None)
    entry = _entry(body(ChangedEntitySchema()))
    register.update(session(), one, entry, base_version=how["base_version"], actor=actor(), now=now())
    if how["resolve"]:
        _settle(found, entity_id)
    return _shown(found, entity_lists.entity(session(), found, name, entity_id))


@bp.delete(DATASET + "/entities/<entity_id>")
def delete_entity(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    one = entity_lists.entity(session(), project(number), name, entity_id)
    register.delete(session(), one, actor=actor(), now=now())
    return done()


def _row(told: dict[str, Any]) -> dict[str, Any]:
    return {**told["data"], **ROW.dump(told)}


ROW = EntityRowSchema()


def _declared(told: dict[str, Any]) -> declare_list.Declared:
    return declare_list.Declared(told["type"], told["choices"], told["merge"])


def _entry(told: dict[str, Any]) -> register.Entry:
    return register.Entry(told["label"], told["data"], told.get("entity_id", ""))


def _shown(found: Project, one: Entity) -> Response:
    return shown(EntitySchema(), _in_rest(found, one.list_name, [one])[0])


def _in_rest(found: Project, name: str, rows: Sequence[Entity]) -> list[dict[str, Any]]:
    rules = list_rules.read(entity_lists.named(session(), found, name).settings)
    return in_rest(session(), rows, needs_approval=rules.needs_approval)


def _scope(found: Project) -> EntityScope:
    return scope_of(session(), found.project_id, actor())


def _one(found: Project, name: str, entity_id: str) -> Entity:
    return entity_lists.entity(session(), found, name, entity_id, scope=_scope(found))


def _settle(found: Project, entity_id: str) -> None:
    for conflict in find.conflicts(session(), found, "entity", entity_id):
        review.keep_shown(session(), conflict, actor=actor(), now=now())
    one = session().get_one(Entity, (found.project_id, entity_id))
    register.agree(session(), one, actor=actor(), now=now())


def _readable(number: int) -> Project:
    found = project(number)
    access.require(actor(), "entity.read", found.project_id)
    return found


def _told(found: Project, one: EntityList, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "name": one.name,
        "project_number": found.number,
        "created_at": one.created_at,
        "properties": one.properties,
        "rules": list_rules.read(one.settings),
        "entities": counts.get(one.name, 0),
    }
