"""Dates and times as ODK counts them: texts of ISO 8601, and days since 1970-01-01 where a number is wanted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache

from forms.expression.numbers import NAN
from forms.lexical import date_of

_EPOCH = date(1970, 1, 1).toordinal()
_LAST = date.max.toordinal()
_MOMENT = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
).fullmatch
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,9})?))?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?").fullmatch
_CODE = re.compile(r"%(.)", re.DOTALL)
_MONTHS = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "id": ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agt", "Sep", "Okt", "Nov", "Des"),
}
_WEEKDAYS = {
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "id": ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
}


@lru_cache(maxsize=4096)
def days(text: str) -> float:
    """The civil day of a date or a moment, without any shift by its time zone; NaN of anything else."""
    found = _MOMENT(text.strip())
    if found is None:
        return NAN
    try:
        return float(date.fromisoformat(found["day"]).toordinal() - _EPOCH)
    except ValueError:
        return NAN


@lru_cache(maxsize=4096)
def civil_days(text: str) -> float:
    """As `days`, of the answer to a question for a date. ValueError of anything else than a date."""
    return float(date_of(text).toordinal() - _EPOCH)


@lru_cache(maxsize=4096)
def exact_days(text: str) -> float:
    """The moment itself, in days of UTC with a fraction; a moment without an offset counts as UTC."""
    when = _parsed(text)
    return NAN if when is None else _since_epoch(when)


@lru_cache(maxsize=4096)
def decimal_days(text: str, offset_minutes: int) -> float:
    """decimal-date-time(): a date is midnight in the device's time zone."""
    when = _parsed(text, timezone(timedelta(minutes=offset_minutes)))
    return NAN if when is None else _since_epoch(when)


def is_known_layout(layout: str) -> bool:
    """Whether every code in the layout is one of ours."""
    return all(code in _PARTS or code in "ab" for code in _CODE.findall(layout))


def decimal_time(text: str) -> float:
    """The fraction of its own day at which a clock stands."""
    found = _CLOCK(text.strip()) or _clock_of_moment(text)
    if found is None:
        return NAN
    hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3] or 0)
    return (hours * 3600 + minutes * 60 + seconds) / 86400 if hours < 24 and minutes < 60 and seconds < 60 else NAN


def _clock_of_moment(text: str) -> re.Match[str] | None:
    found = _MOMENT(text.strip())
    return _CLOCK(found["clock"]) if found and found["clock"] else None


def day_text(text: str) -> str:
    """date() of a text: the civil day in it, or blank."""
    day = days(text)
    return text.strip()[:10] if day == day else ""


def day_of_number(value: float) -> str:
    """date() of a number: that many whole days after 1970-01-01."""
    day = math.trunc(value) + _EPOCH if math.isfinite(value) else 0
    return date.fromordinal(day).isoformat() if 0 < day <= _LAST else ""


def moment_text(text: str) -> str:
    """date-time() of a text."""
    return text.strip() if _parsed(text) is not None else ""


def moment_of_number(value: float) -> str:
    """date-time() of a number: days of UTC with a fraction."""
    if not math.isfinite(value) or not 0 < value + _EPOCH < _LAST:
        return ""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=value)
    return when.isoformat(timespec="milliseconds")


@lru_cache(maxsize=4096)
def formatted(text: str, layout: str, language: str) -> str:
    """format-date() and format-date-time(): %Y %y %m %n %b %d %e %a %H %h %M %S %3; blank of no date."""
    when = _parsed(text)
    return "" if when is None else _CODE.sub(lambda code: _part(code[1], when, language), layout)


def formatted_number(value: float, layout: str, language: str) -> str:
    return formatted(day_of_number(value), layout, language)


_PARTS: dict[str, Callable[[datetime], str]] = {
    "Y": lambda when: f"{when.year:04}",
    "y": lambda when: f"{when.year % 100:02}",
    "m": lambda when: f"{when.month:02}",
    "n": lambda when: str(when.month),
    "d": lambda when: f"{when.day:02}",
    "e": lambda when: str(when.day),
    "H": lambda when: f"{when.hour:02}",
    "h": lambda when: str(when.hour),
    "M": lambda when: f"{when.minute:02}",
    "S": lambda when: f"{when.second:02}",
    "3": lambda when: f"{when.microsecond // 1000:03}",
    "%": lambda when: "%",
}


def _part(code: str, when: datetime, language: str) -> str:
    if code == "b":
        return _MONTHS.get(language, _MONTHS["en"])[when.month - 1]
    if code == "a":
        return _WEEKDAYS.get(language, _WEEKDAYS["en"])[when.weekday()]
    part = _PARTS.get(code)
    return part(when) if part else f"%{code}"


@lru_cache(maxsize=4096)
def _parsed(text: str, zone: timezone | None = None) -> datetime | None:
    found = _MOMENT(text.strip())
    if found is None:
        return None
    try:
        day = date.fromisoformat(found["day"])
        clock = time.fromisoformat(found["clock"][:15]) if found["clock"] else time()
    except ValueError:
        return None
    return datetime.combine(day, clock, _zone(found["zone"]) or zone)


def _zone(text: str | None) -> timezone | None:
    if not text or text == "Z":
        return UTC if text else None
    digits = text[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if shift >= timedelta(days=1):
        return None
    return timezone(shift if text[0] == "+" else -shift)


def _since_epoch(when: datetime) -> float:
    naive = when.replace(tzinfo=None) - (when.utcoffset() or timedelta(0))
    return (naive - datetime(1970, 1, 1)) / timedelta(days=1)
