"""The study's indicators, each number with the records behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from sqlalchemy import select

from forms.definition import Text, say
from server.auth import actor
from server.console.blueprint import bp
from server.console.chart import Scale, Span, scale, span
from server.console.jobs import Run, runs_of
from server.console.names import Names
from server.console.words import language, number, rupiah
from server.db import session
from server.problems import NoSuchPage
from server.projects import project
from sync import publish
from sync.access import require
from sync.consolidate.study import INCOME
from sync.consolidate.table import choices_of
from sync.models import Form, Indicator, Project, Submission

MEASURES: Mapping[str, str] = {
    "income_change_pct": lazy_gettext("Change in percent"),
    "income_change": lazy_gettext("Change in Rp"),
    "income_before": lazy_gettext("Income before"),
    "income_after": lazy_gettext("Income after"),
}

DIMENSIONS: Mapping[str, str] = {
    "all": lazy_gettext("All households"),
    "aid": lazy_gettext("By kind of aid"),
    "credit_use": lazy_gettext("By use of the credit"),
}

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One group of records in the display of a measure."""

    row: Indicator
    title: str
    href: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Household:
    """One record's income before and after."""

    title: str
    href: str
    before: float
    after: float
    change_pct: float | None
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One record behind a number, as it was when the number was computed and as it is now."""

    instance_id: str
    title: str
    value: float | None
    before: float | None
    after: float | None
    revision: int
    op_id: str
    now: Submission | None

    @property
    def is_changed(self) -> bool:
        return self.now is None or self.now.is_deleted or self.now.op_id != self.op_id


@bp.get("/projects/<int:number>/indicators")
def indicators(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "indicator.read", found.project_id)
    rows = _rows(found)
    measure = request.args.get("measure", "")
    measure = measure if measure in MEASURES else next(iter(MEASURES))
    households, on = _households(found, rows)
    return render_template(
        "console/indicators.html",
        project=found,
        by_name={row.name: row for row in rows if row.dimension == "all"},
        href=lambda name: _href(found, name, "all", ""),
        measures=MEASURES,
        measure=measure,
        display=_display(found, [row for row in rows if row.name == measure]),
        dimensions=DIMENSIONS,
        households=households,
        households_on=on,
        say_value=say_value,
        run=_source(found, rows),
    )


@bp.get("/projects/<int:number>/indicators/<name>/<dimension>")
def evidence(number: int, name: str, dimension: str) -> ResponseReturnValue:
    """The list of records behind one number."""
    found = project(number)
    require(actor(), "indicator.read", found.project_id)
    category = request.args.get("category", "")
    row = session().get(Indicator, (found.project_id, name, dimension, category))
    if row is None or name not in MEASURES:
        raise NoSuchPage
    return render_template(
        "console/evidence.html",
        project=found,
        row=row,
        measure=MEASURES[name],
        group=_category(_labels(found), dimension, category),
        dimension=DIMENSIONS.get(dimension, dimension),
        records=_evidence(found, row),
        names=Names.of(session(), found),
        say_value=say_value,
        run=_source(found, [row]),
    )


def say_value(name: str, value: float | None, *, decimals: int = 1) -> str:
    """A value of this indicator, with its unit and, for a change, its sign."""
    if value is None:
        return "–"
    plus = "+" if name.startswith("income_change") and value > 0 else ""
    if name == "income_change_pct":
        return f"{plus}{number(value, decimals)}\u00a0%".replace("-", "−")
    return f"{plus}{rupiah(value)}"


def _rows(found: Project) -> list[Indicator]:
    return list(session().scalars(select(Indicator).where(Indicator.project_id == found.project_id)))


def _source(found: Project, rows: Sequence[Indicator]) -> Run | None:
    """The run that computed them, else the latest one: it says how many records went in and which."""
    runs = [run for run in runs_of(found, "consolidate") if run.outcome == "done"]
    at = rows[0].computed_at if rows else None
    return next((run for run in runs if run.row.started_at == at), runs[0] if runs else None)


def _display(found: Project, rows: Sequence[Indicator]) -> tuple[list[tuple[str, list[Line]]], Scale]:
    """The lines of one measure by dimension, on one scale."""
    labels = _labels(found)
    on = scale(value for row in rows for value in (row.least, row.most) if value is not None)
    groups = []
    for dimension, title in DIMENSIONS.items():
        order = list(labels.get(dimension, {}))
        own = [row for row in rows if row.dimension == dimension]
        own.sort(key=lambda row: (order.index(row.category) if row.category in order else len(order), row.category))
        if own:
            groups.append((str(title), [_line(found, row, labels, on) for row in own]))
    return groups, on


def _line(found: Project, row: Indicator, labels: Mapping[str, Mapping[str, Text]], on: Scale) -> Line:
    drawn = None
    if row.least is not None and row.most is not None and row.mean is not None:
        drawn = span(on, row.least, row.most, row.mean)
    title = _category(labels, row.dimension, row.category)
    return Line(row, title, _href(found, row.name, row.dimension, row.category), drawn)


def _households(found: Project, rows: Sequence[Indicator]) -> tuple[list[Household], Scale]:
    """Every household with both incomes, the largest rise first."""
    values = {row.name: _values(row) for row in rows if row.dimension == "all"}
    before, after = values.get("income_before", {}), values.get("income_after", {})
    pairs = {key: (before[key], after[key]) for key in before if after.get(key) is not None and before[key] is not None}
    on = scale((value for pair in pairs.values() for value in pair), with_zero=False)
    records = _records(found, list(pairs))
    shown = [
        Household(
            title=_title(records.get(key), key),
            href=url_for("console.submission", number=found.number, instance_id=key),
            before=start,
            after=end,
            change_pct=values.get("income_change_pct", {}).get(key),
            start=on.at(start),
            end=on.at(end),
        )
        for key, (start, end) in pairs.items()
    ]
    return sorted(shown, key=lambda one: (-(one.change_pct or 0), one.title)), on


def _evidence(found: Project, row: Indicator) -> list[Evidence]:
    records = _records(found, [entry["instance_id"] for entry in row.evidence])
    sides = {name: _values(session().get(Indicator, (found.project_id, name, "all", ""))) for name in MEASURES}
    return [
        Evidence(
            instance_id=entry["instance_id"],
            title=_title(records.get(entry["instance_id"]), entry["instance_id"]),
            value=entry["value"],
            before=sides["income_before"].get(entry["instance_id"]),
            after=sides["income_after"].get(entry["instance_id"]),
            revision=entry["revision"],
            op_id=entry["op_id"],
            now=records.get(entry["instance_id"]),
        )
        for entry in row.evidence
    ]


def _values(row: Indicator | None) -> dict[str, Any]:
    return {entry["instance_id"]: entry["value"] for entry in row.evidence} if row is not None else {}


def _records(found: Project, ids: Sequence[str]) -> dict[str, Submission]:
    records: dict[str, Submission] = {}
    for start in range(0, len(ids), AT_ONCE):
        wanted = select(Submission).where(
            Submission.project_id == found.project_id, Submission.instance_id.in_(ids[start : start + AT_ONCE])
        )
        records |= {record.instance_id: record for record in session().scalars(wanted)}
    return records


def _title(record: Submission | None, instance_id: str) -> str:
    return (record.instance_name if record is not None else "") or instance_id


def _labels(found: Project) -> dict[str, dict[str, Text]]:
    """For each dimension its codes with their labels, in the order of the form's choices."""
    form = session().get(Form, (found.project_id, INCOME.form_id))
    definition = publish.definition(session(), found.project_id, INCOME.form_id, form.version or "") if form else None
    if definition is None:
        return {}
    asked = {question.path: question for question in definition.questions()}
    return {
        dimension.name: choices_of(definition, asked[dimension.path], {})
        for dimension in INCOME.dimensions
        if dimension.path in asked
    }


def _category(labels: Mapping[str, Mapping[str, Text]], dimension: str, category: str) -> str:
    if not category:
        return str(DIMENSIONS.get(dimension, dimension))
    return say(labels.get(dimension, {}).get(category, {}), language()) or category


def _href(found: Project, name: str, dimension: str, category: str) -> str:
    query = {"category": category} if category else {}
    return url_for("console.evidence", number=found.number, name=name, dimension=dimension, **query)  # type: ignore[arg-type]
