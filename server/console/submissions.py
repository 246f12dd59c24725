"""The list of records, and the filter that it shares with the pages of a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from sqlalchemy import select

from server.auth import actor
from server.console.blueprint import bp
from server.console.names import Names
from server.console.words import day_bounds
from server.db import session
from server.projects import project
from sync import find
from sync.access import require
from sync.models import Form, Project, Submission

PAGE = 50

STATES: Sequence[tuple[str, str]] = (
    ("received", lazy_gettext("To review")),
    ("edited", lazy_gettext("Edited")),
    ("has_issues", lazy_gettext("Returned")),
    ("rejected", lazy_gettext("Rejected")),
    ("approved", lazy_gettext("Approved")),
    ("undecided", lazy_gettext("Not decided yet")),
    ("standing", lazy_gettext("All but rejected")),
)

MARKS: Sequence[tuple[str, str]] = (
    ("errors", lazy_gettext("With errors")),
    ("warnings", lazy_gettext("With warnings")),
    ("conflicts", lazy_gettext("With conflicts")),
    ("missing", lazy_gettext("With missing files")),
)

KEYS = ("form", "state", "who", "device", "mark", "text", "day", "assignment")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in the list that the reader came from."""

    position: int
    total: int
    previous: Submission | None
    next: Submission | None
    is_listed: bool = True
    """False when it has left the list, by a decision for example; its old place then is the next one's."""

    @property
    def next_position(self) -> int:
        return self.position + self.is_listed


@bp.get("/projects/<int:number>/submissions")
def submissions(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "submission.list", found.project_id)
    wanted = wanted_filter(offset=offset())
    page = find.submissions(session(), found, wanted, actor=actor())
    names = Names.of(session(), found)
    return render_template(
        "console/submissions.html",
        project=found,
        page=page,
        offset=wanted.offset,
        limit=PAGE,
        query=query(),
        is_filtered=bool(query()),
        names=names,
        forms=forms_of(found),
        states=STATES,
        marks=MARKS,
    )


def query() -> dict[str, str]:
    """The filter as it stands in the address: only what is set."""
    return {key: value for key in KEYS if (value := request.values.get(key, "").strip())}


def offset() -> int:
    text = request.values.get("offset", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def wanted_filter(*, offset: int = 0, limit: int = PAGE) -> find.Filter:
    """The filter of the address. What it cannot read it leaves out: the list then shows more, never less."""
    asked = query()
    mark = asked.get("mark", "")
    day = _day(asked.get("day", ""))
    start, end = day_bounds(day) if day else (None, None)
    return find.Filter(
        form_id=asked.get("form"),
        review_state=asked.get("state"),
        device_id=asked.get("device"),
        account_id=asked.get("who"),
        has_errors=True if mark == "errors" else None,
        has_warnings=True if mark == "warnings" else None,
        has_conflicts=True if mark == "conflicts" else None,
        has_missing=True if mark == "missing" else None,
        assignment_id=asked.get("assignment"),
        text=asked.get("text", ""),
        day_from=start,
        day_to=end,
        limit=limit,
        offset=offset,
    )


def place(found: Project, record: Submission, position: int) -> Place:
    """The neighbours of a record in the filtered list; it may have left the list since the reader saw it there."""
    first = max(position - 1, 0)
    page = find.submissions(session(), found, wanted_filter(offset=first, limit=3), actor=actor())
    ids = [row.instance_id for row in page.rows]
    if record.instance_id in ids:
        here = ids.index(record.instance_id)
        if not here and first:
            return place(found, record, first)
        before, after = page.rows[:here], page.rows[here + 1 :]
        return Place(first + here, page.total, before[-1] if before else None, after[0] if after else None)
    at = position - first
    before, after = page.rows[:at], page.rows[at:]
    return Place(position, page.total, before[-1] if before else None, after[0] if after else None, is_listed=False)


def forms_of(found: Project) -> Mapping[str, str]:
    """Form ID -> title, by title."""
    rows = session().execute(
        select(Form.form_id, Form.title).where(Form.project_id == found.project_id).order_by(Form.title)
    )
    return {row[0]: row[1] for row in rows}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
