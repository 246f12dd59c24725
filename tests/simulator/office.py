"""The office of the simulation: supervisors and managers at the pages of a server, by the very verbs of its views."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from forms.errors import Problem
from server.clock import now
from sync import author, devices, form_list, publish, release, review
from sync.merge import is_whole
from sync.models import Base, Conflict, Device, Form, InboxItem, Project, Submission
from tests.conftest import Team
from tests.simulator.form import ATOMIC, FORM, xform
from tests.simulator.node import Node
from tests.simulator.truth import Truth, ready_on

STATES = (review.HAS_ISSUES, review.APPROVED, review.REJECTED, review.RECEIVED)
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
            values = [side["value"] for side in found.siblings] + ([] if found.path == ATOMIC else ["99"])
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

    def publish(self, _rng: random.Random) -> None:
        """The next version of the form."""
        known = {row[0] for row in self.node.rows("SELECT version FROM form_version")} if self.node.is_up else set()
        version = next((version for version in VERSIONS if version not in known), None)
        if version is not None:
            self._act(lambda session: publish_form(session, self.team, version))

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
        head = self.node.rows("SELECT head FROM project")[0][0]
        records = [row[0] for row in self.node.rows("SELECT instance_id FROM submission")]
        before = ready_on(self.node, records)
        try:
            self.node.act(act)
        except (Problem, OperationalError):
            return
        finally:
            self.truth.note_written(self.node, head, before)


def publish_form(session: Session, team: Team, version: str) -> None:
    draft = publish.save_draft(session, team.project_id, xform(version), actor=team.manager, now=now())
    publish.publish(session, team.project_id, draft.form_id, actor=team.manager, now=now())
