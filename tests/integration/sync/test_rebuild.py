"""Every row that follows from the operations can be made again, and comes out the same."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from config import Settings
from server.cli import main
from sync import author, parcel, rebuild, receive, release, review
from sync.access import Actor
from sync.assignments import assign
from sync.assignments.assign import Task
from sync.attach import BlobStore
from sync.engine import in_transaction
from sync.models import (
    Assignment,
    Comment,
    Conflict,
    Entity,
    Form,
    FormVersion,
    InboxItem,
    Project,
    Submission,
    SubmissionAttachment,
    SubmissionFinding,
)
from sync.rebuild import Rebuilt
from sync.verdict import Sender, SentFile
from tests.integration.sync.field import FORM, PHOTO, Field, Tablet, instance, new_id, xform

PERSON = "7a1c5a52-9c5a-4a71-8d8e-3f1c9a0e0001"


def later(field: Field, minutes: int = 7) -> None:
    field.now += timedelta(minutes=minutes)


def act(field: Field, do: Callable[[Session], Any]) -> Any:
    later(field)
    return in_transaction(field.engine, do)


def rich_history(field: Field, tablet: Tablet, other: Tablet) -> str:
    """Nearly everything that can happen; the record on which most of it did."""
    field.publish(xform("2", entities=True))
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="200", before="1", after="2"))
    seen = field.shown(record).vector
    later(field)
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "250"}))
    later(field)
    field.push(other, other.op(record, context=seen, set={"umur": "260", "before": "5"}))
    _reviews(field, record)
    later(field)
    field.push(other, other.op(record, context=seen, set={"nama": "Siti A."}))
    _waiting(field, tablet)
    _files(field)
    _entities(field, tablet, other)
    _quarantine(field, tablet, other, record)
    _assignments(field, tablet)
    later(field)
    field.publish(xform("3", entities=True))
    return record


def _reviews(field: Field, record: str) -> None:
    def on_record(do: Callable[..., Any], *given: Any) -> None:
        act(
            field,
            lambda session: do(session, _get(session, field, record), *given, actor=field.supervisor, now=field.now),
        )

    def dismiss(session: Session) -> None:
        finding = session.scalars(select(SubmissionFinding).where(SubmissionFinding.rule == "constraint")).first()
        review.dismiss(session, finding, "usia benar", actor=field.supervisor, now=field.now)

    def resolve(session: Session) -> None:
        conflict = session.scalars(select(Conflict).where(Conflict.path == "umur")).one()
        review.resolve(session, conflict, "260", actor=field.supervisor, now=field.now)

    on_record(review.comment, "tanya lagi")
    on_record(review.approve)
    act(field, resolve)
    act(field, dismiss)
    on_record(review.return_)


def _assignments(field: Field, tablet: Tablet) -> None:
    task = Task(FORM, tablet.device_id, due="2026-11-30")

    def give(session: Session) -> None:
        assign.give(session, _project(session, field), [task], actor=field.supervisor, now=field.now)

    def withdraw(session: Session) -> None:
        found = session.scalars(select(Assignment)).one()
        assign.withdraw(session, found, actor=field.supervisor, now=field.now)

    act(field, give)
    act(field, withdraw)


def _project(session: Session, field: Field) -> Project:
    return session.get_one(Project, field.project_id)


def _waiting(field: Field, tablet: Tablet) -> None:
    """An edit before its record, and a record before its version."""
    record, first = new_id(), new_id()
    field.post(instance(new_id(), corrects=record, nama="Budi", umur="31"))
    later(field)
    field.post(instance(record, nama="Budi", umur="30"))
    field.push(tablet, tablet.op(first, version="9", xml=instance(first, version="9", nama="x")))
    later(field)
    field.publish(xform("9", entities=True))
    ops = [tablet.fill_in(first := new_id(), nama="Ani"), tablet.op(first, set={"umur": "7"})]
    field.push(tablet, *reversed(ops))


def _files(field: Field) -> None:
    """A photo that comes with its record, one that comes later, and one that never comes."""
    record = new_id()
    xml = instance(record, nama="Citra", foto="rumah.jpg")
    field.post(xml)
    later(field)
    field.post(xml, SentFile("rumah.jpg", PHOTO, 5, "image/jpeg"), SentFile("lain.jpg", "c" * 64, 5, "image/jpeg"))
    field.post(instance(new_id(), nama="Dewi", foto="hilang.jpg"))


def _entities(field: Field, tablet: Tablet, other: Tablet) -> None:
    made = instance(new_id(), version="2", nama="Eka", umur="50", entity={"id": PERSON, "create": "1"})
    field.post(made)
    later(field)
    for one, age in ((tablet, "51"), (other, "52")):
        told = {"id": PERSON, "update": "1", "baseVersion": "1"}
        record = new_id()
        xml = instance(record, version="2", nama="Eka", umur=age, entity=told)
        field.push(one, one.op(record, version="2", xml=xml))
        later(field)


def _quarantine(field: Field, tablet: Tablet, other: Tablet, record: str) -> None:
    """A void marker in the middle of a chain, what was released, and what nobody can read."""
    seen = field.shown(record).vector
    field.push(tablet, tablet.op(record, context=seen, set={"after": "8"}), is_revoked=True)
    later(field)
    field.push(tablet, tablet.op(record, context=seen, set={"after": "9"}))

    def let_out(session: Session) -> None:
        item = session.scalars(select(InboxItem).where(InboxItem.state == "quarantined")).one()
        release.release(session, item, actor=field.supervisor, now=field.now)

    act(field, let_out)
    field.push(other, b"{")
    gone = new_id()
    field.push(other, other.fill_in(gone, nama="Fajar"))
    field.push(other, other.op(gone, deleted=True), other.op(new_id(), set={"nama": "menunggu"}, prev=3, n=10**6))


def _get(session: Session, field: Field, record: str) -> Submission:
    return session.get_one(Submission, (field.project_id, record))


def rebuilt(field: Field) -> Rebuilt:
    def do(session: Session) -> Rebuilt:
        return rebuild.rebuild(session, field.project_id, now=field.now)

    later(field, 60)
    return in_transaction(field.engine, do)  # type: ignore[no-any-return]


@pytest.fixture
def record(field: Field, tablet: Tablet, other_tablet: Tablet) -> str:
    return rich_history(field, tablet, other_tablet)


def test_what_is_made_again_is_the_same_row_for_row(field: Field, record: str) -> None:
    found = rebuilt(field)

    assert found.changed == dict.fromkeys(found.changed, ())
    assert min(found.rows.values()) > 0
    assert found.operations == len(field.feed()) > 20
    assert [row.note for row in field.all(SubmissionFinding) if row.state == "dismissed"] == ["usia benar"]


def take_version(field: Field, version: str, *, published_at: datetime, form_id: str = FORM) -> None:
    """Another server's version of the form: its bytes are here, its operation is not."""
    told = {
        "form": form_id,
        "version": version,
        "xform": base64.b64encode(xform(version, form_id=form_id)).decode(),
        "created_at": published_at.isoformat(),
        "published_at": published_at.isoformat(),
        "files": [],
    }
    blobs = BlobStore(Path("nowhere"))
    in_transaction(field.engine, lambda session: parcel.take(session, blobs, field.project_id, told, now=field.now))


def tell_version(field: Field, tablet: Tablet, version: str, *, form_id: str = FORM) -> None:
    """Another server's operation about it arrives; then records of every version."""
    told = {"form": form_id, "version": version, "set": {"version": version}}
    op = Tablet("s-centre", f"s-centre~{version}").op(form_id, kind="form", **told)
    sender = Sender(field.project_id, Actor("server", id="p-1", serves=field.project_id), "server")
    later(field)
    receive.receive(field.engine, sender, [orjson.dumps(op)], size=1, now=field.now)
    later(field)
    for known in ("1", "2", "3"):
        fill_in(field, tablet, known)


def fill_in(field: Field, tablet: Tablet, version: str, *, form_id: str = FORM) -> None:
    record = new_id()
    xml = instance(record, version=version, form_id=form_id, nama="x")
    field.push(tablet, tablet.op(record, form=form_id, version=version, xml=xml))


def current(field: Field) -> str | None:
    return str(field.one(Form, FORM).version)


def test_versions_that_arrive_in_another_order_than_they_were_published_are_the_same_when_made_again(
    field: Field, tablet: Tablet
) -> None:
    take_version(field, "3", published_at=field.now + timedelta(minutes=3))
    take_version(field, "2", published_at=field.now + timedelta(minutes=2))
    tell_version(field, tablet, "3")
    tell_version(field, tablet, "2")

    found = rebuilt(field)

    assert current(field) == "3"
    assert found.is_same, found.changed


def test_a_version_whose_operation_has_not_come_is_not_the_one_in_use(field: Field, tablet: Tablet) -> None:
    take_version(field, "2", published_at=field.now + timedelta(minutes=2))
    take_version(field, "3", published_at=field.now + timedelta(minutes=3))
    tell_version(field, tablet, "2")
    before = current(field)
    tell_version(field, tablet, "3")

    found = rebuilt(field)

    assert (before, current(field)) == ("2", "3")
    assert found.is_same, found.changed


def test_a_record_that_comes_between_a_form_and_its_operation_is_the_same_when_made_again(
    field: Field, tablet: Tablet
) -> None:
    for version in ("1", "2"):
        take_version(field, version, published_at=field.now + timedelta(minutes=int(version)), form_id="lain")
    fill_in(field, tablet, "1", form_id="lain")
    tell_version(field, tablet, "2", form_id="lain")

    found = rebuilt(field)

    assert found.is_same, found.changed


def test_an_earlier_version_that_is_told_of_again_is_not_in_use_again(field: Field, tablet: Tablet) -> None:
    def tell(session: Session) -> None:
        told = {"kind": "form", "record_id": FORM, "form_id": FORM, "version": "1", "changes": {"version": "1"}}
        author.write(session, _project(session, field), **told, actor=field.manager, now=field.now)

    later(field)
    field.publish(xform("2"))
    act(field, tell)
    later(field)
    for version in ("1", "2"):
        fill_in(field, tablet, version)

    found = rebuilt(field)

    assert current(field) == "2"
    assert found.is_same, found.changed


def test_what_is_published_here_is_in_use_though_another_servers_clock_is_ahead(field: Field, tablet: Tablet) -> None:
    take_version(field, "2", published_at=field.now + timedelta(days=400))
    tell_version(field, tablet, "2")

    field.publish(xform("3"))

    latest = max(field.all(FormVersion), key=lambda row: row.published_at)
    assert (current(field), latest.version) == ("3", "3")


def test_what_was_lost_or_spoilt_comes_back_and_is_named(field: Field, record: str) -> None:
    def spoil(session: Session) -> None:
        session.execute(update(Submission).where(Submission.instance_id == record).values(answers={}, revision=99))
        session.execute(delete(Comment))
        session.execute(delete(SubmissionAttachment))
        session.execute(update(Entity).values(label="salah"))

    before = field.shown(record).answers
    in_transaction(field.engine, spoil)

    found = rebuilt(field)

    assert found.changed["submission"] == (record,)
    assert {name for name, keys in found.changed.items() if keys} == {
        "submission",
        "comment",
        "submission_attachment",
        "entity",
    }
    assert field.shown(record).answers == before
    assert rebuilt(field).is_same


def test_the_doctor_says_what_is_different_and_corrects_it_unless_it_only_looks(
    field: Field, tablet: Tablet, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    in_transaction(field.engine, lambda session: session.execute(update(Submission).values(answers={})))
    monkeypatch.setenv("LAPANGAN_DATABASE_URL", settings.url)
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LANGUAGE", "en")

    looked = CliRunner().invoke(main, ["doctor", "--rebuild", "--check"])
    untouched = field.shown(record).answers
    mended, again = (CliRunner().invoke(main, ["doctor", "--rebuild", "--project", "1"]) for _ in range(2))

    assert [one.exit_code for one in (looked, mended, again)] == [1, 1, 0]
    assert untouched == {}
    assert field.answers(record) == {"nama": "Siti"}
    assert CliRunner().invoke(main, ["doctor", "--rebuild", "--project", "7"]).exit_code == 1
