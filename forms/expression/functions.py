"""Every function of the ODK XForms specification and of JavaRosa: how many arguments of what, and what it gives.

The order of the table is that of the specification. What is not here is a fault of the form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from forms.expression import dates, geo, lists, numbers, patterns, texts
from forms.expression.scope import Kind

N, T, B, D, M, S = Kind.NUMBER, Kind.TEXT, Kind.TRUTH, Kind.DATE, Kind.MOMENT, Kind.NODES
MANY = 10_000


@dataclass(frozen=True, slots=True)
class Signature:
    """`wants` are the kinds of the arguments, the last repeating up to `most`; `runs` is its name in the program."""

    gives: Kind
    wants: tuple[Kind, ...]
    least: int
    most: int
    runs: str = ""


def _plain(gives: Kind, *wants: Kind, runs: str, least: int | None = None, most: int | None = None) -> Signature:
    return Signature(gives, wants, len(wants) if least is None else least, len(wants) if most is None else most, runs)


def _own(gives: Kind, least: int, most: int) -> Signature:
    """A function that has an emitter of its own."""
    return Signature(gives, (), least, most)


SIGNATURES: Mapping[str, Signature] = {
    "string": _own(T, 0, 1),
    "concat": _own(T, 1, MANY),
    "join": _own(T, 1, MANY),
    "substr": _plain(T, T, N, N, runs="substring", least=2),
    "substring": _plain(T, T, N, N, runs="xpath_substring", least=2),
    "substring-before": _plain(T, T, T, runs="before"),
    "substring-after": _plain(T, T, T, runs="after"),
    "translate": _plain(T, T, T, T, runs="translated"),
    "string-length": _own(N, 0, 1),
    "normalize-space": _own(T, 0, 1),
    "contains": _own(B, 2, 2),
    "starts-with": _plain(B, T, T, runs="starts_with"),
    "ends-with": _plain(B, T, T, runs="ends_with"),
    "uuid": _own(T, 0, 1),
    "digest": _own(T, 2, 3),
    "base64-decode": _plain(T, T, runs="base64_decoded"),
    "pulldata": _own(T, 4, 4),
    "extract-signed": _own(T, 2, 2),
    "if": _own(Kind.ANY, 3, 3),
    "coalesce": _own(Kind.ANY, 2, 2),
    "once": _own(T, 1, 1),
    "true": _own(B, 0, 0),
    "false": _own(B, 0, 0),
    "boolean": _own(B, 1, 1),
    "boolean-from-string": _own(B, 1, 1),
    "not": _own(B, 1, 1),
    "regex": _own(B, 2, 2),
    "checklist": _own(B, 3, MANY),
    "weighted-checklist": _own(B, 4, MANY),
    "number": _own(N, 0, 1),
    "random": _own(N, 0, 0),
    "int": _plain(N, N, runs="whole"),
    "sum": _own(N, 1, 1),
    "max": _own(N, 1, MANY),
    "min": _own(N, 1, MANY),
    "round": _own(N, 1, 2),
    "pow": _plain(N, N, N, runs="power"),
    "log": _plain(N, N, runs="logarithm"),
    "log10": _plain(N, N, runs="logarithm10"),
    "abs": _plain(N, N, runs="abs"),
    "sin": _plain(N, N, runs="sine"),
    "cos": _plain(N, N, runs="cosine"),
    "tan": _plain(N, N, runs="tangent"),
    "asin": _plain(N, N, runs="arc_sine"),
    "acos": _plain(N, N, runs="arc_cosine"),
    "atan": _plain(N, N, runs="atan"),
    "atan2": _plain(N, N, N, runs="atan2"),
    "sqrt": _plain(N, N, runs="root"),
    "exp": _plain(N, N, runs="exponential"),
    "exp10": _plain(N, N, runs="exponential10"),
    "pi": _own(N, 0, 0),
    "floor": _plain(N, N, runs="floor"),
    "ceiling": _plain(N, N, runs="ceiling"),
    "count": _own(N, 1, 1),
    "count-non-empty": _own(N, 1, 1),
    "position": _own(N, 0, 1),
    "last": _own(N, 0, 0),
    "instance": _own(S, 1, 1),
    "current": _own(S, 0, 0),
    "randomize": _own(S, 1, 2),
    "indexed-repeat": _own(T, 3, 11),
    "today": _own(D, 0, 0),
    "now": _own(M, 0, 0),
    "date": _own(D, 1, 1),
    "date-time": _own(M, 1, 1),
    "format-date": _own(T, 2, 2),
    "format-date-time": _own(T, 2, 2),
    "decimal-date-time": _own(N, 1, 1),
    "decimal-time": _plain(N, T, runs="decimal_time"),
    "selected": _own(B, 2, 2),
    "is-selected": _own(B, 2, 2),
    "selected-at": _plain(T, T, N, runs="selected_at"),
    "count-selected": _plain(N, T, runs="count_selected"),
    "jr:choice-name": _own(T, 2, 2),
    "jr:itext": _own(T, 1, 1),
    "area": _own(N, 1, MANY),
    "enclosed-area": _own(N, 1, MANY),
    "distance": _own(N, 1, MANY),
    "geofence": _plain(B, T, T, runs="is_within"),
    "intersects": _plain(B, T, runs="is_crossing_itself"),
    "property": _own(T, 1, 1),
    "version": _own(T, 0, 0),
    "depend": _own(Kind.ANY, 1, MANY),
}


def _xpath_substring(text: str, start: float, length: float = math.inf) -> str:
    """XPath 1.0, 4.2: from 1, each bound rounded."""
    first = numbers.rounded(start)
    last = first + numbers.rounded(length)
    return "".join(letter for at, letter in enumerate(text, 1) if first <= at < last)


RUNTIME: Mapping[str, Callable[..., Any]] = {
    **{
        name: found
        for module in (dates, geo, lists, numbers, texts)
        for name, found in vars(module).items()
        if callable(found)
    },
    "xpath_substring": _xpath_substring,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "atan": math.atan,
    "atan2": math.atan2,
    "abs": abs,
    "matches": patterns.matches,
    "is_inside": patterns.is_inside,
    "len": len,
    "enumerate": enumerate,
    "float": float,
    "str": str,
    "list": list,
    "dict": dict,
    "KeyError": KeyError,
    "TypeError": TypeError,
}
"""What a compiled expression may call."""
