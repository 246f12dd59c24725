"""An XPath expression as values, as written: nothing is resolved yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from forms.sentence import fill


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Negative:
    operand: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Binary:
    """`operator` is one of: or and = != < <= > >= + - * div mod |"""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """`axis` is child, parent, self or descendant; the name "*" stands for any, "@x" for an attribute."""

    axis: str
    name: str = "*"
    predicates: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Steps from the root ("/"), from the context node (None) or from what another expression finds."""

    start: Expression | str | None
    steps: tuple[Step, ...]
    predicates: tuple[Expression, ...] = ()
    """Of the start itself: (expression)[predicate]."""


Expression: TypeAlias = Number | Literal | Negative | Binary | Call | Path


def conjuncts(predicate: Expression) -> list[Expression]:
    """a and b and c, apart: each can be looked up or filtered on its own."""
    found: list[Expression] = []
    waiting = [predicate]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Binary) and one.operator == "and":
            waiting += [one.right, one.left]
        else:
            found.append(one)
    return found


class BadExpression(ValueError):
    """The text is no expression, or not one of this form; the message says what is wrong and where.

    `words` is the message with places for `params`, so that it can be said in other languages."""

    def __init__(self, words: str, **params: str) -> None:
        super().__init__(fill(words, params))
        self.words, self.params = words, params
