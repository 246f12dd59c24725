"""Devices: enrolling them, knowing them by their token, revoking them."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sync import access
from sync.access import Actor, Role
from sync.accounts import NumbersTaken
from sync.errors import BadCode, BadDeviceProperty, NoSuchDevice
from sync.identity import digest, token, uuid7
from sync.models import Account, Device, Enrolment, Project
from sync.record import record
from sync.rows import DEVICE

PROPERTY_NAME = re.compile(r"[^\W\d][\w.-]{0,99}")
LONGEST_PROPERTY = 1000

LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""For codes that people read aloud and type: no 0 and O, no 1, I and L."""
CODE_LENGTH, GROUP_LENGTH = 8, 4
"""31 letters to the eighth are 8.5e11 codes; they live for hours and are used once."""
CODE_TTL_S = 7 * 24 * 3600

# Made once: every request of a device asks it.
_BY_TOKEN = (
    select(Device, Project)
    .join(Project, Project.project_id == Device.project_id)
    .where(Project.number == bindparam("number"), Device.token_sha256 == bindparam("sha256"))
)
_SEEN = update(DEVICE).where(
    DEVICE.c.project_id == bindparam("of_project"), DEVICE.c.device_id == bindparam("of_device")
)

LARGEST_SKEW_MS = 2**31 - 1
"""Nearly 25 days: what the database can hold of how wrong a clock is."""


@dataclass(frozen=True, slots=True)
class Code:
    """An enrolment code as it is shown, once: "7KQM-X2RD"."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device that has just been enrolled; its token is told here once and never again."""

    device: Device
    token: str


def create_enrolment(
    session: Session,
    project: Project,
    *,
    name: str,
    account_id: str | None = None,
    is_server: bool = False,
    actor: Actor,
    now: datetime,
    ttl_s: int = CODE_TTL_S,
) -> Code:
    """A code that enrols one device, or one other server, once, within `ttl_s` seconds."""
    access.require(actor, "peer.manage" if is_server else "device.create", project.project_id)
    code = "".join(secrets.choice(LETTERS) for _letter in range(CODE_LENGTH))
    expires_at = now + timedelta(seconds=ttl_s)
    session.add(
        Enrolment(
            project_id=project.project_id,
            code_sha256=digest(code),
            kind="server" if is_server else "device",
            name=name.strip()[:255] or "Tablet",
            account_id=account_id,
            created_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    record(session, "enrolment.create", actor=actor, at=now, project_id=project.project_id, detail={"name": name})
    return Code("-".join((code[:GROUP_LENGTH], code[GROUP_LENGTH:])), expires_at)


def enrol(session: Session, code: str, *, kind: str = "client", user_agent: str = "", now: datetime) -> Enrolled:
    """A new device in the project of the code, which is spent. Refuses BadCode, without saying why.

    The row of the code is locked first: of two devices with the same code one gets in."""
    invitation = session.scalar(
        select(Enrolment).where(Enrolment.code_sha256 == digest(_typed(code))).with_for_update()
    )
    if invitation is None or invitation.device_id is not None or invitation.expires_at <= now:
        raise BadCode
    if (invitation.kind == "server") != (kind == "server"):
        raise BadCode
    token_ = token()
    device = Device(
        project_id=invitation.project_id,
        device_id=f"d-{uuid7()}",
        kind=kind if kind in ("client", "tablet", "server") else "client",
        name=invitation.name,
        account_id=invitation.account_id,
        token_sha256=digest(token_),
        token="",
        enrolled_at=now,
        user_agent=user_agent[:255],
    )
    _number(session, device)
    invitation.device_id = device.device_id
    session.flush()
    _note(session, "device.enrol", device, actor=actor_for(device), now=now)
    return Enrolled(device, token_)


def create_app_user(
    session: Session,
    project: Project,
    *,
    name: str,
    account_id: str | None = None,
    actor: Actor,
    now: datetime,
    secret_key: str,
) -> Device:
    """A device that runs ODK Collect; `app_user_token` gives its token whenever its QR code is shown."""
    access.require(actor, "device.create", project.project_id)
    device = Device(
        project_id=project.project_id,
        device_id=f"d-{uuid7()}",
        kind="collect",
        name=name.strip()[:255] or "Collect",
        account_id=account_id,
        token=token(),
        token_sha256="",
        enrolled_at=now,
    )
    device.token_sha256 = digest(app_user_token(device, secret_key))
    _number(session, device)
    _note(session, "device.create", device, actor=actor, now=now)
    return device


def app_user_token(device: Device, secret_key: str) -> str:
    """The token in the server URL of ODK Collect; "" for other devices and once it is revoked.

    It is derived, not stored: who reads the database alone learns no token, and the QR code can be shown again."""
    if device.kind != "collect" or device.revoked_at is not None:
        return ""
    told = "\n".join((device.project_id, device.device_id, device.token)).encode()
    return base64.urlsafe_b64encode(hmac.digest(secret_key.encode(), told, "sha256")).decode().rstrip("=")


def by_token(session: Session, project_number: int, token_: str) -> tuple[Device, Project] | None:
    """The device of this token and its project; also a revoked one: what it still pushes is kept, in quarantine."""
    found = session.execute(_BY_TOKEN, {"number": project_number, "sha256": digest(token_)}).one_or_none()
    return None if found is None else (found[0], found[1])


def by_number(session: Session, project: Project, number: int) -> Device:
    """Refuses NoSuchDevice."""
    device = session.scalar(select(Device).where(Device.project_id == project.project_id, Device.number == number))
    if device is None:
        raise NoSuchDevice(str(number))
    return device


def give_properties(
    session: Session, device: Device, properties: Mapping[str, str], *, actor: Actor, now: datetime
) -> None:
    """What entity lists are filtered by for this device: name -> one value, or several with commas between them.

    Refuses NotAllowed, BadDeviceProperty."""
    access.require(actor, "device.create", device.project_id)
    told = {name: " ".join(value.split()) for name, value in properties.items() if value.strip()}
    for name, value in told.items():
        if PROPERTY_NAME.fullmatch(name) is None or len(value) > LONGEST_PROPERTY:
            raise BadDeviceProperty(name[:100], field="properties")
    if told != device.properties:
        device.properties = told
        session.flush()
        detail = {"name": device.name, "properties": told}
        record(
            session,
            "device.update",
            actor=actor,
            at=now,
            project_id=device.project_id,
            target=("device", device.device_id),
            detail=detail,
        )


def actor_for(device: Device) -> Actor:
    """The device as one who acts, for its account if it has one; a revoked one may do nothing.

    Another server acts for its people: what they were allowed there, counts here."""
    is_server, is_known = device.kind == "server", device.revoked_at is None
    return Actor(
        "device",
        id=device.device_id,
        name=device.name,
        account_id=device.account_id,
        device_id=device.device_id,
        roles={device.project_id: Role.ENUMERATOR} if is_known and not is_server else {},
        serves=device.project_id if is_known and is_server else "",
    )


def listed(session: Session, project: Project, *, kind: str | None = None) -> list[Device]:
    """The devices of the project by number, revoked ones too; of one kind if asked."""
    found = select(Device).where(Device.project_id == project.project_id).order_by(Device.number)
    return list(session.scalars(found if kind is None else found.where(Device.kind == kind)))


def owners(session: Session, project: Project) -> dict[str, str]:
    """The name of the person whose device it is, by device_id."""
    rows = session.execute(
        select(Device.device_id, Account.name)
        .join(Account, Account.account_id == Device.account_id)
        .where(Device.project_id == project.project_id)
    )
    return {row.device_id: row.name for row in rows}


def invitations(session: Session, project: Project, *, now: datetime) -> list[Enrolment]:
    """The codes that are still open, the newest first."""
    return list(
        session.scalars(
            select(Enrolment)
            .where(
                Enrolment.project_id == project.project_id,
                Enrolment.device_id.is_(None),
                Enrolment.expires_at > now,
            )
            .order_by(Enrolment.created_at.desc(), Enrolment.name)
        )
    )


def revoke(session: Session, device: Device, *, actor: Actor, now: datetime) -> None:
    """The device may read nothing any more. What it still sends is kept in quarantine, not thrown away."""
    access.require(actor, "device.revoke", device.project_id)
    if device.revoked_at is not None:
        return
    device.revoked_at = now
    session.flush()
    _note(session, "device.revoke", device, actor=actor, now=now)


def seen(
    session: Session,
    project_id: str,
    device_id: str,
    *,
    skew_ms: int | None = None,
    waiting: int | None = None,
    now: datetime,
) -> None:
    """The device has synchronised; its clock was `skew_ms` ahead of ours, `waiting` items are still in its outbox."""
    told: dict[str, datetime | int] = {"last_seen_at": now}
    if skew_ms is not None:
        told["skew_ms"] = max(-(2**31), min(skew_ms, 2**31 - 1))
    if waiting is not None:
        told["waiting"] = waiting
    session.execute(_SEEN, {"of_project": project_id, "of_device": device_id, **told})


def _typed(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _note(session: Session, action: str, device: Device, *, actor: Actor, now: datetime) -> None:
    target, detail = ("device", device.device_id), {"name": device.name, "kind": device.kind}
    record(session, action, actor=actor, at=now, project_id=device.project_id, target=target, detail=detail)


def _number(session: Session, device: Device) -> None:
    """Insert with the next number; two at once are told apart by the UNIQUE constraint."""
    for _attempt in range(10):
        highest = select(func.max(Device.number)).where(Device.project_id == device.project_id)
        device.number = (session.scalar(highest) or 0) + 1
        try:
            with session.begin_nested():
                session.add(device)
                session.flush()
        except IntegrityError:
            continue
        return
    raise NumbersTaken
