"""A form on paper, as values: what stands on it and in which order, not how it looks."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Run:
    """Words in one style; a line break is "\\n"."""

    text: str
    bold: bool = False
    italic: bool = False


Words: TypeAlias = tuple[Run, ...]


def plain(words: Words) -> str:
    return "".join(run.text for run in words)


class Mark(enum.Enum):
    """What stands before an option: one is chosen, several are chosen, each gets a number."""

    CIRCLE = "circle"
    SQUARE = "square"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Option:
    label: Words
    code: str = ""
    """What the tablet would store."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Options to tick, in this many columns."""

    mark: Mark
    options: tuple[Option, ...]
    columns: int = 1


@dataclass(frozen=True, slots=True)
class Lines:
    """Empty lines to write on."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Boxes:
    """One box for each digit, in groups with a separator between them: [ ][ ]/[ ][ ]. Captions stand below."""

    groups: tuple[int, ...]
    separator: str = ""
    captions: tuple[str, ...] = ()
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A word with a line behind it, or with a box to tick before it."""

    label: str
    is_tick: bool = False
    share: int = 1
    """How much of the line's width, beside the others."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields side by side."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """An empty frame, for a signature or a drawing."""

    height_mm: int


@dataclass(frozen=True, slots=True)
class Advice:
    """Words where an answer would be: what to do, or what is fixed."""

    text: str


Space: TypeAlias = Ticks | Lines | Boxes | Fields | Frame | Advice


@dataclass(frozen=True, slots=True)
class Ask:
    """A question and the room for its answer."""

    number: str
    label: Words
    hint: Words = ()
    guidance: Words = ()
    is_required: bool = False
    only_if: str = ""
    rule: str = ""
    """What an answer must keep to, in the form's own words."""
    spaces: tuple[Space, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Something to read, or to read aloud."""

    words: Words
    only_if: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """The head of a group, of a repeat, or (without a letter) of one entry of a repeat."""

    letter: str
    title: Words
    depth: int
    only_if: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """A repeat as a table: a column a question, a row an entry."""

    columns: tuple[Ask, ...]
    rows: int


Part: TypeAlias = Section | Ask | Note | Grid


@dataclass(frozen=True, slots=True)
class Appendix:
    """A list that is too long to stand below its question."""

    title: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Legend:
    """How the paper is filled in: what a circle, a square and a star mean, and how to write."""

    circle: str
    square: str
    star: str
    writing: str


@dataclass(frozen=True, slots=True)
class Paper:
    """One version of a form in one language."""

    title: str
    study: str
    form_id: str
    language: str
    """Its code, "" when the form does not say."""
    edition: str
    """ "wawancara, version 2026112601, English"."""
    head: tuple[Space, ...]
    """What is filled in about the interview itself."""
    legend: Legend
    page: str
    """ "page {page} of {pages}"."""
    parts: tuple[Part, ...]
    appendices: tuple[Appendix, ...] = ()

    def words(self) -> Iterator[str]:
        """Everything that is said on it, piece by piece."""
        yield from (self.title, self.study, self.edition, self.page)
        yield from (self.legend.circle, self.legend.square, self.legend.star, self.legend.writing)
        for space in self.head:
            yield from _said(space)
        for part in self.parts:
            yield from _said_in(part)
        for appendix in self.appendices:
            yield appendix.title
            yield from (plain(option.label) for option in appendix.options)


def _said_in(part: Part) -> Iterator[str]:
    if isinstance(part, Section):
        yield from (part.letter, plain(part.title), part.only_if, part.note)
    elif isinstance(part, Note):
        yield from (plain(part.words), part.only_if)
    elif isinstance(part, Grid):
        for column in part.columns:
            yield from _said_in(column)
    else:
        yield from (plain(part.label), plain(part.hint), plain(part.guidance), part.only_if, part.rule)
        for space in part.spaces:
            yield from _said(space)


def _said(space: Space) -> Iterator[str]:
    if isinstance(space, Ticks):
        yield from (plain(option.label) for option in space.options)
    elif isinstance(space, Boxes):
        yield from (space.before, space.after, *space.captions)
    elif isinstance(space, Fields):
        yield from (field.label for field in space.fields)
    elif isinstance(space, Advice):
        yield space.text
