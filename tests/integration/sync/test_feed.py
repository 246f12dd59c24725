"""The feed: every change once, in order, without gaps, within the reader's scope."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from sync import feed, form_list, review
from sync.access import Actor, Role
from sync.engine import in_transaction
from sync.models import Device, Form, Project, Submission
from tests.integration.sync.field import FORM, PHOTO, Field, Tablet, instance, new_id


def pull(
    field: Field, tablet: Tablet | None = None, cursor: str = "", limit: int = 500, account_id: str | None = None
) -> feed.Page:
    role = Role.ENUMERATOR if tablet else Role.SUPERVISOR
    actor = Actor("device" if tablet else "account", account_id=account_id, roles={field.project_id: role})
    with Session(field.engine) as session:
        device = session.get(Device, (field.project_id, tablet.device_id)) if tablet else None
        project = session.get_one(Project, field.project_id)
        return feed.pull(session, project, device=device, actor=actor, cursor=cursor, limit=limit, now=field.now)


def named(page: feed.Page) -> list[tuple[str, str]]:
    return [(record["kind"], record["record"]) for record in page.records]


def test_a_page_has_each_record_once_in_its_latest_state(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"), tablet.op(record, set={"umur": "42"}))

    page = pull(field, tablet)

    assert named(page) == [("form", FORM), ("submission", record)]
    assert page.records[1]["answers"]["umur"] == "42"
    assert (page.cursor.rpartition(".")[2], page.head) == ("3", 3)


def test_a_cursor_goes_on_where_it_stood(field: Field, tablet: Tablet) -> None:
    first, second = new_id(), new_id()
    field.push(tablet, tablet.fill_in(first, nama="Siti"))
    cursor = pull(field, tablet).cursor

    field.push(tablet, tablet.fill_in(second, nama="Budi"))

    assert named(pull(field, tablet, cursor)) == [("submission", second)]
    assert named(pull(field, tablet, pull(field, tablet, cursor).cursor)) == []


def test_a_form_that_closes_is_told(field: Field, tablet: Tablet) -> None:
    cursor = pull(field, tablet).cursor

    def close(session: Session) -> None:
        form = session.get_one(Form, (field.project_id, FORM))
        form_list.set_state(session, form, "closed", actor=field.manager, now=field.now)

    in_transaction(field.engine, close)

    assert [(one["record"], one["state"]) for one in pull(field, tablet, cursor).records] == [(FORM, "closed")]


def test_small_pages_end_where_one_large_page_ends(field: Field, tablet: Tablet) -> None:
    field.push(tablet, *(tablet.fill_in(new_id(), nama="Siti") for _ in range(7)))

    cursor, seen = "", []
    while page := pull(field, tablet, cursor, limit=2):
        if page.cursor == cursor:
            break
        cursor, seen = page.cursor, [*seen, *named(page)]

    assert seen == named(pull(field, tablet))


def test_a_device_sees_its_own_submissions_only(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    mine, other = new_id(), new_id()
    field.push(tablet, tablet.fill_in(mine, nama="Siti"))
    field.push(other_tablet, other_tablet.fill_in(other, nama="Budi"))

    assert named(pull(field, tablet)) == [("form", FORM), ("submission", mine)]
    assert named(pull(field)) == [("form", FORM), ("submission", mine), ("submission", other)]


def test_what_was_returned_comes_back_with_its_comments(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    cursor = pull(field, tablet).cursor

    def send_back(session: Session) -> None:
        shown = session.scalars(select(Submission)).one()
        review.comment(session, shown, "Tanyakan lagi umurnya", path="umur", actor=field.supervisor, now=field.now)
        review.return_(session, shown, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, send_back)
    page = pull(field, tablet, cursor)

    returned = next(one for one in page.records if one["kind"] == "submission")
    said = next(one for one in page.records if one["kind"] == "comment")
    assert returned["review_state"] == "has_issues"
    assert (said["about"], said["path"], said["body"]) == (record, "umur", "Tanyakan lagi umurnya")


def test_what_was_returned_comes_back_with_the_note_of_whoever_decided_last(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti"))

    def decide(state: str, note: str) -> dict[str, object]:
        def act(session: Session) -> None:
            shown = session.scalars(select(Submission)).one()
            review.set_state(session, shown, state, note=note, actor=field.supervisor, now=field.now)

        in_transaction(field.engine, act)
        (told,) = [one for one in pull(field, tablet).records if one["kind"] == "submission"]
        return {name: value for name, value in told.items() if name.startswith("review_") and name != "review_at"}

    returned = decide("has_issues", "Umurnya berapa?")
    rejected = decide("rejected", "Ini orang lain.")
    approved = decide("approved", "Sudah benar.")

    assert returned == {"review_state": "has_issues", "review_note": "Umurnya berapa?", "review_by": "Supervisor"}
    assert rejected["review_note"] == "Ini orang lain."
    assert approved == {"review_state": "approved"}


def test_files_that_are_missing_are_asked_of_the_device_that_has_them(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record = new_id()
    photo = {"name": "rumah.jpg", "sha256": PHOTO, "size": 5}
    field.push(tablet, tablet.op(record, xml=instance(record, foto="rumah.jpg"), attachments=[photo]))

    assert pull(field, tablet).needs == [PHOTO]
    assert pull(field, other_tablet).needs == []
    field.arrive(PHOTO)
    assert pull(field, tablet).needs == []


def test_a_file_that_came_with_a_correction_is_asked_of_the_device_that_corrected(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, photo = new_id(), {"name": "rumah.jpg", "sha256": PHOTO, "size": 5}
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    seen = field.shown(record).vector

    edit = other_tablet.op(record, context=seen, set={"foto": "rumah.jpg"}, attachments=[photo])
    field.push(other_tablet, edit)

    assert pull(field, other_tablet).needs == [PHOTO]
    field.arrive(PHOTO)
    assert pull(field, other_tablet).needs == []


@pytest.mark.parametrize("cursor", ["e9.1", "e1.999"])
def test_a_cursor_of_another_time_is_gone(field: Field, tablet: Tablet, cursor: str) -> None:
    with pytest.raises(feed.CursorGone):
        pull(field, tablet, cursor)


@pytest.mark.parametrize("role", ["tablet", "office"])
def test_a_page_costs_as_many_statements_whatever_is_on_it(field: Field, tablet: Tablet, role: str) -> None:
    def add(count: int) -> None:
        files = [{"name": "rumah.jpg", "sha256": PHOTO, "size": 5}]
        records = [new_id() for _ in range(count)]
        field.push(tablet, *(tablet.op(one, xml=instance(one, foto="rumah.jpg"), attachments=files) for one in records))

        def say(session: Session) -> None:
            for record in records:
                shown = session.get_one(Submission, (field.project_id, record))
                review.comment(session, shown, "Benar?", actor=field.supervisor, now=field.now)

        in_transaction(field.engine, say)

    def cost() -> int:
        statements: list[str] = []
        note = lambda _c, _u, statement, *_rest: statements.append(statement)  # noqa: E731
        event.listen(field.engine, "before_cursor_execute", note)
        try:
            page = pull(field, tablet if role == "tablet" else None)
        finally:
            event.remove(field.engine, "before_cursor_execute", note)
        assert len([one for one in page.records if one["kind"] == "comment"]) == said
        return len(statements)

    add(said := 1)
    few = cost()
    add(20)
    said += 20

    assert cost() == few


def test_a_reader_never_finds_later_what_it_has_passed(field: Field) -> None:
    tablets = [field.tablet(f"d-{number}") for number in range(4)]
    sent = threading.Event()
    seen: list[tuple[str, str]] = []

    def send(tablet: Tablet) -> None:
        for _ in range(6):
            field.push(tablet, *(tablet.fill_in(new_id(), nama="Siti") for _ in range(3)))

    def read() -> None:
        cursor = ""
        while not (sent.is_set() and pull(field, None, cursor).cursor == cursor):
            page = pull(field, None, cursor, limit=5)
            cursor = page.cursor
            seen.extend(named(page))

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        try:
            list(pool.map(send, tablets))
        finally:
            sent.set()
        reader.result()

    assert len(field.feed()) == 1 + 4 * 6 * 3
    assert sorted(seen) == sorted({("form", FORM), *(("submission", one.instance_id) for one in field.all(Submission))})


def test_devices_that_push_to_one_record_at_once_lose_nothing(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    seen = field.shown(record).vector
    tablets = [field.tablet(f"d-{number}") for number in range(6)]

    def edit(number: int) -> None:
        one = tablets[number]
        field.push(one, one.op(record, context=seen, set={"umur": str(50 + number)}))

    with ThreadPoolExecutor() as pool:
        list(pool.map(edit, range(6)))

    assert sorted(str(value) for value in field.conflicts(record)["umur"]) == [str(50 + one) for one in range(6)]
    assert field.shown(record).revision == 7


def pull_as(field: Field, role: Role, cursor: str = "", limit: int = 500) -> feed.Page:
    """As the tablet d-siti, in whose hands somebody of this role is."""
    actor = Actor("device", id="d-siti", device_id="d-siti", roles={field.project_id: role})
    with Session(field.engine) as session:
        project = session.get_one(Project, field.project_id)
        device = session.get(Device, (field.project_id, "d-siti"))
        return feed.pull(session, project, device=device, actor=actor, cursor=cursor, limit=limit, now=field.now)


def walk(field: Field, role: Role, cursor: str, limit: int) -> tuple[list[str], list[str], str]:
    """What is sent and what is to be dropped, page by page to the end."""
    sent, dropped = [], []
    while True:
        page = pull_as(field, role, cursor, limit)
        if page.cursor == cursor:
            return sent, dropped, cursor
        sent += [one["record"] for one in page.records if one["kind"] == "submission"]
        dropped += [one["record"] for one in page.drop]
        cursor = page.cursor


def test_who_may_see_more_gets_what_was_there_before_and_who_may_see_less_drops_it(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    mine, others = new_id(), [new_id() for _ in range(3)]
    field.push(tablet, tablet.fill_in(mine, nama="Siti"))
    for record in others:
        field.push(other_tablet, other_tablet.fill_in(record, nama="Budi"))

    first, _, cursor = walk(field, Role.ENUMERATOR, "", 1)
    more, nothing, cursor = walk(field, Role.SUPERVISOR, cursor, 1)
    late = new_id()
    field.push(other_tablet, other_tablet.fill_in(late, nama="Budi"))
    less, dropped, cursor = walk(field, Role.ENUMERATOR, cursor, 1)

    assert (first, nothing) == ([mine], [])
    assert sorted(more) == sorted([mine, *others])
    assert less == [mine]
    assert sorted(dropped) == sorted(others)
    assert walk(field, Role.ENUMERATOR, cursor, 1) == ([], [], cursor)
