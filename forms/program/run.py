"""One check while it runs: the clock, the lists, and what has been found."""

from __future__ import annotations

import math
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, TypeAlias

from forms.definition import DataType, Itemset, Question, Repeat, say
from forms.expression.dates import days
from forms.expression.numbers import lenient, number, stored_number, stored_text
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from forms.program.interval import MOST_DAYS, Times, days_between, interval, offset_minutes, written
from forms.program.layout import PREFIX, Place
from forms.program.spec import Spec

Slots: TypeAlias = list[Any]
LONGEST_VALUE = 1_000
BUDGET = 2_000_000
"""Rows and occurrences that the logic of a form may look through one by one for one record."""
LABEL = "label::"
"""Before the language, in the name of the column that holds a choice's label in it."""
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class NoList(Exception):  # a signal inside the program, never shown
    """An external list is not at hand: what depends on it cannot be judged."""


class TooMuch(Exception):  # a signal inside the program, never shown
    """The form's logic looks through more rows than a record is worth."""


class Known(Times, Protocol):
    """What is known about one submission besides its answers: see `forms.check.Context`."""

    @property
    def attachments(self) -> frozenset[str] | None: ...

    @property
    def lists(self) -> Mapping[str, Table]: ...

    @property
    def instance_id(self) -> str: ...


@dataclass(slots=True)
class Run:
    """What the generated program calls `c`."""

    tables: Mapping[str, Table]
    known: Known
    language: str
    is_filling: bool = False
    """It fills in what a client would have computed instead of judging what came."""
    is_beginning: bool = False
    """Filling in starts from nothing: defaults are set as well."""
    is_doubtful: bool = False
    """Something was worked out on which engines differ only for such values: what the rule finds is not certain."""
    spent: int = 0
    any_day: str = ""
    any_moment: str = ""
    """What `on_days` sets, one day after the other."""
    found: list[tuple[Spec, Finding]] = field(default_factory=list)
    unjudged: list[Finding] = field(default_factory=list)
    _ends: tuple[datetime, datetime] | None = None
    _low_day: str = ""
    _high_day: str = ""
    _missing: set[str] = field(default_factory=set)

    # What expressions ask for

    @property
    def low_day(self) -> str:
        if not self._low_day:
            self._low_day = self.ends[0].date().isoformat()
        return self._low_day

    @property
    def high_day(self) -> str:
        if not self._high_day:
            self._high_day = self.ends[1].date().isoformat()
        return self._high_day

    @property
    def low_moment(self) -> str:
        return written(self.ends[0])

    @property
    def high_moment(self) -> str:
        return written(self.ends[1])

    @property
    def ends(self) -> tuple[datetime, datetime]:
        """When the interview may have been: most forms never ask. Filling in happens at one moment."""
        if self._ends is None:
            moment = self.known.ended_at or self.known.received_at or self.known.started_at
            self._ends = (moment, moment) if self.is_filling and moment is not None else interval(self.known)
        return self._ends

    @property
    def offset_minutes(self) -> int:
        return offset_minutes(self.known)

    def some_day(self, judge: Callable[..., bool], *frames: object) -> bool:
        """Whether it is so on some day between the ends of the interview; of a very long one, it may be."""
        return any(self._on_days(True, judge, frames))

    def every_day(self, judge: Callable[..., bool], *frames: object) -> bool:
        """Whether it is so on every day between the ends; of a very long interview, it may not be."""
        return all(self._on_days(False, judge, frames))

    def _on_days(self, default: bool, judge: Callable[..., bool], frames: tuple[object, ...]) -> Iterator[bool]:
        low, high = self.ends
        if (high - low).days > MOST_DAYS:
            yield default
            return
        for day in days_between(low, high):
            self.any_day = day.isoformat()
            self.any_moment = written(datetime.combine(day, time(12), low.tzinfo))
            yield judge(self, *frames)

    def number(self, text: str) -> float:
        """number() of a text; where only one engine finds a number in it, nothing follows for certain."""
        found = number(text)
        if found != found and text and lenient(text) == lenient(text):
            self.is_doubtful = True
        return found

    def spend(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Lists inside lists inside lists: TooMuch before a form can keep the server busy."""
        self.spent += len(rows)
        if self.spent > BUDGET:
            raise TooMuch
        return rows

    def table(self, instance_id: str) -> Table:
        found = self.known.lists.get(instance_id)
        found = self.tables.get(instance_id) if found is None else found
        if found is None:
            raise NoList(instance_id)
        return found

    def meta(self, name: str) -> str:
        return self.known.instance_id if name == "instanceID" else ""

    def uuid(self, *length: object) -> str:
        return str(uuid.uuid4())

    def random(self) -> float:
        return random.random()

    def nothing(self, *arguments: object) -> str:
        return ""

    def choice_label(self, itemset: Itemset, name: str) -> str:
        for choice in itemset.choices:
            if choice.name == name:
                return say(choice.label, self.language)
        if not itemset.instance or "/" in itemset.instance:
            return ""
        rows = self.table(itemset.instance).where(itemset.value_column, name)
        if not rows:
            return ""
        labels = {name.removeprefix(LABEL): words for name, words in rows[0].items() if name.startswith(LABEL)}
        return say(labels, self.language) or rows[0].get(itemset.label_column) or rows[0].get("label", "")

    # What rules report

    def report(self, spec: Spec, frame: Slots, failed: int = 1, value: str | None = None, **params: str) -> None:
        """A finding about the node of a rule in one frame; `failed` counts the readings that it fails in."""
        if self.is_filling:
            return
        place = spec.place
        if value is None:
            value = frame[place.slot] if isinstance(place.node, Question) else ""
        self.add(spec, f"{frame[PREFIX]}{spec.suffix}", value, failed, params)

    def without(self, *lists: str) -> None:
        """A rule needs a list that is not at hand: said once for each list."""
        missing = [one for one in lists if one not in self.tables and one not in self.known.lists]
        for one in missing:
            if one not in self._missing and not self.is_filling:
                self.unjudged.append(undecidable(list=one))
            self._missing.add(one)

    def add(self, spec: Spec, path: str, value: str, failed: int, params: Mapping[str, str]) -> None:
        certain = self.is_certain(spec) and failed >= spec.readings and not self.is_doubtful
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
        if not spec.certain or (self.known.is_edited and not spec.is_bare):
            return False
        live, own = self.known.lists, self.tables
        return all(name in own and name not in live and own[name].is_pinned for name in spec.lists)

    def settle(self, spec: Spec, frame: Slots, *computed: float | str | bool) -> None:
        """A calculation was worked out anew, in each of its readings; it differs from the text that is there."""
        place = spec.place
        if self.is_filling:
            _put(place, frame, computed[0])
            return
        if spec.is_timed and any(low != high for low, high in zip(computed[::2], computed[1::2], strict=True)):
            return
        if any(_is_same(spec, frame[place.slot], one) for one in computed):
            return
        self.report(spec, frame, spec.readings, expected=_text(computed[0])[:LONGEST_VALUE])
        if self.is_certain(spec) and not self.is_doubtful:
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
        arrived = self.known.attachments
        if arrived is not None and frame[spec.place.slot] not in arrived:
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


def undecidable(**why: str) -> Finding:
    """Something about the record that cannot be judged, and why."""
    return Finding(Severity.INFO, Rule.UNDECIDABLE, "", certain=False, params=why)


def _is_same(spec: Spec, stored: str, computed: float | str | bool) -> bool:
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
    is_whole = isinstance(spec.place.node, Question) and spec.place.node.type is DataType.INT
    return _is_close(there, computed, spec.tolerance) or (is_whole and there == math.trunc(computed))


def _is_close(one: float, other: float, tolerance: float = 1e-9) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=tolerance)


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
