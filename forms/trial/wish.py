"""What a constraint asks of an answer, as far as its shape tells: hints for drawing values, never a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from forms import definition
from forms.expression.numbers import divide
from forms.expression.syntax import Binary, Call, Expression, Negative, Path

Evaluate: TypeAlias = Callable[[Expression], "float | str | None"]
"""What an expression of the form gives now; None when that cannot be told."""

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}
_SAME = frozenset({"number", "int", "string", "coalesce", "normalize-space", "decimal-date-time", "date", "date-time"})
"""Functions of the answer that wish for what is wished of the answer itself."""
_MEASURES = {"string-length": "length", "count-selected": "count"}
_INVERSE = {"+": "-", "-": "+", "*": "div", "div": "*"}
_DEEPEST = 40


@dataclass(slots=True)
class Range:
    """Between two numbers; a side that is open excludes its bound."""

    low: float = -math.inf
    high: float = math.inf
    is_open_low: bool = False
    is_open_high: bool = False

    def bound(self, operator: str, value: float) -> None:
        if value != value:
            return
        if operator in (">", ">=", "=") and value >= self.low:
            self.low, self.is_open_low = value, operator == ">"
        if operator in ("<", "<=", "=") and value <= self.high:
            self.high, self.is_open_high = value, operator == "<"

    def whole(self) -> tuple[float, float]:
        """The first and the last whole number in it; infinite where there is no bound."""
        low, high = self.low, self.high
        if not math.isinf(low):
            low = math.floor(low) + 1 if self.is_open_low else math.ceil(low)
        if not math.isinf(high):
            high = math.ceil(high) - 1 if self.is_open_high else math.floor(high)
        return low, high


@dataclass(slots=True)
class Wish:
    """What is wished of one answer."""

    value: Range = field(default_factory=Range)
    length: Range = field(default_factory=lambda: Range(low=1))
    count: Range = field(default_factory=lambda: Range(low=1))
    step: float = 0
    equal: list[str] = field(default_factory=list)
    """Texts, one of which it should be."""
    pattern: str = ""
    chosen: set[str] = field(default_factory=set)
    unchosen: set[str] = field(default_factory=set)
    begin: str = ""
    inside: str = ""
    end: str = ""


@dataclass(frozen=True, slots=True)
class Wisher:
    """Gathers the wishes of one constraint about the question at `path`; of each "or", one side at random."""

    root_name: str
    path: definition.Path
    rng: Random
    evaluate: Evaluate
    number: Callable[[str], float]
    """What a text of the question's type counts as; NaN for one that is none."""
    is_counted: bool
    """Its answers are numbers, or days, rather than words."""

    def wish(self, constraint: Expression | None, *, is_kept: bool = True) -> Wish:
        """What keeps the constraint, or what breaks it."""
        wish = Wish()
        if constraint is not None:
            self._gather(wish, constraint, is_kept, 0)
        return wish

    def _gather(self, wish: Wish, asked: Expression, is_kept: bool, depth: int) -> None:
        if depth > _DEEPEST:
            return
        if isinstance(asked, Binary) and asked.operator in ("and", "or"):
            sides = [asked.left, asked.right]
            if (asked.operator == "and") is not is_kept:
                sides = [self.rng.choice(sides)]
            for side in sides:
                self._gather(wish, side, is_kept, depth + 1)
        elif isinstance(asked, Binary):
            self._compared(wish, asked, is_kept)
        elif isinstance(asked, Call):
            self._called(wish, asked, is_kept, depth)

    def _called(self, wish: Wish, call: Call, is_kept: bool, depth: int) -> None:
        if call.name == "not" and len(call.arguments) == 1:
            self._gather(wish, call.arguments[0], not is_kept, depth + 1)
        elif call.name == "if" and len(call.arguments) == 3:
            side = self.rng.choice([0, 1])
            self._gather(wish, call.arguments[0], side == 0, depth + 1)
            self._gather(wish, call.arguments[1 + side], is_kept, depth + 1)
        elif len(call.arguments) == 2 and self._is_answer(call.arguments[0]):
            self._tested(wish, call.name, self.evaluate(call.arguments[1]), is_kept)

    def _tested(self, wish: Wish, test: str, other: float | str | None, is_kept: bool) -> None:
        if not isinstance(other, str):
            return
        if test in ("selected", "is-selected"):
            (wish.chosen if is_kept else wish.unchosen).update(other.split())
        elif is_kept and test == "regex":
            wish.pattern = other
        elif is_kept and test == "starts-with":
            wish.begin = other
        elif is_kept and test == "contains":
            wish.inside = other
        elif is_kept and test == "ends-with":
            wish.end = other

    def _compared(self, wish: Wish, asked: Binary, is_kept: bool) -> None:
        if asked.operator not in _MIRRORED:
            return
        operator = asked.operator if is_kept else _OPPOSITE[asked.operator]
        if self._is_about(asked.left):
            self._bounded(wish, asked.left, operator, asked.right)
        elif self._is_about(asked.right):
            self._bounded(wish, asked.right, _MIRRORED[operator], asked.left)

    def _bounded(self, wish: Wish, side: Expression, operator: str, other: Expression) -> None:
        """side <= other: what is done to the answer on its side is undone on the other."""
        value = self.evaluate(other)
        while isinstance(side, Binary) and side.operator in _INVERSE:
            is_first = self._is_about(side.left)
            known = self._counted(self.evaluate(side.right if is_first else side.left))
            if not is_first and side.operator in ("-", "div"):
                operator = _MIRRORED[operator]
                value = _apply(side.operator, known, self._counted(value))
            else:
                value = _apply(_INVERSE[side.operator], self._counted(value), known)
            side = side.left if is_first else side.right
        if self._is_answer(side):
            self._valued(wish, operator, value)
        elif isinstance(side, Binary) and side.operator == "mod" and operator == "=":
            wish.step = self._counted(self.evaluate(side.right))
        elif isinstance(side, Call) and side.name in _MEASURES and self._is_answer(next(iter(side.arguments), None)):
            (wish.length if side.name == "string-length" else wish.count).bound(operator, self._counted(value))

    def _valued(self, wish: Wish, operator: str, value: float | str | None) -> None:
        if self.is_counted:
            wish.value.bound(operator, self._counted(value))
        elif value is not None and operator == "=":
            wish.equal.append(str(value))
        elif value is not None and operator == "!=":
            wish.unchosen.add(str(value))

    def _counted(self, value: float | str | None) -> float:
        return self.number(value) if isinstance(value, str) else math.nan if value is None else float(value)

    def _is_answer(self, side: Expression | None) -> bool:
        """The answer itself, whatever it is written as: `.`, its path, or a function that leaves it as it is."""
        while isinstance(side, Call) and side.name in _SAME and side.arguments:
            side = side.arguments[0]
        if not isinstance(side, Path) or side.predicates or any(step.predicates for step in side.steps):
            return False
        names = tuple(step.name for step in side.steps if step.axis != "self")
        if side.start == "/":
            return names == (self.root_name, *self.path)
        if side.start is not None:
            return False
        up = sum(step.axis == "parent" for step in side.steps)
        return not names or (up == len(names) - up and names[up:] == self.path[len(self.path) - up :])

    def _is_about(self, side: Expression) -> bool:
        return any(self._is_answer(part) for part in _parts(side))


def _parts(expression: Expression) -> Iterator[Expression]:
    waiting = [expression]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, Binary):
            waiting += [one.left, one.right]
        elif isinstance(one, Call):
            waiting += one.arguments
        elif isinstance(one, Negative):
            waiting.append(one.operand)


def _apply(operator: str, one: float, other: float) -> float:
    if operator == "div":
        return divide(one, other)
    return one + other if operator == "+" else one - other if operator == "-" else one * other
