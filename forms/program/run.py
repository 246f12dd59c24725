"""One check while it runs: the clock, the lists, and what has been found."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from forms.definition import DataType, Itemset, Question, Repeat, say
from forms.expression.dates import days
from forms.expression.numbers import NAN, stored_number, stored_text
from forms.expression.table import Table
from forms.finding import Finding, Severity
from forms.program.layout import PREFIX, Place
from forms.program.spec import Spec

Slots: TypeAlias = list[Any]
LONGEST_VALUE = 1_000
BUDGET = 2_000_000
"""Rows and occurrences that the logic of a form may look through one by one for one record."""
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class NoList(Exception):  # a signal inside the program, never shown
    """An external list is not at hand: what depends on it cannot be judged."""


class TooMuch(Exception):  # a signal inside the program, never shown
    """The form's logic looks through more rows than a record is worth."""


@dataclass(slots=True)
class Run:
    """What the generated program calls `c`."""

    tables: Mapping[str, Table]
    live: Mapping[str, Table]
    """Lists that replace the form's own for this check."""
    low_day: str
    high_day: str
    low_moment: str
    high_moment: str
    language: str
    offset_minutes: int
    attachments: frozenset[str] | None = None
    is_edited: bool = False
    is_filling: bool = False
    """It fills in what a client would have computed instead of judging what came."""
    is_beginning: bool = False
    """Filling in starts from nothing: defaults are set as well."""
    spent: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    found: list[tuple[Spec, Finding]] = field(default_factory=list)

    # What expressions ask for

    def spend(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Lists inside lists inside lists: TooMuch before a form can keep the server busy."""
        self.spent += len(rows)
        if self.spent > BUDGET:
            raise TooMuch
        return rows

    def table(self, instance_id: str) -> Table:
        found = self.live.get(instance_id)
        found = self.tables.get(instance_id) if found is None else found
        if found is None:
            raise NoList(instance_id)
        return found

    def meta(self, name: str) -> str:
        return self.metadata.get(name, "")

    def uuid(self, *length: object) -> str:
        return str(uuid.uuid4())

    def random(self) -> float:
        return random.random()

    def nothing(self, *arguments: object) -> str:
        return ""

    def nothing_number(self) -> float:
        return NAN

    def choice_label(self, itemset: Itemset, name: str) -> str:
        for choice in itemset.choices:
            if choice.name == name:
                return say(choice.label, self.language)
        if not itemset.instance or "/" in itemset.instance:
            return ""
        rows = self.table(itemset.instance).where(itemset.value_column, name)
        if not rows:
            return ""
        return rows[0].get(f"label::{self.language}") or rows[0].get(itemset.label_column) or rows[0].get("label", "")

    # What rules report

    def report(self, spec: Spec, frame: Slots, failed: int = 1, value: str | None = None, **params: str) -> None:
        """A finding about the node of a rule in one frame; `failed` counts the readings that it fails in."""
        if self.is_filling:
            return
        place = spec.place
        if value is None:
            value = frame[place.slot] if isinstance(place.node, Question) else ""
        self.add(spec, f"{frame[PREFIX]}{spec.suffix}", value, failed, params)

    def add(self, spec: Spec, path: str, value: str, failed: int, params: Mapping[str, str]) -> None:
        certain = self.is_certain(spec) and failed >= spec.readings
        finding = Finding(
            Severity.ERROR if certain else Severity.WARNING,
            spec.rule,
            path,
            value[:LONGEST_VALUE],
            spec.message,
            certain,
            {**spec.params, **params},
        )
        self.found.append((spec, finding))

    def is_certain(self, spec: Spec) -> bool:
        if not spec.certain or (self.is_edited and not spec.is_bare):
            return False
        return all(name not in self.live and self.tables[name].is_pinned for name in spec.lists if name in self.tables)

    def settle(self, spec: Spec, frame: Slots, *computed: float | str | bool) -> None:
        """A calculation was worked out anew, in each of its readings; it differs from the text that is there."""
        place = spec.place
        if self.is_filling:
            _put(place, frame, computed[0])
            return
        if spec.is_timed and any(low != high for low, high in zip(computed[::2], computed[1::2], strict=True)):
            return
        if any(_is_same(place, frame[place.slot], one) for one in computed):
            return
        self.report(spec, frame, spec.readings, expected=_text(computed[0])[:LONGEST_VALUE])
        if self.is_certain(spec):
            _put(place, frame, computed[0])

    # The controls' own rules

    def report_choices(self, spec: Spec, frame: Slots, unknown: list[str]) -> None:
        self.report(spec, frame, spec.readings, unknown=" ".join(unknown)[:LONGEST_VALUE])

    def is_on_scale(self, text: str, bounds: tuple[Decimal, Decimal, Decimal]) -> bool:
        """Between start and end, a whole number of steps from the start."""
        start, end, step = bounds
        try:
            value = Decimal(text)
            return min(start, end) <= value <= max(start, end) and (value - start) % step == 0
        except InvalidOperation:
            return False

    def is_ranked(self, text: str, names: frozenset[str] | None) -> bool:
        ranked = text.split()
        return len(set(ranked)) == len(ranked) and (names is None or names == set(ranked))

    def expect_attachment(self, spec: Spec, frame: Slots) -> None:
        if self.attachments is not None and frame[spec.place.slot] not in self.attachments:
            self.report(spec, frame)

    def compare_count(self, spec: Spec, frame: Slots, count: float) -> None:
        """A blank count makes no occurrence in one engine and is refused by the other: only flagged."""
        there = len(frame[spec.place.slot])
        wanted = max(0, math.trunc(count)) if math.isfinite(count) else 0
        if there != wanted:
            failed = spec.readings if math.isfinite(count) else 0
            self.report(spec, frame, failed, str(there), expected=str(wanted), count=str(there))

    def drop(self, spec: Spec, frame: Slots, start: int, blank: Slots) -> None:
        """A node is not relevant: report every answer in it, and blank it for whatever reads it."""
        for place in spec.place.inner:
            if isinstance(place.node, Repeat):
                for inner in frame[place.slot]:
                    self.drop_frame(spec, inner, place)
            elif frame[place.slot] != "":
                self._irrelevant(spec, frame, place)
        frame[start : start + len(blank)] = blank

    def drop_frame(self, spec: Spec, frame: Slots, repeat: Place | None = None) -> None:
        """One occurrence of a repeat, by default of the rule's own, is not relevant."""
        repeat = repeat or spec.place
        for place in repeat.inner:
            if isinstance(place.node, Repeat):
                for inner in frame[place.slot]:
                    self.drop_frame(spec, inner, place)
            elif frame[place.slot] != "":
                self._irrelevant(spec, frame, place)

    def _irrelevant(self, spec: Spec, frame: Slots, place: Place) -> None:
        if not self.is_filling:
            path = "/".join(place.node.path[len(place.frame.path) :])
            self.add(spec, f"{frame[PREFIX]}{path}", frame[place.slot], spec.readings, {})


def _put(place: Place, frame: Slots, computed: float | str | bool) -> None:
    text = _text(computed)
    node = place.node
    if isinstance(node, Question) and node.type is DataType.INT and isinstance(computed, float):
        text = stored_text(float(math.trunc(computed))) if math.isfinite(computed) else text
    frame[place.slot] = text
    if place.has_number:
        frame[place.number] = number_of(place, text)


def number_of(place: Place, text: str) -> float:
    """The number that a node keeps beside its text."""
    is_date = isinstance(place.node, Question) and place.node.type is DataType.DATE
    return days(text) if is_date else stored_number(text)


def _text(computed: float | str | bool) -> str:
    if isinstance(computed, bool):
        return "true" if computed else "false"
    return computed if isinstance(computed, str) else stored_text(computed)


def _is_same(place: Place, stored: str, computed: float | str | bool) -> bool:
    """Whether a stored text is what was computed, by the class of what was computed (forms.md, sections 6 and 7)."""
    if isinstance(computed, bool):
        return _TRUTHS.get(stored) is computed
    if isinstance(computed, str):
        return _is_same_text(stored, computed)
    if computed != computed:
        return stored in ("", "NaN")
    if math.isinf(computed):
        return stored == _text(computed)
    there = stored_number(stored)
    is_whole = isinstance(place.node, Question) and place.node.type is DataType.INT
    return _is_close(there, computed) or (is_whole and there == math.trunc(computed))


def _is_close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def _is_same_text(stored: str, computed: str) -> bool:
    if stored == computed or {stored, computed} == {"", "NaN"}:
        return True
    if computed in _TRUTHS and stored in _TRUTHS:
        return _TRUTHS[stored] is _TRUTHS[computed]
    one, other = stored_number(stored), stored_number(computed)
    if one == one and other == other:
        return _is_close(one, other)
    return _is_same_day(stored, computed)


def _is_same_day(stored: str, computed: str) -> bool:
    """JavaRosa stores date() in a text node as a moment at midnight, Web Forms a moment's own clock as well."""
    long, short = (stored, computed) if len(stored) > len(computed) else (computed, stored)
    return len(short) == 10 and long.startswith(f"{short}T") and days(short) == days(long)
