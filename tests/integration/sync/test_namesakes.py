"""Two people who replaced a photo apart by another of the same name: both are kept and shown until somebody chooses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import rebuild, release, review
from sync.engine import in_transaction
from sync.errors import NoSuchConflict
from sync.models import Conflict, InboxItem, Operation, SubmissionAttachment
from sync.verdict import Outcome, SentFile, Why
from tests.integration.sync.field import Field, Tablet, instance, new_id, outcomes

OLD, MINE, YOURS = "0" * 64, "1" * 64, "2" * 64


def named(sha256: str, name: str = "rumah.jpg") -> list[dict[str, Any]]:
    return [{"name": name, "sha256": sha256, "size": 5, "type": "image/jpeg"}]


def files(field: Field, record: str) -> dict[str, str | None]:
    """The files of the record as it stands: name -> hash."""
    rows = field.all(SubmissionAttachment)
    return {row.name: row.sha256 for row in rows if row.instance_id == record and row.is_expected}


def rebuilt(field: Field) -> bool:
    def act(session: Session) -> bool:
        return rebuild.rebuild(session, field.project_id, now=field.now).is_same

    is_same: bool = in_transaction(field.engine, act)
    return is_same


@pytest.fixture
def record(field: Field, tablet: Tablet) -> str:
    """A record with a photo, which both tablets know."""
    record = new_id()
    field.push(tablet, tablet.op(record, xml=instance(record, nama="Siti", foto="rumah.jpg"), attachments=named(OLD)))
    return record


def both(field: Field, record: str, mine: Tablet, yours: Tablet, *, changes: dict[str, str] | None = None) -> Any:
    """Each has seen the record, and replaces its photo; `changes` is what the second one answers besides."""
    seen = field.shown(record).vector
    told = {origin: n for origin, n in seen.items() if origin != mine.origin}
    first = field.push(mine, mine.op(record, set={}, context=told, attachments=named(MINE)))
    name = (changes or {}).get("foto", "rumah.jpg")
    second = field.push(yours, yours.op(record, set=changes or {}, context=seen, attachments=named(YOURS, name)))
    return outcomes(first) + outcomes(second)


def test_two_files_of_one_name_are_a_conflict_that_shows_both(
    field: Field, tablet: Tablet, other_tablet: Tablet, record: str
) -> None:
    verdicts = both(field, record, tablet, other_tablet)

    (conflict,) = field.all(Conflict)
    assert verdicts == [Outcome.ACCEPTED, Outcome.CONFLICT]
    assert conflict.path == "@rumah.jpg"
    assert {side["value"]: side["file"]["sha256"] for side in conflict.siblings} == {MINE: MINE, YOURS: YOURS}
    assert files(field, record) == {"rumah.jpg": conflict.siblings[0]["value"]}
    assert (field.shown(record).conflicts, field.answers(record)["foto"]) == (1, "rumah.jpg")
    assert rebuilt(field)


@pytest.mark.parametrize("chosen", [MINE, YOURS])
def test_who_chooses_one_closes_the_conflict_and_the_other_stays_in_the_history(
    field: Field, tablet: Tablet, other_tablet: Tablet, record: str, chosen: str
) -> None:
    both(field, record, tablet, other_tablet)

    def resolve(session: Session) -> None:
        review.resolve(session, session.scalars(select(Conflict)).one(), chosen, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, resolve)

    assert (field.conflicts(record), files(field, record)) == ({}, {"rumah.jpg": chosen})
    brought = {one["sha256"] for row in field.all(Operation) for one in row.attachments}
    assert brought == {OLD, MINE, YOURS}
    assert field.rules(record) == []
    assert rebuilt(field)


def test_what_none_of_them_brought_settles_nothing(
    field: Field, tablet: Tablet, other_tablet: Tablet, record: str
) -> None:
    both(field, record, tablet, other_tablet)

    def resolve(session: Session) -> None:
        review.resolve(session, session.scalars(select(Conflict)).one(), OLD, actor=field.supervisor, now=field.now)

    with pytest.raises(NoSuchConflict):
        in_transaction(field.engine, resolve)


def test_who_had_seen_the_other_one_replaces_it(field: Field, tablet: Tablet, record: str) -> None:
    field.push(tablet, tablet.op(record, set={}, attachments=named(MINE)))

    assert (field.conflicts(record), files(field, record)) == ({}, {"rumah.jpg": MINE})


def test_who_sends_the_unchanged_photo_along_does_not_undo_the_new_one(
    field: Field, tablet: Tablet, other_tablet: Tablet, record: str
) -> None:
    seen = field.shown(record).vector
    field.push(tablet, tablet.op(record, set={}, attachments=named(MINE)))
    field.push(other_tablet, other_tablet.op(record, set={"umur": "40"}, context=seen, attachments=named(OLD)))

    assert (field.conflicts(record), files(field, record)) == ({}, {"rumah.jpg": MINE})


def test_a_new_photo_of_the_old_name_beside_one_of_another_name_is_a_conflict_of_the_answer(
    field: Field, tablet: Tablet, other_tablet: Tablet, record: str
) -> None:
    both(field, record, tablet, other_tablet, changes={"foto": "baru.jpg"})

    assert {path: set(values) for path, values in field.conflicts(record).items()} == {
        "foto": {"rumah.jpg", "baru.jpg"}
    }
    assert rebuilt(field)


def test_more_media_of_the_same_instance_are_no_conflict(field: Field) -> None:
    record = new_id()
    xml = instance(record, nama="Siti", foto="rumah.jpg")

    field.post(xml)
    field.post(xml, SentFile("rumah.jpg", MINE, 5, "image/jpeg"))
    field.post(xml, SentFile("rumah.jpg", MINE, 5, "image/jpeg"))

    assert (field.conflicts(record), files(field, record)) == ({}, {"rumah.jpg": MINE})


@pytest.mark.parametrize("door", ["openrosa", "tablet"])
def test_the_same_record_with_another_file_of_a_name_is_put_aside_once(field: Field, tablet: Tablet, door: str) -> None:
    record = new_id()
    xml = instance(record, nama="Siti", foto="rumah.jpg")
    if door == "tablet":
        field.push(tablet, tablet.op(record, xml=xml, attachments=named(MINE)))
    else:
        field.post(xml, SentFile("rumah.jpg", MINE, 5, "image/jpeg"))

    sent = [field.post(xml, SentFile("rumah.jpg", YOURS, 5, "image/jpeg")) for _time in range(2)]

    assert [(line.outcome, line.first, line.why) for line in sent] == [
        (Outcome.QUARANTINED, None, Why.OTHER_FILE),
        (Outcome.DUPLICATE, Outcome.QUARANTINED, Why.OTHER_FILE),
    ]
    (item,) = field.all(InboxItem)
    assert (item.state, item.detail) == ("quarantined", "rumah.jpg")
    assert (field.conflicts(record), files(field, record)) == ({}, {"rumah.jpg": MINE})


def test_another_file_of_a_name_that_is_released_stands_beside_the_first_until_somebody_chooses(
    field: Field, tablet: Tablet
) -> None:
    """Whatever was answered since is not touched by it: only the file is new."""
    record = new_id()
    xml = instance(record, nama="Siti", foto="rumah.jpg")
    field.post(xml, SentFile("rumah.jpg", MINE, 5, "image/jpeg"))
    field.push(tablet, tablet.op(record, set={"nama": "Sita"}, context=field.shown(record).vector))
    other = SentFile("rumah.jpg", YOURS, 5, "image/jpeg")
    field.post(xml, other)

    def let_in(session: Session) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.release(session, item, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, let_in)
    again = field.post(xml, other)

    assert field.answers(record)["nama"] == "Sita"
    assert {path: set(values) for path, values in field.conflicts(record).items()} == {"@rumah.jpg": {MINE, YOURS}}
    assert (again.outcome, again.first) == (Outcome.DUPLICATE, Outcome.ACCEPTED)
    assert rebuilt(field)


def test_new_files_of_a_record_are_kept_though_another_one_is_put_aside(field: Field) -> None:
    record = new_id()
    xml = instance(record, nama="Siti", foto="rumah.jpg")
    field.post(xml, SentFile("rumah.jpg", MINE, 5, "image/jpeg"))

    field.post(xml, SentFile("rumah.jpg", YOURS, 5, "image/jpeg"), SentFile("catatan.m4a", OLD, 5, "audio/mp4"))

    kept = {row.name: row.sha256 for row in field.all(SubmissionAttachment)}
    assert kept == {"rumah.jpg": MINE, "catatan.m4a": OLD}
    assert [item.why for item in field.all(InboxItem)] == [Why.OTHER_FILE.value]


def test_files_that_come_after_their_record_are_a_conflict_too_and_a_rebuild_finds_it_as_old(field: Field) -> None:
    record = new_id()
    first, second = (instance(record, nama=name, foto="rumah.jpg") for name in ("Siti", "Sita"))
    field.post(first, SentFile("rumah.jpg", MINE, 5, "image/jpeg"))
    for file in ((), (SentFile("rumah.jpg", YOURS, 5, "image/jpeg"),)):
        field.now += timedelta(hours=1)
        field.post(second, *file)

    assert set(field.conflicts(record)) == {"nama", "@rumah.jpg"}
    assert rebuilt(field)


def test_a_newer_audit_log_is_no_conflict(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    record = new_id()
    xml = instance(record, nama="Siti").replace("<meta>", "<meta><audit>audit.csv</audit>")
    field.push(tablet, tablet.op(record, xml=xml, attachments=named(OLD, "audit.csv")))
    seen = field.shown(record).vector
    for one, sha256 in ((tablet, MINE), (other_tablet, YOURS)):
        context = {origin: n for origin, n in seen.items() if origin != one.origin}
        field.push(
            one, one.op(record, xml=xml, set={"umur": "40"}, context=context, attachments=named(sha256, "audit.csv"))
        )

    assert field.conflicts(record) == {}
