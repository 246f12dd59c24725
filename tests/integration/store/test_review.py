"""Decisions, comments, dismissed findings and settled conflicts, and the history that tells of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from sync import find, publish, review
from sync.access import Actor, NotAllowed
from sync.engine import in_transaction
from sync.entities import entity_lists
from sync.errors import NoReason, NoSuchConflict, NoSuchFinding, NoSuchMove
from sync.models import Conflict, Event, FeedRow, Project, Submission, SubmissionFinding
from sync.receive import Sender, receive, receive_submission
from tests.conftest import Team
from tests.integration.store.races import at_once
from tests.integration.store.records import FORM, xform

ROOT = "uuid:00000000-0000-4000-8000-000000000001"


def instance(age: str, instance_id: str = ROOT, deprecated_id: str = "") -> bytes:
    replaced = f"<orx:deprecatedID>{deprecated_id}</orx:deprecatedID>" if deprecated_id else ""
    return (
        f'<data id="{FORM}" version="1" xmlns:orx="http://openrosa.org/xforms"><who>01</who><age>{age}</age>'
        f"<orx:meta><orx:instanceID>{instance_id}</orx:instanceID>{replaced}</orx:meta></data>"
    ).encode()


class Desk:
    """A supervisor's desk with one record on it, whose age is not a number."""

    def __init__(self, engine: Engine, team: Team, now: datetime) -> None:
        self.engine, self.team, self.now = engine, team, now

    def send(self, xml: bytes) -> None:
        self.now += timedelta(minutes=1)
        sender = Sender(self.team.project_id, self.team.enumerator, "openrosa", account_id=self.team.enumerator.id)
        receive_submission(self.engine, sender, xml, [], form_id=FORM, now=self.now)

    def act(self, act: Callable[..., Any], *given: Any, actor: Actor | None = None, **options: Any) -> Any:
        """`act` on the record, in a transaction of its own."""
        self.now += timedelta(minutes=1)

        def run(session: Session) -> Any:
            return act(
                session, self.record(session), *given, actor=actor or self.team.supervisor, now=self.now, **options
            )

        return in_transaction(self.engine, run)

    def record(self, session: Session) -> Submission:
        return session.get_one(Submission, (self.team.project_id, ROOT))

    @property
    def now_shown(self) -> Submission:
        with Session(self.engine) as session:
            return self.record(session)

    def on_finding(self, act: Callable[..., None], *given: Any, actor: Actor | None = None) -> None:
        def run(session: Session) -> None:
            (finding,) = [one for one in session.scalars(select(SubmissionFinding)) if one.path == "age"]
            act(session, finding, *given, actor=actor or self.team.supervisor, now=self.now)

        in_transaction(self.engine, run)

    def resolve(self, value: str | None, path: str = "age") -> None:
        self.now += timedelta(minutes=1)

        def run(session: Session) -> None:
            conflict = session.get_one(Conflict, (self.team.project_id, "submission", ROOT, path))
            review.resolve(session, conflict, value, actor=self.team.supervisor, now=self.now)

        in_transaction(self.engine, run)

    def history(self) -> list[find.HistoryLine]:
        with Session(self.engine) as session:
            return find.history(session, self.record(session))

    def conflicts(self) -> list[str]:
        with Session(self.engine) as session:
            project = session.get_one(Project, self.team.project_id)
            return [one.path for one in find.conflicts(session, project, "submission", ROOT)]


@pytest.fixture
def desk(engine: Engine, a_project: Team, now: datetime) -> Desk:
    def make_form(session: Session) -> None:
        publish.save_draft(session, a_project.project_id, xform(), actor=a_project.manager, now=now)
        publish.publish(session, a_project.project_id, FORM, actor=a_project.manager, now=now)

    in_transaction(engine, make_form)
    desk = Desk(engine, a_project, now)
    desk.send(instance("forty"))
    return desk


@pytest.fixture
def clash(desk: Desk) -> Desk:
    """Two people have corrected the age without seeing each other."""
    desk.send(instance("41", "uuid:edit-1", ROOT))
    desk.send(instance("42", "uuid:edit-2", ROOT))
    return desk


@pytest.mark.parametrize(
    ("act", "state"),
    [(review.approve, "approved"), (review.reject, "rejected"), (review.return_, "has_issues")],
)
def test_a_decision_changes_the_state_and_goes_into_the_feed(desk: Desk, act: Callable[..., None], state: str) -> None:
    desk.act(act, note="checked by phone")

    assert desk.now_shown.review_state == state
    with Session(desk.engine) as session:
        assert session.scalars(select(FeedRow.kind).order_by(FeedRow.seq.desc())).first() == "review"


@pytest.mark.parametrize(
    ("before", "after"), [("received", "edited"), ("received", "received?"), ("approved", "edited")]
)
def test_a_state_that_people_cannot_give_is_refused(desk: Desk, before: str, after: str) -> None:
    if before != "received":
        desk.act(review.set_state, before)

    with pytest.raises(NoSuchMove):
        desk.act(review.set_state, after)

    assert desk.now_shown.review_state == before


def test_the_same_decision_twice_is_one(desk: Desk) -> None:
    at_once(2, lambda: desk.act(review.approve))

    decisions = [line.what for line in desk.history() if line.what.startswith("submission.approve")]
    assert decisions == ["submission.approve"]


def test_who_only_reads_decides_nothing(desk: Desk) -> None:
    for actor in (desk.team.viewer, desk.team.enumerator):
        with pytest.raises(NotAllowed):
            desk.act(review.approve, actor=actor)
        with pytest.raises(NotAllowed):
            desk.act(review.comment, "words", actor=actor)
        with pytest.raises(NotAllowed):
            desk.on_finding(review.dismiss, "because", actor=actor)

    assert desk.now_shown.review_state == "received"


def test_an_edit_opens_an_approved_record_again(desk: Desk) -> None:
    desk.act(review.approve)

    desk.send(instance("41", "uuid:edit-1", ROOT))

    assert desk.now_shown.review_state == "edited"


def test_a_comment_stands_under_its_question(desk: Desk) -> None:
    desk.act(review.comment, "  How old is she?  ", path="age")

    with Session(desk.engine) as session:
        (comment,) = find.comments(session, desk.record(session))
    assert (comment.path, comment.body, comment.account_id) == ("age", "How old is she?", desk.team.supervisor.id)


def test_a_comment_needs_words(desk: Desk) -> None:
    with pytest.raises(NoReason):
        desk.act(review.comment, "  \n ")


def test_a_dismissed_finding_no_longer_counts_and_keeps_its_reason(desk: Desk) -> None:
    before = desk.now_shown.errors

    desk.on_finding(review.dismiss, "written out on purpose")

    assert (before, desk.now_shown.errors) == (1, 0)
    with Session(desk.engine) as session:
        finding = next(one for one in find.findings(session, desk.record(session)) if one.path == "age")
    assert (finding.state, finding.note, finding.account_id) == (
        "dismissed",
        "written out on purpose",
        desk.team.supervisor.id,
    )


def test_a_finding_opened_again_counts_again(desk: Desk) -> None:
    desk.on_finding(review.dismiss, "written out on purpose")

    desk.on_finding(review.reopen)

    assert desk.now_shown.errors == 1


def test_a_finding_is_not_dismissed_without_a_reason(desk: Desk) -> None:
    with pytest.raises(NoReason):
        desk.on_finding(review.dismiss, " ")


def test_a_finding_that_no_longer_stands_is_not_dismissed(desk: Desk) -> None:
    with Session(desk.engine) as session:
        (finding,) = [one for one in session.scalars(select(SubmissionFinding)) if one.path == "age"]
        session.expunge_all()
    desk.send(instance("41", "uuid:edit-1", ROOT))

    with pytest.raises(NoSuchFinding):
        in_transaction(
            desk.engine,
            lambda session: review.dismiss(
                session, session.merge(finding, load=False), "why", actor=desk.team.supervisor, now=desk.now
            ),
        )


@pytest.mark.parametrize("value", ["41", "42", "43", None])
def test_a_conflict_is_settled_with_any_value_and_both_stay_in_the_history(clash: Desk, value: str | None) -> None:
    before = clash.conflicts()

    clash.resolve(value)

    assert (before, clash.conflicts()) == (["age"], [])
    assert clash.now_shown.answers.get("age") == value
    assert clash.now_shown.conflicts == 0
    newest, *older = clash.history()
    assert newest.what == "conflict.resolve"
    assert newest.detail["path"] == "age"
    assert len([line for line in older if "age" in line.detail.get("paths", ())]) == 3


def test_a_conflict_is_settled_once(clash: Desk) -> None:
    outcomes = at_once(2, lambda: _outcome(lambda: clash.resolve("43")))

    assert sorted(outcomes) == ["done", "refused"]


def test_an_edit_that_had_not_seen_the_resolution_opens_the_conflict_again(clash: Desk) -> None:
    clash.resolve("43")

    clash.send(instance("44", "uuid:edit-3", ROOT))

    assert clash.conflicts() == ["age"]


def test_a_record_with_open_conflicts_may_be_approved(clash: Desk) -> None:
    clash.act(review.approve)

    assert clash.now_shown.review_state == "approved"


def test_each_deed_is_one_line_of_the_history_with_who_and_what(clash: Desk) -> None:
    clash.act(review.return_, note="ask again")
    clash.act(review.comment, "which one?", path="age")

    lines = clash.history()

    assert [(line.what, line.who) for line in lines] == [
        ("comment.create", "Supervisor"),
        ("submission.return", "Supervisor"),
        ("conflict", "Enumerator"),
        ("submission.edit", "Enumerator"),
        ("submission.create", "Enumerator"),
    ]
    assert lines[1].detail["note"] == "ask again"
    assert lines[0].detail["body"] == "which one?"
    assert sorted(line.at for line in lines) == [line.at for line in reversed(lines)]


def test_every_decision_stands_in_the_audit_log(desk: Desk) -> None:
    desk.act(review.approve)
    desk.act(review.comment, "fine")
    desk.on_finding(review.dismiss, "on purpose")

    with Session(desk.engine) as session:
        told = session.scalars(select(Event.action).where(Event.target_id == ROOT)).all()
    assert {"submission.approve", "comment.create", "finding.dismiss"} <= set(told)


def _outcome(act: Callable[[], None]) -> str:
    try:
        act()
    except (NoSuchConflict, NoResultFound):
        return "refused"
    return "done"


def test_a_conflict_on_an_entity_is_settled_in_the_same_way(desk: Desk) -> None:
    entity_id = "7a1c5a52-9c5a-4a71-8d8e-3f1c9a0e0001"
    sent = [entity_line(1, "a", entity_id, label="INF-01", age="41"), entity_line(2, "b", entity_id, age="42")]
    sender = Sender(desk.team.project_id, desk.team.supervisor, "sync", account_id=desk.team.supervisor.id)
    receive(desk.engine, sender, sent, size=1, now=desk.now)

    def resolve(session: Session) -> None:
        project = session.get_one(Project, desk.team.project_id)
        (conflict,) = find.conflicts(session, project, "entity", entity_id)
        review.resolve(session, conflict, "43", actor=desk.team.supervisor, now=desk.now)

    in_transaction(desk.engine, resolve)

    with Session(desk.engine) as session:
        project = session.get_one(Project, desk.team.project_id)
        entity = entity_lists.entity(session, project, "informan", entity_id)
        assert (entity.label, entity.data["age"], entity.conflicts) == ("INF-01", "43", 0)
        assert find.conflicts(session, project) == []
        assert entity_lists.versions(session, entity)[0].data["age"] == "43"


def entity_line(number: int, device: str, entity_id: str, **changes: str) -> bytes:
    """An operation of a device that had not seen the others'."""
    return orjson.dumps(
        {
            "op": f"00000000-0000-7000-8000-00000000000{number}",
            "origin": f"d-{device}~1",
            "n": 1,
            "prev": 0,
            "kind": "entity",
            "record": entity_id,
            "context": {},
            "at": f"019a3f2c1b2{number}-0000",
            "form": "informan",
            "set": changes,
        }
    )


@pytest.mark.parametrize(("value", "is_deleted"), [(review.KEEP, False), (review.DELETE, True)])
def test_an_edit_against_a_delete_is_settled_by_keeping_or_deleting(desk: Desk, value: str, is_deleted: bool) -> None:
    entity_id = "7a1c5a52-9c5a-4a71-8d8e-3f1c9a0e0002"
    seen = {"d-a~1": 1}
    edit = orjson.loads(entity_line(2, "b", entity_id, label="INF-1")) | {"context": seen}
    gone = orjson.loads(entity_line(3, "c", entity_id)) | {"context": seen, "deleted": True}
    lines = [entity_line(1, "a", entity_id, label="INF-01"), orjson.dumps(edit), orjson.dumps(gone)]
    sender = Sender(desk.team.project_id, desk.team.manager, "sync", account_id=desk.team.manager.id)
    receive(desk.engine, sender, lines, size=1, now=desk.now)

    def resolve(session: Session) -> None:
        conflict = session.get_one(Conflict, (desk.team.project_id, "entity", entity_id, ""))
        review.resolve(session, conflict, value, actor=desk.team.supervisor, now=desk.now)

    in_transaction(desk.engine, resolve)

    with Session(desk.engine) as session:
        project = session.get_one(Project, desk.team.project_id)
        assert entity_lists.entity(session, project, "informan", entity_id).is_deleted is is_deleted
        assert find.conflicts(session, project) == []
