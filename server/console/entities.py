"""Registries (entity lists) and the page of one entity: an informant, for example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.names import Names
from server.console.properties import properties
from server.console.property_types import TYPES
from server.console.quarantine import PATIENCE
from server.console.review import resolve
from server.console.siblings import clash
from server.console.submissions import offset
from server.db import session
from server.projects import project
from sync import find
from sync.access import require
from sync.entities import entity_lists, list_rules, register
from sync.entities.scope import scope_of
from sync.errors import NoSuchEntity
from sync.models import Entity, EntityVersion, Operation, Project, Submission

PAGE = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One version of an entity: what became different, who did it, and by which record."""

    version: EntityVersion
    changed: Sequence[tuple[str, str, str]]
    """(property, before, after)"""
    unheard: Sequence[tuple[str, str]]
    """(property, value) that it wrote, and another value stands."""
    who: str
    record: Submission | None
    is_by_rule: bool
    """The list has been told to merge values in another way."""


@bp.get("/projects/<int:number>/entities")
def registries(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "entity.list", found.project_id)
    lists = entity_lists.lists(session(), found)
    if len(lists) == 1:
        return redirect(url_for("console.entities", number=number, name=lists[0].name), 303)
    counts = entity_lists.counts(session(), found)
    return render_template("console/entity_lists.html", project=found, lists=lists, counts=counts)


@bp.get("/projects/<int:number>/entities/<name>")
def entities(number: int, name: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "entity.list", found.project_id)
    text, mark = request.args.get("text", "").strip(), request.args.get("mark", "")
    rows = entity_lists.entities(
        session(),
        found,
        name,
        text=text,
        has_conflicts=True if mark == "conflicts" else None,
        is_waiting=True if mark == "waiting" else None,
        limit=PAGE + 1,
        offset=offset(),
    )
    chosen = entity_lists.named(session(), found, name)
    return render_template(
        "console/entities.html",
        project=found,
        list=chosen,
        lists=entity_lists.lists(session(), found),
        rows=rows[:PAGE],
        has_more=len(rows) > PAGE,
        offset=offset(),
        limit=PAGE,
        total=entity_lists.counts(session(), found).get(name, 0),
        text=text,
        mark=mark,
        held={one.record_id for one in find.held(session(), found) if one.kind == "entity"},
        waiting=entity_lists.count_waiting(session(), chosen),
        rules=list_rules.read(chosen.settings),
        words=properties(found, name),
        columns=_columns([row.data for row in rows], [str(one) for one in chosen.properties]),
    )


@bp.get("/projects/<int:number>/entities/<name>.csv")
def entities_csv(number: int, name: str) -> ResponseReturnValue:
    """The list as devices get it."""
    found = project(number)
    require(actor(), "entity.list", found.project_id)
    content, etag = entity_lists.csv(session(), found, name)
    response = Response(content, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = "attachment; filename=entities.csv"
    response.set_etag(etag)
    return response


@bp.get("/projects/<int:number>/entities/<name>/<entity_id>")
def entity(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "entity.read", found.project_id)
    names = Names.of(session(), found)
    one = entity_lists.entity(session(), found, name, entity_id, scope=scope_of(session(), found.project_id, actor()))
    changes = _changes(found, entity_lists.versions(session(), one), names)
    chosen = entity_lists.named(session(), found, name)
    declared = [str(each) for each in chosen.properties]
    words = properties(found, name)
    rules = list_rules.read(chosen.settings)
    return render_template(
        "console/entity.html",
        project=found,
        entity=one,
        is_waiting=rules.needs_approval and not one.is_approved,
        words=words,
        properties=[*declared, *(key for key in one.data if key not in declared)],
        types=TYPES,
        rules=rules,
        held=find.held(session(), found, kind="entity", record_id=entity_id),
        overdue=now() - PATIENCE,
        clashes=[clash(row, None, names, words) for row in find.conflicts(session(), found, "entity", entity_id)],
        changes=changes,
        registering=[each.record for each in changes[-1:] if each.record],
        related=_records(found, entity_id, changes),
        names=names,
    )


@bp.post("/projects/<int:number>/entities/<name>/<entity_id>/agree")
def agree_to_entity(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    """What stands after a merge is right."""
    one = entity_lists.entity(session(), project(number), name, entity_id)
    register.agree(session(), one, actor=actor(), now=now())
    flash(gettext("Noted: what stands is right."), "good")
    return redirect(url_for("console.entity", number=number, name=name, entity_id=entity_id), 303)


@bp.get("/projects/<int:number>/entity/<entity_id>")
def entity_by_id(number: int, entity_id: str) -> ResponseReturnValue:
    """To the entity's page, from an answer that knows only its id."""
    found = project(number)
    require(actor(), "entity.read", found.project_id)
    one = session().get(Entity, (found.project_id, entity_id))
    if one is None:
        raise NoSuchEntity(entity_id)
    return redirect(url_for("console.entity", number=number, name=one.list_name, entity_id=entity_id), 303)


@bp.post("/projects/<int:number>/entities/<name>/<entity_id>/conflicts")
def resolve_entity_conflict(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "conflict.resolve", found.project_id)
    entity_lists.entity(session(), found, name, entity_id)
    resolve(found, "entity", entity_id)
    return redirect(url_for("console.entity", number=number, name=name, entity_id=entity_id), 303)


def _columns(rows: Sequence[dict[str, object]], properties: Sequence[str], most: int = 5) -> list[str]:
    """The first properties that say something about anybody."""
    return [name for name in properties if any(row.get(name) for row in rows)][:most]


def _changes(found: Project, versions: Sequence[EntityVersion], names: Names) -> list[Change]:
    """Newest first, each against the one before it."""
    authors = {row.op_id: row for row in _operations(found, [one.op_id for one in versions])}
    records = _by_instance(found, [one.instance_id for one in versions if one.instance_id])
    earlier = [*versions[1:], None]
    return [
        Change(
            one,
            _difference(before, one),
            _unheard(authors.get(one.op_id), one),
            _author(authors.get(one.op_id), names),
            records.get(one.instance_id),
            is_by_rule=one.op_id in authors and authors[one.op_id].kind == "list",
        )
        for one, before in zip(versions, earlier, strict=True)
    ]


def _difference(before: EntityVersion | None, after: EntityVersion) -> list[tuple[str, str, str]]:
    old = {"label": before.label, **before.data} if before is not None else {}
    new = {"label": after.label, **after.data}
    changed = [name for name in {**new, **old} if (old.get(name) or "") != (new.get(name) or "")]
    return [(name, str(old.get(name) or ""), str(new.get(name) or "")) for name in changed]


def _unheard(operation: Operation | None, after: EntityVersion) -> list[tuple[str, str]]:
    if operation is None or operation.kind != "entity":
        return []
    stands = {"label": after.label, **after.data}
    return [
        (name, value or "") for name, value in operation.changes.items() if (stands.get(name) or "") != (value or "")
    ]


def _author(operation: Operation | None, names: Names) -> str:
    return names.who(operation.account_id, operation.device_id) if operation is not None else ""


def _operations(found: Project, op_ids: Sequence[str]) -> Sequence[Operation]:
    return (
        session()
        .scalars(select(Operation).where(Operation.project_id == found.project_id, Operation.op_id.in_(op_ids)))
        .all()
    )


def _by_instance(found: Project, instance_ids: Sequence[str]) -> dict[str, Submission]:
    rows = session().scalars(
        select(Submission).where(
            Submission.project_id == found.project_id, Submission.instance_id.in_(sorted(set(instance_ids)))
        )
    )
    return {row.instance_id: row for row in rows}


def _records(found: Project, entity_id: str, changes: Sequence[Change]) -> list[Submission]:
    """The records that are about this entity: those that made a version of it, and those that a search finds."""
    page = find.submissions(session(), found, find.Filter(text=entity_id, limit=100), actor=actor())
    rows = {row.instance_id: row for row in (*page.rows, *(one.record for one in changes if one.record))}
    return sorted(rows.values(), key=lambda row: (row.received_at, row.instance_id), reverse=True)
