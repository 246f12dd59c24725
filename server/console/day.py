"""The day: who sent what, what was noticed and why, what waits for a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.conflicts import Case, cases_of
from server.console.devices import SKEW_WORTH_SAYING_S
from server.console.findings import Told, told
from server.console.names import Names
from server.console.quarantine import PATIENCE
from server.console.record import reader_of
from server.console.submissions import forms_of
from server.console.words import day_bounds, language, local_day
from server.db import session
from server.projects import project
from sync import find
from sync.access import may, require
from sync.assignments import progress
from sync.models import Project, Submission

SHOWN_FLAGS = 12
SHOWN_CASES = 3


@dataclass(frozen=True, slots=True)
class Flagged:
    """A record of the day that needs a look, with its most serious open findings."""

    record: Submission
    findings: Sequence[Told]
    rest: int


@dataclass(frozen=True, slots=True)
class Task:
    """Something that waits for a person."""

    text: str
    href: str
    icon: str
    tone: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the progress bar, in percent of its width."""

    state: str
    count: int
    start: float
    width: float


@bp.get("/projects/<int:number>/day")
def day(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "submission.list", found.project_id)
    shown = _day() or _last_day(found)
    today = local_day(now())
    summary = find.day(session(), found, day_bounds(shown))
    flagged = _flagged(found, shown)
    names = Names.of(session(), found)
    return render_template(
        "console/day.html",
        project=found,
        day=shown,
        is_today=shown == today,
        previous=shown - timedelta(days=1),
        next=shown + timedelta(days=1) if shown < today else None,
        summary=summary,
        parts_of_bar=_bar(summary),
        waiting=summary.states.get("received", 0) + summary.states.get("edited", 0),
        flagged=flagged[:SHOWN_FLAGS],
        more_flagged=max(summary.flagged - SHOWN_FLAGS, 0),
        cases=_cases(found, names),
        tasks=list(_tasks(found, summary)),
        forms=forms_of(found),
        columns=_forms_sent(summary),
        names=names,
        skew_worth_saying_ms=SKEW_WORTH_SAYING_S * 1000,
    )


def _day() -> date | None:
    try:
        return date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return None


def _last_day(found: Project) -> date:
    """The last day on which something came; today when nothing ever did."""
    page = find.submissions(session(), found, find.Filter(limit=1), actor=actor())
    return local_day(page.rows[0].received_at if page.rows else now())


def _flagged(found: Project, shown: date) -> list[Flagged]:
    """The day's records with errors, then those with warnings only."""
    start, end = day_bounds(shown)
    wanted = find.Filter(day_from=start, day_to=end, has_errors=True, limit=SHOWN_FLAGS)
    worst = find.submissions(session(), found, wanted, actor=actor()).rows
    mild_ones = replace(wanted, has_errors=False, has_warnings=True)
    mild = find.submissions(session(), found, mild_ones, actor=actor()).rows
    return [_flag(found, record) for record in [*worst, *mild][:SHOWN_FLAGS]]


def _flag(found: Project, record: Submission) -> Flagged:
    rows = [row for row in find.findings(session(), record) if row.state == "open"]
    findings = told(reader_of(found, record), rows, language())
    return Flagged(record, findings[:2], max(len(findings) - 2, 0))


def _cases(found: Project, names: Names) -> Sequence[Case]:
    return cases_of(found, find.conflicts(session(), found)[:SHOWN_CASES], names)


def _bar(summary: find.Day) -> list[Part]:
    """Approved first; what nobody has looked at is the empty rest."""
    total = sum(summary.states.values())
    bar: list[Part] = []
    start = 0.0
    for state in ("approved", "has_issues", "rejected", "edited", "received"):
        count = summary.states.get(state, 0)
        width = 100 * count / total if total else 0.0
        if count:
            bar.append(Part(state, count, round(start, 2), round(width, 2)))
        start += width
    return bar


def _forms_sent(summary: find.Day) -> list[str]:
    """The forms of the day's records, the commonest first."""
    counts: dict[str, int] = {}
    for line in summary.lines:
        for form_id, count in line.forms.items():
            counts[form_id] = counts.get(form_id, 0) + count
    return sorted(counts, key=lambda form_id: (-counts[form_id], form_id))


def _tasks(found: Project, summary: find.Day) -> Iterator[Task]:
    """What waits, of whichever day."""
    number = found.number
    if summary.conflicts:
        words = ngettext("%(num)s conflict to resolve", "%(num)s conflicts to resolve", summary.conflicts)
        yield Task(words, url_for("console.conflicts", number=number), "fork", "bad")
    if may(actor(), "quarantine.read", found.project_id):
        yield from _waiting_tasks(found, summary)
    missing = sum(line.missing for line in summary.lines)
    if missing:
        words = ngettext("%(num)s file has not arrived yet", "%(num)s files have not arrived yet", missing)
        yield Task(words, url_for("console.submissions", number=number, mark="missing"), "photo", "warn")
    late = progress.overdue(session(), found, today=local_day(now()).isoformat())
    if late:
        words = ngettext("%(num)s assignment is overdue", "%(num)s assignments are overdue", late)
        yield Task(words, url_for("console.assignments", number=number, mark="overdue"), "pin", "warn")
    yield from _device_tasks(summary)


def _waiting_tasks(found: Project, summary: find.Day) -> Iterator[Task]:
    """What could not be placed, or not yet."""
    aside, held = (url_for("console.quarantine", number=found.number, _anchor=at) for at in (None, "held"))
    if summary.quarantined:
        words = ngettext("%(num)s item in quarantine", "%(num)s items in quarantine", summary.quarantined)
        yield Task(words, aside, "shield", "warn")
    stuck = find.count_held(session(), found, before=now() - PATIENCE) if summary.held else 0
    if stuck:
        words = ngettext(
            "%(num)s change has waited for more than two weeks",
            "%(num)s changes have waited for more than two weeks",
            stuck,
        )
        yield Task(words, held, "clock", "warn")
    if summary.held > stuck:
        words = ngettext(
            "%(num)s change waits for an earlier one", "%(num)s changes wait for earlier ones", summary.held - stuck
        )
        yield Task(words, held, "clock", "info")


def _device_tasks(summary: find.Day) -> Iterator[Task]:
    for line in summary.lines:
        if line.waiting:
            words = gettext("%(device)s still holds %(count)s records", device=line.device, count=line.waiting)
            yield Task(words, "", "tablet", "warn")
        if line.skew_ms is not None and abs(line.skew_ms) > SKEW_WORTH_SAYING_S * 1000:
            words = gettext("The clock of %(device)s is wrong: set its date and time", device=line.device)
            yield Task(words, "", "clock", "warn")
