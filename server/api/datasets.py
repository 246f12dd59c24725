"""Entity lists, which ODK Central calls datasets."""

from __future__ import annotations

from typing import Any

from flask.typing import ResponseReturnValue

from schemas.entity import EntityFilterSchema, EntityListSchema, EntitySchema, EntityVersionSchema
from server.api.blueprint import bp, query, shown
from server.auth import actor
from server.db import session
from server.form_attachments import send_list
from server.projects import project
from sync import access, entity_lists
from sync.models import EntityList, Project

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
    wanted = query(EntityFilterSchema())
    return shown(EntitySchema(), entity_lists.entities(session(), _readable(number), name, **wanted), many=True)


@bp.get(DATASET + "/entities/<entity_id>")
def show_entity(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    return shown(EntitySchema(), entity_lists.entity(session(), _readable(number), name, entity_id))


@bp.get(DATASET + "/entities/<entity_id>/versions")
def list_entity_versions(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    found = entity_lists.entity(session(), _readable(number), name, entity_id)
    return shown(EntityVersionSchema(), entity_lists.versions(session(), found), many=True)


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
        "entities": counts.get(one.name, 0),
    }
