"""A field of devices that send by hand-written operations, and a small form for them to fill in."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, undefer

from sync import attach, publish, receive
from sync.access import Actor, Role
from sync.engine import in_transaction
from sync.models import Base, Conflict, Device, FeedRow, Operation, Project, Submission, SubmissionFinding
from sync.verdict import Line, Outcome, Receipt, Sender, SentFile

FORM = "rumah_tangga"
PHOTO = "a" * 64

XFORM = """<?xml version="1.0" encoding="UTF-8"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:jr="http://openrosa.org/javarosa" xmlns:entities="http://www.opendatakit.org/xforms/entities">
  <h:head><h:title>Rumah tangga</h:title>
    <model entities:entities-version="2024.1.0">
      <instance><data id="{form_id}" version="{version}">
        <nama/><umur/><before/><after/><change/><foto/>
        <usaha jr:template=""><jenis/></usaha>
        <meta><instanceID/><instanceName/>{entity}</meta>
      </data></instance>
      <bind nodeset="/data/nama" type="string" {saveto_nama}/>
      <bind nodeset="/data/umur" type="int" constraint=". &lt; 120" {saveto_umur}/>
      <bind nodeset="/data/before" type="int"/>
      <bind nodeset="/data/after" type="int"/>
      <bind nodeset="/data/change" type="int" calculate="/data/after - /data/before"/>
      <bind nodeset="/data/foto" type="binary"/>
      <bind nodeset="/data/usaha/jenis" type="string"/>
      <bind nodeset="/data/meta/instanceID" type="string" readonly="true()" jr:preload="uid"/>
    </model>
  </h:head>
  <h:body>
    <input ref="/data/nama"><label>Nama</label></input>
    <input ref="/data/umur"><label>Umur</label></input>
    <input ref="/data/before"><label>Sebelum</label></input>
    <input ref="/data/after"><label>Sesudah</label></input>
    <upload ref="/data/foto" mediatype="image/*"><label>Foto</label></upload>
    <group ref="/data/usaha"><label>Usaha</label><repeat nodeset="/data/usaha">
      <input ref="/data/usaha/jenis"><label>Jenis</label></input></repeat></group>
  </h:body>
</h:html>
"""


def xform(version: str = "1", *, form_id: str = FORM, entities: bool = False) -> bytes:
    """The form; with `entities` its name and age are those of a person in the list "warga"."""
    parts = {
        "{form_id}": form_id,
        "{version}": version,
        "{entity}": '<entity dataset="warga" id="" create="" update="" baseVersion="" trunkVersion="" branchId="">'
        "<label/></entity>"
        if entities
        else "",
        "{saveto_nama}": 'entities:saveto="nama"' if entities else "",
        "{saveto_umur}": 'entities:saveto="umur"' if entities else "",
    }
    text = XFORM
    for name, value in parts.items():
        text = text.replace(name, value)
    return text.encode()


def new_id() -> str:
    return f"uuid:{uuid.uuid4()}"


def instance(
    instance_id: str,
    *,
    corrects: str = "",
    version: str = "1",
    form_id: str = FORM,
    entity: Mapping[str, str] | None = None,
    **answers: str,
) -> str:
    """An instance as a client writes it; `entity` are the attributes of its <entity>."""
    told = answers | ({"change": str(int(answers["after"]) - int(answers["before"]))} if "before" in answers else {})
    leaves = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
    deprecated = f"<deprecatedID>{corrects}</deprecatedID>" if corrects else ""
    said = ""
    if entity is not None:
        attributes = "".join(f' {name}="{value}"' for name, value in entity.items())
        said = (
            f'<entity xmlns="http://www.opendatakit.org/xforms/entities" dataset="warga"{attributes}>'
            f"<label>{answers.get('nama', '')}</label></entity>"
        )
    return (
        f'<data id="{form_id}" version="{version}">{leaves}<meta><instanceID>{instance_id}</instanceID>{deprecated}'
        f"<instanceName>{answers.get('nama', '')}</instanceName>{said}</meta></data>"
    )


@dataclass(slots=True)
class Tablet:
    """Counts its operations as a client does; `op` makes one, nothing is sent before `Field.push`."""

    device_id: str
    origin: str
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    last: dict[str, int] = field(default_factory=dict)

    def op(self, record: str, *, kind: str = "submission", form: str = FORM, **said: Any) -> dict[str, Any]:
        n = next(self.numbers)
        made = {
            "op": str(uuid.uuid4()),
            "origin": self.origin,
            "n": n,
            "prev": self.last.get(record, 0),
            "kind": kind,
            "record": record,
            "context": {},
            "at": f"{1_000_000 + n:012x}-0000",
            "form": form,
            "version": "1",
        } | said
        self.last[record] = n
        return made

    def fill_in(self, record: str, **answers: str) -> dict[str, Any]:
        """A new record."""
        return self.op(record, xml=instance(record, **answers))


@dataclass(slots=True)
class Field:
    """A project with one form, and what is kept of it."""

    engine: Engine
    project_id: str
    manager: Actor
    supervisor: Actor
    now: datetime

    def publish(self, content: bytes) -> None:
        def act(session: Session) -> None:
            draft = publish.save_draft(session, self.project_id, content, actor=self.manager, now=self.now)
            publish.publish(session, self.project_id, draft.form_id, actor=self.manager, now=self.now)

        in_transaction(self.engine, act)

    def tablet(self, name: str) -> Tablet:
        def act(session: Session) -> None:
            session.add(
                Device(
                    project_id=self.project_id,
                    device_id=name,
                    number=sum(map(ord, name)),
                    kind="tablet",
                    name=name,
                    token_sha256=name,
                    enrolled_at=self.now,
                )
            )

        in_transaction(self.engine, act)
        return Tablet(name, f"{name}~1")

    def sender(self, tablet: Tablet | None, *, is_revoked: bool = False, door: str = "sync") -> Sender:
        roles = {self.project_id: Role.ENUMERATOR}
        actor = Actor("device", id=tablet.device_id if tablet else "", roles=roles)
        return Sender(
            self.project_id, actor, door, device_id=tablet.device_id if tablet else None, is_revoked=is_revoked
        )

    def push(self, tablet: Tablet, *ops: dict[str, Any] | bytes, is_revoked: bool = False) -> Receipt:
        raws = [op if isinstance(op, bytes) else orjson.dumps(op) for op in ops]
        sender = self.sender(tablet, is_revoked=is_revoked)
        return receive.receive(self.engine, sender, raws, size=sum(map(len, raws)), now=self.now)

    def post(self, xml: str, *files: SentFile) -> Line:
        """As ODK Collect does."""
        sender = self.sender(None, door="openrosa")
        return receive.receive_submission(self.engine, sender, xml.encode(), files, now=self.now)

    def arrive(self, sha256: str) -> None:
        """The bytes of a file are here."""
        stored = attach.Stored(sha256, "", 5)
        in_transaction(
            self.engine, lambda session: attach.keep(session, self.project_id, stored, media_type="", now=self.now)
        )

    def one(self, model: type[Base], *key: str) -> Any:
        with Session(self.engine) as session:
            return session.get(model, (self.project_id, *key), options=[undefer("*")])

    def all(self, model: Any) -> list[Any]:
        with Session(self.engine) as session:
            return list(session.scalars(select(model).where(model.project_id == self.project_id)))

    def shown(self, record: str) -> Submission:
        found = self.one(Submission, record)
        assert isinstance(found, Submission)
        return found

    def answers(self, record: str) -> dict[str, Any]:
        """What is not blank."""
        return {name: value for name, value in self.shown(record).answers.items() if value}

    def conflicts(self, record: str) -> dict[str, list[str | None]]:
        """Path -> the values that clash, the shown one first."""
        return {
            row.path: [sibling["value"] for sibling in row.siblings]
            for row in self.all(Conflict)
            if row.record_id == record
        }

    def rules(self, record: str) -> list[tuple[str, str]]:
        found = [row for row in self.all(SubmissionFinding) if row.instance_id == record]
        return sorted((row.rule, row.path) for row in found)

    def feed(self) -> list[str]:
        """What the feed tells of, in order; its numbers are held to have no gap."""
        rows = sorted(self.all(FeedRow), key=lambda row: row.seq)
        with Session(self.engine) as session:
            head = session.get_one(Project, self.project_id).head
        assert [row.seq for row in rows] == list(range(1, head + 1))
        return [row.op_id for row in rows]

    def operation(self, op_id: str) -> Operation:
        found = self.one(Operation, op_id)
        assert isinstance(found, Operation)
        return found


def outcomes(receipt: Receipt) -> list[Outcome]:
    return [line.outcome for line in receipt.lines]
