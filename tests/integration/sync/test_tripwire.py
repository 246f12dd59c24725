"""The tripwire: a copy that has become different is noticed, and only such a copy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy.orm import Session

from sync import feed, review, tripwire
from sync.access import Actor, Role
from sync.digest import bucket_of, digests, standing
from sync.engine import in_transaction
from sync.models import Device, Project, Submission
from sync.tripwire import Compared
from tests.integration.sync.field import FORM, Field, Tablet, new_id, xform
from tests.integration.sync.test_feed import pull
from tests.integration.sync.test_forget import delete

Copy = dict[tuple[str, str], dict[str, Any]]


def copy_of(page: feed.Page) -> Copy:
    return {(one["kind"], one["record"]): one for one in page.records}


def compare(field: Field, tablet: Tablet | None, cursor: str, copy: Copy) -> Compared:
    actor, told = _who(field, tablet), digests(standing(copy.values()))
    with Session(field.engine) as session:
        return tripwire.compare(session, **_at(session, field, tablet), actor=actor, cursor=cursor, told=told)


def bucket(field: Field, tablet: Tablet, name: str) -> list[Mapping[str, Any]]:
    with Session(field.engine) as session:
        found = tripwire.bucket(session, **_at(session, field, tablet), actor=_who(field, tablet), name=name)
        return list(found)


def _who(field: Field, tablet: Tablet | None) -> Actor:
    role = Role.ENUMERATOR if tablet else Role.SUPERVISOR
    return Actor("device" if tablet else "account", roles={field.project_id: role})


def _at(session: Session, field: Field, tablet: Tablet | None) -> dict[str, Any]:
    device = session.get(Device, (field.project_id, tablet.device_id)) if tablet else None
    return {"project": session.get_one(Project, field.project_id), "device": device}


@pytest.fixture
def day(field: Field, tablet: Tablet, other_tablet: Tablet) -> list[str]:
    """Three records of a tablet, one of them deleted, one commented and returned; one of another tablet; a form that
    makes entities."""
    field.publish(xform("1", form_id="warga", entities=True))
    made = [new_id() for _ in range(3)]
    field.push(tablet, *(tablet.fill_in(record, nama="Siti", umur="410") for record in made))
    field.push(other_tablet, other_tablet.fill_in(new_id(), nama="Budi"))

    def say(session: Session) -> None:
        for record in made[:2]:
            shown = session.get_one(Submission, (field.project_id, record))
            review.comment(session, shown, "Benar?", path="umur", actor=field.supervisor, now=field.now)
            review.return_(session, shown, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, say)
    delete(field, made[1])
    return made


@pytest.mark.parametrize("who", ["tablet", "office"])
def test_who_read_everything_holds_what_is_told(field: Field, tablet: Tablet, day: list[str], who: str) -> None:
    reader = tablet if who == "tablet" else None
    page = pull(field, reader)

    assert compare(field, reader, page.cursor, copy_of(page)) == Compared(True)


def test_who_read_page_by_page_holds_the_same(field: Field, tablet: Tablet, day: list[str]) -> None:
    cursor, copy = "", {}
    while (page := pull(field, tablet, cursor, limit=1)).cursor != cursor:
        cursor = page.cursor
        copy.update(copy_of(page))

    assert compare(field, tablet, cursor, copy) == Compared(True)


def _lose(copy: Copy, record: str) -> None:
    del copy["submission", record]


def _change(copy: Copy, record: str) -> None:
    copy["submission", record] = {**copy["submission", record], "answers": {"nama": "Tono"}}


def _add(copy: Copy, record: str) -> None:
    copy["submission", record + "x"] = {**copy["submission", record], "record": record + "x"}


def _rate(copy: Copy, record: str) -> None:
    copy["submission", record] = {**copy["submission", record], "review_state": "approved"}


@pytest.mark.parametrize("harm", [_lose, _change, _add, _rate])
def test_one_difference_is_found_in_its_bucket(
    field: Field, tablet: Tablet, day: list[str], harm: Callable[[Copy, str], None]
) -> None:
    page = pull(field, tablet)
    copy = copy_of(page)

    harm(copy, day[0])
    found = compare(field, tablet, page.cursor, copy)

    name = bucket_of("submission", day[0] + ("x" if harm is _add else ""))
    # A comment without its submission counts for nothing.
    also = {bucket_of(*key) for key in copy if key[0] == "comment"} if harm is _lose else set()
    assert {name} <= set(found.differing) <= {name} | also
    told = [one for one in bucket(field, tablet, name) if one["kind"] == "submission"]
    assert day[0] in [one["record"] for one in told] or harm is _add
    assert all(one["record"] != day[0] + "x" for one in told)


def test_what_changes_without_news_is_no_difference(field: Field, tablet: Tablet, day: list[str]) -> None:
    page = pull(field, tablet)
    copy = {key: {**one, "errors": 7, "branch": "x", "attachments": []} for key, one in copy_of(page).items()}

    assert compare(field, tablet, page.cursor, copy) == Compared(True)


def test_who_has_not_read_all_is_not_compared(field: Field, tablet: Tablet, day: list[str]) -> None:
    page = pull(field, tablet)
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti"))

    for cursor in (page.cursor, "", "nonsense", pull(field, None).cursor):
        assert compare(field, tablet, cursor, copy_of(page)) == Compared(False)


def test_who_sees_too_much_is_not_compared(
    field: Field, tablet: Tablet, day: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = pull(field, tablet)
    monkeypatch.setattr(tripwire, "MOST", 3)

    assert compare(field, tablet, page.cursor, {}) == Compared(False)
    assert ("form", FORM) in copy_of(page)
