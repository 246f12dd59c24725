"""The read side: one filter, and pages that neither skip nor repeat."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sync import find
from sync.access import NotAllowed
from sync.engine import in_transaction
from sync.errors import NoSuchSubmission
from sync.find import Filter
from sync.models import Project, SubmissionAlias
from tests.conftest import Team
from tests.integration.store.records import add_records, row


def found(engine: Engine, team: Team, wanted: Filter) -> list[int]:
    """The numbers of the records on the page."""
    with Session(engine) as session:
        project = session.get_one(Project, team.project_id)
        page = find.submissions(session, project, wanted, actor=team.supervisor)
        return [int(one.instance_id.removeprefix("uuid:")) for one in page.rows]


@pytest.mark.parametrize(
    ("wanted", "columns"),
    [
        (Filter(review_state="approved"), {"review_state": "approved"}),
        (Filter(device_id="d-1"), {"device_id": "d-1"}),
        (Filter(account_id="a-1"), {"account_id": "a-1"}),
        (Filter(has_errors=True), {"errors": 2}),
        (Filter(has_warnings=True), {"warnings": 1}),
        (Filter(has_conflicts=True), {"conflicts": 1}),
        (Filter(has_missing=True), {"attachments_missing": 1}),
        (Filter(is_deleted=True), {"is_deleted": True}),
        (Filter(text="WARUNG"), {"instance_name": "Warung Bu Siti"}),
        (Filter(text="siti"), {"answers": {"who": {"name": "Bu Siti"}}}),
        (Filter(text="batik"), {"answers": {"goods": [{"kind": "tahu"}, {"kind": "Batik tulis"}]}}),
        (Filter(text='50% "cash"'), {"answers": {"note": 'pays 50% "cash"'}}),
        (Filter(text="a.c\\d"), {"answers": {"note": "a.c\\d"}}),
        (Filter(text="Ibu—Été"), {"answers": {"note": "Ibu—Été"}}),
    ],
)
def test_a_filter_finds_what_it_says_and_nothing_else(
    engine: Engine, a_project: Team, now: datetime, wanted: Filter, columns: dict[str, Any]
) -> None:
    others = {"answers": {"siti": "x", "batik": None, "note": "500 cash abcd"}}
    rows = [row(a_project.project_id, 1, now, **columns), row(a_project.project_id, 2, now, **others)]
    add_records(engine, a_project.project_id, now, rows)

    assert found(engine, a_project, wanted) == [1]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "$", "\x00", "*", "("])
def test_no_text_is_a_pattern(engine: Engine, a_project: Team, now: datetime, text: str) -> None:
    add_records(engine, a_project.project_id, now, [row(a_project.project_id, 1, now, answers={"a": "plain"})])

    assert found(engine, a_project, Filter(text=text)) == []


def test_a_day_begins_with_its_first_instant_and_ends_before_the_next(
    engine: Engine, a_project: Team, now: datetime
) -> None:
    add_records(engine, a_project.project_id, now, [row(a_project.project_id, number, now) for number in range(5)])
    wanted = Filter(day_from=now + timedelta(seconds=1), day_to=now + timedelta(seconds=3))

    assert found(engine, a_project, wanted) == [2, 1]


def test_pages_by_key_neither_skip_nor_repeat(engine: Engine, a_project: Team, now: datetime) -> None:
    same_moment = [row(a_project.project_id, number, now, received_at=now) for number in range(7)]
    add_records(engine, a_project.project_id, now, same_moment)

    seen: list[int] = []
    after = None
    while page := found(engine, a_project, Filter(limit=3, after=after)):
        seen += page
        after = (now, f"uuid:{page[-1]:06}")

    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_the_total_counts_every_page(engine: Engine, a_project: Team, now: datetime) -> None:
    add_records(engine, a_project.project_id, now, [row(a_project.project_id, number, now) for number in range(7)])

    with Session(engine) as session:
        project = session.get_one(Project, a_project.project_id)
        wanted = Filter(limit=2, offset=4)
        page = find.submissions(session, project, wanted, actor=a_project.viewer)

    assert (len(page.rows), page.total) == (2, 7)


def test_an_edit_s_instance_id_finds_its_record(engine: Engine, a_project: Team, now: datetime) -> None:
    add_records(engine, a_project.project_id, now, [row(a_project.project_id, 1, now)])
    alias = SubmissionAlias(project_id=a_project.project_id, alias="uuid:edit", instance_id="uuid:000001")
    in_transaction(engine, lambda session: session.add(alias))

    with Session(engine) as session:
        project = session.get_one(Project, a_project.project_id)
        record = find.submission(session, project, "uuid:edit", actor=a_project.viewer)
        assert record.instance_id == "uuid:000001"
        with pytest.raises(NoSuchSubmission):
            find.submission(session, project, "uuid:edit", actor=a_project.viewer, form_id="observasi")
        with pytest.raises(NoSuchSubmission):
            find.submission(session, project, "uuid:unknown", actor=a_project.viewer)


def test_an_enumerator_lists_nothing(engine: Engine, a_project: Team) -> None:
    with Session(engine) as session:
        project = session.get_one(Project, a_project.project_id)
        with pytest.raises(NotAllowed):
            find.submissions(session, project, Filter(), actor=a_project.enumerator)


@pytest.mark.slow
def test_twenty_thousand_records_are_filtered_and_paged(engine: Engine, a_project: Team, now: datetime) -> None:
    answers = {f"question_{number}": f"an answer of some length, number {number}" for number in range(40)}
    states = ["received", "approved", "has_issues"]
    rows = [
        row(
            a_project.project_id, number, now, answers=answers, review_state=states[number % 3], errors=number % 50 == 0
        )
        for number in range(20_000)
    ]
    rows[12_345]["answers"] = answers | {"name": "Bu Siti"}
    add_records(engine, a_project.project_id, now, rows)

    assert found(engine, a_project, Filter(text="Bu Siti")) == [12_345]
    assert len(found(engine, a_project, Filter(offset=19_950))) == 50
    assert found(engine, a_project, Filter(has_errors=True, review_state="approved", offset=132)) == [100]
    day(engine, a_project)
    every(engine, a_project)


def day(engine: Engine, team: Team) -> None:
    with Session(engine) as session:
        assert find.day(session, session.get_one(Project, team.project_id)).records == 20_000


def every(engine: Engine, team: Team) -> None:
    with Session(engine) as session:
        project = session.get_one(Project, team.project_id)
        ids = [one.instance_id for one in find.each(session, project, Filter(), actor=team.supervisor)]
        assert len(set(ids)) == len(ids) == 20_000
        assert len(session.identity_map) < 1000
