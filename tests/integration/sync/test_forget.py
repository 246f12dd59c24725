"""What was deleted long ago is told to nobody any more; who may still hold it reads everything again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from sync import author, feed
from sync.consolidate import Keeping, run_job
from sync.engine import in_transaction
from sync.models import Operation, Project
from tests.integration.sync.field import FORM, Field, Tablet, new_id
from tests.integration.sync.test_feed import named, pull


def delete(field: Field, record: str) -> None:
    def act(session: Session) -> None:
        project = session.get_one(Project, field.project_id)
        words = {"kind": "submission", "record_id": record, "form_id": FORM, "version": "1"}
        author.write(session, project, **words, changes={}, is_delete=True, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, act)


def forget(field: Field, folder: Path, *, days_later: int) -> int:
    """The nightly job, so many days later."""
    now = field.now + timedelta(days=days_later)
    told = {"slot": f"manual-{days_later}", "cause": "person", "account_id": None, "now": now, "folder": folder}
    run = run_job(field.engine, "forget", **told, keeping=Keeping(deletions=timedelta(days=180)))
    assert run.outcome == "done"
    return int(field.one(Project).forgotten_seq)


@pytest.fixture
def records(field: Field, tablet: Tablet) -> list[str]:
    """Three, of which the second will be deleted."""
    made = [new_id() for _ in range(3)]
    field.push(tablet, *(tablet.fill_in(record, nama="Siti") for record in made))
    return made


def test_a_deletion_is_told_until_it_is_old(field: Field, tablet: Tablet, records: list[str], tmp_path: Path) -> None:
    cursor = pull(field, tablet).cursor
    delete(field, records[1])

    assert forget(field, tmp_path, days_later=179) == 0
    assert [(one["record"], one["deleted"]) for one in pull(field, tablet, cursor).records] == [(records[1], True)]


def test_who_was_away_too_long_reads_everything_again(
    field: Field, tablet: Tablet, records: list[str], tmp_path: Path
) -> None:
    old = pull(field, tablet).cursor
    delete(field, records[1])
    read = pull(field, tablet).cursor

    assert forget(field, tmp_path, days_later=181) == 5
    with pytest.raises(feed.CursorGone):
        pull(field, tablet, old)

    assert named(pull(field, tablet)) == [("form", FORM), ("submission", records[0]), ("submission", records[2])]
    assert pull(field, tablet, read).records == []
    assert len([one for one in field.all(Operation) if one.record_id == records[1]]) == 2


def test_a_reading_from_the_beginning_comes_to_its_end_page_by_page(
    field: Field, tablet: Tablet, records: list[str], tmp_path: Path
) -> None:
    delete(field, records[1])
    forget(field, tmp_path, days_later=181)

    cursor, seen = "", []
    while (page := pull(field, tablet, cursor, limit=1)).cursor != cursor:
        cursor, seen = page.cursor, [*seen, *named(page)]

    assert seen == named(pull(field, tablet))
    assert cursor.split(".")[-1] == "5"
    assert ".b" not in cursor


def test_what_was_deleted_while_somebody_began_to_read_is_not_lost_on_them(
    field: Field, tablet: Tablet, records: list[str], tmp_path: Path
) -> None:
    first = pull(field, tablet, limit=3)
    assert ("submission", records[1]) in named(first)

    delete(field, records[1])
    forget(field, tmp_path, days_later=181)

    with pytest.raises(feed.CursorGone):
        pull(field, tablet, first.cursor, limit=3)


def test_what_was_deleted_before_the_scope_changed_is_not_lost_on_who_reads_again(
    field: Field, tablet: Tablet, records: list[str], tmp_path: Path
) -> None:
    """The device still has the record; it may not go on as if it had begun without it."""
    old = pull(field, tablet).cursor
    delete(field, records[1])
    first = pull(field, tablet, old, limit=1, account_id="somebody else")

    forget(field, tmp_path, days_later=181)

    assert first.cursor.endswith(".1")
    with pytest.raises(feed.CursorGone):
        pull(field, tablet, first.cursor, account_id="somebody else")


def test_a_project_in_which_nothing_is_deleted_forgets_nobody(
    field: Field, tablet: Tablet, records: list[str], tmp_path: Path
) -> None:
    cursor = pull(field, tablet, limit=2).cursor

    assert forget(field, tmp_path, days_later=10_000) == 0
    assert named(pull(field, tablet, cursor)) == [("submission", record) for record in records[1:]]
