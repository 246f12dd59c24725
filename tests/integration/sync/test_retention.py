"""Attachments go when their time is over and the administrator has set one, and no others."""

from __future__ import annotations

import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sync import announced, attach, author, rebuild, release, review
from sync.attach import BlobStore
from sync.bucket import open_bucket
from sync.consolidate import Keeping, run_job
from sync.engine import in_transaction
from sync.models import (
    Blob,
    Device,
    Event,
    FeedRow,
    FormAttachment,
    InboxItem,
    Operation,
    Project,
    RemovedBlob,
    Submission,
)
from sync.retention import Rule, Terms
from sync.verdict import Outcome, SentFile
from tests.integration.sync.field import FORM, Field, Tablet, instance, new_id

DAY = timedelta(days=1)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs", reserve=0)


def keep(field: Field, blobs: BlobStore, content: bytes, *, at: datetime | None = None) -> str:
    """A file that arrived, at the field's time if not at another one; its hash."""
    at = at or field.now
    stored = blobs.write(field.project_id, [content], limit=1000)
    assert stored.path is not None
    os.utime(stored.path, (at.timestamp(), at.timestamp()))
    in_transaction(field.engine, lambda session: attach.keep(session, field.project_id, stored, media_type="", now=at))
    return stored.sha256


def run(field: Field, blobs: BlobStore, *, later: int = 100, cause: str = "person", **days: int) -> None:
    """The job, so many days later; `days` are the terms for all projects, by rule."""
    terms = Terms({(0, "", rule): after for rule, after in days.items()})
    told = {"slot": f"manual-{new_id()}"[:40], "cause": cause, "account_id": None, "folder": blobs.root}
    keeping = Keeping(files=terms)
    done = run_job(field.engine, "retention", **told, now=field.now + later * DAY, blobs=blobs, keeping=keeping)
    assert done.outcome == "done", done.error


def here(field: Field, blobs: BlobStore, *hashes: str) -> list[bool]:
    """Whether each is here; row and bytes agree."""
    with Session(field.engine) as session:
        rows = set(session.scalars(select(Blob.sha256)))
    found = [sha256 in rows for sha256 in hashes]
    assert [blobs.has(field.project_id, sha256) for sha256 in hashes] == found
    return found


def test_by_default_everything_stays(field: Field, blobs: BlobStore) -> None:
    orphan = keep(field, blobs, b"a")

    run(field, blobs, later=10_000)

    assert here(field, blobs, orphan) == [True]


def test_what_nothing_names_goes_when_it_is_old_and_the_audit_log_tells(field: Field, blobs: BlobStore) -> None:
    orphan, young = keep(field, blobs, b"a"), keep(field, blobs, b"b", at=field.now + 90 * DAY)

    run(field, blobs, orphan=100, later=99)
    still = here(field, blobs, orphan, young)
    run(field, blobs, orphan=30)

    assert (still, here(field, blobs, orphan, young)) == ([True, True], [False, True])
    with Session(field.engine) as session:
        noted = session.scalars(select(Event).where(Event.action == "attachment.delete")).all()
    assert [(one.target_id, one.detail["size"], one.actor_kind) for one in noted] == [(orphan, 1, "system")]


ALL = {"orphan": 1, "superseded": 1, "rejected": 1, "deleted": 1, "approved": 1}


def photo(field: Field, blobs: BlobStore, content: bytes, name: str = "rumah.jpg") -> dict[str, Any]:
    """A file that is here, as an operation announces it."""
    return {"name": name, "sha256": keep(field, blobs, content), "size": len(content), "type": "image/jpeg"}


def visited(field: Field, tablet: Tablet, *files: dict[str, Any], **answers: str) -> str:
    """A record with these files, the first of which answers the question; its instance ID."""
    record = new_id()
    xml = instance(record, **({"foto": files[0]["name"]} | answers))
    field.push(tablet, tablet.op(record, xml=xml, attachments=list(files)))
    return record


def decide(field: Field, record: str, state: str) -> None:
    def act(session: Session) -> None:
        found = session.get_one(Submission, (field.project_id, record))
        review.set_state(session, found, state, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, act)


def put_aside(field: Field, op_id: str) -> None:
    """Whatever it is in: the quarantine, or what waits."""

    def act(session: Session) -> None:
        item = session.scalar(select(InboxItem).where(InboxItem.op_id == op_id))
        if item is not None:
            release.discard(session, item, note="uji coba", actor=field.supervisor, now=field.now)
        else:
            held = session.get_one(Operation, (field.project_id, op_id))
            release.discard_held(session, held, note="uji coba", actor=field.supervisor, now=field.now)

    in_transaction(field.engine, act)


def needed(field: Field, tablet: Tablet) -> list[str]:
    """What a device is asked for."""
    with Session(field.engine) as session:
        return announced.needed(session, session.get_one(Device, (field.project_id, tablet.device_id)))


def wanted(field: Field, sha256: str) -> bool:
    """Whether a device that has the file is told to send it."""
    with Session(field.engine) as session:
        return attach.missing(session, field.project_id, [(sha256, 1)]) != []


def known(field: Field, sha256: str) -> tuple[str, int | None, bool]:
    """What is still known of a file that was deleted: the rule, its size, whether its bytes may lie on disk."""
    row = field.one(RemovedBlob, sha256)
    return row.rule, row.size, row.is_on_disk


def is_rebuilt(field: Field) -> bool:
    return in_transaction(
        field.engine, lambda session: rebuild.rebuild(session, field.project_id, now=field.now).is_same
    )


def test_a_photo_that_an_edit_has_replaced_goes_and_the_one_that_is_shown_stays(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    old, new = photo(field, blobs, b"old", "lama.jpg"), photo(field, blobs, b"new!", "baru.jpg")
    record = visited(field, tablet, old)
    field.push(tablet, tablet.op(record, set={"foto": "baru.jpg"}, attachments=[new]))

    run(field, blobs, superseded=101)
    still = here(field, blobs, old["sha256"], new["sha256"])
    run(field, blobs, superseded=99)

    assert (still, here(field, blobs, old["sha256"], new["sha256"])) == ([True, True], [False, True])
    assert known(field, old["sha256"]) == ("superseded", 3, False)


def test_a_photo_that_one_of_the_same_name_has_replaced_goes(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    old, new = photo(field, blobs, b"old"), photo(field, blobs, b"new!")
    record = visited(field, tablet, old)
    field.push(tablet, tablet.op(record, set={"nama": "Siti"}, attachments=[new]))

    run(field, blobs, superseded=1)

    assert here(field, blobs, old["sha256"], new["sha256"]) == [False, True]


def test_what_came_along_and_no_answer_ever_named_was_replaced_by_nothing(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    shown, beside = photo(field, blobs, b"a"), photo(field, blobs, b"b", "catatan.txt")
    record = visited(field, tablet, shown, beside)
    field.push(tablet, tablet.op(record, set={"nama": "Siti"}))

    run(field, blobs, superseded=1)

    assert here(field, blobs, shown["sha256"], beside["sha256"]) == [True, True]


@pytest.mark.parametrize("rule", ["rejected", "deleted", "approved"])
def test_the_files_of_a_record_go_so_many_days_after_it_became_that(
    field: Field, tablet: Tablet, blobs: BlobStore, rule: str
) -> None:
    doomed, at_work = photo(field, blobs, b"a"), photo(field, blobs, b"b")
    record, _other = visited(field, tablet, doomed), visited(field, tablet, at_work)
    if rule == "deleted":
        delete_it(field, record)
    else:
        decide(field, record, rule)

    run(field, blobs, **ALL | {rule: 101})
    still = here(field, blobs, doomed["sha256"])
    run(field, blobs, **{rule: 99})

    assert still == [True]
    assert here(field, blobs, doomed["sha256"], at_work["sha256"]) == [False, True]
    assert known(field, doomed["sha256"]) == (rule, 1, False)
    assert field.shown(record).attachments_missing == 0
    assert (needed(field, tablet), wanted(field, doomed["sha256"])) == ([], False)


def delete_it(field: Field, record: str) -> None:
    def act(session: Session) -> None:
        project = session.get_one(Project, field.project_id)
        author.write(
            session,
            project,
            kind="submission",
            record_id=record,
            changes={},
            is_delete=True,
            actor=field.manager,
            now=field.now,
        )

    in_transaction(field.engine, act)


def test_what_another_record_still_shows_stays(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    shared = photo(field, blobs, b"a")
    rejected, _live = visited(field, tablet, shared), visited(field, tablet, shared)
    decide(field, rejected, "rejected")

    run(field, blobs, **ALL)

    assert here(field, blobs, shared["sha256"]) == [True]


def test_what_a_form_needs_stays(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    shared = photo(field, blobs, b"a")
    decide(field, visited(field, tablet, shared), "rejected")
    named = {"project_id": field.project_id, "form_id": FORM, "version": "1", "name": "logo.jpg"}
    in_transaction(field.engine, lambda session: session.add(FormAttachment(**named, sha256=shared["sha256"])))

    run(field, blobs, **ALL)

    assert here(field, blobs, shared["sha256"]) == [True]


def test_what_an_open_conflict_shows_stays(
    field: Field, tablet: Tablet, other_tablet: Tablet, blobs: BlobStore
) -> None:
    first, mine, yours = (photo(field, blobs, content) for content in (b"first", b"mine", b"yours"))
    record = visited(field, tablet, first)
    seen = {tablet.origin: 1}
    field.push(tablet, tablet.op(record, set={"nama": "Siti"}, attachments=[mine]))
    field.push(other_tablet, other_tablet.op(record, set={"umur": "41"}, context=seen, attachments=[yours]))
    decide(field, record, "approved")

    run(field, blobs, **ALL)

    assert field.conflicts(record).keys() == {"@rumah.jpg"}
    assert here(field, blobs, first["sha256"], mine["sha256"], yours["sha256"]) == [True] * 3


def test_the_files_of_a_record_for_which_a_change_waits_stay(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    old, new = photo(field, blobs, b"old", "lama.jpg"), photo(field, blobs, b"new!", "baru.jpg")
    record = visited(field, tablet, old)
    field.push(tablet, tablet.op(record, set={"foto": "baru.jpg"}, attachments=[new]))
    tablet.op(record, set={"foto": "lama.jpg"})
    field.push(tablet, tablet.op(record, set={"nama": "Siti"}))

    run(field, blobs, **ALL)

    assert here(field, blobs, old["sha256"], new["sha256"]) == [True, True]


def test_what_lies_in_quarantine_or_waits_goes_only_once_somebody_has_discarded_it(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    quarantined, held = photo(field, blobs, b"a"), photo(field, blobs, b"b")
    ops = [
        tablet.op(new_id(), form="lain", xml=instance(new_id(), form_id="lain"), attachments=[quarantined]),
        tablet.op(new_id(), version="9", xml=instance(new_id(), version="9"), attachments=[held]),
    ]
    field.push(tablet, *ops)

    run(field, blobs, **ALL)
    before = here(field, blobs, quarantined["sha256"], held["sha256"])
    for op in ops:
        put_aside(field, op["op"])
    run(field, blobs, rejected=101)
    meanwhile = here(field, blobs, quarantined["sha256"], held["sha256"])
    run(field, blobs, rejected=99)

    assert (before, meanwhile) == ([True, True], [True, True])
    assert here(field, blobs, quarantined["sha256"], held["sha256"]) == [False, False]


def test_of_several_terms_the_one_counts_that_says_most_exactly_for_which_records_it_is(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    with Session(field.engine) as session:
        project = session.get_one(Project, field.project_id)
    terms = Terms({(0, "", "deleted"): 10, (1, "", "deleted"): 0, (1, FORM, "deleted"): 5, (2, "", "deleted"): 7})

    told = [
        terms.before(number, form_id, Rule.DELETED, field.now) for number, form_id in ((1, FORM), (1, "x"), (3, FORM))
    ]

    assert project.number == 1
    assert told == [field.now - 5 * DAY, None, field.now - 10 * DAY]
    assert terms.before(1, FORM, Rule.APPROVED, field.now) is None


def test_a_project_that_is_closed_has_its_turn_too(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    doomed = photo(field, blobs, b"a")
    decide(field, visited(field, tablet, doomed), "approved")
    in_transaction(field.engine, lambda session: session.execute(update(Project).values(archived_at=field.now)))

    run(field, blobs, approved=30)

    assert here(field, blobs, doomed["sha256"]) == [False]


def test_a_clock_that_is_years_ahead_for_a_night_deletes_nothing(field: Field, blobs: BlobStore) -> None:
    kept = keep(field, blobs, b"a")

    run(field, blobs, later=1, cause="schedule", orphan=30)
    run(field, blobs, later=5000, cause="schedule", orphan=30)
    run(field, blobs, later=3, cause="schedule", orphan=30)

    assert here(field, blobs, kept) == [True]


def test_what_is_due_goes_by_night_once_it_was_due_the_night_before(field: Field, blobs: BlobStore) -> None:
    doomed = keep(field, blobs, b"a")

    run(field, blobs, later=31, cause="schedule", orphan=30)
    on_the_first = here(field, blobs, doomed)
    run(field, blobs, later=32, cause="schedule", orphan=30)

    assert (on_the_first, here(field, blobs, doomed)) == ([True], [False])


def test_what_is_shown_follows_from_the_operations_before_and_after(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    old, new, gone = photo(field, blobs, b"old", "lama.jpg"), photo(field, blobs, b"new!"), photo(field, blobs, b"gone")
    record = visited(field, tablet, old)
    field.push(tablet, tablet.op(record, set={"foto": "rumah.jpg"}, attachments=[new]))
    decide(field, visited(field, tablet, gone), "rejected")

    run(field, blobs, superseded=1, rejected=1)
    field.push(tablet, tablet.op(new_id(), xml=instance(new_id(), foto="rumah.jpg"), attachments=[gone]))

    assert here(field, blobs, old["sha256"], new["sha256"], gone["sha256"]) == [False, True, False]
    assert is_rebuilt(field)


def test_a_file_that_is_sent_again_beside_what_is_known_does_not_come_back(field: Field, blobs: BlobStore) -> None:
    """Collect sends everything once more, and knows nothing of what the server has."""
    record = new_id()
    doomed = keep(field, blobs, b"a")
    sent = instance(record, foto="rumah.jpg"), SentFile("rumah.jpg", doomed, 1, "image/jpeg")
    field.post(*sent)
    decide(field, record, "rejected")
    run(field, blobs, rejected=30)

    stored = blobs.write(field.project_id, [b"a"], limit=10)
    again = field.post(*sent)
    lying = (known(field, doomed), blobs.has(field.project_id, doomed))
    assert stored.path is not None
    os.utime(stored.path, (field.now.timestamp(), field.now.timestamp()))
    run(field, blobs, rejected=30)

    assert again.outcome is Outcome.DUPLICATE
    assert lying == (("rejected", 1, True), True)
    assert here(field, blobs, doomed) == [False]
    assert field.shown(record).attachments_missing == 0


def test_a_new_record_that_names_a_deleted_file_has_it_again(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    shared = photo(field, blobs, b"a")
    rejected = visited(field, tablet, shared)
    decide(field, rejected, "rejected")
    run(field, blobs, rejected=1)

    fresh = visited(field, tablet, shared)
    asked = (needed(field, tablet), wanted(field, shared["sha256"]), field.shown(fresh).attachments_missing)
    # Its bytes come while the rejected record is as old as before.
    keep(field, blobs, b"a", at=field.now + 100 * DAY)
    run(field, blobs, rejected=1)

    assert asked == ([shared["sha256"]], True, 1)
    assert (field.shown(rejected).attachments_missing, field.shown(fresh).attachments_missing) == (0, 0)
    assert here(field, blobs, shared["sha256"]) == [True]
    assert field.all(RemovedBlob) == []


def test_an_edit_that_names_its_deleted_photo_once_more_makes_nothing_missing(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    shown = photo(field, blobs, b"a")
    record = visited(field, tablet, shown)
    decide(field, record, "approved")
    run(field, blobs, approved=1)

    field.push(tablet, tablet.op(record, set={"nama": "Siti"}, attachments=[shown]))

    assert (field.shown(record).attachments_missing, needed(field, tablet)) == (0, [])
    assert wanted(field, shown["sha256"])
    assert is_rebuilt(field)


def test_a_new_submission_by_collect_with_a_deleted_file_has_it_at_once(field: Field, blobs: BlobStore) -> None:
    sha256, first, second = keep(field, blobs, b"a"), new_id(), new_id()
    file = SentFile("rumah.jpg", sha256, 1, "image/jpeg")
    field.post(instance(first, foto="rumah.jpg"), file)
    decide(field, first, "rejected")
    run(field, blobs, rejected=1)

    blobs.write(field.project_id, [b"a"], limit=10)
    field.post(instance(second, foto="rumah.jpg"), file)

    assert here(field, blobs, sha256) == [True]
    assert field.shown(second).attachments_missing == 0


@pytest.mark.parametrize("are_bytes_gone", [False, True])
def test_what_a_crash_has_interrupted_the_next_run_finishes(
    field: Field, tablet: Tablet, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch, are_bytes_gone: bool
) -> None:
    doomed = photo(field, blobs, b"a")
    decide(field, visited(field, tablet, doomed), "rejected")
    drop = BlobStore.drop

    def die(*arguments: Any, **named: Any) -> bool:
        if are_bytes_gone:
            drop(*arguments, **named)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "drop", die)
        with pytest.raises(SystemExit):
            run(field, blobs, rejected=30)
    left = (known(field, doomed["sha256"]), blobs.has(field.project_id, doomed["sha256"]))
    run(field, blobs, later=101, rejected=30)

    assert left == (("rejected", 1, True), not are_bytes_gone)
    assert here(field, blobs, doomed["sha256"]) == [False]
    assert known(field, doomed["sha256"]) == ("rejected", 1, False)


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_a_file_goes_exactly_when_a_rule_is_over_wherever_it_is_named(
    field: Field, tablet: Tablet, blobs: BlobStore, seed: int
) -> None:
    """Twenty records share a dozen files; some are at work, some done with, long ago or lately."""
    chance = random.Random(seed)
    files = [photo(field, blobs, bytes([number]), "rumah.jpg") for number in range(12)]
    terms, named, spared = {"rejected": 30, "deleted": 60, "approved": 90}, set(), set()
    for _record in range(20):
        file, state, age = chance.choice(files), chance.choice([*terms, *terms, "received"]), chance.randrange(120)
        record = visited(field, tablet, file)
        if state == "deleted":
            delete_it(field, record)
        elif state != "received":
            decide(field, record, state)
        grow_old(field, record, days=age)
        named.add(file["sha256"])
        if state == "received" or age + 2 <= terms[state]:
            spared.add(file["sha256"])

    run(field, blobs, later=2, **terms)

    gone = {file["sha256"] for file in files if here(field, blobs, file["sha256"]) == [False]}
    assert gone == named - spared != set()
    assert is_rebuilt(field)


def grow_old(field: Field, record: str, *, days: int) -> None:
    """The record has not changed for so many days."""
    then = field.now - days * DAY

    def act(session: Session) -> None:
        same = FeedRow.project_id == field.project_id, FeedRow.record_id == record
        session.execute(update(FeedRow).where(*same).values(at=then))
        session.get_one(Submission, (field.project_id, record)).updated_at = then

    in_transaction(field.engine, act)


def test_a_file_that_another_server_has_deleted_is_asked_for_no_more_and_taken_if_it_comes(
    field: Field, tablet: Tablet, blobs: BlobStore
) -> None:
    announced_ = {"name": "rumah.jpg", "sha256": blobs.write(field.project_id, [b"a"], limit=10).sha256, "size": 1}
    record = visited(field, tablet, announced_)
    sha256 = announced_["sha256"]

    in_transaction(field.engine, lambda session: attach.give_up(session, field.project_id, sha256, now=field.now))
    given_up = (needed(field, tablet), field.shown(record).attachments_missing, wanted(field, sha256))
    rebuilt = is_rebuilt(field)
    keep(field, blobs, b"a")

    assert given_up == ([], 0, True)
    assert rebuilt
    assert here(field, blobs, sha256) == [True]
    assert field.all(RemovedBlob) == []


def test_what_anything_names_stays(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    """A record, a change that was superseded, a change that waits, and what is in quarantine."""
    record = new_id()
    files = [keep(field, blobs, content) for content in (b"shown", b"superseded", b"held", b"quarantined")]
    shown, superseded, held, quarantined = ([{"name": "rumah.jpg", "sha256": one, "size": 5}] for one in files)
    field.push(
        tablet,
        tablet.op(record, xml=instance(record, foto="rumah.jpg"), attachments=superseded),
        tablet.op(record, set={"foto": "rumah.jpg"}, attachments=shown),
        tablet.op(new_id(), version="9", xml=instance(new_id(), version="9"), attachments=held),
        tablet.op(new_id(), form="lain", xml=instance(new_id(), form_id="lain"), attachments=quarantined),
    )

    run(field, blobs, orphan=1)

    assert here(field, blobs, *files) == [True] * 4


def test_what_a_revoked_device_has_in_quarantine_stays(field: Field, tablet: Tablet, blobs: BlobStore) -> None:
    walked = photo(field, blobs, b"a day's walk")
    xml = instance(new_id(), foto="rumah.jpg")
    field.push(tablet, tablet.op(new_id(), xml=xml, attachments=[walked]), is_revoked=True)

    run(field, blobs, **ALL)

    assert here(field, blobs, walked["sha256"]) == [True]


def test_what_came_with_something_unreadable_stays_and_is_named_there(field: Field, blobs: BlobStore) -> None:
    sent = keep(field, blobs, b"quarantined")

    field.post("<data", SentFile("rumah.jpg", sent, 11, "image/jpeg"))
    run(field, blobs, **ALL)

    assert here(field, blobs, sent) == [True]
    assert field.all(InboxItem)[0].detail == f"rumah.jpg {sent}"


def test_a_file_that_comes_again_while_it_is_dropped_stays(field: Field, blobs: BlobStore) -> None:
    sha256 = blobs.write(field.project_id, [b"a"], limit=10).sha256

    is_gone = blobs.drop(field.project_id, sha256, before=field.now - 10_000 * DAY)

    assert (is_gone, blobs.has(field.project_id, sha256)) == (False, True)
    assert list((blobs.root / field.project_id / "partial").iterdir()) == []


def test_a_file_in_a_bucket_goes_there_too(field: Field, tmp_path: Path, bucket_url: str) -> None:
    blobs = BlobStore(tmp_path / "blobs", reserve=0, bucket=open_bucket(bucket_url))
    orphan = keep(field, blobs, b"a")

    # The bucket says itself when a file came: today, whenever that is.
    run(field, blobs, orphan=30, later=10_000)

    assert here(field, blobs, orphan) == [False]
