"""Two servers of one project, with their people: what is kept and shown at each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, undefer

from server.clock import now
from sync import attach, devices, operations, peers, publish, receive
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.device.link import Link
from sync.engine import in_transaction
from sync.models import Conflict, Entity, Form, Installation, Operation, Peer, Project, Submission
from sync.receive import receive_submission
from sync.verdict import Sender, SentFile
from tests.conftest import Team
from tests.e2e.visits import FORM_ID, instance, xform
from tests.integration.sync.field import Tablet

SECRET = "k" * 64
QUICK = partial(Link, attempts=1, sleep=lambda _pause: None)


@dataclass
class Office:
    """A server with its people; `up` says whether the other one can reach it."""

    app: Flask
    team: Team | None
    project_id: str = ""
    address: str = ""
    tablets: dict[str, Tablet] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        return self.app.extensions["lapangan"].engine  # type: ignore[no-any-return]

    @property
    def blobs(self) -> BlobStore:
        return self.app.extensions["lapangan"].blobs  # type: ignore[no-any-return]

    def sync(self) -> peers.Carried:
        return peers.sync(self.engine, self.blobs, self.peer(), secret_key=SECRET, connect=QUICK, clock=now)

    def peer(self) -> Peer:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.scalars(select(Peer)).one()

    def publish(self, version: str = "1", title: str = "") -> None:
        content = xform(version).replace(b"<h:title>", f"<h:title>{title}".encode())

        def act(session: Session) -> None:
            publish.save_draft(session, self.project_id, content, actor=SYSTEM, now=now())
            publish.publish(session, self.project_id, FORM_ID, actor=SYSTEM, now=now())

        in_transaction(self.engine, act)

    def collect(self, instance_id: str, *files: SentFile, name: str = "Bu Siti", **more: str) -> str:
        """ODK Collect sends a record here."""
        sender = self.sender("collect")
        line = receive_submission(self.engine, sender, instance(instance_id, name=name, **more), files, now=now())
        return line.outcome.value

    def sender(self, name: str) -> Sender:
        def enrol(session: Session) -> Sender:
            project = session.get_one(Project, self.project_id)
            known = [one for one in devices.listed(session, project) if one.name == name]
            if known:
                made = known[0]
            else:
                code = devices.create_enrolment(session, project, name=name, actor=SYSTEM, now=now())
                made = devices.enrol(session, code.code, now=now()).device
            return Sender(self.project_id, devices.actor_for(made), "sync", device_id=made.device_id)

        return in_transaction(self.engine, enrol)  # type: ignore[no-any-return]

    def push(self, name: str, *ops: dict[str, Any]) -> list[str]:
        raws = [orjson.dumps(op) for op in ops]
        receipt = receive.receive(self.engine, self.sender(name), raws, size=1, now=now())
        return [line.outcome.value for line in receipt.lines]

    def tablet(self, name: str) -> Tablet:
        return self.tablets.setdefault(name, Tablet(name, f"{name}~{self.project_id[:4]}"))

    def keep(self, content: bytes, name: str = "rumah.jpg") -> SentFile:
        stored = self.blobs.write(self.project_id, [content], limit=10**8)
        told = {"media_type": "image/jpeg", "now": now()}
        in_transaction(self.engine, lambda session: attach.keep(session, self.project_id, stored, **told))
        return SentFile(name, stored.sha256, stored.size, "image/jpeg")

    def act(self, act: Callable[[Session, Submission], object], instance_id: str) -> None:
        def found(session: Session) -> None:
            act(session, session.get_one(Submission, (self.project_id, instance_id)))

        in_transaction(self.engine, found)

    def operations(self) -> dict[str, dict[str, Any]]:
        """As they replicate."""
        with Session(self.engine) as session:
            rows = session.scalars(select(Operation).options(undefer(Operation.xml)))
            told = {one.op_id: operations.shape_of(one) | {"state": one.state} for one in rows}
        for one in told.values():
            if one["origin"].startswith(("x~", "e~")):
                # Who handed in a bare instance is what each server saw for itself.
                one.pop("device", None)
        return told

    def shown(self) -> dict[str, Any]:
        """What a supervisor sees."""
        with Session(self.engine) as session:
            records = {
                one.instance_id: (one.answers, one.version, one.conflicts, one.review_state, one.attachments_missing)
                for one in session.scalars(select(Submission))
            }
            # Their versions are numbers of one server: after a restore it goes on with greater ones.
            entities = {one.entity_id: (one.label, one.data) for one in session.scalars(select(Entity))}
            clashes = sorted((one.record_id, one.path) for one in session.scalars(select(Conflict)))
            forms = {one.form_id: one.version for one in session.scalars(select(Form))}
            return {"records": records, "entities": entities, "clashes": clashes, "forms": forms}


def agree(*offices: Office) -> bool:
    first = offices[0]
    for one in offices[1:]:
        assert one.operations() == first.operations()
        assert one.shown() == first.shown()
    return True


def rename(session: Session, to: str = "s-field") -> None:
    """Both databases are copies of one template: this one is another server."""
    session.scalars(select(Installation)).one().server_id = to


def server_code(centre: Office) -> str:
    def create(session: Session) -> str:
        project = session.get_one(Project, centre.project_id)
        return devices.create_enrolment(
            session, project, name="Field office", is_server=True, actor=SYSTEM, now=now()
        ).code

    code: str = in_transaction(centre.engine, create)
    return code
