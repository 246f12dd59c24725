"""The office of the simulation: supervisors and managers at the pages of a server, by the very verbs of its views."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from forms.errors import Problem
from server.clock import now
from sync import author, devices, form_list, publish, release, review
from sync.assignments import assign
from sync.entities import declare_list, register
from sync.entities.declare_list import Access, Declared
from sync.entities.register import Entry
from sync.merge import is_whole
from sync.models import Assignment, Base, Conflict, Device, Entity, Form, InboxItem, Project, Submission
from tests.conftest import Team
from tests.simulator.form import ATOMIC, FORM, MEMBERS, PEOPLE, xform
from tests.simulator.node import Node
from tests.simulator.truth import Truth, ready_on

STATES = (review.HAS_ISSUES, review.APPROVED, review.REJECTED, review.RECEIVED)
MERGES, MERGES_OF_TEXT = ("flag", "flag", "latest", "max", "min"), ("flag", "latest", "append")
HAMLET = "dusun"
"""The property of a device by which a list may be filtered."""
VERSIONS = ("2", "3")
"""Of the form; the first one is published before a history begins."""


@dataclass(slots=True)
class Office:
    """The people at one server."""

    node: Node
    team: Team
    truth: Truth

    def review(self, rng: random.Random) -> None:
        def act(session: Session, found: Submission) -> None:
            review.set_state(session, found, rng.choice(STATES), actor=self.team.supervisor, now=now(), note="Periksa")

        self._on_one(Submission, rng, act)

    def comment(self, rng: random.Random) -> None:
        def act(session: Session, found: Submission) -> None:
            review.comment(session, found, "Benar?", path="umur", actor=self.team.supervisor, now=now())

        self._on_one(Submission, rng, act)

    def resolve(self, rng: random.Random) -> None:
        """A conflict is settled: by one of its siblings, or by something else."""

        def act(session: Session, found: Conflict) -> None:
            is_free = found.path != ATOMIC and found.kind != "assignment"
            values = [side["value"] for side in found.siblings] + (["99"] if is_free else [])
            value = rng.choice((review.DELETE, review.KEEP)) if is_whole(found.path) else rng.choice(values)
            review.resolve(session, found, value, actor=self.team.supervisor, now=now())

        self._on_one(Conflict, rng, act)

    def delete(self, rng: random.Random) -> None:
        def act(session: Session, found: Submission) -> None:
            author.write(
                session,
                session.get_one(Project, found.project_id),
                kind="submission",
                record_id=found.instance_id,
                changes={},
                actor=self.team.supervisor,
                now=now(),
                form_id=found.form_id,
                version=found.version,
                is_delete=True,
            )

        self._on_one(Submission, rng, act)

    def release(self, rng: random.Random) -> None:
        """What was put aside comes back as a new operation, if the reason is gone."""

        def act(session: Session) -> None:
            waiting = select(InboxItem).where(InboxItem.state == "quarantined").order_by(InboxItem.item_id)
            found = list(session.scalars(waiting))
            if found:
                release.release(session, rng.choice(found), actor=self.team.supervisor, now=now())

        self._act(act)

    def publish(self, _rng: random.Random, wanted: str = "") -> None:
        """The next version of the form, or this one."""
        known = {row[0] for row in self.node.rows("SELECT version FROM form_version")} if self.node.is_up else set()
        version = wanted or next((version for version in VERSIONS if version not in known), None)
        if version is not None:
            self._act(lambda session: publish_form(session, self.team, version))

    def enlist(self, rng: random.Random) -> None:
        """Somebody is registered, changed, deleted or looked at by hand: at a page, or by a script."""

        def act(session: Session) -> None:
            told: Any = {"actor": self.team.manager, "now": now()}
            rows = select(Entity).where(Entity.list_name == PEOPLE).order_by(Entity.entity_id)
            known = list(session.scalars(rows))
            does = rng.choice(("create", "update", "update", "delete", "agree"))
            data = {"nama": rng.choice("PQ"), "umur": rng.choice(("20", "21"))}
            if does == "create" or not known:
                enlist(session, self.team, "Kader", data)
            elif does == "update":
                label = rng.choice((None, "Kader B"))
                register.update(session, rng.choice(known), Entry(label, data), **told)
            else:
                {"delete": register.delete, "agree": register.agree}[does](session, rng.choice(known), **told)

        self._act(act)

    def declare(self, rng: random.Random) -> None:
        """What a list asks of its entities."""

        def act(session: Session) -> None:
            told: Any = {"actor": self.team.manager, "now": now()}
            project = session.get_one(Project, self.team.project_id)
            declare_list.declare(session, project, PEOPLE, {"umur": Declared(merge=rng.choice(MERGES))}, **told)
            declare_list.declare(session, project, PEOPLE, {"nama": Declared(merge=rng.choice(MERGES_OF_TEXT))}, **told)
            if rng.random() < 0.5:
                name = rng.choice((PEOPLE, MEMBERS))
                filters = rng.choice(({}, {"nama": HAMLET})) if name == PEOPLE else None
                said = Access(rng.random() < 0.5, rng.random() < 0.3, filters)
                declare_list.restrict(session, project, name, said, **told)

        self._act(act)

    def ask_for_approval(self) -> None:
        def act(session: Session) -> None:
            project = session.get_one(Project, self.team.project_id)
            for name in (PEOPLE, MEMBERS):
                said = Access(needs_approval=True)
                declare_list.restrict(session, project, name, said, actor=self.team.manager, now=now())

        self._act(act)

    def approve_all(self) -> None:
        """Of what has come and nobody has looked at."""

        def act(session: Session) -> None:
            for found in session.scalars(select(Submission).where(Submission.review_state == review.RECEIVED)).all():
                review.approve(session, found, actor=self.team.supervisor, now=now())

        self._act(act)

    def assign(self, rng: random.Random) -> None:
        """Somebody is given work, or it becomes another's, other or none."""

        def act(session: Session) -> None:
            told: Any = {"actor": self.team.supervisor, "now": now()}
            known = list(session.scalars(select(Assignment).order_by(Assignment.assignment_id)))
            day = rng.choice(("", "2026-12-01", "2026-12-02"))
            if rng.random() < 0.4:
                people = select(Entity.entity_id).where(Entity.list_name == PEOPLE).order_by(Entity.entity_id)
                give(session, self.team, day, rng.choice(("", *session.scalars(people))))
                return
            who = str(rng.choice((self.team.enumerator, self.team.supervisor)).id)
            change = rng.choice(({"due": day}, {"target": rng.choice("45")}, {"assignee": who}, {"state": "withdrawn"}))
            assign.change(session, rng.choice(known), change | {"note": rng.choice("xy")}, **told)

        self._act(act)

    def close(self, rng: random.Random) -> None:
        """Or opens: a form."""
        state = rng.choice(("open", "open", "closed", "closing"))

        def act(session: Session) -> None:
            found = session.get_one(Form, (self.team.project_id, FORM))
            form_list.set_state(session, found, state, actor=self.team.manager, now=now())

        self._act(act)
        if state == "closed":
            self.truth.closed.add(FORM)

    def revoke(self, device_id: str) -> None:
        def act(session: Session) -> None:
            device = session.get_one(Device, (self.team.project_id, device_id))
            devices.revoke(session, device, actor=self.team.manager, now=now())

        self._act(act)
        self.truth.revoked.add(device_id)

    def _on_one(self, model: type[Base], rng: random.Random, act: Callable[[Session, Any], None]) -> None:
        def on_one(session: Session) -> None:
            key = list(model.__table__.primary_key)  # type: ignore[attr-defined]
            found = list(session.scalars(select(model).order_by(*key)))
            if found:
                act(session, rng.choice(found))

        self._act(on_one)

    def _act(self, act: Callable[[Session], None]) -> None:
        """People are refused in words; what they wrote is known to the truth."""
        if not self.node.is_up:
            return
        head, before = self.node.rows("SELECT head FROM project")[0][0], ready_on(self.node)
        try:
            self.node.act(act)
        except (Problem, OperationalError):
            return
        finally:
            self.truth.note_written(self.node, head, before)


def publish_form(session: Session, team: Team, version: str) -> None:
    draft = publish.save_draft(session, team.project_id, xform(version), actor=team.manager, now=now())
    publish.publish(session, team.project_id, draft.form_id, actor=team.manager, now=now())


def enlist(session: Session, team: Team, label: str, data: Mapping[str, str]) -> None:
    project = session.get_one(Project, team.project_id)
    register.create(session, project, PEOPLE, [Entry(label, data)], actor=team.manager, now=now())


def give(session: Session, team: Team, due: str, entity_id: str = "") -> None:
    task = assign.Task(FORM, str(team.enumerator.id), entity_id, due=due)
    assign.give(session, session.get_one(Project, team.project_id), [task], actor=team.supervisor, now=now())
