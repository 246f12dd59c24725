"""Who sends what this request brings."""

from __future__ import annotations

from flask import request

from server.auth import actor, device
from server.clock import now
from server.db import session
from sync import access, find
from sync.errors import AccessTakenBack
from sync.models import Device, Project
from sync.verdict import Sender

SEEN_EVERY_S = 60
"""How precisely it is noted when a device was seen: ODK Collect sends each submission by itself."""


def sender(
    found: Project, door: str, *, skew_ms: int | None = None, waiting: int | None = None, is_batch: bool = False
) -> Sender:
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
        waiting=waiting,
        is_seen=own is not None and (is_batch or not _was_seen_lately(own)),
        is_revoked=own is not None and own.revoked_at is not None,
    )


MOST_FROM_REVOKED = 5000
"""Items that a revoked device may have in quarantine: more than weeks of work, less than a disk."""


def require_sender(found: Project, verb: str) -> None:
    """Refuse whoever may not send here, except a revoked device: somebody walked a day for what it holds.

    Until that has been looked at, there is an end to it too: whoever has the device now must not fill the disk."""
    own = device()
    if own is None or own.revoked_at is None:
        access.require(actor(), verb, found.project_id)
    elif find.count_quarantine(session(), own) >= MOST_FROM_REVOKED:
        raise AccessTakenBack


def require_reader(found: Project) -> None:
    """Refuse whoever may not synchronise here; a device is told when its access was taken back."""
    own = device()
    if own is not None and own.revoked_at is not None:
        raise AccessTakenBack
    access.require(actor(), "sync", found.project_id)


def _was_seen_lately(own: Device) -> bool:
    return own.last_seen_at is not None and (now() - own.last_seen_at).total_seconds() < SEEN_EVERY_S
