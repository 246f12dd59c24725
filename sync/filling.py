"""One filled-in form, read by its own version of the form, and what is noticed about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forms.check import CompiledForm, Context
from forms.definition import Answers, FormDefinition, Question
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from forms.flat import flatten
from forms.instance import Envelope, attachment_names, read_answers
from schemas.answers import judge

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
    return Filling(compiled, envelope, reading.answers, flatten(definition, reading.answers), reading.findings)


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
    expected = frozenset(attachment_names(definition, answers))
    unexpected = (name for name in announced if name not in expected)
    found.extend(_finding(Severity.INFO, Rule.ATTACHMENT, name, reason="unexpected") for name in unexpected)
    return tuple(found)


def asks_lists(definition: FormDefinition) -> bool:
    """Whether its checks look something up outside the form, so that they depend on what is known at that moment."""
    return any(instance.src for instance in definition.instances.values())


def derived_paths(definition: FormDefinition) -> frozenset[str]:
    """What nobody writes: calculations, and what the device fills in by itself."""
    return frozenset("/".join(question.path) for question in definition.questions() if _is_derived(question))


def _is_derived(question: Question) -> bool:
    return not question.control and bool(question.calculate or question.preload or question.is_set_by_action)


def _finding(severity: Severity, rule: Rule, value: str, **params: str) -> Finding:
    return Finding(severity, rule, "", value, params=params)
