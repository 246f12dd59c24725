"""Devices: who has one, when it was last heard of, how to connect another, and how to shut one out."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from server.address import base_url, project_url
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.properties import properties
from server.console.words import language, skew
from server.db import session
from server.openrosa.settings import collect_settings, qr_svg
from server.problems import InvalidRequest
from server.projects import project
from server.services import services
from sync import devices as registry
from sync.access import may, require
from sync.entities import entity_lists, list_rules
from sync.errors import NoSuchDevice
from sync.models import Device, Project
from sync.projects import Member, members

SKEW_WORTH_SAYING_S = 120
"""A clock that is further off makes the order of edits doubtful."""


@bp.get("/projects/<int:number>/devices")
def devices(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "device.list", found.project_id)
    listed = [device for device in registry.listed(session(), found) if device.kind != "server"]
    return render_template(
        "console/devices.html",
        project=found,
        devices=[device for device in listed if device.revoked_at is None],
        revoked=[device for device in listed if device.revoked_at is not None],
        owners=registry.owners(session(), found),
        invitations=registry.invitations(session(), found, now=now()),
        people=_people(found),
        skew_in_words=skew_in_words,
        is_skewed=is_skewed,
        filters=_filters(found),
    )


@bp.post("/projects/<int:number>/devices/codes")
def create_code(number: int) -> ResponseReturnValue:
    """The code is shown on the answer to this request, and never again."""
    found = project(number)
    name = _name()
    code = registry.create_enrolment(
        session(), found, name=name, account_id=_account_id(found), actor=actor(), now=now()
    )
    address = f"{base_url()}/enrol#{code.code}"
    return render_template(
        "console/device_code.html",
        project=found,
        name=name,
        code=code,
        address=address,
        qr=Markup(qr_svg(address, is_fluid=True)),  # noqa: S704  # our own picture
    )


@bp.post("/projects/<int:number>/devices/app-users")
def create_collect_user(number: int) -> ResponseReturnValue:
    found = project(number)
    made = registry.create_app_user(
        session(),
        found,
        name=_name(),
        account_id=_account_id(found),
        actor=actor(),
        now=now(),
        secret_key=services().settings.secret_key,
    )
    return redirect(url_for("console.collect_code", number=number, device_number=made.number), 303)


@bp.get("/projects/<int:number>/devices/<int:device_number>/collect")
def collect_code(number: int, device_number: int) -> ResponseReturnValue:
    """Whoever sees this page can send in the name of the app user: managers only."""
    found = project(number)
    require(actor(), "device.create", found.project_id)
    device = registry.by_number(session(), found, device_number)
    token = registry.app_user_token(device, services().settings.secret_key)
    if not token:
        raise NoSuchDevice(str(device_number))
    server_url = project_url(number, token)
    owner = registry.owners(session(), found).get(device.device_id, device.name)
    told = collect_settings(server_url=server_url, project_name=found.name, username=owner, language=language())
    return render_template(
        "console/collect_code.html",
        project=found,
        device=device,
        server_url=server_url,
        qr=Markup(qr_svg(told, is_fluid=True)),  # noqa: S704  # our own picture
    )


@bp.get("/projects/<int:number>/devices/<int:device_number>/revoke")
def revoke_device(number: int, device_number: int) -> ResponseReturnValue:
    """What will happen, before it does."""
    found = project(number)
    require(actor(), "device.revoke", found.project_id)
    device = registry.by_number(session(), found, device_number)
    return render_template("console/device_revoke.html", project=found, device=device)


@bp.post("/projects/<int:number>/devices/<int:device_number>/revoke")
def revoke_device_now(number: int, device_number: int) -> ResponseReturnValue:
    found = project(number)
    device = registry.by_number(session(), found, device_number)
    registry.revoke(session(), device, actor=actor(), now=now())
    flash(gettext("%(name)s is shut out. What it still sends is kept in quarantine.", name=device.name), "good")
    shown_on = "console.servers" if device.kind == "server" else "console.devices"
    return redirect(url_for(shown_on, number=number), 303)


@bp.get("/projects/<int:number>/devices/<int:device_number>/registries")
def device_registries(number: int, device_number: int) -> ResponseReturnValue:
    """Which entries of the filtered registries it gets."""
    found = project(number)
    require(actor(), "device.create", found.project_id)
    device = registry.by_number(session(), found, device_number)
    return render_template("console/device_registries.html", project=found, device=device, filters=_filters(found))


@bp.post("/projects/<int:number>/devices/<int:device_number>/registries")
def change_device_registries(number: int, device_number: int) -> ResponseReturnValue:
    found = project(number)
    device = registry.by_number(session(), found, device_number)
    told = {key.removeprefix("p-"): value for key, value in request.form.items() if key.startswith("p-")}
    registry.give_properties(session(), device, {**device.properties, **told}, actor=actor(), now=now())
    flash(gettext("Saved. The device gets it, and drops the rest, at its next sync."), "good")
    return redirect(url_for("console.devices", number=number), 303)


def skew_in_words(device: Device) -> str:
    """ "3 min ahead", "right", "" when it is not known."""
    if device.skew_ms is None:
        return ""
    return skew(device.skew_ms) if is_skewed(device) else str(gettext("right"))


def is_skewed(device: Device) -> bool:
    return device.skew_ms is not None and abs(device.skew_ms) >= SKEW_WORTH_SAYING_S * 1000


def _filters(found: Project) -> dict[str, str]:
    """What registries are filtered by: the property of a device, and the column in words."""
    keys: dict[str, str] = {}
    for one in entity_lists.lists(session(), found):
        filters = list_rules.read(one.settings).filters
        words = properties(found, one.name) if filters else None
        for column, key in filters.items():
            keys.setdefault(key, words.label(column) if words is not None else column)
    return keys


def _name() -> str:
    name = request.form.get("name", "").strip()
    if not 1 <= len(name) <= 255:
        raise InvalidRequest(gettext("A device needs a name, such as “Tablet 3”."), field="name")
    return name


def _people(found: Project) -> list[Member]:
    return members(session(), found) if may(actor(), "device.create", found.project_id) else []


def _account_id(found: Project) -> str | None:
    """The member whose device it will be; only members of the project can be chosen."""
    wanted = request.form.get("person", "")
    return next((member.account_id for member in members(session(), found) if str(member.number) == wanted), None)
