"""How values are written: from the text of an answer to a Python value, by the data types of ODK XForms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite

from forms.definition import DataType


@dataclass(frozen=True, slots=True)
class Geopoint:
    """A place: degrees north and east, metres above sea level, metres of uncertainty."""

    latitude: float
    longitude: float
    altitude: float | None = None
    accuracy: float | None = None

    def numbers(self) -> tuple[float, ...]:
        """As written: those that are known."""
        known = (self.latitude, self.longitude, self.altitude, self.accuracy)
        return tuple(number for number in known if number is not None)


INT_MIN, INT_MAX = -2_147_483_648, 2_147_483_647
LONGEST_NUMBER = 400
LONGEST_TAKEN = 100_000
"""Characters of a text that is looked at once more: a trace of a day's walk has so many."""

_INT = re.compile(r"[+-]?[0-9]{1,10}").fullmatch
# JavaRosa prints 3.0E9. Three digits of exponent: a longer one is a memory bomb for whoever makes an int of it.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_ZONE = r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_TIME = re.compile(_CLOCK + _ZONE).fullmatch
_DATETIME = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_ZONE}").fullmatch
_FILE_NAME = re.compile(r"[^/\\\x00-\x1f]{1,255}").fullmatch
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def parse(type: DataType, text: str) -> object:
    """The value that `text` is written for. ValueError, with the reason, when the text is not of the type.

    int -> int, decimal -> Decimal, date/time/dateTime -> theirs, geopoint -> Geopoint, geotrace/geoshape -> tuple of
    Geopoint, select and rank -> tuple of names; the others stay text."""
    return PARSERS[type](text)


def is_taken_by_one_engine(type: DataType, text: str) -> bool:
    """Whether text that `parse` refuses is let through by JavaRosa or ODK Web Forms: doubtful, not surely wrong."""
    lenient = _LENIENT.get(type)
    longest = LONGEST_TAKEN if lenient is _are_anywhere else LONGEST_NUMBER
    return lenient is not None and len(text) <= longest and bool(lenient(text))


def text_of(text: str) -> str:
    return text


def int_of(text: str) -> int:
    if not _INT(text):
        raise ValueError("not a whole number")
    value = int(text)
    if not INT_MIN <= value <= INT_MAX:
        raise ValueError(f"not between {INT_MIN} and {INT_MAX}")
    return value


def decimal_of(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER or not _DECIMAL(text):
        raise ValueError("not a number")
    return Decimal(text)


def whole_number(text: str) -> float:
    """What `int_of` reads, as a float."""
    if len(text) < 10 and text.isdigit() and text.isascii():
        return float(text)
    return float(int_of(text))


def any_number(text: str) -> float:
    """What `decimal_of` reads, as a float."""
    if len(text) > LONGEST_NUMBER or not _DECIMAL(text):
        raise ValueError("not a number")
    return float(text)


def boolean_of(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError("neither true nor false")
    return _BOOLEANS[text]


def date_of(text: str) -> date:
    if not _DATE(text):
        raise ValueError("not a date (YYYY-MM-DD)")
    return date.fromisoformat(text)


def time_of(text: str) -> time:
    if not _TIME(text):
        raise ValueError("not a time of day (HH:MM:SS)")
    return time.fromisoformat(text)


def datetime_of(text: str) -> datetime:
    if not _DATETIME(text):
        raise ValueError("not a date and time (YYYY-MM-DDTHH:MM:SS+HH:MM)")
    return datetime.fromisoformat(text)


def geopoint_of(text: str) -> Geopoint:
    parts = text.split()
    if not 2 <= len(parts) <= 4 or not all(map(_DECIMAL, parts)):
        raise ValueError("not a place (latitude longitude altitude accuracy)")
    numbers = [float(part) for part in parts]
    if not (abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180 and all(map(isfinite, numbers))):
        raise ValueError("not a place on Earth")
    if len(numbers) == 4 and numbers[3] < 0:
        raise ValueError("accuracy below zero")
    return Geopoint(*numbers)


def geotrace_of(text: str) -> tuple[Geopoint, ...]:
    points = _points(text)
    if len(points) < 2:
        raise ValueError("fewer than two points")
    return points


def geoshape_of(text: str) -> tuple[Geopoint, ...]:
    points = _points(text)
    corners = {(point.latitude, point.longitude) for point in points}
    ends = {(point.latitude, point.longitude) for point in (points[0], points[-1])}
    if len(corners) < 3 or len(ends) != 1:
        raise ValueError("not a closed line of three corners or more")
    return points


def file_name_of(text: str) -> str:
    # A name with a folder in it would leave the attachment's folder; engines take "../../etc/passwd".
    if not _FILE_NAME(text) or text in {".", ".."}:
        raise ValueError("not a file name")
    return text


def names_of(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _points(text: str) -> tuple[Geopoint, ...]:
    return tuple(geopoint_of(part) for part in text.strip().removesuffix(";").split(";"))


PARSERS: Mapping[DataType, Callable[[str], object]] = {
    DataType.STRING: text_of,
    DataType.BARCODE: text_of,
    DataType.INTENT: text_of,
    DataType.INT: int_of,
    DataType.DECIMAL: decimal_of,
    DataType.BOOLEAN: boolean_of,
    DataType.DATE: date_of,
    DataType.TIME: time_of,
    DataType.DATETIME: datetime_of,
    DataType.GEOPOINT: geopoint_of,
    DataType.GEOTRACE: geotrace_of,
    DataType.GEOSHAPE: geoshape_of,
    DataType.BINARY: file_name_of,
    DataType.SELECT: names_of,
    DataType.SELECT1: text_of,
    DataType.RANK: names_of,
}


def _is_loose_date(text: str) -> bool:
    """A real day, with or without leading zeros."""
    found = _LOOSE_DATE(text)
    if found is None:
        return False
    try:
        date(*map(int, found.groups()))
    except ValueError:
        return False
    return True


def _are_anywhere(text: str) -> bool:
    """Two to four numbers for each point, on Earth or not."""
    points = [part.split() for part in text.strip().removesuffix(";").split(";")]
    return all(2 <= len(point) <= 4 and all(map(_DECIMAL, point)) for point in points)


# What JavaRosa or ODK Web Forms takes beyond the specification: Arabic digits and spaces, 1.0, 1e3, NaN, 2024-2-9, a
# place beyond the pole; a picture that is the question's default stays the form's own attachment, jr://images/map.png.
_LOOSE_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})").fullmatch
_NUMBER = r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?\s*|NaN|[+-]?Infinity"
_LENIENT: Mapping[DataType, Callable[[str], object]] = {
    DataType.INT: re.compile(_NUMBER).fullmatch,
    DataType.DECIMAL: re.compile(_NUMBER).fullmatch,
    DataType.DATE: _is_loose_date,
    DataType.GEOPOINT: _are_anywhere,
    DataType.GEOTRACE: _are_anywhere,
    DataType.GEOSHAPE: _are_anywhere,
    DataType.BINARY: re.compile(r"jr://(?:images|audio|video|file)/[^/\\\x00-\x1f]{1,255}").fullmatch,
    DataType.BOOLEAN: re.compile(r"(?i:true|false|yes|no)").fullmatch,
}


def written(value: object) -> str:
    """The text of a value that `parse` made: `parse(type, written(value)) == value`."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Geopoint):
        return " ".join(written(number) for number in value.numbers())
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    if isinstance(value, tuple):
        return ("; " if any(isinstance(one, Geopoint) for one in value) else " ").join(map(written, value))
    return str(value)
