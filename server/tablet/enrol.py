"""A short code turns a fresh device into an enrolled one."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.sync import EnrolledSchema, EnrolSchema
from server.address import base_url
from server.clock import now
from server.db import own_transactions, reading, writing
from server.services import services, signing_key
from server.tablet.blueprint import bp, shown
from sync import accounts, devices, peers
from sync.errors import BadCode
from sync.models import Installation, Project

LARGEST_QUESTION = 16 * 1024


@bp.post("/enrol")
@own_transactions
def enrol() -> ResponseReturnValue:
    """The device is enrolled and the code is spent. Refuses BadCode, and TooManyAttempts to who keeps guessing."""
    request.max_content_length = LARGEST_QUESTION
    told = EnrolSchema().load(request.get_json(force=True, silent=True) or {})
    address = request.remote_addr or ""
    with reading() as opened:
        accounts.check_throttle(opened, f"enrol {address}", address, now=now())
    try:
        with writing() as opened:
            return shown(_enrolled(opened, told), 201)
    except BadCode:
        with writing() as opened:
            accounts.note_failure(opened, f"enrol {address}", address, now=now())
        raise


def _enrolled(opened: Session, told: dict[str, Any]) -> dict[str, object]:
    agent = told["user_agent"] or request.user_agent.string[:255]
    made = devices.enrol(opened, told["code"], kind=told["kind"], user_agent=agent, now=now())
    if made.device.kind == "server":
        peers.meet_below(opened, made.device, peers.Told(told["server"], told["epoch"], told["key"]), now=now())
    shown_once = {
        "project": opened.get_one(Project, made.device.project_id),
        "device": made.device,
        "token": made.token,
        "server": opened.scalars(select(Installation.server_id)).one(),
        "base": base_url(),
        "key": signing_key(services().settings).public,
    }
    return dict(EnrolledSchema().dump(shown_once))
