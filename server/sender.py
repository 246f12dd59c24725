"""Who sends what this request brings."""

from __future__ import annotations

from flask import request
from sqlalchemy.exc import OperationalError

from server.auth import actor, device
from server.clock import now
from server.db import writing
from server.log import log
from sync import access, devices
from sync.models import Project
from sync.verdict import Sender

SEEN_EVERY_S = 60
"""How precisely it is noted when a device was seen: ODK Collect sends each submission by itself."""


def sender(found: Project, door: str, *, skew_ms: int | None = None) -> Sender:
    """The sender. A device that was revoked is one too: what it sends is kept, in quarantine."""
    who, own = actor(), device()
    named = request.args.get("deviceID", "").replace("\0", "")[:64] or None
    return Sender(
        found.project_id,
        who,
        door,
        device_id=own.device_id if own else named,
        account_id=who.account_id,
        user_agent=request.user_agent.string[:255],
        skew_ms=skew_ms,
        is_revoked=own is not None and own.revoked_at is not None,
    )


def require_sender(found: Project, verb: str) -> None:
    """Refuse whoever may not send here, except a revoked device: somebody walked a day for what it holds."""
    own = device()
    if own is None or own.revoked_at is None:
        access.require(actor(), verb, found.project_id)


def note_seen(*, skew_ms: int | None = None, waiting: int | None = None, is_batch: bool = False) -> None:
    """The device, if it is one, has been here."""
    own, at = device(), now()
    if own is None:
        return
    is_recent = own.last_seen_at is not None and (at - own.last_seen_at).total_seconds() < SEEN_EVERY_S
    if is_recent and not is_batch:
        return
    try:
        with writing() as opened:
            devices.seen(opened, own, skew_ms=skew_ms, waiting=waiting, now=at)
    except OperationalError as error:
        # What it brought is durable: the answer must not say otherwise for the sake of a time of day.
        log.warning("a device could not be noted as seen", error=str(error.orig))
