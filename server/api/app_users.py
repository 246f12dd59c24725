"""App users: the devices that run ODK Collect, and the QR code that sets them up."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from schemas.account import AppUserChangeSchema, AppUserSchema, NewAppUserSchema
from server.address import project_url
from server.api.blueprint import body, bp, done, shown
from server.auth import actor
from server.clock import now
from server.db import session
from server.openrosa.settings import collect_settings, qr_svg
from server.projects import project
from server.services import services
from sync import access, devices
from sync.errors import NoSuchDevice
from sync.models import Device, Project


@bp.get("/projects/<int:number>/app-users")
def list_app_users(number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "device.list", found.project_id)
    listed = [_told(found, device) for device in devices.listed(session(), found, kind="collect")]
    return shown(AppUserSchema(), listed, many=True)


@bp.post("/projects/<int:number>/app-users")
def create_app_user(number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "device.create", found.project_id)
    made = devices.create_app_user(
        session(),
        found,
        name=body(NewAppUserSchema())["name"],
        actor=actor(),
        now=now(),
        secret_key=services().settings.secret_key,
    )
    return shown(AppUserSchema(), _told(found, made))


@bp.get("/projects/<int:number>/app-users/<int:device_number>")
def show_app_user(number: int, device_number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "device.list", found.project_id)
    return shown(AppUserSchema(), _told(found, _app_user(found, device_number)))


@bp.get("/projects/<int:number>/app-users/<int:device_number>/qr.svg")
def show_qr_code(number: int, device_number: int) -> ResponseReturnValue:
    """The picture that ODK Collect scans. Whoever sees it can send in this app user's name."""
    found = project(number)
    access.require(actor(), "device.create", found.project_id)
    token = devices.app_user_token(_app_user(found, device_number), services().settings.secret_key)
    if not token:
        raise NoSuchDevice(str(device_number))
    told = collect_settings(server_url=project_url(number, token), project_name=found.name)
    return Response(qr_svg(told), content_type="image/svg+xml")


@bp.patch("/projects/<int:number>/app-users/<int:device_number>")
def change_app_user(number: int, device_number: int) -> ResponseReturnValue:
    """`properties`, by which entity lists are filtered: {"rt": "03, 04"}. All that were there before are replaced."""
    found = project(number)
    device = _app_user(found, device_number)
    properties = body(AppUserChangeSchema())["properties"]
    devices.give_properties(session(), device, properties, actor=actor(), now=now())
    return shown(AppUserSchema(), _told(found, device))


@bp.delete("/projects/<int:number>/app-users/<int:device_number>")
def revoke_app_user(number: int, device_number: int) -> ResponseReturnValue:
    """Its address is no longer valid; what it still sends is kept in quarantine."""
    found = project(number)
    access.require(actor(), "device.revoke", found.project_id)
    devices.revoke(session(), _app_user(found, device_number), actor=actor(), now=now())
    return done()


def _app_user(found: Project, device_number: int) -> Device:
    device = devices.by_number(session(), found, device_number)
    if device.kind != "collect":
        raise NoSuchDevice(str(device_number))
    return device


def _told(found: Project, device: Device) -> dict[str, Any]:
    token = devices.app_user_token(device, services().settings.secret_key)
    return {
        "number": device.number,
        "name": device.name,
        "project_number": found.number,
        "token": token or None,
        "enrolled_at": device.enrolled_at,
        "last_seen_at": device.last_seen_at,
        "properties": device.properties,
    }
