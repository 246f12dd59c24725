"""What lies on a supervisor's desk in tests: a few records of the small form of tests/e2e/visits.py, as they arrive."""

from __future__ import annotations

import hashlib
import io
import uuid
from datetime import timedelta

import orjson
from PIL import Image
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.clock import now
from sync import attach, devices, publish
from sync.access import Actor
from sync.attach import BlobStore
from sync.engine import in_transaction
from sync.models import Device, InboxItem, Project
from sync.receive import receive, receive_submission
from sync.verdict import Sender, SentFile
from tests.conftest import Team
from tests.e2e.visits import FORM_ID, instance, xform

GOOD = "uuid:11111111-1111-4111-8111-111111111111"
FLAGGED = "uuid:22222222-2222-4222-8222-222222222222"
CLASHING = "uuid:33333333-3333-4333-8333-333333333333"
PHOTO = "rumah.jpg"
GARBAGE = b'{"op": "not an operation'


def publish_visits(engine: Engine, team: Team) -> None:
    """The small form, published."""

    def act(session: Session) -> None:
        publish.save_draft(session, team.project_id, xform(), actor=team.manager, now=now())
        publish.publish(session, team.project_id, FORM_ID, actor=team.manager, now=now())

    in_transaction(engine, act)


def publish_form(engine: Engine, team: Team, form_id: str) -> None:
    """The small form under another name, published."""

    def act(session: Session) -> None:
        content = xform().replace(b'id="kunjungan"', f'id="{form_id}"'.encode())
        publish.save_draft(session, team.project_id, content, actor=team.manager, now=now())
        publish.publish(session, team.project_id, form_id, actor=team.manager, now=now())

    in_transaction(engine, act)


def fill(engine: Engine, team: Team, blobs: BlobStore) -> None:
    """A good record with a photo, one that breaks a rule, one that two devices wrote, and something unreadable."""
    publish_visits(engine, team)
    first, second = (sender(engine, team, name) for name in ("Tablet Anggrek", "Tablet Bougenvil"))
    photo = keep_photo(engine, team, blobs)
    receive_submission(engine, first, instance(GOOD, name="Bu Siti", photo=PHOTO), [photo], now=now())
    receive_submission(engine, first, instance(FLAGGED, name="Pak Budi", age="200"), now=now())
    receive_submission(engine, first, instance(CLASHING, name="Bu Ani", age="41"), now=now())
    receive_submission(engine, second, instance(CLASHING, name="Bu Ani", age="44"), now=now() + timedelta(seconds=1))
    receive(engine, second, [GARBAGE], size=len(GARBAGE), now=now())


def send(engine: Engine, team: Team, xml: bytes) -> None:
    """One more submission, by a device of its own."""
    receive_submission(engine, sender(engine, team, "Tablet Cempaka"), xml, now=now())


def delete(engine: Engine, team: Team, instance_id: str, seen: dict[str, int]) -> None:
    """A manager deletes the record as it stood when the vector was `seen`."""
    line = {
        "op": str(uuid.uuid4()),
        "origin": f"office~{uuid.uuid4().hex[:10]}",
        "n": 1,
        "prev": 0,
        "kind": "submission",
        "record": instance_id,
        "context": seen,
        "at": "019a3f2c1b20-0003",
        "deleted": True,
    }
    office = Sender(team.project_id, team.manager, "sync", account_id=team.manager.account_id)
    receive(engine, office, [orjson.dumps(line)], size=1, now=now())


def keep_photo(engine: Engine, team: Team, blobs: BlobStore) -> SentFile:
    """A photo in the store, ready to come along with a submission."""
    content = jpeg()
    stored = blobs.write(team.project_id, [content], limit=10**7)
    in_transaction(
        engine, lambda session: attach.keep(session, team.project_id, stored, media_type="image/jpeg", now=now())
    )
    return SentFile(PHOTO, hashlib.sha256(content).hexdigest(), len(content), "image/jpeg")


def jpeg(width: int = 1600, height: int = 1200) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (60, 120, 90)).save(out, "JPEG")
    return out.getvalue()


def item_id(engine: Engine) -> str:
    """Of what lies in quarantine."""
    with Session(engine) as session:
        return session.scalars(select(InboxItem.item_id).where(InboxItem.state == "quarantined")).one()


def sender(engine: Engine, team: Team, name: str) -> Sender:
    """A tablet of that name, newly enrolled."""

    def enrol(session: Session) -> Device:
        project = session.get_one(Project, team.project_id)
        code = devices.create_enrolment(
            session, project, name=name, account_id=team.enumerator.account_id, actor=team.manager, now=now()
        )
        return devices.enrol(session, code.code, kind="tablet", user_agent="", now=now()).device

    device = in_transaction(engine, enrol)
    actor = Actor(
        "device", device.device_id, name, team.enumerator.account_id, device.device_id, roles=team.enumerator.roles
    )
    return Sender(team.project_id, actor, "openrosa", device_id=device.device_id, account_id=team.enumerator.account_id)
