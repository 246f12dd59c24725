"""A piece of compiled expression, and how it becomes a number, a text or a truth."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from forms.expression import code, dates, numbers
from forms.expression.code import Tree
from forms.expression.scope import Kind, Notes, Reading, Taint

_DAY = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?\s*").fullmatch
_DATED = (Kind.DATE, Kind.MOMENT)


@dataclass(slots=True, eq=False)  # not frozen: that makes each of the thousands five times as dear
class Value:
    """`tree` gives what `kind` says: a float, a str, a bool, or a list of str for nodes. Never changed."""

    tree: Tree
    kind: Kind
    depth: int = 1
    frames: int = 0
    """How many functions call one another to work it out."""
    number: Tree | None = None
    """A cheaper way to the number (or to the numbers, of nodes)."""
    is_node: bool = False
    """It is one node of the record or one cell of a list, not something worked out."""
    is_shifted: bool = False
    """A date and so many days: whole civil days for JavaRosa, days shifted by the time zone for Web Forms. Against
    another date they agree."""
    is_listed: bool = False
    """Nodes of a list, of which the first is meant."""
    counted: Callable[[], Tree] | None = None
    """Of nodes: makes what to count, when that is not the texts: the relevant ones, or the rows of a list."""

    @property
    def literal(self) -> str | None:
        found = self.tree.value if isinstance(self.tree, ast.Constant) else None
        return found if isinstance(found, str) else None


def as_text(value: Value) -> Tree:
    converter = {Kind.NUMBER: "number_text", Kind.TRUTH: "bool_text", Kind.NODES: "first", Kind.ANY: "text"}
    if value.kind not in converter:
        return value.tree
    if value.kind is Kind.NUMBER and isinstance(value.tree, ast.Constant) and isinstance(value.tree.value, float):
        return code.constant(numbers.number_text(value.tree.value))
    return code.call(converter[value.kind], value.tree)


def as_number(value: Value, reading: Reading, notes: Notes) -> Tree:
    if value.kind is Kind.NUMBER:
        note_shift(value, notes)
        return value.tree
    if value.kind is Kind.MOMENT:
        return _moment(value, reading, notes)
    if value.number is not None:
        return code.call("first_number", value.number) if value.kind is Kind.NODES else value.number
    if value.kind is Kind.TRUTH:
        return code.choose(value.tree, code.constant(1.0), code.constant(0.0))
    if value.kind is Kind.NODES:
        return _number_in(code.call("first", value.tree), notes)
    if value.kind is Kind.ANY:
        return code.call("as_number", value.tree)
    return code.call("days", value.tree) if value.kind is Kind.DATE else _number_of_text(value, reading, notes)


def _number_in(text: Tree, notes: Notes) -> Tree:
    """number() of a text that is known only when it runs: engines differ on some."""
    notes.is_lenient = True
    return code.method(code.name("c"), "number", text)


def note_shift(value: Value, notes: Notes) -> None:
    """A shifted date is used as a plain number."""
    if value.is_shifted:
        notes.taints.add(Taint.ZONE)


def counts_days(value: Value) -> bool:
    return value.is_shifted or value.kind in _DATED


def as_days(value: Value, reading: Reading, notes: Notes) -> Tree:
    """The number of something that is held against another date."""
    return value.tree if value.is_shifted else as_number(value, reading, notes)


def _moment(value: Value, reading: Reading, notes: Notes) -> Tree:
    # JavaRosa compares moments by whole days, Web Forms exactly.
    notes.diverges = True
    return code.call("days" if reading is Reading.ADOPTED else "exact_days", value.tree)


def _number_of_text(value: Value, reading: Reading, notes: Notes) -> Tree:
    literal = value.literal
    if literal is None:
        return _number_in(value.tree, notes)
    if not _DAY(literal):
        taken = numbers.lenient(literal)
        found = numbers.number(literal)
        if literal.strip() and found != found:
            notes.notice("not-a-number", literal=literal)
        # 1,5 is a number for JavaRosa; +5 and 1e3 are for Web Forms.
        notes.diverges |= found != found and taken == taken
        return code.constant(found if reading is Reading.ADOPTED else taken)
    # JavaRosa has no number for the text of a date, Web Forms has its days.
    notes.differ("date-literal", literal=literal)
    return code.constant(numbers.NAN if reading is Reading.ADOPTED else dates.days(literal))


def as_truth(value: Value, reading: Reading, notes: Notes) -> Tree:
    if value.kind is Kind.TRUTH:
        return value.tree
    if value.is_node or value.kind is Kind.NODES:
        notes.differ("bare-path")
        if reading is Reading.OTHER:
            return _exists(value)
    if value.kind is Kind.NODES:
        return code.compare("!=", code.call("first", value.tree), code.constant(""))
    if value.kind is Kind.NUMBER or (value.is_node and value.number is not None and value.kind not in _DATED):
        return code.call("is_true", value.number if value.is_node and value.number is not None else value.tree)
    if value.kind is Kind.ANY:
        return code.call("truth", value.tree)
    return code.compare("!=", value.tree, code.constant(""))


def _exists(value: Value) -> Tree:
    if value.kind is Kind.NODES:
        rows = value.counted() if value.is_listed and value.counted else value.tree
        return code.compare("!=", code.call("len", rows), code.constant(0))
    return code.constant(True)


def counted(value: Value) -> Tree:
    """What count() counts for JavaRosa; Web Forms counts what is not relevant as well."""
    return value.counted() if value.counted else as_nodes(value)


def as_nodes(value: Value) -> Tree:
    """A list of texts: one node is a list of one."""
    return value.tree if value.kind is Kind.NODES else code.listed(as_text(value))


def as_numbers(value: Value, reading: Reading, notes: Notes) -> Tree:
    if value.kind is Kind.NODES:
        if value.number is not None:
            return value.number
        number = _number_in(code.name("one"), notes)
        return code.each(number, [(code.target("one"), value.tree, [])])
    return code.listed(as_number(value, reading, notes))


def compared(operator: str, left: Value, right: Value, reading: Reading, notes: Notes) -> Tree:
    """One of = != < <= > >= between two values (XPath 1.0, 3.4, as the engines type their nodes)."""
    left, right = _single(left, notes), _single(right, notes)
    if operator in ("=", "!="):
        return _equality(operator, left, right, reading, notes)
    _warn_of_dates(left, right, notes)
    number = as_days if counts_days(left) and counts_days(right) else as_number
    return code.compare(operator, number(left, reading, notes), number(right, reading, notes))


def _single(value: Value, notes: Notes) -> Value:
    if value.kind is not Kind.NODES:
        return value
    if not value.is_listed:
        notes.notice("several-nodes")
    number = None if value.number is None else code.call("first_number", value.number)
    return Value(code.call("first", value.tree), Kind.TEXT, value.depth + 1, value.frames, number, is_node=True)


def _equality(operator: str, left: Value, right: Value, reading: Reading, notes: Notes) -> Tree:
    kinds = {left.kind, right.kind}
    if Kind.ANY in kinds and Kind.TRUTH not in kinds:
        same = code.call("is_equal", left.tree, right.tree)
        return same if operator == "=" else code.no(same)
    if Kind.TRUTH in kinds:
        return code.compare(operator, as_truth(left, reading, notes), as_truth(right, reading, notes))
    if _is_dated(left) and _is_dated(right):
        return _same_moment(operator, left, right, reading, notes)
    return _same_text_or_number(operator, left, right, reading, notes)


def _same_text_or_number(operator: str, left: Value, right: Value, reading: Reading, notes: Notes) -> Tree:
    one, other = (_is_numeric(value) for value in (left, right))
    if not one and not other:
        return code.compare(operator, as_text(left), as_text(right))
    if left.is_node and right.is_node:
        return _same_nodes(operator, left, right, reading, notes)
    if counts_days(left) and counts_days(right):
        return code.compare(operator, as_days(left, reading, notes), as_days(right, reading, notes))
    words = right.literal if one else left.literal
    if words is not None and numbers.number(words) != numbers.number(words) and (left.is_node or right.is_node):
        return code.compare(operator, as_text(left), as_text(right))
    return code.compare(operator, as_number(left, reading, notes), as_number(right, reading, notes))


def _same_nodes(operator: str, left: Value, right: Value, reading: Reading, notes: Notes) -> Tree:
    """Two blanks are equal although no number equals NaN; 5 and 5.0 are equal although their texts differ."""
    same = code.either(
        code.compare("=", as_text(left), as_text(right)),
        code.compare("=", as_number(left, reading, notes), as_number(right, reading, notes)),
    )
    return same if operator == "=" else code.no(same)


def _same_moment(operator: str, left: Value, right: Value, reading: Reading, notes: Notes) -> Tree:
    if left.is_node and right.is_node:
        return _same_nodes(operator, left, right, reading, notes)
    return code.compare(operator, as_number(left, reading, notes), as_number(right, reading, notes))


def _is_dated(value: Value) -> bool:
    return value.kind in _DATED


def _is_numeric(value: Value) -> bool:
    return value.kind is Kind.NUMBER or (value.is_node and value.number is not None and not _is_dated(value))


def _warn_of_dates(left: Value, right: Value, notes: Notes) -> None:
    for one, other in ((left, right), (right, left)):
        if _is_dated(one) and other.kind is Kind.TEXT and other.literal is None:
            notes.taints.add(Taint.ZONE)
            notes.notice("date-text")
