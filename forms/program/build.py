"""A definition -> the compiled program of its version: parse, lay out, compile, order, generate."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from forms.definition import Choice, FormDefinition, Path, Question
from forms.expression import code
from forms.expression.code import Tree
from forms.expression.emit import Emitter, Program
from forms.expression.functions import RUNTIME
from forms.expression.scope import HIDDEN, Kind, Notes, Reading, Scope, Taint, scope_at
from forms.expression.steady import is_steady
from forms.expression.syntax import BadExpression, Expression
from forms.expression.table import Table
from forms.program.layout import Layout, lay_out
from forms.program.order import Cycle, Order, Task, Unit
from forms.program.run import LABEL, NoList
from forms.program.source import Sources

_ENTITY_NODES = {"entity_create": ("@create",), "entity_update": ("@update",), "entity_label": ("label",)}
"""Where an entity's expressions stand, below its element."""
MOST_NODES = 20_000
"""Questions and groups of a form whose rules are compiled; the longest questionnaires of the field have some 5,000."""
DEEPEST_REPEAT = 15
"""Python allows 20 loops inside one another."""


@dataclass(slots=True)
class Variants:
    """One expression, compiled in each reading and, where it asks for the time, at both ends of the interview."""

    trees: list[list[Tree]]
    """By reading, then by clock."""
    notes: Notes
    between: list[tuple[Tree, ...]] = field(default_factory=list)
    """By reading: a function and its arguments that judge any one day of the interview, when its two ends do not say
    all about the days between."""

    @property
    def is_timed(self) -> bool:
        return Taint.TIME in self.notes.taints

    @property
    def is_hidden(self) -> bool:
        """Only the device could know the outcome."""
        return bool(self.notes.taints & HIDDEN)

    def ever(self) -> list[Tree]:
        """For each reading, whether it is true at some time of the interview."""
        return [code.either(*clocks, *self._days("some_day", at)) for at, clocks in enumerate(self.trees)]

    def always(self) -> list[Tree]:
        """For each reading, whether it is true all the time."""
        return [code.both(*clocks, *self._days("every_day", at)) for at, clocks in enumerate(self.trees)]

    def _days(self, question: str, at: int) -> list[Tree]:
        return [code.method(code.name("c"), question, *self.between[at])] if self.between else []


@dataclass(slots=True)
class Builder:
    """Everything that is known while one form version is compiled."""

    definition: FormDefinition
    sources: Sources
    layout: Layout
    program: Program = field(default_factory=Program)
    variants: dict[tuple[Path, str], Variants] = field(default_factory=dict)
    unjudged: dict[tuple[Path, str], tuple[str, ...]] = field(default_factory=dict)
    """Rules about which nothing can be concluded from a record alone, and why."""
    order: Order = field(init=False)

    def __post_init__(self) -> None:
        self.order = Order(self.layout, {})

    def compile(self) -> None:
        """Compile every expression, and put relevance and calculation in order."""
        if len(self.layout.places) > MOST_NODES:
            sizes = {"number": str(len(self.layout.places)), "most": str(MOST_NODES)}
            too_many = BadExpression("the form has {number} questions and groups, more than {most}", **sizes)
            self.sources.fault((), "", too_many)
            return
        for path in self.layout.frames:
            if len(self.layout.frames[path].chain()) > DEEPEST_REPEAT:
                deepest = BadExpression("repeats are nested more than {most} deep", most=str(DEEPEST_REPEAT))
                self.sources.fault(path, "type", deepest)
                return
        for (path, attribute), expression in self.sources.parsed.items():
            self._compile(path, attribute, expression)
        self._arrange()

    def _compile(self, path: Path, attribute: str, expression: Expression) -> None:
        if attribute == "choice_filter":
            return  # compiled with the choices that it filters
        compiled = self.expression(path, attribute, expression, self.scope(path, attribute), self.want(path, attribute))
        if compiled is not None:
            self.variants[path, attribute] = compiled

    def undecidable(self) -> Mapping[tuple[Path, str], tuple[str, ...]]:
        """Rules that are not judged, and why; those of the controls themselves once the rules have been made."""
        hidden = {
            place: tuple(sorted(taint.value for taint in found.notes.taints & HIDDEN))
            for place, found in self.variants.items()
            if found.is_hidden
        }
        return hidden | self.unjudged

    def scope(self, path: Path, attribute: str) -> Scope:
        if attribute == "count":
            return self.outside(path)
        return scope_at(self.layout, (*path, *_ENTITY_NODES.get(attribute, ())))

    def outside(self, path: Path) -> Scope:
        """A repeat's own node, before any occurrence of it: where jr:count stands."""
        around = scope_at(self.layout, path[:-1])
        return Scope(self.layout, path, around.frames, around.names)

    def want(self, path: Path, attribute: str) -> Kind | None:
        if attribute in ("relevant", "required", "constraint", "readonly", "entity_create", "entity_update"):
            return Kind.TRUTH
        if attribute == "count":
            return Kind.NUMBER
        place = self.layout.places.get(path)
        if attribute == "calculate" and place is not None and self.is_number(path):
            return Kind.NUMBER
        return None if attribute == "calculate" else Kind.TEXT

    def is_number(self, path: Path) -> bool:
        """The node's number is what a calculation of it gives (a date's number is only its days)."""
        place = self.layout.places[path]
        return place.has_number and isinstance(place.node, Question) and place.node.type.value != "date"

    def expression(
        self, path: Path, attribute: str, expression: Expression, scope: Scope, want: Kind | None
    ) -> Variants | None:
        """All variants; None, with a fault, when it cannot be compiled."""
        notes = Notes()
        try:
            trees = [self._clocks(expression, scope, want, notes, Reading.ADOPTED)]
            if notes.diverges:
                trees.append(self._clocks(expression, scope, want, notes, Reading.OTHER))
            between = []
            if Taint.TIME in notes.taints and want is Kind.TRUTH and not is_steady(expression):
                readings = list(Reading)[: len(trees)]
                between = [self._between(expression, scope, want, notes, reading) for reading in readings]
        except BadExpression as refusal:
            self.sources.fault(path, attribute, refusal)
            return None
        return Variants(trees, notes, between)

    def _clocks(
        self, expression: Expression, scope: Scope, want: Kind | None, notes: Notes, reading: Reading
    ) -> list[Tree]:
        low = self._one(expression, scope, want, notes, reading, "low")
        if Taint.TIME not in notes.taints:
            return [low]
        return [low, self._one(expression, scope, want, notes, reading, "high")]

    def _between(
        self, expression: Expression, scope: Scope, want: Kind | None, notes: Notes, reading: Reading
    ) -> tuple[Tree, ...]:
        tree = self._one(expression, scope, want, notes, reading, "any")
        return self.program.function(tree, scope.names), *map(code.name, scope.names[1:])

    def _one(
        self, expression: Expression, scope: Scope, want: Kind | None, notes: Notes, reading: Reading, clock: str
    ) -> Tree:
        there = Scope(scope.layout, scope.path, scope.frames, scope.names, reading, clock)
        return Emitter(self.program, notes).compiled(expression, there, want)

    def _arrange(self) -> None:
        tasks = {"relevant": Task.RELEVANCE, "calculate": Task.CALCULATION}
        notes: dict[Unit, Notes] = {
            (path, tasks[attribute]): compiled.notes
            for (path, attribute), compiled in self.variants.items()
            if attribute in tasks and path in self.layout.places
        }
        self.order = Order(self.layout, notes)
        try:
            self.order.arrange()
        except Cycle as cycle:
            path = cycle.paths[0]
            attribute = "calculate" if (path, Task.CALCULATION) in notes else "relevant"
            self.sources.fault(path, attribute, BadExpression("it waits for itself: {circle}", circle=str(cycle)))


def prepare(definition: FormDefinition) -> Builder:
    """Parsed, laid out and compiled; the faults are in `sources.faults`."""
    sources = Sources(definition)
    sources.read()
    builder = Builder(definition, sources, lay_out(definition, sources.numeric()))
    builder.compile()
    return builder


def assemble(program: Program, statements: list[ast.stmt]) -> dict[str, Callable[..., Any]]:
    """Python's compiler makes the functions: the tree holds names of ours and constants, never text to be read."""
    module = ast.Module(body=[*program.functions, *statements], type_ignores=[])
    names: dict[str, Any] = {"__builtins__": {}, **RUNTIME, **program.constants, "NoList": NoList}
    exec(compile(module, "<form>", "exec"), names)  # noqa: S102  # a syntax tree of our own making
    return names


def tables_of(definition: FormDefinition) -> dict[str, Table]:
    """The lists that are written in the form itself."""
    return {
        instance.id: Table([_row(choice, definition) for choice in instance.choices])
        for instance in definition.instances.values()
        if not instance.src
    }


def _row(choice: Choice, definition: FormDefinition) -> Mapping[str, str]:
    labels = {f"{LABEL}{language}": words for language, words in choice.label.items()}
    label = choice.label.get(definition.default_language) or next(iter(choice.label.values()), "")
    return {"name": choice.name, "label": label, **labels, **choice.columns}
