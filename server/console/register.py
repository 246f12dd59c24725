"""Registries written by hand: a new list, entries from a CSV, one entry added, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from werkzeug.datastructures import FileStorage

from forms.errors import Problem
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.csv_faults import OF_ROWS
from server.console.forms import NoFile
from server.console.properties import Properties, properties
from server.console.property_types import MISFITS
from server.db import session
from server.problems import STATUS, Fault, fault_of
from server.projects import project
from sync.access import require
from sync.entities import declare_list, entity_lists, list_rules, register, take_csv
from sync.entities.list_rules import PropertyRule
from sync.form_table import BadTable
from sync.models import Entity, Project

FIELD = "p-"
"""Before the name of a property, so that none of them is taken for a field of the page itself."""

WHY: Mapping[str, str] = {
    "no_such_property": lazy_gettext("This registry has no such column. Correct it, or let it be added."),
    "bad_property": lazy_gettext("This cannot be the name of a column: use letters, digits, - and _."),
    "no_label": lazy_gettext("The label is empty or longer than 255 characters."),
    "id_twice": lazy_gettext("The same entry stands here twice."),
    "no_such_entity": lazy_gettext("There is no entry of this id. Leave the cell empty for a new one."),
    "no_such_version": lazy_gettext(
        "This server does not know that version of the entry. Take the CSV of this registry anew."
    ),
    **OF_ROWS,
    **MISFITS,
}


@bp.post("/projects/<int:number>/entities")
def create_registry(number: int) -> ResponseReturnValue:
    """A new list; a CSV that comes with it gives it its columns and its first entries."""
    found, name, sent = project(number), request.form.get("name", "").strip(), request.files.get("file")
    declare_list.create_list(session(), found, name, actor=actor(), now=now())
    if sent is not None and sent.filename:
        return _take(found, name, sent, with_new_columns=True)
    flash(gettext("%(name)s is ready for its first entry.", name=name), "good")
    return redirect(url_for("console.entities", number=number, name=name), 303)


@bp.post("/projects/<int:number>/entities/<name>/csv")
def upload_entries(number: int, name: str) -> ResponseReturnValue:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise NoFile
    return _take(project(number), name, sent, with_new_columns=bool(request.form.get("with_new_columns")))


@bp.get("/projects/<int:number>/entities/<name>/new")
def new_entry(number: int, name: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "entity.create", found.project_id)
    return _page(found, name, None, {})


@bp.post("/projects/<int:number>/entities/<name>/new")
def create_entry(number: int, name: str) -> ResponseReturnValue:
    found = project(number)
    try:
        (made,) = register.create(session(), found, name, [_entry()], actor=actor(), now=now())
    except (register.NoLabel, register.BadValue) as problem:
        return _page(found, name, None, request.form, fault_of(problem)), STATUS[problem.kind]
    flash(gettext("Saved."), "good")
    return redirect(url_for("console.entity", number=number, name=name, entity_id=made.entity_id), 303)


@bp.get("/projects/<int:number>/entities/<name>/<entity_id>/edit")
def edit_entry(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "entity.update", found.project_id)
    return _page(found, name, entity_lists.entity(session(), found, name, entity_id), {})


@bp.post("/projects/<int:number>/entities/<name>/<entity_id>/edit")
def change_entry(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    """What somebody else changed since the page was opened is merged with it."""
    found = project(number)
    one = entity_lists.entity(session(), found, name, entity_id)
    version = request.form.get("version", "")
    base = int(version) if version.isascii() and version.isdigit() else None
    try:
        register.update(session(), one, _entry(), base_version=base, merges=True, actor=actor(), now=now())
    except (register.NoLabel, register.BadValue) as problem:
        return _page(found, name, one, request.form, fault_of(problem)), STATUS[problem.kind]
    flash(gettext("Saved."), "good")
    return redirect(url_for("console.entity", number=number, name=name, entity_id=entity_id), 303)


@bp.post("/projects/<int:number>/entities/<name>/<entity_id>/delete")
def delete_entry(number: int, name: str, entity_id: str) -> ResponseReturnValue:
    one = entity_lists.entity(session(), project(number), name, entity_id)
    register.delete(session(), one, actor=actor(), now=now())
    flash(gettext("%(name)s is deleted. Its history stays.", name=one.label), "good")
    return redirect(url_for("console.entities", number=number, name=name), 303)


def _take(found: Project, name: str, sent: FileStorage, *, with_new_columns: bool) -> ResponseReturnValue:
    content = sent.stream.read(take_csv.LARGEST_CSV + 1)
    try:
        taken = take_csv.take_csv(
            session(), found, name, content, with_new_columns=with_new_columns, actor=actor(), now=now()
        )
    except BadTable as problem:
        return _refused(found, name, problem), STATUS[problem.kind]
    words = gettext(
        "New: %(created)d. Changed: %(updated)d. As before: %(unchanged)d.",
        created=taken.created,
        updated=taken.updated,
        unchanged=taken.unchanged,
    )
    flash(words, "good")
    return redirect(url_for("console.entities", number=found.number, name=name), 303)


def _refused(found: Project, name: str, problem: Problem) -> str:
    faults = [{**fault, "why": WHY[fault["why"]]} for fault in problem.members.get("faults", ())]
    return render_template("console/entity_csv.html", project=found, name=name, fault=fault_of(problem), faults=faults)


def _entry() -> register.Entry:
    told = {key.removeprefix(FIELD): value.strip() for key, value in request.form.items() if key.startswith(FIELD)}
    return register.Entry(request.form.get("label", ""), told)


def _page(found: Project, name: str, one: Entity | None, typed: Mapping[str, str], fault: Fault | None = None) -> str:
    chosen = entity_lists.named(session(), found, name)
    kept = {f"{FIELD}{key}": str(value or "") for key, value in one.data.items()} if one is not None else {}
    words = properties(found, name)
    wrong = str(fault.members.get("property", "")) if fault is not None else ""
    shown = {"label": one.label if one is not None else "", **kept, **typed}
    return render_template(
        "console/entity_edit.html",
        project=found,
        list=chosen,
        entity=one,
        words=words,
        rules=list_rules.read(chosen.settings),
        offered=partial(_offered, words),
        wrong={wrong: MISFITS[str(fault.members["why"])]} if fault is not None and wrong else {},
        typed=shown,
        fault=fault,
        prefix=FIELD,
    )


def _offered(words: Properties, rule: PropertyRule, name: str, value: str) -> list[tuple[str, str]]:
    """The choices in words; a value that is none of them can stay."""
    names = ["", *rule.choices, *([value] if value and value not in rule.choices else [])]
    return [(one, words.value(name, one) or "–") for one in names]
