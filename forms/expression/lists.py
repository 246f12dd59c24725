"""instance('x')/root/item[...]: choice lists and external lists, by their indexes where a predicate allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forms.expression import code
from forms.expression.code import Tree
from forms.expression.names import nearest
from forms.expression.scope import Notes, Scope
from forms.expression.syntax import BadExpression, Binary, Call, Expression, Literal, Negative, Path

LAST_SAVED = "__last-saved"


def list_id(call: Call) -> str:
    """The instance that instance(...) names: it must be a literal."""
    if len(call.arguments) != 1 or not isinstance(call.arguments[0], Literal):
        raise BadExpression("instance() takes one id in quotation marks")
    return call.arguments[0].value


def table(instance_id: str, scope: Scope, notes: Notes, *, is_declared: bool = True) -> Tree:
    """The list itself. One that is not in the form's own text is looked up when the check runs."""
    instances = scope.layout.definition.instances
    found = instances.get(instance_id)
    if found is None and is_declared:
        raise BadExpression(
            "there is no choice list or instance '{list}'", list=instance_id, meant=nearest(instance_id, instances)
        )
    if found is None or found.src:
        notes.lists.add(instance_id)
    return code.method(code.name("c"), "table", code.constant(instance_id))


def key(condition: Expression) -> tuple[str, Expression] | None:
    """The column and the other side of `column = expression`, where the other side is not about the row."""
    if not isinstance(condition, Binary) or condition.operator != "=":
        return None
    for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
        column = _column(one)
        if column and not is_about_row(other):
            return column, other
    return None


def _column(side: Expression) -> str:
    if not isinstance(side, Path) or side.start is not None or len(side.steps) != 1 or side.predicates:
        return ""
    step = side.steps[0]
    return step.name if step.axis == "child" and not step.predicates and step.name != "*" else ""


def is_about_row(expression: Expression) -> bool:
    """Whether any part starts at the context node or asks for its position."""
    waiting: list[Expression] = [expression]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Path) and one.start is None:
            return True
        if isinstance(one, Call) and one.name in ("position", "last") and not one.arguments:
            return True
        waiting += _parts(one)
    return False


def asks(expression: Expression, *functions: str) -> bool:
    """Whether a predicate is about where a row stands rather than what it holds."""
    waiting: list[Expression] = [expression]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Call) and one.name in functions:
            return True
        waiting += _parts(one)
    return False


def _parts(expression: Expression) -> list[Expression]:
    if isinstance(expression, Binary):
        return [expression.left, expression.right]
    if isinstance(expression, Negative):
        return [expression.operand]
    if isinstance(expression, Call):
        return list(expression.arguments)
    if isinstance(expression, Path) and not isinstance(expression.start, str | None):
        return [expression.start]  # predicates look at rows and positions of their own
    return []


def cell(rows: Sequence[Mapping[str, str]], column: str) -> str:
    """The column of the first row, or blank."""
    return rows[0].get(column, "") if rows else ""


def shuffled(values: Sequence[str], seed: float) -> list[str]:
    """randomize() with a seed: Park-Miller and Fisher-Yates, as both engines shuffle."""
    state = int(seed) % 2_147_483_647 if seed == seed and abs(seed) < 1e18 else 42
    state = state + 2_147_483_646 if state <= 0 else state
    found = list(values)
    for last in range(len(found) - 1, 0, -1):
        state = state * 16_807 % 2_147_483_647
        other = int((state - 1) / 2_147_483_646 * (last + 1))
        found[last], found[other] = found[other], found[last]
    return found


def nth(values: Sequence[str], position: float) -> list[str]:
    return [values[int(position) - 1]] if 1 <= position <= len(values) and position == int(position) else []


def occurrence(frame: Sequence[Any] | None, slot: int, index: float, clamps: bool) -> Sequence[Any] | None:
    """One occurrence of the repeat in `slot`; below 1, the first (JavaRosa) or none (Web Forms)."""
    if frame is None:
        return None
    if not index >= 1:
        index = 1.0 if clamps else 0.0
    found: Sequence[Sequence[Any]] = frame[slot]
    return found[int(index) - 1] if 1 <= index <= len(found) else None


def picked(frame: Sequence[Any] | None, slot: int) -> str:
    return "" if frame is None else str(frame[slot])
