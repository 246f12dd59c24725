"""One filled-in form, read by its own version of the form, and what is noticed about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forms.check import CompiledForm, Context
from forms.definition import Answers, FormDefinition, Question
from forms.derived import Derived
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from forms.flat import flatten, unflatten
from forms.instance import Envelope, attachment_names, read_answers
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
    return judge(compiled, answers, context).findings


def notice(
    definition: FormDefinition, answers: Answers, times: Times, *, announced: Sequence[str], current: str | None
) -> tuple[Finding, ...]:
    """What the server itself notices: an earlier version, a clock, a file that the form does not ask for."""
    found: list[Finding] = []
    if current is not None and definition.version != current:
        found.append(_finding(Severity.INFO, Rule.VERSION, definition.version, expected=current))
    if times.ended_at is not None and times.ended_at > times.received_at + CLOCK_TOLERANCE:
        found.append(
            _finding(Severity.WARNING, Rule.CLOCK, times.ended_at.isoformat(), expected=times.received_at.isoformat())
        )
    expected = frozenset(attachment_names(definition, answers)) if announced else frozenset()
    unexpected = (name for name in announced if name not in expected)
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
    worked_out = flatten(definition, compiled.calculate(answers, context))
    flat = flatten(definition, answers)
    return unflatten(definition, flat | {path: worked_out[path] for path in again if flat[path] is not None})


def _derived_paths(definition: FormDefinition) -> frozenset[str]:
    return frozenset("/".join(question.path) for question in definition.questions() if _is_derived(question))


def _recalculated_paths(definition: FormDefinition) -> frozenset[str]:
    questions = (question for question in definition.questions() if question.calculate and _is_derived(question))
    found = {"/".join(question.path) for question in questions if not DEVICE_KNOWS.search(question.calculate)}
    return frozenset(found & asked_paths(definition))


def _asked_paths(definition: FormDefinition) -> frozenset[str]:
    return frozenset(flatten(definition, {}))


asks_lists = Derived(_asks_lists)
"""Whether its checks look something up outside the form, so that they depend on what is known at that moment."""

derived_paths = Derived(_derived_paths)
"""What nobody writes: calculations, and what the device fills in by itself."""

recalculated_paths = Derived(_recalculated_paths)
"""Of these, what follows from the other answers alone; repeats are left as they are."""

asked_paths = Derived(_asked_paths)
"""Every path that an operation of this version may write."""


def _is_derived(question: Question) -> bool:
    return not question.control and bool(question.calculate or question.preload or question.is_set_by_action)


def _finding(severity: Severity, rule: Rule, value: str, **params: str) -> Finding:
    return Finding(severity, rule, "", value, params=params)
