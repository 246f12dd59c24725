"""A conflict as people read it: what each side wrote, who and when, and what they started from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from flask_babel import gettext

from forms.definition import Answers, Question, Repeat
from forms.flat import placed
from server.console.answers import Reader
from server.console.attachments import is_picture
from server.console.names import Names
from server.console.properties import Properties
from server.db import session
from sync import attach, removed
from sync.merge import is_whole
from sync.models import Conflict, RemovedBlob
from sync.namesakes import FILE, is_file

MOST_CHANGES = 6
"""Enough to see what would be lost."""


@dataclass(frozen=True, slots=True)
class Change:
    """One answer that somebody wrote; "" has cleared it."""

    question: str
    text: str


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
    changes: tuple[Change, ...]
    """Of an edit against a delete: what this side wrote."""
    more: int
    """How many further answers it wrote."""
    file: str
    """The name of the file that it brought."""
    is_picture: bool
    is_here: bool
    removed: RemovedBlob | None
    """What is known of it when it was deleted on purpose."""


@dataclass(frozen=True, slots=True)
class Clash:
    """One conflict, ready for the page."""

    row: Conflict
    at: str
    """The path as the record's page has it: entries of repeats by their position."""
    question: str
    sides: tuple[Side, ...]
    base: str
    has_base: bool
    can_type: bool
    """Another value may be typed: not for repeats."""
    is_deletion: bool
    """One changed it, another deleted it: it is kept or deleted, whatever was written."""


def clash(
    row: Conflict,
    reader: Reader | None,
    names: Names,
    properties: Properties | None = None,
    answers: Answers | None = None,
) -> Clash:
    """`reader` knows the questions of a submission with these `answers`, `properties` those of an entity."""
    reading = _Reading(reader, properties, answers or {})
    at = reading.place(row.path)
    node = reader.node(at) if reader else None
    is_leaf = isinstance(node, Question) or (reader is None and bool(row.path) and not is_file(row.path))
    return Clash(
        row=row,
        at=at,
        question=reading.question(row.path),
        sides=tuple(_side(side, row, reading, names) for side in row.siblings),
        base=reading.text(row.path, row.base),
        has_base=row.base is not None and not is_whole(row.path) and not is_file(row.path),
        can_type=is_leaf,
        is_deletion=is_whole(row.path),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """How to read the paths and values of one record: by its form, or as properties of an entity."""

    reader: Reader | None
    properties: Properties | None
    answers: Answers

    def place(self, path: str) -> str:
        return placed(self.reader.definition, self.answers, path) if self.reader is not None else path

    def question(self, path: str) -> str:
        if not path:
            return str(gettext("Changed by one, deleted by another"))
        if is_file(path):
            return str(gettext("Two files with the name %(name)s", name=path.removeprefix(FILE)))
        if self.reader is not None:
            words = self.reader.question(self.place(path))
            return f"{words}: {gettext('Changed by one, deleted by another')}" if is_whole(path) else words
        return self.properties.label(path) if self.properties is not None else path

    def text(self, path: str, raw: str | None) -> str:
        """The value in words; "" means that there is no answer."""
        if is_file(path):
            return path.removeprefix(FILE)
        if raw is None or self.reader is None:
            return self.properties.value(path, raw) if self.properties is not None else raw or ""
        node = self.reader.node(self.place(path))
        if isinstance(node, Question):
            return self.reader.value(node, raw).text
        return _turns(raw, node, self.reader) if isinstance(node, Repeat) else raw


def _side(side: dict[str, Any], row: Conflict, reading: _Reading, names: Names) -> Side:
    value, path, file = side.get("value"), row.path, side.get("file") or {}
    changes = sorted((side.get("changes") or {}).items())
    return Side(
        op_id=str(side.get("op", "")),
        raw="" if value is None else str(value),
        text=reading.text(path, None if value is None else str(value)),
        who=names.who(side.get("account"), side.get("device")),
        device=names.device(side.get("device")),
        at=instant_of(str(side.get("at", ""))),
        is_shown=bool(side.get("is_shown")),
        is_delete=bool(side.get("is_delete")),
        changes=tuple(Change(reading.question(at), reading.text(at, wrote)) for at, wrote in changes[:MOST_CHANGES]),
        more=max(0, len(changes) - MOST_CHANGES),
        file=file.get("name", ""),
        is_picture=is_picture(file.get("name", "")),
        is_here=bool(file) and attach.blob(session(), row.project_id, file["sha256"]) is not None,
        removed=removed.among(session(), row.project_id, [file["sha256"]]).get(file["sha256"]) if file else None,
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
