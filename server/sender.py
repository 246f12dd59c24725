"""Who sends what this request brings."""

from __future__ import annotations

from flask import request

from forms.errors import Kind, Problem
from server.auth import actor, device
from server.clock import now
from server.db import session
from sync import access, announced, find
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
    return Sender(
        found.project_id,
        who,
        door,
        device_id=own.device_id if own else _named(found),
        account_id=who.account_id,
        user_agent=request.user_agent.string[:255],
        skew_ms=skew_ms,
        waiting=waiting,
        is_seen=own is not None and (is_batch or not _was_seen_lately(own)),
        is_revoked=own is not None and own.revoked_at is not None,
    )


MOST_ASIDE, MOST_ASIDE_BYTES = 5000, 128 * 2**20
"""Items, and bytes, that a device may have in quarantine: more than weeks of work, less than a disk."""
LOOK_AGAIN_S = 15 * 60


class TooMuchAside(Problem):
    """Too much of what this device sent waits in quarantine. Keep your data; ask a supervisor to look at it there."""

    kind = Kind.FULL
    slug = "device/too-much-aside"


def require_sender(found: Project, verb: str) -> None:
    """Refuse whoever may not send here, except a revoked device: somebody walked a day for what it holds.

    Until somebody has looked at what was put aside there is an end to it, before anything is read: whoever has the
    device, or its token, must not fill the disk."""
    if revoked() is None:
        access.require(actor(), verb, found.project_id)
    own = device()
    if own is None or actor().serves:
        return
    count, size = find.weigh_quarantine(session(), own)
    if count >= MOST_ASIDE or size >= MOST_ASIDE_BYTES:
        raise AccessTakenBack if own.revoked_at is not None else TooMuchAside(retry_after_s=LOOK_AGAIN_S)


def require_reader(found: Project, verb: str = "sync") -> None:
    """Refuse whoever may not synchronise here; a device is told when its access was taken back."""
    if revoked() is not None:
        raise AccessTakenBack
    access.require(actor(), verb, found.project_id)


def require_file_sender(found: Project, sha256: str, size: int = 0) -> None:
    """Refuse whoever may not send this file here: a revoked device sends what its own work names."""
    own = revoked()
    if own is None:
        access.require(actor(), "sync", found.project_id)
        return
    announced.require_named(session(), own, sha256)
    announced.require_room(session(), own, sha256, size)


def revoked() -> Device | None:
    """The device that sends this request, if its access was taken back."""
    own = device()
    return own if own is not None and own.revoked_at is not None else None


def _named(found: Project) -> str | None:
    """What an app calls the device that it runs on. Nobody sends in the name of one that is enrolled."""
    named = request.args.get("deviceID", "").replace("\0", "")[:64]
    return named if named and session().get(Device, (found.project_id, named)) is None else None


def _was_seen_lately(own: Device) -> bool:
    return own.last_seen_at is not None and (now() - own.last_seen_at).total_seconds() < SEEN_EVERY_S
