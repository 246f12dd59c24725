"""One cell of a table, safe to open in a spreadsheet program."""

from __future__ import annotations

import re
from datetime import date

from forms.definition import DataType

Value = str | int | float | date | None
"""What a workbook's cell holds; a CSV cell is its text."""

_ACTIVE = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
_NUMERIC = frozenset({DataType.INT, DataType.DECIMAL, DataType.GEOPOINT})

EXACT_DIGITS = 15
"""A spreadsheet keeps numbers as doubles: longer ones stay text there."""


def csv_cell(text: str | None, type: DataType) -> str:
    """The cell's text. What a spreadsheet would take for a formula gets a leading apostrophe, numbers do not.

    OWASP, "CSV Injection"."""
    if not text:
        return ""
    return text if is_number(text, type) else inert(text)


def workbook_cell(text: str | None, type: DataType) -> Value:
    """A number or a date where the question asked for one and the answer is one, else inert text."""
    if not text:
        return None
    if is_number(text, type):
        return _number(text)
    if type is DataType.DATE and (day := _day(text)):
        return day
    return inert(text)


def inert(text: str) -> str:
    """The text, unable to start a formula."""
    return f"'{text}" if text.startswith(_ACTIVE) else text


def is_number(text: str, type: DataType) -> bool:
    return type in _NUMERIC and _NUMBER.fullmatch(text) is not None


def _number(text: str) -> Value:
    if sum(character.isdigit() for character in text) > EXACT_DIGITS:
        return inert(text)
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year > 1900 else None  # Excel has no days before 1900 and one too many in it
