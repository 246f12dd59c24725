"""Relevance, calculation, required, constraint and choices of one form version -> findings about one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from forms.definition import Answers, FormDefinition, say
from forms.errors import BrokenForm
from forms.expression.code import assign, call, function, give, name, target
from forms.expression.table import Row, Table
from forms.fault import broken, fault
from forms.finding import Finding, Severity
from forms.program import spread
from forms.program.build import Builder, assemble, prepare, tables_of
from forms.program.layout import Layout
from forms.program.load import loaders, put_back, unload
from forms.program.logic import logic
from forms.program.rules import rules
from forms.program.run import BUDGET, NoList, Run, Slots, TooMuch, undecidable
from forms.program.source import Fault

Rows: TypeAlias = Table | Sequence[Row]
ODD = (AttributeError, KeyError, TypeError, ValueError)
"""What loading answers raises when something in them is odd."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about one submission besides its answers.

    `attachments` are the file names that have arrived, None while they may still come. `lists` replace the form's
    own external lists by instance id; what depends on them is never certain, since they live on."""

    started_at: datetime | None
    ended_at: datetime | None
    received_at: datetime | None = None
    attachments: frozenset[str] | None = None
    is_edited: bool = False
    lists: Mapping[str, Table] = field(default_factory=dict)
    instance_id: str = ""


class CompiledForm:
    """One form version, ready to judge. Safe to share between threads; the same record gives the same findings."""

    def __init__(self, definition: FormDefinition, builder: Builder, tables: Mapping[str, Table]) -> None:
        self.definition = definition
        self._layout: Layout = builder.layout
        self._tables = dict(tables)
        self._language = _language_code(definition.default_language)
        self._types = spread.checkers(definition)
        names = _generate(builder)
        self._load: Callable[[Answers, str], Slots] = names["load0"]
        self._logic: Callable[[Run, Slots], None] = names["logic"]
        self._check: Callable[[Run, Slots], None] = names["check"]
        self._name: Callable[[Run, Slots], str] | None = names.get("instance_name")
        undecidable = builder.undecidable()
        self.undecidable = {f"{'/'.join(path)} {attribute}": why for (path, attribute), why in undecidable.items()}
        """Rules that are not judged, by "path attribute", and why: only the device knew, or the time is gone."""

    def check_whole(self, answers: Answers, context: Context) -> tuple[Finding, ...] | None:
        """Everything that the answers do not meet; None, and nothing judged, when one is not of its type or they are
        not of the form's shape."""
        try:
            slots = self._load(answers, "")
        except ODD:
            return None
        run = self._run(context)
        return self._judged(run, slots)

    def check(self, answers: Answers, context: Context, wrong: frozenset[str] | None = None) -> tuple[Finding, ...]:
        """Everything that the answers do not meet. `wrong` are the paths whose values are known not to be of their
        type and were reported by the caller; None: they are looked for, and reported, here."""
        whole = self.check_whole(answers, context)
        if whole is not None:
            return whole
        mistyped: list[Finding] = []
        if wrong is None:
            mistyped = spread.mistyped(self._types, answers)
            wrong = frozenset(finding.path for finding in mistyped)
        run = self._run(context)
        judged = self._judged(run, self._slots(answers, wrong))
        resting = {id(one) for spec, one in run.found if spread.is_suppressed(spec, one.path, wrong)}
        return (*mistyped, *(one for one in judged if id(one) not in resting))

    def _judged(self, run: Run, slots: Slots) -> tuple[Finding, ...]:
        try:
            self._check(run, slots)
        except TooMuch:
            run.unjudged.append(replace(undecidable(rows=str(BUDGET)), severity=Severity.WARNING))
        return (*[finding for _, finding in run.found], *run.unjudged)

    def complete(self, answers: Answers, context: Context) -> Answers:
        """What a client would have stored: defaults for what is absent, calculations, no irrelevant answers.

        An answer that is not of its question's type stays as it is; what follows from it is that of a blank."""
        return self._filled(spread.with_defaults(self.definition, answers, context), context, is_beginning=True)

    def calculate(self, answers: Answers, context: Context) -> Answers:
        """The answers with every calculation worked out and irrelevant answers dropped, no defaults added; one that
        is not of its question's type stays as it is."""
        return self._filled(answers, context, is_beginning=False)

    def instance_name(self, answers: Answers, context: Context) -> str:
        """What the form calls this record (meta/instanceName), or "" when it does not say or cannot."""
        if self._name is None:
            return ""
        run, slots = self._logic_done(answers, context, is_beginning=False)
        try:
            return self._name(run, slots)
        except NoList:
            return ""

    def _filled(self, answers: Answers, context: Context, *, is_beginning: bool) -> Answers:
        _, slots = self._logic_done(answers, context, is_beginning=is_beginning)
        given = spread.shaped(self.definition, answers)
        for one in spread.mistyped(self._types, given):
            put_back(self._layout, slots, one.path, spread.text_at(given, one.path))
        return unload(self._layout, slots)

    def _logic_done(self, answers: Answers, context: Context, *, is_beginning: bool) -> tuple[Run, Slots]:
        mistyped = spread.mistyped(self._types, answers)
        run = self.filling(context, is_beginning=is_beginning)
        slots = self._slots(answers, frozenset(finding.path for finding in mistyped))
        with suppress(TooMuch):
            self._logic(run, slots)
        return run, slots

    def filling(self, context: Context, *, is_beginning: bool) -> Run:
        """A run that fills in instead of judging; its clock stands where the interview ends."""
        run = self._run(context)
        run.is_filling, run.is_beginning = True, is_beginning
        return run

    def _slots(self, answers: Answers, wrong: frozenset[str]) -> Slots:
        """Whatever was sent: what is not of its type or of the form's shape is kept apart, never judged."""
        shaped = spread.shaped(self.definition, answers)
        wrong = wrong | {finding.path for finding in spread.mistyped(self._types, shaped)}
        return self._load(spread.without(self.definition, shaped, wrong), "")

    def _run(self, context: Context) -> Run:
        return Run(self._tables, context, self._language)

    def has_list(self, instance_id: str) -> bool:
        """Whether the rows of a list are at hand without being given to each check."""
        return instance_id in self._tables

    def label(self, path: tuple[str, ...], language: str) -> str:
        """A question's label as written, in the reader's language or the form's."""
        node = self.definition.at(path)
        return "" if node is None else say(node.label, language, self.definition.default_language)


def compile_form(definition: FormDefinition, rows: Mapping[str, Rows] | None = None) -> CompiledForm:
    """The form's logic, compiled. `rows` are its external lists by instance id, as this version pins them.
    BrokenForm when an expression cannot be compiled; its `faults` name each by path and column."""
    builder = prepare(definition)
    tables = tables_of(definition)
    for instance_id, found in (rows or {}).items():
        tables[instance_id] = found if isinstance(found, Table) else Table(found)
    if builder.sources.faults:
        raise _broken(builder.sources.faults)
    compiled = CompiledForm(definition, builder, tables)
    if builder.sources.faults:
        raise _broken(builder.sources.faults)
    return compiled


def _generate(builder: Builder) -> dict[str, Callable[..., Any]]:
    """load0 fills the slots, logic() decides, check() decides and judges."""
    statements = loaders(builder)
    pass_on = assign(target("_"), call("logic", name("c"), name("f0")))
    statements.append(function("logic", ["c", "f0"], [*logic(builder), give(name("f0"))]))
    statements.append(function("check", ["c", "f0"], [pass_on, *rules(builder), give(name("f0"))]))
    named = builder.variants.get((("meta", "instanceName"), "instance_name"))
    if named is not None:
        statements.append(function("instance_name", ["c", "f0"], [give(named.trees[0][0])]))
    return assemble(builder.program, statements)


def _broken(faults: list[Fault]) -> BrokenForm:
    return broken(
        [fault(one.refusal.words, column=one.column, path=one.path, params=one.refusal.params) for one in faults]
    )


def _language_code(language: str) -> str:
    """ "Bahasa Indonesia (id)" -> "id"."""
    return language.rpartition("(")[2].rstrip(")").strip() or language
