"""The study's indicators, computed from records and never written down. Pure: no session, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import fmean, median
from typing import Any

from forms.definition import Answers, FormDefinition, Path
from sync.consolidate.table import leaves

Number = int | float


@dataclass(frozen=True, slots=True)
class Dimension:
    """What the records are grouped by: the codes at `path`. A record with several codes is in several groups."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class IndicatorSpec:
    """An amount before and after, asked in one form. Data, so that another study can have its own."""

    form_id: str
    before: Path
    after: Path
    dimensions: tuple[Dimension, ...]
    consent: tuple[Path, str] | None = None
    """The answer without which a record was never an interview; such a record is not even missing."""

    def fits(self, definition: FormDefinition) -> bool:
        """Whether the form asks for all of it."""
        wanted = {self.before, self.after, *(dimension.path for dimension in self.dimensions)}
        return wanted <= {question.path for question in definition.questions()}


@dataclass(frozen=True, slots=True)
class Observation:
    """What one record says. An amount that is blank or no number is None."""

    instance_id: str
    op_id: str
    revision: int
    before: Decimal | None
    after: Decimal | None
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def change(self) -> Decimal | None:
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def change_pct(self) -> Decimal | None:
        """In percent of the amount before. From nothing, or less, there is no percentage."""
        if self.change is None or self.before is None or self.before <= 0:
            return None
        return self.change / self.before * 100


VALUES: Mapping[str, Callable[[Observation], Decimal | None]] = {
    "income_before": lambda seen: seen.before,
    "income_after": lambda seen: seen.after,
    "income_change": lambda seen: seen.change,
    "income_change_pct": lambda seen: seen.change_pct,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One indicator over one group of records, with every record behind it."""

    name: str
    dimension: str
    category: str
    n: int
    missing: int
    mean: float | None
    median: float | None
    least: float | None
    most: float | None
    evidence: list[dict[str, Any]]


def observe(spec: IndicatorSpec, answers: Answers, instance_id: str, op_id: str, revision: int) -> Observation | None:
    """The record as an observation; None when there was no interview."""
    if spec.consent is not None and spec.consent[1] not in leaves(answers, spec.consent[0]):
        return None
    return Observation(
        instance_id,
        op_id,
        revision,
        _amount(answers, spec.before),
        _amount(answers, spec.after),
        {dimension.name: _codes(answers, dimension.path) for dimension in spec.dimensions},
    )


def figures(spec: IndicatorSpec, observations: Sequence[Observation]) -> Iterator[Figure]:
    """Every indicator for all records, then for each group of each dimension."""
    for name in VALUES:
        yield _figure(name, "all", "", observations)
        for dimension in spec.dimensions:
            codes = frozenset().union(*(seen.groups[dimension.name] for seen in observations))
            for code in sorted(codes):
                members = [seen for seen in observations if code in seen.groups[dimension.name]]
                yield _figure(name, dimension.name, code, members)


def _figure(name: str, dimension: str, category: str, observations: Iterable[Observation]) -> Figure:
    value_of = VALUES[name]
    pairs = [(seen, value_of(seen)) for seen in observations]
    present = sorted(float(value) for _seen, value in pairs if value is not None)
    return Figure(
        name=name,
        dimension=dimension,
        category=category,
        n=len(present),
        missing=len(pairs) - len(present),
        mean=fmean(present) if present else None,
        median=median(present) if present else None,
        least=present[0] if present else None,
        most=present[-1] if present else None,
        evidence=[_evidence(seen, value) for seen, value in pairs],
    )


def _evidence(seen: Observation, value: Decimal | None) -> dict[str, Any]:
    return {
        "instance_id": seen.instance_id,
        "op_id": seen.op_id,
        "revision": seen.revision,
        "value": None if value is None else _plain(value),
    }


def _plain(value: Decimal) -> Number:
    return int(value) if value == value.to_integral_value() else float(value)


def _amount(answers: Answers, path: Path) -> Decimal | None:
    text = next(leaves(answers, path), "")
    return Decimal(text) if re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,9})?", text) else None


def _codes(answers: Answers, path: Path) -> frozenset[str]:
    return frozenset(code for value in leaves(answers, path) for code in value.split())
