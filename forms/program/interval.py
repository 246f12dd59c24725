"""When an interview may have taken place: what today() and now() may have been."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

_DAY = timedelta(days=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2999, 12, 31, tzinfo=UTC)
MOST_DAYS = 40
"""Of an interview that is looked at day by day; of a longer one only its ends."""


class Times(Protocol):
    """What is known about when a record was made."""

    @property
    def started_at(self) -> datetime | None: ...

    @property
    def ended_at(self) -> datetime | None: ...

    @property
    def received_at(self) -> datetime | None: ...

    @property
    def is_edited(self) -> bool: ...


def interval(times: Times) -> tuple[datetime, datetime]:
    """From its start to its end or its arrival, a day more on both sides: clocks and zones may be wrong."""
    ends = [_aware(moment) for moment in (times.ended_at, times.received_at) if moment is not None]
    start = None if times.started_at is None else _aware(times.started_at)
    if start is None and not ends:
        return _EARLIEST, _LATEST
    end = start if not ends else max(ends) if times.is_edited else min(ends)
    low, high = sorted(moment for moment in (start or end, end) if moment is not None)
    zone = (times.started_at or low).tzinfo or low.tzinfo
    return _shifted(low, -_DAY, zone), _shifted(high, _DAY, zone)


def days_between(low: datetime, high: datetime) -> Iterator[date]:
    """The days after the first and before the last."""
    first, last = low.date(), high.date()
    return (first + _DAY * number for number in range(1, (last - first).days))


def offset_minutes(times: Times) -> int:
    """The device's time zone, as far as the record tells; else 0."""
    for moment in (times.started_at, times.ended_at):
        offset = moment.utcoffset() if moment is not None else None
        if offset is not None:
            return int(offset.total_seconds() // 60)
    return 0


def written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _shifted(moment: datetime, by: timedelta, zone: tzinfo | None) -> datetime:
    try:
        return (moment if moment.tzinfo is zone else moment.astimezone(zone)) + by
    except OverflowError:
        return moment
