"""What the conversion of a workbook says, in sentences of ours: short, with what to do, and translated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forms.expression.names import nearest
from forms.sentence import fill

TYPES = (
    "text", "integer", "decimal", "date", "time", "dateTime", "note", "calculate", "geopoint", "geotrace", "geoshape",
    "image", "audio", "video", "file", "barcode", "range", "acknowledge", "hidden", "start", "end", "today", "deviceid",
    "username", "audit", "begin_group", "end_group", "begin_repeat", "end_repeat", "csv-external", "xml-external",
    "select_one", "select_multiple", "select_one_from_file", "select_multiple_from_file", "rank",
)  # fmt: skip
"""What authors write in the column type; for a guess at what was meant."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """The groups of the pattern fill the places of the words. The sheet is for where the conversion names none; the
    column is where to mend it."""

    pattern: re.Pattern[str]
    words: str
    sheet: str = ""
    column: str = ""


def _sentence(pattern: str, words: str, sheet: str = "", column: str = "") -> _Sentence:
    return _Sentence(re.compile(pattern, re.DOTALL), words, sheet, column)


_SENTENCES = (
    _sentence(
        r"You must have a sheet named 'survey'",
        "The workbook has no sheet called survey: that is where the questions stand.",
        "survey",
    ),
    _sentence(
        r"There should be a choices sheet",
        "A question chooses from a list, but there is no sheet called choices. Add one with the columns list_name, name"
        " and label.",
        "choices",
    ),
    _sentence(
        r"List name not in choices sheet: (?P<list>.+)",
        "There is no list {list} in the choices sheet.",
        column="type",
    ),
    _sentence(
        r"sheet: '(?P<sheet>\w+)'\. One or more required column headers were not found: (?P<columns>[^.]+)",
        "The sheet {sheet} lacks these columns in its first row: {columns}.",
    ),
    _sentence(
        r"Duplicate column header: (?P<column>.+)",
        "Two columns of one sheet are called {column}. Rename or remove one of them.",
    ),
    _sentence(
        r"invalid date on the (?P<sheet>\w+) sheet, under the (?P<column>.+) column on row number (?P<row>\d+)",
        "The workbook does not say which day this is. Write it as text: YYYY-MM-DD.",
    ),
    _sentence(
        r"different names for the same column were found: '(?P<one>[^']*)', '(?P<other>[^']*)'",
        "The columns {one} and {other} mean the same: keep one of them.",
    ),
    _sentence(
        r"accepted parameter keys for this question type are '(?P<known>[^']*)'.*key\(s\): '(?P<unknown>[^']*)'",
        "A question of this kind has no parameter {unknown}; it has {known}.",
    ),
    _sentence(
        r"Parameters must be in the form of",
        "Parameters are written as name=value, one after the other with a space between them.",
    ),
    _sentence(
        r"Unknown question type '(?P<type>[^']*)'",
        "There is no question type {type}.",
        column="type",
    ),
    _sentence(
        r"Unmatched 'end_(?P<kind>\w+)'",
        "This end_{kind} closes nothing: no begin_{kind} above it is open.",
        column="type",
    ),
    _sentence(
        r"Unmatched 'begin_(?P<kind>\w+)'",
        "This begin_{kind} is never closed: write end_{kind} below the last question that belongs to it.",
        column="type",
    ),
    _sentence(
        r"the 'name' value '(?P<name>[^']*)' is invalid\. Questions, groups, and repeats must be unique",
        "The name {name} is used twice in the same group. Give each question a name of its own.",
    ),
    _sentence(
        r"Repeat names must unique anywhere",
        "Two repeats have the same name. Give each a name of its own, wherever it stands.",
    ),
    _sentence(
        r"Names must begin with a letter or underscore",
        "This is no name: begin with a letter or _, and go on with letters, digits, _, - and . only.",
    ),
    _sentence(
        r"Question or group with no name",
        "This row has a type, but no name.",
        column="name",
    ),
    _sentence(
        r"Question with no type",
        "This row has no type.",
        column="type",
    ),
    _sentence(
        r"The survey element named '(?P<name>[^']*)' has no label or hint",
        "{name} is shown to the enumerator, but has no label: write what to ask.",
        column="label",
    ),
    _sentence(
        r"Missing calculation",
        "This row calculates nothing: write an expression in the column calculation.",
        column="calculation",
    ),
    _sentence(
        r"Could not find the name '(?P<question>[^']*)'",
        "There is no question {question} in the survey sheet.",
    ),
    _sentence(
        r"Reference variables must start with",
        "A question is named as ${name}, without spaces: here a part of that is missing.",
    ),
    _sentence(
        r"The name '(?P<question>[^']*)' appears more than once",
        "More than one question is called {question}, so it is not clear which is meant. Rename one of them.",
    ),
    _sentence(
        r"Choice names with spaces .*See \[(?P<choice>.*)\] in \[(?P<list>.*)\]",
        "The choice '{choice}' of the list {list} has a space in its name, which ends a name where several can be"
        " chosen. Write _ instead.",
        "choices",
        "name",
    ),
    _sentence(
        r"Choices must have a name",
        "This choice has no name.",
    ),
    _sentence(
        r"Choice names must be unique",
        "The list has another choice of this name.",
        column="name",
    ),
    _sentence(
        r"Choices should have a label",
        "This choice has no label: the enumerator sees nothing to choose.",
    ),
    _sentence(
        r"File name for '(?P<kind>[^']*)' should end with",
        "The file of {kind} ends in .csv, .xml or .geojson.",
        column="type",
    ),
    _sentence(
        r"Choice filter not supported with or_other",
        "or_other cannot be used together with a choice_filter: add the choice other to the list instead.",
        column="choice_filter",
    ),
    _sentence(
        r"Repeat has no label",
        "This repeat has no label: whoever reads the records sees only its name.",
        column="label",
    ),
    _sentence(
        r"The name is a case-insensitive match to another name",
        "Another question differs from this one in capital letters only: some programs take them for the same.",
    ),
)
SENTENCES = tuple(one.words for one in _SENTENCES)


def reworded(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said with its place, in words of ours where we have some."""
    for one in _SENTENCES:
        found = one.pattern.search(said["message"])
        if found is not None:
            return _in_our_words(dict(said), one, found.groupdict())
    return dict(said)


def _in_our_words(said: dict[str, Any], one: _Sentence, params: dict[str, str]) -> dict[str, Any]:
    if "type" in params:
        params["meant"] = nearest(params["type"], TYPES)
    said["sheet"] = said.get("sheet") or params.get("sheet") or one.sheet
    said["column"] = one.column or said.get("column") or params.get("column") or ""
    said["row"] = said.get("row") or int(params.get("row", 0)) or None
    return said | {"words": one.words, "params": params, "message": fill(one.words, params)}
