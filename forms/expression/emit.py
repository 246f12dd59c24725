"""Syntax -> Python's syntax tree: operators and paths. Functions are in `forms.expression.calls`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from forms.expression import calls, code, lists, value
from forms.expression.code import Tree
from forms.expression.deep import Deep, run
from forms.expression.reach import Walk
from forms.expression.scope import Kind, Notes, Read, Reading, Scope, Taint
from forms.expression.syntax import (
    BadExpression,
    Binary,
    Call,
    Expression,
    Literal,
    Negative,
    Number,
    Path,
    Step,
    conjuncts,
)
from forms.expression.value import Value

DEEPEST = 80
"""Levels of Python's syntax tree in one expression: what nests deeper moves into a function of its own."""
SHALLOW = 12
MOST_FRAMES = 200
"""Functions that may call one another in one expression: Python allows 1,000, and something calls us."""
LONG_SUM = 30
_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})


@dataclass(slots=True)
class Program:
    """What the compiled expressions of one form share: functions of their own, constants, names."""

    functions: list[ast.stmt] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    counter: list[int] = field(default_factory=lambda: [0, 0])
    """Names that were made, and steps that paths took through the form."""

    def fresh(self, letter: str) -> str:
        self.counter[0] += 1
        return f"{letter}{self.counter[0]}"

    def keep(self, constant: object) -> Tree:
        """A value that the program refers to by name."""
        name = self.fresh("k")
        self.constants[name] = constant
        return code.name(name)

    def function(self, tree: Tree, names: tuple[str, ...]) -> Tree:
        """A function of these variables that gives the expression."""
        name = self.fresh("h")
        self.functions.append(code.function(name, list(names), [code.give(tree)]))
        return code.name(name)

    def move(self, tree: Tree, names: tuple[str, ...]) -> Tree:
        """The expression as a function of its own, and a call of it."""
        return code.call(self.function(tree, names), *(code.name(one) for one in names))


@dataclass(slots=True)
class Emitter:
    """Compiles one expression in one reading."""

    program: Program
    notes: Notes

    def compiled(self, expression: Expression, scope: Scope, want: Kind | None) -> Tree:
        """The tree that gives what is wanted: NUMBER, TEXT, TRUTH or NODES; None for a number, a text or a truth."""
        found: Value = run(self.emit(expression, scope, want))
        if want is not None:
            return self.to(found, want, scope)
        value.note_shift(found, self.notes)
        return self.to(found, Kind.TEXT, scope) if found.kind is Kind.NODES else found.tree

    # Conversion

    def to(self, found: Value, want: Kind, scope: Scope) -> Tree:
        if want is Kind.NUMBER:
            return value.as_number(found, scope.reading, self.notes)
        if want is Kind.TRUTH:
            return value.as_truth(found, scope.reading, self.notes)
        if want is Kind.NODES:
            return value.as_nodes(found)
        if found.kind is Kind.NODES and not found.is_listed:
            self.notes.notice("several-nodes")
        value.note_shift(found, self.notes)
        return value.as_text(found)

    def made(self, tree: Tree, kind: Kind, scope: Scope, *parts: Value, levels: int = 3) -> Value:
        """A value of its parts; when it nests too deeply it becomes a function of its own."""
        depth = levels + max((part.depth for part in parts), default=0)
        frames = max((part.frames for part in parts), default=0)
        if depth <= DEEPEST:
            return Value(tree, kind, depth, frames)
        if frames >= MOST_FRAMES:
            raise BadExpression("the expression is nested too deeply")
        return Value(self.program.move(tree, scope.names), kind, 2, frames + 1)

    # Syntax

    def emit(self, expression: Expression, scope: Scope, want: Kind | None = None) -> Deep[Value]:
        """The expression as a value of its own kind; `want` lets if() and coalesce() convert their branches early."""
        if isinstance(expression, Number):
            return Value(code.constant(expression.value), Kind.NUMBER)
        if isinstance(expression, Literal):
            return Value(code.constant(expression.value), Kind.TEXT)
        step: Callable[..., Deep[Value]] = _STEPS[type(expression)]
        found: Value = yield step(self, expression, scope, want)
        return found

    def _negative(self, negative: Negative, scope: Scope, want: Kind | None) -> Deep[Value]:
        operand: Value = yield self.emit(negative.operand, scope, Kind.NUMBER)
        return self.made(code.negative(self.to(operand, Kind.NUMBER, scope)), Kind.NUMBER, scope, operand)

    def _binary(self, binary: Binary, scope: Scope, want: Kind | None) -> Deep[Value]:
        operator = binary.operator
        if operator in ("and", "or"):
            return self._logic(binary, scope)
        if operator in ("+", "-"):
            chain = _chain(binary, ("+", "-"))
            if len(chain) > LONG_SUM:
                return self._long_sum(chain, scope)
        return self._pair(binary, scope)

    def _pair(self, binary: Binary, scope: Scope) -> Deep[Value]:
        operator = binary.operator
        wanted = None if operator in _COMPARISONS or operator == "|" else Kind.NUMBER
        left: Value = yield self.emit(binary.left, scope, wanted)
        right: Value = yield self.emit(binary.right, scope, wanted)
        if operator in _COMPARISONS:
            tree = value.compared(operator, left, right, scope.reading, self.notes)
            return self.made(tree, Kind.TRUTH, scope, left, right, levels=5)
        if operator == "|":
            return self.made(
                code.joined_lists([value.as_nodes(left), value.as_nodes(right)]), Kind.NODES, scope, left, right
            )
        return self._arithmetic(operator, left, right, scope)

    def _logic(self, binary: Binary, scope: Scope) -> Deep[Value]:
        """a and b and c in one operation, however long the chain."""
        chain = _chain(binary, (binary.operator,))
        values: list[Value] = []
        for _, one in chain:
            values.append((yield self.emit(one, scope, Kind.TRUTH)))
        trees = [self.to(one, Kind.TRUTH, scope) for one in values]
        join = code.both if binary.operator == "and" else code.either
        return self.made(join(*trees), Kind.TRUTH, scope, *values)

    def _long_sum(self, chain: list[tuple[str, Expression]], scope: Scope) -> Deep[Value]:
        """a + b - c ..., when it is too long to be nested."""
        values: list[Value] = []
        for _, one in chain:
            values.append((yield self.emit(one, scope, Kind.NUMBER)))
        trees = [self.to(one, Kind.NUMBER, scope) for one in values]
        if any(map(value.counts_days, values)):
            self.notes.taints.add(Taint.ZONE)
        signed = [
            code.negative(tree) if operator == "-" else tree for (operator, _), tree in zip(chain, trees, strict=True)
        ]
        return self.made(code.call("added", code.listed(*signed)), Kind.NUMBER, scope, *values, levels=4)

    def _arithmetic(self, operator: str, left: Value, right: Value, scope: Scope) -> Value:
        dated = [value.counts_days(left), value.counts_days(right)]
        is_moved = operator in ("+", "-") and any(dated)
        number = value.as_days if is_moved else value.as_number
        one, other = number(left, scope.reading, self.notes), number(right, scope.reading, self.notes)
        if operator == "div":
            tree = code.call("divide", one, other)
        elif operator == "mod":
            tree = code.call("modulo", one, other)
        else:
            tree = code.operate(operator, one, other)
        if any(dated) and (not is_moved or (all(dated) and operator == "+")):
            self.notes.taints.add(Taint.ZONE)
        found = self.made(tree, Kind.NUMBER, scope, left, right)
        found.is_shifted = is_moved and not all(dated) and dated[0] >= (operator == "-")
        return found

    def _call(self, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        found: Value = yield calls.emit_call(self, call, scope, want)
        return found

    # Paths

    def _path(self, path: Path, scope: Scope, want: Kind | None) -> Deep[Value]:
        """Which of the kinds of path it is decides who compiles it."""
        start, steps = path.start, path.steps
        if isinstance(start, Path) and not path.predicates:
            return self._path(Path(start.start, (*start.steps, *steps), start.predicates), scope, want)
        if isinstance(start, Call) and start.name == "instance":
            return self._list_path(start, path, scope)
        if isinstance(start, Call) and start.name == "current" and not path.predicates:
            return self._main_path(None, steps, scope.current)
        if isinstance(start, str | None) and not path.predicates:
            return self._cell(steps, scope) if start is None and scope.row else self._main_path(start, steps, scope)
        return self._nth(path, scope)

    def _main_path(self, start: str | None, steps: tuple[Step, ...], scope: Scope) -> Deep[Value]:
        walk = Walk(scope, self.notes, self.program.counter)
        if start == "/":
            walk.start_at_root()
        else:
            walk.start_here(scope)
        for step in steps:
            if step.name.startswith("@"):
                self.notes.taints.add(Taint.DEVICE)
                return Value(code.constant(""), Kind.TEXT, is_node=True)
            walk.move(step)
            for predicate in step.predicates:
                yield self._narrow(walk, predicate)
        if walk.cursors[0].path[:1] == ("meta",):
            self.notes.taints.add(Taint.DEVICE)
        return walk.value()

    def _narrow(self, walk: Walk, predicate: Expression) -> Deep[None]:
        narrowed = []
        last = self._last(predicate)
        for cursor in walk.cursors:
            cursor, scope = walk.predicate_scope(cursor, last)
            condition: Value = yield self._condition(predicate, scope)
            walk.called = max(walk.called, condition.frames + 1)
            narrowed.append(walk.narrowed(cursor, condition.tree, scope))
        walk.cursors = narrowed

    def _condition(self, predicate: Expression, scope: Scope) -> Deep[Value]:
        """A predicate as a truth: a number stands for a position (XPath 1.0, 2.4). More than a comparison or two
        becomes a function of its own, since it is nested in the loops of its path."""
        found: Value = yield self.emit(predicate, scope)
        if found.kind is Kind.NUMBER:
            self.notes.differ("numeric-predicate")  # JavaRosa finds nothing
            if scope.reading is Reading.OTHER:
                return Value(code.constant(False), Kind.TRUTH)
            place = code.call("float", code.name(scope.position))
            found = self.made(code.compare("=", place, found.tree), Kind.TRUTH, scope, found)
        tree = self.to(found, Kind.TRUTH, scope)
        if found.depth <= SHALLOW:
            return Value(tree, Kind.TRUTH, found.depth, found.frames)
        if found.frames >= MOST_FRAMES:
            raise BadExpression("the expression is nested too deeply")
        return Value(self.program.move(tree, scope.names), Kind.TRUTH, 2, found.frames + 2)

    def _last(self, predicate: Expression) -> str:
        """A variable for what last() counts, when a predicate asks for it."""
        return self.program.fresh("l") if lists.asks(predicate, "last") else ""

    def _cell(self, steps: tuple[Step, ...], scope: Scope) -> Deep[Value]:
        """A column of the row that a predicate looks at."""
        yield from ()
        names = [step.name for step in steps if step.axis != "self"]
        if any(step.axis not in ("child", "self") or step.predicates for step in steps):
            raise BadExpression("inside a list's predicate, a path names one column; use current()/.. for a question")
        return self._column(names, scope)

    def _column(self, names: list[str], scope: Scope) -> Value:
        if not names:
            return Value(code.constant(""), Kind.TEXT, is_node=True)
        cell = code.method(code.name(scope.row), "get", code.constant(names[-1]), code.constant(""))
        return Value(cell, Kind.TEXT, 3, is_node=True)

    def _list_path(self, start: Call, path: Path, scope: Scope) -> Deep[Value]:
        """instance('x')/root/item[...]/column: the rows are two steps down (ODK XForms, secondary instances)."""
        instance_id = lists.list_id(start)
        if instance_id == lists.LAST_SAVED:
            self.notes.taints.add(Taint.DEVICE)
            return Value(code.constant(""), Kind.TEXT, is_node=True)
        table = lists.table(instance_id, scope, self.notes)
        predicates = [one for step in path.steps[:2] for one in step.predicates]
        found_rows: Value = yield self.rows(table, predicates, scope)
        rows = self.made(found_rows.tree, Kind.NODES, scope, found_rows)
        columns = [step.name for step in path.steps[2:]]
        row = self.program.fresh("r")
        inner = scope.inside_row(row, self.program.fresh("m"))
        found = self._column(columns, inner)
        each_row = code.each(found.tree, [(code.target(row), rows.tree, [])])
        return Value(
            each_row,
            Kind.NODES,
            rows.depth + 3,
            rows.frames + 1,
            is_node=True,
            is_listed=True,
            counted=lambda: rows.tree,
        )

    def rows(self, table: Tree, predicates: list[Expression], scope: Scope) -> Deep[Value]:
        """The rows that every predicate leaves, by index where the first one allows it."""
        rest = list(predicates)
        found = Value(code.attribute(table, "rows"), Kind.NODES, 3)
        if rest and not lists.asks(rest[0], "position", "last"):
            parts = conjuncts(rest.pop(0))
            looked: tuple[Value, list[Expression]] | None = yield self._look_up(table, parts, scope)
            found, parts = looked or (found, parts)
            rest = [*parts, *rest]
        for predicate in rest:
            found = yield self._filtered(found, predicate, scope)
        return found

    def _look_up(
        self, table: Tree, parts: list[Expression], scope: Scope
    ) -> Deep[tuple[Value, list[Expression]] | None]:
        for at, part in enumerate(parts):
            wanted = lists.key(part)
            if wanted is None:
                continue
            sought: Value = yield self.emit(wanted[1], scope)
            if sought.kind in (Kind.TEXT, Kind.NODES) and sought.number is None:
                tree = code.method(table, "where", code.constant(wanted[0]), self.to(sought, Kind.TEXT, scope))
                return self.made(tree, Kind.NODES, scope, sought), [*parts[:at], *parts[at + 1 :]]
        return None

    def _filtered(self, rows: Value, predicate: Expression, scope: Scope) -> Deep[Value]:
        row, position, last = self.program.fresh("r"), self.program.fresh("m"), self._last(predicate)
        inner = scope.inside_row(row, position, last)
        condition: Value = yield self._condition(predicate, inner)
        source = code.method(code.name("c"), "spend", rows.tree)
        loops = code.numbered_loops(code.pair_target(position, row), source, condition.tree, last)
        return self.made(code.each(code.name(row), loops), Kind.NODES, scope, rows, condition, levels=4 + SHALLOW)

    def _nth(self, path: Path, scope: Scope) -> Deep[Value]:
        """(expression)[predicate]: of the nodes that the expression finds, in document order."""
        if isinstance(path.start, str | None) or path.steps:
            raise BadExpression("a path cannot go on from the result of a function")
        found: Value = yield self.emit(path.start, scope)
        tree = value.as_nodes(found)
        for predicate in path.predicates:
            wanted: Value = yield self.emit(predicate, scope)
            if wanted.kind is not Kind.NUMBER:
                raise BadExpression("after a parenthesis, only a position may stand in brackets")
            tree = code.call("nth", tree, wanted.tree)
        return self.made(tree, Kind.NODES, scope, found)

    def read(self, path: tuple[str, ...], *, is_bound: bool) -> None:
        self.notes.reads.add(Read(path, is_bound))


def _chain(binary: Binary, operators: tuple[str, ...]) -> list[tuple[str, Expression]]:
    """The operands of a + b - c ..., first to last, each with the operator before it."""
    found: list[tuple[str, Expression]] = []
    rest: Expression = binary
    while isinstance(rest, Binary) and rest.operator in operators:
        found.append((rest.operator, rest.right))
        rest = rest.left
    return [("", rest), *reversed(found)]


_STEPS: dict[type, Callable[..., Deep[Value]]] = {
    Negative: Emitter._negative,
    Binary: Emitter._binary,
    Call: Emitter._call,
    Path: Emitter._path,
}
