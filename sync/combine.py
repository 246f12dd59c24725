"""Several answers to one question as one, by the policy that the form declares for it. Pure, and blind to clocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias

from forms.policy import Policy

Measure: TypeAlias = tuple[str, Any]
"""What kind of thing a text says, and how much of it: only those of one kind can be compared."""

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")


def combine(policy: Policy, texts: Sequence[str]) -> str | None:
    """The answer that stands for all of these, whatever their order; None when the policy cannot say.

    Who cleared the answer has written no text: a blank gives way to what anybody else wrote."""
    distinct = sorted(set(texts))
    return distinct[0] if len(distinct) == 1 else COMBINERS[policy](distinct)


def _extreme(pick: Callable[[list[tuple[Measure, str]]], tuple[Measure, str]], texts: Sequence[str]) -> str | None:
    measures = [_measure(text) for text in texts]
    if len({kind for kind, _ in measures}) > 1 or not measures or measures[0][0] == "text":
        return None
    return pick(list(zip(measures, texts, strict=True)))[1]


def _measure(text: str) -> Measure:
    if NUMBER.fullmatch(text):
        return "number", Decimal(text)
    for kind, read in (("date", date.fromisoformat), ("time", time.fromisoformat), ("moment", datetime.fromisoformat)):
        try:
            return _zoned(kind, read(text))
        except ValueError:
            continue
    return "text", text


def _zoned(kind: str, said: Any) -> Measure:
    """A time with a zone cannot be compared with one without."""
    if kind == "date" or said.tzinfo is None:
        return kind, said
    return f"{kind} with zone", said.astimezone(UTC) if kind == "moment" else said


def _union(texts: Sequence[str]) -> str:
    return " ".join(sorted({choice for text in texts for choice in text.split()}))


def _append(texts: Sequence[str]) -> str:
    # Who wrote least is heard first: mostly the others began with the same lines.
    by_length = sorted(texts, key=lambda text: (len(text), text))
    return "\n".join(dict.fromkeys(line for text in by_length for line in text.splitlines()))


COMBINERS: Mapping[Policy, Callable[[Sequence[str]], str | None]] = {
    Policy.MAX: lambda texts: _extreme(max, texts),
    Policy.MIN: lambda texts: _extreme(min, texts),
    Policy.UNION: _union,
    Policy.APPEND: _append,
}
