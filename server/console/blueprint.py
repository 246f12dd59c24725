"""The supervisors' pages: the blueprint, its files, its menu.

A page family is a module that registers its views on `bp`; server/console/__init__.py imports them all. A family that
belongs in the menu gives its first page the endpoint named in MENU: an endpoint that is not there is not shown."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Blueprint, current_app, request, url_for
from flask.blueprints import BlueprintSetupState
from flask_babel import gettext, lazy_gettext

from server.auth import actor
from sync.access import may
from sync.models import Project

STATIC = Path(__file__).parents[1] / "static"
A_YEAR_S = 365 * 86400


class Console(Blueprint):
    def get_send_file_max_age(self, filename: str | None) -> int | None:
        # An address from `asset` carries its content's digest, and a changed font gets another name: both may be kept.
        is_lasting = "v" in request.args or (filename or "").startswith("fonts/")
        return A_YEAR_S if is_lasting else None


bp = Console("console", __name__, static_folder=str(STATIC), static_url_path="/static")


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the menu: shown to those who may do `verb`; `family` lights it up for all pages of a module."""

    endpoint: str
    title: str
    icon: str
    verb: str
    family: str


@dataclass(frozen=True, slots=True)
class Link:
    """A menu line as it stands on a page."""

    href: str
    title: str
    icon: str
    is_here: bool


MENU: Sequence[tuple[str, Sequence[Item]]] = (
    (
        lazy_gettext("Fieldwork"),
        (
            Item("console.day", lazy_gettext("The day"), "sun", "submission.list", "day"),
            Item("console.submissions", lazy_gettext("Submissions"), "records", "submission.list", "submissions"),
            Item("console.assignments", lazy_gettext("Assignments"), "pin", "assignment.list", "assignments"),
            Item("console.conflicts", lazy_gettext("Conflicts"), "fork", "submission.list", "conflicts"),
            Item("console.quarantine", lazy_gettext("Quarantine"), "shield", "quarantine.read", "quarantine"),
        ),
    ),
    (
        lazy_gettext("Study"),
        (
            Item("console.registries", lazy_gettext("Registries"), "people", "entity.list", "entities"),
            Item("console.indicators", lazy_gettext("Indicators"), "chart", "indicator.read", "indicators"),
            Item("console.jobs", lazy_gettext("Consolidation"), "clock", "job.read", "jobs"),
        ),
    ),
    (
        lazy_gettext("Set-up"),
        (
            Item("console.forms", lazy_gettext("Forms"), "form", "form.list", "forms"),
            Item("console.devices", lazy_gettext("Devices"), "tablet", "device.list", "devices"),
            Item("console.servers", lazy_gettext("Servers"), "field", "peer.manage", "peers"),
            Item("console.people", lazy_gettext("People"), "person", "member.list", "people"),
            Item("console.audit", lazy_gettext("Audit log"), "list", "event.read", "audit"),
        ),
    ),
)


def menu(project: Project) -> list[tuple[str, list[Link]]]:
    """The menu of a project for who is logged in; sections without a line are left out."""
    sections = [
        (str(title), [_link(item, project) for item in items if _is_for(item, project)]) for title, items in MENU
    ]
    return [(title, links) for title, links in sections if links]


def _is_for(item: Item, project: Project) -> bool:
    return item.endpoint in current_app.view_functions and may(actor(), item.verb, project.project_id)


def _link(item: Item, project: Project) -> Link:
    view = current_app.view_functions.get(request.endpoint or "")
    is_here = request.endpoint == item.endpoint or (view is not None and view.__module__.endswith(f".{item.family}"))
    return Link(url_for(item.endpoint, number=project.number), str(item.title), item.icon, is_here)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def asset(name: str) -> str:
    """The address of a file in server/static; it changes with the content, so browsers may keep it for a year."""
    return url_for("console.static", filename=name, v=_digest(name))


@bp.app_template_filter()
def is_page(endpoint: str) -> bool:
    """Whether this server has such a page."""
    return endpoint in current_app.view_functions


@bp.record_once
def _install(state: BlueprintSetupState) -> None:
    app = state.app
    app.config.update(SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_NAME="notices")
    app.jinja_env.globals.update(menu=menu, asset=asset, may=may, role_title=role_title)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def role_title(role: str) -> str:
    """A role in the reader's words."""
    titles = {
        "manager": gettext("Manager"),
        "supervisor": gettext("Supervisor"),
        "enumerator": gettext("Enumerator"),
        "viewer": gettext("Viewer"),
    }
    return str(titles.get(role, role))
