"""A form being filled in: its slots, and what the form's rules say about each of them at this moment."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from forms.check import CompiledForm, Context
from forms.definition import Answers, Group, Itemset, Node, Path, Question, Repeat
from forms.expression import code, lists
from forms.expression.emit import Emitter, Program
from forms.expression.parser import parse
from forms.expression.scope import Kind, Notes, Reading, Scope, scope_at
from forms.expression.syntax import BadExpression, Call, Expression, Literal, Step
from forms.expression.syntax import Path as Steps
from forms.program.build import Builder, assemble, prepare
from forms.program.choices import SEARCH
from forms.program.layout import PREFIX, Layout, Place
from forms.program.load import loaders
from forms.program.logic import logic
from forms.program.run import NoList, Run, Slots, number_of
from forms.program.source import is_always
from forms.program.spread import checkers, defaulted, mistyped, without


@dataclass(frozen=True, slots=True)
class Spot:
    """One occurrence of a node: the frames that it lies in, outermost first, and its positions in their repeats.

    A repeat itself is spotted where it is listed, outside of its occurrences."""

    place: Place
    frames: tuple[Slots, ...]
    positions: tuple[int, ...] = ()

    @property
    def frame(self) -> Slots:
        return self.frames[-1]

    @property
    def path(self) -> str:
        """As findings name it: "business[2]/cost"."""
        below = self.place.node.path[len(self.place.frame.path) :]
        return f"{self.frame[PREFIX]}{'/'.join(below)}"

    @property
    def text(self) -> str:
        return str(self.frame[self.place.slot])


class Probe:
    """One form version, ready to be filled in by machine, as the engine of one reading would take its rules. Made once
    for a form; not shared between threads."""

    def __init__(self, compiled: CompiledForm, reading: Reading = Reading.ADOPTED) -> None:
        self.compiled = compiled
        self.reading = reading
        self.definition = compiled.definition
        self.builder: Builder = prepare(compiled.definition)
        self.layout: Layout = self.builder.layout
        if reading is Reading.OTHER:
            for variants in self.builder.variants.values():
                del variants.trees[:-1]
        names = assemble(self.builder.program, [*loaders(self.builder), _logic(self.builder)])
        self._logic: Callable[[Run, Slots], None] = names["logic"]
        self._load = {path: names[f"load{frame.index}"] for path, frame in self.layout.frames.items()}
        self._asked: dict[tuple[int, Path, Kind | None, Reading], tuple[Expression, Callable[..., Any]]] = {}
        self._types = checkers(self.definition)
        self._itemsets: dict[Path, Expression] = {}
        self.read = frozenset(one.path for notes in self.builder.order.notes.values() for one in notes.reads)
        """What relevance and calculations depend on: an answer elsewhere changes neither."""
        self.asked = frozenset(question.path for question in self.definition.questions() if _is_asked(question))
        """What people answer."""
        self.counting = frozenset(path for repeat in self.definition.repeats() for path in self._counted_by(repeat))
        """What the number of occurrences of some repeat depends on."""

    def _counted_by(self, repeat: Repeat) -> frozenset[Path]:
        variants = self.builder.variants.get((repeat.path, "count"))
        return self.builder.order.doubt_about(variants.notes, repeat.path).reads if variants else frozenset()

    def begin(self, run: Run, context: Context) -> Slots:
        """The blank record of a client: defaults and its own times filled in."""
        slots = self.loaded(defaulted(self.definition.root.children, {}, context))
        self.settle(run, slots)
        run.is_beginning = False
        return slots

    def loaded(self, answers: Answers) -> Slots:
        """The record; what is not of its type counts as blank."""
        wrong = frozenset(finding.path for finding in mistyped(self._types, answers))
        slots: Slots = self._load[()](without(self.definition, answers, wrong) if wrong else answers, "")
        return slots

    def settle(self, run: Run, slots: Slots) -> None:
        """Relevance and calculations follow from the answers as they are now."""
        run.spent = 0
        self._logic(run, slots)

    def add(self, spot: Spot, context: Context) -> Slots:
        """One more occurrence of a repeat, at its end."""
        path, listed = spot.place.node.path, list(spot.frame[spot.place.slot])
        answers = defaulted(self.layout.children[path], {}, context)
        added: Slots = self._load[path](answers, f"{spot.path}[{len(listed) + 1}]/")
        spot.frame[spot.place.slot] = [*listed, added]
        return added

    def put(self, spot: Spot, text: str) -> None:
        """The answer, without what follows from it."""
        spot.frame[spot.place.slot] = text
        if spot.place.has_number:
            spot.frame[spot.place.number] = number_of(spot.place, text)

    # Where

    def spots(self, slots: Slots) -> Iterator[Spot]:
        """Every question and repeat of the record as it is now, in document order."""
        return self.spots_of(self.definition.root.children, (slots,), ())

    def spots_of(self, nodes: Sequence[Node], frames: tuple[Slots, ...], positions: tuple[int, ...]) -> Iterator[Spot]:
        for node in nodes:
            if isinstance(node, Group):
                yield from self.spots_of(node.children, frames, positions)
                continue
            spot = Spot(self.layout.places[node.path], frames, positions)
            yield spot
            if isinstance(node, Repeat):
                for number, inner in enumerate(spot.frame[spot.place.slot], 1):
                    yield from self.spots_of(node.children, (*frames, inner), (*positions, number))

    # What the rules say

    def is_relevant(self, run: Run, spot: Spot) -> bool:
        node = spot.place.node
        around = node.path[:-1] if isinstance(node, Repeat) else node.path
        flag = self.layout.flag_of(around)
        if flag and not spot.frame[flag]:
            return False
        rule = self.rule(node, "relevant") if isinstance(node, Repeat) else None
        return rule is None or self.is_hidden(node, "relevant") or self.is_true(run, spot, rule)

    def rule(self, node: Node, attribute: str) -> Expression | None:
        return self.builder.sources.get(node, attribute)

    def is_hidden(self, node: Node, attribute: str) -> bool:
        """Whether only a device knows the outcome of the rule."""
        variants = self.builder.variants.get((node.path, attribute))
        return variants is not None and variants.is_hidden

    def is_required(self, run: Run, spot: Spot) -> bool:
        rule = self.rule(spot.place.node, "required")
        if rule is None:
            return False
        return self.is_hidden(spot.place.node, "required") or self.is_true(run, spot, rule)

    def is_allowed(self, run: Run, spot: Spot) -> bool:
        """Whether the answer keeps its constraint in every reading of it."""
        rule = self.rule(spot.place.node, "constraint")
        if rule is None or not spot.text or self.is_hidden(spot.place.node, "constraint"):
            return True
        return all(self.is_true(run, spot, rule, reading) for reading in Reading)

    def is_true(self, run: Run, spot: Spot, rule: Expression, reading: Reading | None = None) -> bool:
        try:
            return bool(self._ask(run, spot, rule, Kind.TRUTH, reading))
        except NoList:
            return True

    def count(self, run: Run, spot: Spot) -> float | None:
        """How many occurrences the form asks for; None when people decide, or nobody can tell."""
        rule = self.rule(spot.place.node, "count")
        if rule is None or self.is_hidden(spot.place.node, "count"):
            return None
        try:
            return float(self._ask(run, spot, rule, Kind.NUMBER))
        except NoList:
            return None

    def value(self, run: Run, spot: Spot, expression: Expression) -> float | str | None:
        """What an expression gives at this place; None when it cannot be told."""
        try:
            found: float | str | bool = self._ask(run, spot, expression, None)
        except (NoList, BadExpression):
            return None
        return str(found).lower() if isinstance(found, bool) else found

    def offered(self, run: Run, spot: Spot) -> list[str] | None:
        """The names of the choices that a select offers now; None when it is no select, or nobody can tell."""
        question = spot.place.node
        if not isinstance(question, Question) or SEARCH in question.appearance:
            return None
        itemset = question.itemset
        if itemset is None or itemset.instance == lists.LAST_SAVED:
            return None
        if not itemset.instance:
            return [choice.name for choice in itemset.choices]
        try:
            found: list[str] = self._ask(run, spot, self._choices(question, itemset), Kind.NODES)
        except NoList:
            return None
        return [name for name in found if name]

    def _choices(self, question: Question, itemset: Itemset) -> Expression:
        nodes = self._itemsets.get(question.path)
        if nodes is None:
            nodes = self._itemsets[question.path] = _nodes(itemset, self.builder.sources.get(question, "choice_filter"))
        return nodes

    def _ask(
        self,
        run: Run,
        spot: Spot,
        expression: Expression,
        kind: Kind | None,
        reading: Reading | None = None,
    ) -> Any:
        node, reading = spot.place.node, reading or self.reading
        key = (id(expression), node.path, kind, reading)
        asked = self._asked.get(key)
        if asked is None:
            # The expression is kept beside what was made of it, so that its id cannot be given to another.
            asked = self._asked[key] = expression, self._compiled(node, expression, kind, reading)
        return asked[1](run, *spot.frames, *spot.positions)

    def _compiled(self, node: Node, expression: Expression, kind: Kind | None, reading: Reading) -> Callable[..., Any]:
        outside = self.builder.outside(node.path)
        around = outside if isinstance(node, Repeat) else scope_at(self.layout, node.path)
        scope = Scope(self.layout, node.path, around.frames, around.names, reading)
        program = Program()
        tree = Emitter(program, Notes()).compiled(expression, scope, kind)
        names = assemble(program, [code.function("asked", list(around.names), [code.give(tree)])])
        found: Callable[..., Any] = names["asked"]
        return found


def _is_asked(question: Question) -> bool:
    is_own = question.control and not question.calculate and not question.preload
    return bool(is_own) and not is_always(question.readonly)


def _logic(builder: Builder) -> ast.stmt:
    return code.function("logic", ["c", "f0"], [*logic(builder), code.give(code.name("f0"))])


def _nodes(itemset: Itemset, predicate: Expression | None) -> Expression:
    """The choices of a select as one path: instance('list')/root/item[filter]/name, /data/person[filter]/name."""
    value = parse(itemset.value_column)
    below = value.steps if isinstance(value, Steps) else ()
    predicates = (predicate,) if predicate is not None else ()
    if "/" not in itemset.instance and not itemset.instance.startswith("."):
        rows = (Step("child", "root"), Step("child", "item", predicates))
        return Steps(Call("instance", (Literal(itemset.instance),)), (*rows, *below))
    nodes = parse(itemset.instance)
    if not isinstance(nodes, Steps):
        raise BadExpression(itemset.instance)
    last = nodes.steps[-1]
    narrowed = Step(last.axis, last.name, (*last.predicates, *predicates))
    return Steps(nodes.start, (*nodes.steps[:-1], narrowed, *below), nodes.predicates)
