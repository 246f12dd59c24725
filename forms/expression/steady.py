"""Whether the two ends of an interview say all about the time between."""

from __future__ import annotations

from collections.abc import Iterator

from forms.expression.syntax import Binary, Call, Expression, Literal, Negative, Path

_CLOCKS = frozenset({"today", "now"})
_ORDERED = frozenset({"and", "or", "+", "-", "*", "div", "<", "<=", ">", ">="})
_KEEPS_ORDER = frozenset(
    {"not", "if", "number", "int", "round", "floor", "ceiling", "date", "date-time", "decimal-date-time", "boolean"}
)
_LAYOUTS = frozenset({"%Y", "%Y%m", "%Y%m%d"})


def is_steady(expression: Expression) -> bool:
    """Whether it changes at most once while time goes by: then it is at every moment as at one of the two ends.

    So it is when it asks for the time once, and nothing that it makes of the answer turns back: `. <= today()` does
    not, `. = today()` does, and so do two bounds together."""
    clocks = [keeps_order for _, keeps_order in _clocks(expression)]
    return not clocks or clocks == [True]


def asks_now(expression: Expression) -> bool:
    """Whether the time of day matters, not only the day."""
    return any(name == "now" for name, _ in _clocks(expression))


def _clocks(expression: Expression) -> Iterator[tuple[str, bool]]:
    """Every call that asks for the time, and whether all that is made of it keeps its order."""
    waiting = [(expression, True)]
    while waiting:
        one, keeps_order = waiting.pop()
        if isinstance(one, Call) and one.name in _CLOCKS:
            yield one.name, keeps_order
        parts = _parts(one)
        keeps_order = bool(parts) and keeps_order and _keeps_order(one)
        waiting += [(part, keeps_order) for part in parts]


def _keeps_order(expression: Expression) -> bool:
    if isinstance(expression, Binary):
        return expression.operator in _ORDERED
    if isinstance(expression, Call) and expression.name in ("format-date", "format-date-time"):
        layout = expression.arguments[-1]
        return isinstance(layout, Literal) and layout.value in _LAYOUTS
    return isinstance(expression, Negative) or (isinstance(expression, Call) and expression.name in _KEEPS_ORDER)


def _parts(expression: Expression) -> list[Expression]:
    if isinstance(expression, Binary):
        return [expression.left, expression.right]
    if isinstance(expression, Negative):
        return [expression.operand]
    if isinstance(expression, Call):
        return list(expression.arguments)
    if isinstance(expression, Path):
        within = [predicate for step in expression.steps for predicate in step.predicates]
        start = [] if isinstance(expression.start, str | None) else [expression.start]
        return [*start, *expression.predicates, *within]
    return []
