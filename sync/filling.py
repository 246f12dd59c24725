"""One filled-in form, read by its own version of the form, and what is noticed about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forms.check import CompiledForm, Context
from forms.definition import Answers, FormDefinition, Question
from forms.derived import Derived
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from forms.flat import flatten, has_keys, plain
from forms.instance import Envelope, read_answers
from forms.outline import Branch, Leaf, outline
from forms.policy import Policy, policies
from schemas.answers import judge

DEVICE_KNOWS = re.compile(
    r"\b(?:once|uuid|random|randomize|now|today|property|version|last-saved|position|pulldata|instance)\s*\("
)

CLOCK_TOLERANCE = timedelta(minutes=15)
"""A tablet's clock may be this far ahead before somebody should look at it."""


@dataclass(frozen=True, slots=True)
class Filling:
    """An instance as its XML says it: nested and flat, lexical."""

    compiled: CompiledForm
    envelope: Envelope
    answers: Answers
    flat: Mapping[str, str | None]
    findings: tuple[Finding, ...]
    """Of the reading alone: unknown and repeated nodes."""
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Times:
    """When the interview was made by the device's clock, and when it arrived by ours."""

    started_at: datetime | None
    ended_at: datetime | None
    received_at: datetime


def read_filling(compiled: CompiledForm, envelope: Envelope) -> Filling:
    """Nothing about the content refuses it."""
    definition = compiled.definition
    reading = read_answers(definition, envelope)
    flat = flatten(definition, reading.answers)
    times = envelope.started_at, envelope.ended_at
    return Filling(compiled, envelope, reading.answers, flat, reading.findings, *times)


def examine(
    compiled: CompiledForm,
    answers: Answers,
    times: Times,
    *,
    announced: Sequence[str] | None,
    is_edited: bool,
    lists: Mapping[str, Table],
) -> tuple[Finding, ...]:
    """What the form's own rules say. `announced` are the files that came or will come; None when nobody has said."""
    context = Context(
        started_at=times.started_at,
        ended_at=times.ended_at,
        received_at=times.received_at,
        attachments=None if announced is None else frozenset(announced),
        is_edited=is_edited,
        lists=lists,
    )
    return judge(compiled, answers, context)


def notice(
    definition: FormDefinition, times: Times, *, unexpected: Sequence[str], current: str | None
) -> tuple[Finding, ...]:
    """What the server itself notices: an earlier version, a clock, a file that the form does not ask for."""
    found: list[Finding] = []
    if current is not None and definition.version != current:
        found.append(_finding(Severity.INFO, Rule.VERSION, definition.version, expected=current))
    if times.ended_at is not None and times.ended_at > times.received_at + CLOCK_TOLERANCE:
        found.append(
            _finding(Severity.WARNING, Rule.CLOCK, times.ended_at.isoformat(), expected=times.received_at.isoformat())
        )
    found.extend(_finding(Severity.INFO, Rule.ATTACHMENT, name, reason="unexpected") for name in unexpected)
    return tuple(found)


def _asks_lists(definition: FormDefinition) -> bool:
    return any(instance.src for instance in definition.instances.values())


def recalculate(compiled: CompiledForm, answers: Answers, times: Times, lists: Mapping[str, Table]) -> Answers:
    """Merged answers with their calculations worked out again: two devices' halves have one sum.

    Nothing else changes: what has become irrelevant was still answered by somebody. A value that only its device
    could know (a random number, the day) stays."""
    definition = compiled.definition
    again = recalculated_paths(definition)
    if not again:
        return answers
    context = Context(times.started_at, times.ended_at, times.received_at, is_edited=True, lists=lists)
    return _taken_over(outline(definition), answers, compiled.calculate(answers, context), again)


def _taken_over(branch: Branch, answers: Answers, worked_out: Answers, again: frozenset[str]) -> Answers:
    taken = dict(answers)
    for child in branch.children:
        old, new = answers.get(child.name), worked_out.get(child.name)
        if isinstance(child, Leaf):
            if child.path in again and old is not None:
                taken[child.name] = new
        elif not child.is_repeat:
            taken[child.name] = _taken_over(child, old or {}, new or {}, again)
        elif len(old or ()) == len(new or ()):
            # Where an entry has become irrelevant nobody can say which is which.
            pairs = zip(old or (), new or (), strict=True)
            taken[child.name] = [_taken_over(child, one, other, again) for one, other in pairs]
    return taken


def _derived_paths(definition: FormDefinition) -> frozenset[str]:
    return frozenset("/".join(question.path) for question in definition.questions() if _is_derived(question))


def _recalculated_paths(definition: FormDefinition) -> frozenset[str]:
    questions = (question for question in definition.questions() if question.calculate and _is_derived(question))
    return frozenset("/".join(question.path) for question in questions if not DEVICE_KNOWS.search(question.calculate))


def derived_among(definition: FormDefinition, paths: Iterable[str]) -> frozenset[str]:
    """What nobody writes: calculations, and what the device fills in by itself."""
    derived = _derived(definition)
    if not has_keys(definition):
        return derived
    return frozenset(path for path in paths if plain(definition, path) in derived)


def policies_among(definition: FormDefinition, paths: Iterable[str]) -> Mapping[str, Policy]:
    """The policies that the form declares for these paths."""
    declared = policies(definition)
    if not declared or not has_keys(definition):
        return declared
    asked = {path: plain(definition, path) or "" for path in paths}
    return {path: declared[question] for path, question in asked.items() if question in declared}


def unasked(definition: FormDefinition, paths: Iterable[str]) -> list[str]:
    """Those of the paths that an operation of this version may not write."""
    asked = _asked(definition)
    return [path for path in paths if path not in asked and plain(definition, path) is None]


def _asked_paths(definition: FormDefinition) -> frozenset[str]:
    return frozenset(flatten(definition, {}))


asks_lists = Derived(_asks_lists)
"""Whether its checks look something up outside the form, so that they depend on what is known at that moment."""

_derived = Derived(_derived_paths)

_asked = Derived(_asked_paths)
"""The paths without a key on their way: nearly all."""

recalculated_paths = Derived(_recalculated_paths)
"""Of what nobody writes, what follows from the other answers alone."""


def _is_derived(question: Question) -> bool:
    return not question.control and bool(question.calculate or question.preload or question.is_set_by_action)


def _finding(severity: Severity, rule: Rule, value: str, **params: str) -> Finding:
    return Finding(severity, rule, "", value, params=params)
