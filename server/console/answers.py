"""A record's answers as people read them: by question, in the reader's language, with what hangs on each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from forms import output
from forms.definition import Answers, FormDefinition, Group, Node, Path, Question, Repeat, say
from forms.kind import is_note
from server.console.values import NOTHING, Value, shown

DEVICE_PRELOADS = ("uid", "timestamp", "date", "property")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the page. `kind` is "heading" (a group), "instance" (one turn of a repeat) or "answer".

    `path` is as in findings: below the root, repeats with their position from 1."""

    kind: str
    depth: int
    path: str
    label: str
    name: str = ""
    hint: str = ""
    value: Value = NOTHING
    is_computed: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """All lines of a record: what was asked, what the form or the device worked out, and how many were left blank."""

    lines: tuple[Line, ...]
    computed: tuple[Line, ...]
    blanks: int


EMPTY_SHEET = Sheet((), (), 0)


@dataclass(frozen=True, slots=True)
class Reader:
    """How to read the answers of one record: in which language, and what the ids of registries are called."""

    definition: FormDefinition
    language: str
    names: Mapping[str, str] = field(default_factory=dict)
    """Entity id -> its label."""
    answers: Answers = field(default_factory=dict)
    """Of the record itself: labels may show them."""

    def say(self, text: Mapping[str, str]) -> str:
        return say(text, self.language, self.definition.default_language)

    def label(self, node: Node, at: str = "") -> str:
        """What the node is called; `at` is its path with positions, where it has some."""
        return self.filled(self.say(node.label) or node.name, at or "/".join(node.path))

    def filled(self, words: str, at: str) -> str:
        """Words of the form with the record's answers in them."""
        return output.filled(words, self.definition, self.answers, at, self._said)

    def _said(self, path: Path, raw: str) -> str:
        node = self.definition.at(path)
        return self.value(node, raw).text if isinstance(node, Question) else raw

    def value(self, question: Question, raw: str | None) -> Value:
        return shown(self.definition, question, raw, self.language, self.names)

    def question(self, path: str) -> str:
        """ "Product 2 › Price": what a finding's path is called; the path itself when the form does not know it."""
        steps: list[str] = []
        plain: tuple[str, ...] = ()
        parts = path.split("/") if path else []
        for depth, part in enumerate(parts, 1):
            name, position = split_position(part)
            plain = (*plain, name)
            node = self.definition.at(plain)
            if node is None:
                return path
            if position or isinstance(node, Question):
                steps.append(self.label(node, "/".join(parts[:depth])) + (f" {position}" if position else ""))
        return " › ".join(steps) or self.at(path)

    def at(self, path: str) -> str:
        node = self.node(path)
        return self.label(node, path) if node is not None else path

    def node(self, path: str) -> Node | None:
        return self.definition.at(tuple(split_position(part)[0] for part in path.split("/"))) if path else None


def sheet(reader: Reader, answers: Answers, *, keep: frozenset[str] = frozenset(), with_blanks: bool = False) -> Sheet:
    """The record's lines. Blank answers are left out unless `with_blanks` or something hangs on them (`keep`)."""
    reader = replace(reader, answers=answers)
    everything = list(_lines(reader, reader.definition.root, answers, "", 0))
    computed = tuple(line for line in everything if line.is_computed and not line.value.is_blank)
    asked = [line for line in everything if not line.is_computed]
    blank = [line for line in asked if line.kind == "answer" and line.value.is_blank and line.path not in keep]
    gone = set() if with_blanks else {line.path for line in blank}
    return Sheet(
        tuple(_without_empty_headings([line for line in asked if line.path not in gone])), computed, len(blank)
    )


def split_position(part: str) -> tuple[str, str]:
    """ "product[2]" -> ("product", "2")."""
    found = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", part)
    return (found[1], found[2] or "") if found else (part, "")


def _lines(reader: Reader, parent: Group | Repeat, values: Answers, at: str, depth: int) -> Iterator[Line]:
    for node in parent.children:
        path = f"{at}/{node.name}" if at else node.name
        below = values.get(node.name)
        if isinstance(node, Question):
            if not is_note(node):
                yield _answer(reader, node, below if isinstance(below, str) else None, path, depth)
        elif isinstance(node, Group):
            yield from _group(reader, node, below if isinstance(below, dict) else {}, path, depth)
        else:
            yield from _repeat(reader, node, below if isinstance(below, list) else [], path, depth)


def _group(reader: Reader, node: Group, below: Answers, path: str, depth: int) -> Iterator[Line]:
    has_label = bool(reader.say(node.label))
    if has_label:
        yield Line("heading", depth, path, reader.label(node, path), node.name)
    yield from _lines(reader, node, below, path, depth + has_label)


def _repeat(reader: Reader, node: Repeat, turns: list[Any], path: str, depth: int) -> Iterator[Line]:
    for position, turn in enumerate(turns, 1):
        here = f"{path}[{position}]"
        yield Line("instance", depth, here, f"{reader.label(node, here)} {position}", node.name)
        yield from _lines(reader, node, turn if isinstance(turn, dict) else {}, here, depth + 1)


def _answer(reader: Reader, node: Question, raw: str | None, path: str, depth: int) -> Line:
    return Line(
        "answer",
        depth,
        path,
        reader.label(node, path),
        node.name,
        reader.filled(reader.say(node.hint), path),
        reader.value(node, raw),
        is_computed=not node.control or node.preload in DEVICE_PRELOADS,
    )


def _without_empty_headings(lines: list[Line]) -> list[Line]:
    """Headings below which an answer is left."""
    kept: list[Line] = []
    needed = -1
    for line in reversed(lines):
        if line.kind == "answer":
            needed = max(needed, line.depth)
            kept.append(line)
        elif needed > line.depth:
            kept.append(line)
            needed = line.depth
    return kept[::-1]
