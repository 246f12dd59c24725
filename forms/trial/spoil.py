"""Invalid answers: a valid record in which exactly one rule of the form is broken, and which."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from random import Random

from forms.check import Context
from forms.definition import Answers, DataType, Question, Repeat
from forms.errors import Kind, Problem
from forms.expression.numbers import stored_number, stored_text
from forms.expression.scope import Reading
from forms.finding import Rule
from forms.program.run import Run, Slots
from forms.program.source import is_always
from forms.trial.draw import Draw
from forms.trial.fill import fill, moment, wisher
from forms.trial.probe import Probe, Spot
from forms.trial.wish import Wish

RECORDS = 25
"""Valid records in which a way to break a rule is looked for."""
DRAWS = 40
_SELECTS = (DataType.SELECT1, DataType.SELECT)
_UNTYPED = {
    DataType.INT: "dua belas",
    DataType.DECIMAL: "1.2.3",
    DataType.BOOLEAN: "mungkin",
    DataType.DATE: "2026-13-45",
    DataType.TIME: "25.61",
    DataType.DATETIME: "kemarin pagi",
    DataType.GEOPOINT: "91.5 200",
    DataType.GEOTRACE: "-8.2 114.3",
    DataType.GEOSHAPE: "-8.2 114.3 0 0",
    DataType.BINARY: "../foto.jpg",
}
"""Texts that no engine takes for one of the type."""
_STEP = re.compile(r"([^\[\]/]+)(?:\[([0-9]+)\])?")


class Unbreakable(Problem):
    """No way was found to break this rule in this form. Choose another rule, or none."""

    kind = Kind.INVALID
    slug = "form/unbreakable"


@dataclass(frozen=True, slots=True)
class Broken:
    """Answers that break one rule, and the finding that they promise. `value` is None when an occurrence of a repeat
    is missing or too many."""

    answers: Answers
    rule: Rule
    path: str
    value: str | None


def spoil(probe: Probe, rng: Random, context: Context, rule: Rule | None = None) -> Broken:
    """One record that breaks `rule`, or any rule that the form has, and no other. Refuses Unbreakable, Unanswerable."""
    for _ in range(RECORDS):
        spoiler = Spoiler(probe, rng, context, fill(probe, rng, context))
        rules = list(RULES) if rule is None else [rule]
        rng.shuffle(rules)
        for one in rules:
            found = spoiler.broken(one)
            if found is not None:
                return found
    raise Unbreakable(rule.value if rule else "")


class Spoiler:
    """A valid record, and the ways to break a rule in it."""

    def __init__(self, probe: Probe, rng: Random, context: Context, valid: Answers) -> None:
        self.probe, self.rng, self.context, self.valid = probe, rng, context, valid
        self.baseline = set(_told(probe, valid, context))
        self.draw = Draw(rng, moment(context))
        self.run = probe.compiled.filling(context, is_beginning=False)
        self.slots: Slots = probe.loaded(copy.deepcopy(valid))
        probe.settle(self.run, self.slots)

    def broken(self, rule: Rule) -> Broken | None:
        """The record with that rule broken somewhere, when there is a place where only that follows from it."""
        spots = list(self.probe.spots(self.slots))
        self.rng.shuffle(spots)
        broken = (self._broken_at(spot, rule) for spot in spots)
        return next((found for found in broken if found is not None and self._is_alone(found)), None)

    def _broken_at(self, spot: Spot, rule: Rule) -> Broken | None:
        node = spot.place.node
        if rule is Rule.REPEAT_COUNT:
            return self._recounted(spot) if isinstance(node, Repeat) else None
        text = _BREAKERS[rule](self, spot, node) if isinstance(node, Question) else None
        return None if text is None else self._changed(rule, spot.path, text)

    def _changed(self, rule: Rule, path: str, text: str) -> Broken | None:
        """The answer put there, and everything that follows from it."""
        changed = _put(self.valid, path, text)
        settled = None if changed is None else self.probe.compiled.calculate(changed, self.context)
        kept = None if settled is None else _put(settled, path, text)
        return None if kept is None else Broken(kept, rule, path, text)

    def _recounted(self, spot: Spot) -> Broken | None:
        if self.probe.count(self.run, spot) is None or not self.probe.is_relevant(self.run, spot):
            return None
        changed = copy.deepcopy(self.valid)
        listed = _listed(changed, spot.path)
        if not listed:
            return None
        if self.rng.random() < 0.5:
            listed.append(copy.deepcopy(listed[-1]))
        else:
            listed.pop()
        return Broken(self.probe.compiled.calculate(changed, self.context), Rule.REPEAT_COUNT, spot.path, None)

    def _is_alone(self, broken: Broken) -> bool:
        """Whether nothing but what is promised is found beyond what was there before."""
        promised = (broken.rule, broken.path)
        return all(one == promised or one in self.baseline for one in _told(self.probe, broken.answers, self.context))

    # One way for each rule: the text that breaks it, or None

    def untyped(self, spot: Spot, question: Question) -> str | None:
        return _UNTYPED.get(question.type) if self._is_shown(spot, question) else None

    def blank(self, spot: Spot, question: Question) -> str | None:
        if not spot.text or not self._is_shown(spot, question) or self.probe.is_hidden(question, "required"):
            return None
        return "" if self._is_everywhere(spot, question, "required", is_true=True) else None

    def forbidden(self, spot: Spot, question: Question) -> str | None:
        rule = self.probe.rule(question, "constraint")
        if rule is None or not self._is_shown(spot, question) or self.probe.is_hidden(question, "constraint"):
            return None
        before = spot.text
        try:
            for _ in range(DRAWS):
                wish = wisher(self.probe, self.run, spot, question, self.rng).wish(rule, is_kept=False)
                text = self.draw.answer(question, wish, self.probe.offered(self.run, spot))
                self.probe.put(spot, text)
                if text and self._is_everywhere(spot, question, "constraint", is_true=False):
                    return text
            return None
        finally:
            self.probe.put(spot, before)

    def unknown(self, spot: Spot, question: Question) -> str | None:
        if question.type not in _SELECTS or not self._is_shown(spot, question):
            return None
        offered = self.probe.offered(self.run, spot)
        if offered is None:
            return None
        listed = self.probe.definition.instances.get(question.itemset.instance if question.itemset else "")
        names = [choice.name for choice in listed.choices] if listed else []
        text = self.rng.choice([name for name in names if name and name not in offered] or ["tidak_ada"])
        return f"{spot.text} {text}".strip() if question.type is DataType.SELECT else text

    def unasked(self, spot: Spot, question: Question) -> str | None:
        if self.probe.is_relevant(self.run, spot) or self._is_timed(question):
            return None
        return self.draw.answer(question, Wish(), self.probe.offered(self.run, spot)) or None

    def miscalculated(self, spot: Spot, question: Question) -> str | None:
        is_fixed = not question.control or is_always(question.readonly)
        variants = self.probe.builder.variants.get((question.path, "calculate"))
        if variants is None or variants.is_hidden or variants.is_timed or not is_fixed:
            return None
        if not self.probe.is_relevant(self.run, spot) or self._is_timed(question):
            return None
        number = stored_number(spot.text)
        return stored_text(number + 7) if number == number else f"{spot.text} lain".strip()

    def changed(self, spot: Spot, question: Question) -> str | None:
        is_set = question.calculate or question.is_set_by_action or question.preload
        if not is_always(question.readonly) or is_set or question.control == "trigger":
            return None
        if not self.probe.is_relevant(self.run, spot):
            return None
        text = self.draw.answer(question, Wish(), self.probe.offered(self.run, spot))
        return text if text != question.default else None

    def off_scale(self, spot: Spot, question: Question) -> str | None:
        if question.range is None or not self._is_shown(spot, question):
            return None
        try:
            start, end, step = (Decimal(bound) for bound in question.range)
        except InvalidOperation:
            return None
        return format(end + (end - start or step), "f") if step else None

    def twice(self, spot: Spot, question: Question) -> str | None:
        if question.type is not DataType.RANK or not spot.text or not self._is_shown(spot, question):
            return None
        names = spot.text.split()
        return " ".join([*names, names[0]])

    def unconfirmed(self, spot: Spot, question: Question) -> str | None:
        return "ok" if question.control == "trigger" and self._is_shown(spot, question) else None

    def _is_shown(self, spot: Spot, question: Question) -> bool:
        """A person's own answer to a question that is there."""
        return question.path in self.probe.asked and self.probe.is_relevant(self.run, spot)

    def _is_timed(self, question: Question) -> bool:
        """Whether its relevance depends on the day."""
        rules = [(question.path[:size], "relevant") for size in range(1, len(question.path) + 1)]
        return any(variants.is_timed for rule in rules if (variants := self.probe.builder.variants.get(rule)))

    def _is_everywhere(self, spot: Spot, question: Question, attribute: str, *, is_true: bool) -> bool:
        """Whether the rule says so in every reading, on the day before and on the day after as well."""
        rule = self.probe.rule(question, attribute)
        return rule is not None and all(
            self.probe.is_true(run, spot, rule, reading) is is_true for run in self._runs() for reading in Reading
        )

    def _runs(self) -> Iterator[Run]:
        for days in (-1, 0, 1):
            shifted = replace(self.context, ended_at=moment(self.context) + timedelta(days=days))
            yield self.probe.compiled.filling(shifted, is_beginning=False)


_BREAKERS: Mapping[Rule, Callable[[Spoiler, Spot, Question], str | None]] = {
    Rule.TYPE: Spoiler.untyped,
    Rule.REQUIRED: Spoiler.blank,
    Rule.CONSTRAINT: Spoiler.forbidden,
    Rule.CHOICE: Spoiler.unknown,
    Rule.RELEVANT: Spoiler.unasked,
    Rule.CALCULATE: Spoiler.miscalculated,
    Rule.READONLY: Spoiler.changed,
    Rule.RANGE: Spoiler.off_scale,
    Rule.RANK: Spoiler.twice,
    Rule.TRIGGER: Spoiler.unconfirmed,
}
RULES: tuple[Rule, ...] = (*_BREAKERS, Rule.REPEAT_COUNT)
"""Those that can be broken."""


def _told(probe: Probe, answers: Answers, context: Context) -> Iterator[tuple[Rule, str]]:
    return ((finding.rule, finding.path) for finding in probe.compiled.check(answers, context))


def _put(answers: Answers, path: str, text: str) -> Answers | None:
    """A copy with this answer there; None when there is no such place."""
    changed = copy.deepcopy(answers)
    *groups, leaf = _STEP.findall(path)
    holder = changed
    for name, position in groups:
        if not position:
            holder = holder.setdefault(name, {})
        elif int(position) <= len(holder.get(name) or ()):
            holder = holder[name][int(position) - 1]
        else:
            return None
    holder[leaf[0]] = text or None
    return changed


def _listed(answers: Answers, path: str) -> list[Answers]:
    """The occurrences of a repeat."""
    *groups, (repeat, _) = _STEP.findall(path)
    holder = answers
    for name, position in groups:
        inner = holder.get(name) or {}
        holder = inner[int(position) - 1] if position else inner
    found: list[Answers] = holder.get(repeat) or []
    return found
