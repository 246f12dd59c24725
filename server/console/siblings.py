"""A conflict as people read it: what each side wrote, who and when, and what they started from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from flask_babel import gettext

from forms.definition import Question, Repeat
from server.console.answers import Reader
from server.console.names import Names
from sync.models import Conflict


@dataclass(frozen=True, slots=True)
class Side:
    """One of the values. `raw` is what a choice for it sends back."""

    op_id: str
    raw: str
    text: str
    who: str
    device: str
    at: datetime | None
    is_shown: bool
    is_delete: bool


@dataclass(frozen=True, slots=True)
class Clash:
    """One conflict, ready for the page."""

    row: Conflict
    question: str
    sides: tuple[Side, ...]
    base: str
    has_base: bool
    can_type: bool
    """Another value may be typed: not for repeats, nor for edit against delete."""


def clash(row: Conflict, reader: Reader | None, names: Names, labels: dict[str, str] | None = None) -> Clash:
    """`labels` names the properties of an entity; a submission's paths are named by its form."""
    node = reader.node(row.path) if reader else None
    is_leaf = isinstance(node, Question) or (reader is None and bool(row.path))
    return Clash(
        row=row,
        question=_question(row, reader, labels or {}),
        sides=tuple(_side(side, row.path, reader, names) for side in row.siblings),
        base=_text(row.path, row.base, reader),
        has_base=row.base is not None,
        can_type=is_leaf,
    )


def _question(row: Conflict, reader: Reader | None, labels: dict[str, str]) -> str:
    if not row.path:
        return gettext("Changed by one, deleted by another")
    return reader.question(row.path) if reader else labels.get(row.path, row.path)


def _side(side: dict[str, Any], path: str, reader: Reader | None, names: Names) -> Side:
    value = side.get("value")
    return Side(
        op_id=str(side.get("op", "")),
        raw="" if value is None else str(value),
        text=_text(path, None if value is None else str(value), reader),
        who=names.who(side.get("account"), side.get("device")),
        device=names.device(side.get("device")),
        at=instant_of(str(side.get("at", ""))),
        is_shown=bool(side.get("is_shown")),
        is_delete=bool(side.get("is_delete")),
    )


def instant_of(text: str) -> datetime | None:
    """The moment in an ISO instant or in a hybrid clock's "milliseconds in hex - counter"; None when it is neither."""
    try:
        return datetime.fromtimestamp(int(text.partition("-")[0], 16) / 1000, UTC) if _is_hybrid(text) else _iso(text)
    except (ValueError, OverflowError, OSError):
        return None


def _is_hybrid(text: str) -> bool:
    head, dash, tail = text.partition("-")
    return bool(dash) and len(head) == 12 and len(tail) == 4


def _iso(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _text(path: str, raw: str | None, reader: Reader | None) -> str:
    """The value in words; "" means that there is no answer."""
    if raw is None:
        return ""
    node = reader.node(path) if reader else None
    if reader is not None and isinstance(node, Question):
        return reader.value(node, raw).text
    if reader is not None and isinstance(node, Repeat):
        return _turns(raw, node, reader)
    return raw


def _turns(raw: str, node: Repeat, reader: Reader) -> str:
    """A repeat as one value: a line for each turn."""
    try:
        turns = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    if not isinstance(turns, list):
        return raw
    return "\n".join(f"{number}. {_turn(turn, node, reader)}" for number, turn in enumerate(turns, 1))


def _turn(turn: Any, node: Repeat, reader: Reader) -> str:
    questions: Sequence[Question] = [child for child in node.children if isinstance(child, Question) and child.control]
    answers = turn if isinstance(turn, dict) else {}
    read = [reader.value(child, answers.get(child.name)).text for child in questions]
    return " · ".join(text for text in read if text)
