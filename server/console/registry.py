"""The settings of a registry: its columns, their types, and how they are merged."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.properties import properties
from server.console.property_types import MERGES, TYPES
from server.db import session
from server.problems import STATUS, Fault, fault_of
from server.projects import project
from sync.access import require
from sync.entities import declare_list, entity_lists, list_rules
from sync.entities.list_rules import NO_CHOICE
from sync.models import Project


@bp.get("/projects/<int:number>/entities/<name>/settings")
def registry_settings(number: int, name: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "entity_list.create", found.project_id)
    return _page(found, name)


@bp.post("/projects/<int:number>/entities/<name>/settings")
def change_registry(number: int, name: str) -> ResponseReturnValue:
    found = project(number)
    columns = [str(one) for one in entity_lists.named(session(), found, name).properties]
    said = {column: _declared(column) for column in columns if f"type-{column}" in request.form}
    try:
        if "access" in request.form:
            declare_list.restrict(session(), found, name, _access(columns), actor=actor(), now=now())
        declare_list.declare(session(), found, name, said, actor=actor(), now=now())
    except (declare_list.BadMerge, declare_list.BadType) as problem:
        return _page(found, name, fault_of(problem)), STATUS[problem.kind]
    flash(gettext("Saved."), "good")
    return redirect(url_for("console.registry_settings", number=number, name=name), 303)


@bp.post("/projects/<int:number>/entities/<name>/columns")
def add_column(number: int, name: str) -> ResponseReturnValue:
    found, column = project(number), request.form.get("name", "").strip()
    declared = declare_list.Declared(type=request.form.get("type", "text"))
    declare_list.add_property(session(), found, name, column, declared, actor=actor(), now=now())
    flash(gettext("The column %(name)s is there.", name=column), "good")
    return redirect(url_for("console.registry_settings", number=number, name=name), 303)


def _declared(column: str) -> declare_list.Declared:
    told = {part: request.form.get(f"{part}-{column}") for part in ("type", "choices", "merge")}
    choices = told["choices"].replace(",", " ").split() if told["choices"] is not None else None
    return declare_list.Declared(told["type"], choices, told["merge"])


def _access(columns: list[str]) -> declare_list.Access:
    return declare_list.Access(
        needs_approval=bool(request.form.get("needs_approval")),
        is_owner_only=bool(request.form.get("is_owner_only")),
        filters={column: column for column in request.form.getlist("filter") if column in columns},
    )


def _page(found: Project, name: str, fault: Fault | None = None) -> str:
    chosen = entity_lists.named(session(), found, name)
    return render_template(
        "console/registry_settings.html",
        project=found,
        list=chosen,
        rules=list_rules.read(chosen.settings),
        words=properties(found, name),
        types=[(key, text) for key, text in TYPES.items() if key != NO_CHOICE],
        merges=list(MERGES.items()),
        fault=fault,
        typed=request.form,
    )
