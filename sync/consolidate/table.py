"""Which tables and columns a form becomes, over all its versions, and which rows a record becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forms.definition import Answers, DataType, FormDefinition, Path, Question, Text, say
from forms.kind import is_note
from forms.output import unfilled

GEOPOINT_PARTS = ("Latitude", "Longitude", "Altitude", "Accuracy")

Lookups = Mapping[str, Mapping[str, Text]]
"""Name of an entity list -> code -> label, for selects that take their choices from it."""

Variants = list[tuple[FormDefinition, Question]]
"""One question as the versions of its form ask it, the newest first."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. `path` starts at the table's own record or repeat."""

    header: str
    path: Path
    type: DataType
    label: Text = field(default_factory=dict)
    choices: Mapping[str, Text] = field(default_factory=dict)
    part: int | None = None
    """Which number of a geopoint."""
    code: str | None = None
    """Which choice of a select_multiple: the cell is then 1 or 0."""
    question: Question | None = None

    def code_of(self, value: str | None) -> str | None:
        """The cell with codes, from the answer as stored."""
        if not value:
            return None
        if self.code is not None:
            return str(int(self.code in value.split()))
        if self.part is not None:
            return (value.split() + [""] * 4)[self.part]
        return value

    def label_of(self, value: str | None, language: str, default: str) -> str | None:
        """The cell with labels; a code that is in no list stays as it is."""
        cell = self.code_of(value)
        if not cell or self.code is not None or not self.choices:
            return cell
        codes = cell.split() if self.type in (DataType.SELECT, DataType.RANK) else [cell]
        return "; ".join(say(self.choices.get(code, {}), language, default) or code for code in codes)

    def title(self, language: str, default: str) -> str:
        """The question in words, with what tells this column from its neighbours."""
        words = " ".join(unfilled(say(self.label, language, default)).split()) or self.header
        if self.part is not None:
            return f"{words}: {GEOPOINT_PARTS[self.part]}"
        if self.code is not None:
            return f"{words}: {say(self.choices.get(self.code, {}), language, default) or self.code}"
        return words


@dataclass(frozen=True, slots=True)
class Table:
    """The record's own questions (`path` is ()), or those of one repeat."""

    path: Path
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return "-".join(self.path)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the record itself or one round of a repeat."""

    key: str
    parent_key: str
    values: tuple[str | None, ...]
    """As stored, one for each column; text only."""


def tables(versions: Sequence[FormDefinition], lookups: Lookups) -> tuple[Table, ...]:
    """The tables of a form whose versions are given, the newest first.

    Columns come in the newest version's order; what only older versions asked follows at the end of its table."""
    found: dict[Path, dict[Path, Variants]] = {(): {}}
    for definition in versions:
        repeats = [repeat.path for repeat in definition.repeats()]
        for path in repeats:
            found.setdefault(path, {})
        for question in filter(_holds_an_answer, definition.questions()):
            home = _home(question.path, repeats)
            found[home].setdefault(question.path, []).append((definition, question))
    return tuple(Table(path, tuple(_columns(path, asked, lookups))) for path, asked in found.items())


def rows(table: Table, answers: Answers, instance_id: str) -> Iterator[Row]:
    """The record's rows in a table, in the order of the form. Keys are made as ODK Central makes them."""
    for node, key, owner in _rounds(answers, table.path, instance_id, instance_id):
        yield Row(key, owner if table.path else "", tuple(_leaf(node, column.path) for column in table.columns))


def leaves(answers: Answers, path: Path) -> Iterator[str]:
    """Every non-empty answer at a path, in all rounds of the repeats that it runs through."""
    for node, _key, _owner in _rounds(answers, path[:-1], "", ""):
        value = node.get(path[-1]) if isinstance(node, dict) else None
        if isinstance(value, str) and value:
            yield value


def language_tag(language: str) -> str:
    """ "Bahasa Indonesia (id)" -> "id"; a language without a code keeps its name, made fit for a file."""
    tagged = re.search(r"\(([A-Za-z]{2,3}(?:-\w+)?)\)\s*$", language)
    return tagged[1] if tagged else re.sub(r"\W+", "_", language).strip("_").lower()


def choices_of(definition: FormDefinition, question: Question, lookups: Lookups) -> dict[str, Text]:
    """Code -> label of everything that the question offers."""
    itemset = question.itemset
    if itemset is None:
        return {}
    if not itemset.instance:
        return {choice.name: choice.label for choice in itemset.choices}
    instance = definition.instances.get(itemset.instance)
    if instance is None:
        return {}
    if instance.src:
        return dict(lookups.get(re.sub(r".*/|\.\w+$", "", instance.src), {}))
    return {choice.name: choice.label for choice in instance.choices}


def _holds_an_answer(question: Question) -> bool:
    return question.control != "trigger" and not is_note(question)


def _home(path: Path, repeats: Sequence[Path]) -> Path:
    return max((repeat for repeat in repeats if path[: len(repeat)] == repeat), key=len, default=())


def _columns(
    home: Path, asked: Mapping[Path, list[tuple[FormDefinition, Question]]], lookups: Lookups
) -> Iterator[Column]:
    for path, variants in asked.items():
        choices: dict[str, Text] = {}
        for definition, question in variants:
            choices = {**choices_of(definition, question, lookups), **choices}
        ordered = {**choices_of(*variants[0], lookups), **choices}
        is_split = not _is_external(*variants[0])  # a registry of thousands would make thousands of columns
        yield from _columns_of(variants[0][1], path[len(home) :], ordered, is_split=is_split)


def _is_external(definition: FormDefinition, question: Question) -> bool:
    instance = definition.instances.get(question.itemset.instance) if question.itemset else None
    return instance is not None and bool(instance.src)


def _columns_of(question: Question, path: Path, choices: Mapping[str, Text], *, is_split: bool) -> Iterator[Column]:
    header = "-".join(path)
    if question.type is DataType.GEOPOINT:
        for part, name in enumerate(GEOPOINT_PARTS):
            yield Column(f"{header}-{name}", path, question.type, question.label, part=part, question=question)
        return
    yield Column(header, path, question.type, question.label, choices, question=question)
    if question.type is DataType.SELECT and is_split:
        for code in choices:
            yield Column(f"{header}/{code}", path, DataType.INT, question.label, choices, code=code, question=question)


def _rounds(node: Any, path: Path, key: str, owner: str) -> Iterator[tuple[Any, str, str]]:
    """Every node at a path, its key, and the key of the round or record that it belongs to."""
    if not path:
        yield node, key, owner
        return
    below = node.get(path[0]) if isinstance(node, dict) else None
    here, rest = f"{key}/{path[0]}", path[1:]
    if isinstance(below, dict):
        yield from _rounds(below, rest, here, owner)
    elif isinstance(below, list):
        for position, item in enumerate(below, 1):
            numbered = f"{here}[{position}]"
            yield from _rounds(item, rest, numbered, numbered if rest else owner)


def _leaf(node: Any, path: Path) -> str | None:
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node if isinstance(node, str) else None


def title_row(columns: Sequence[Column], language: str, default: str) -> list[str]:
    """The questions in words; where two would read the same, the column's name follows."""
    titles = [column.title(language, default) for column in columns]
    return [
        f"{title} ({column.header})" if titles.count(title) > 1 else title
        for title, column in zip(titles, columns, strict=True)
    ]
