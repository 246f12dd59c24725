"""The lexical rules of the ODK data types."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from forms.definition import DataType as T
from forms.lexical import Geopoint, is_taken_by_one_engine, parse, written

WIB = timezone(timedelta(hours=7))
HERE = Geopoint(-8.2, 114.36, 12.0, 4.5)

GOOD: list[tuple[T, str, object]] = [
    (T.STRING, " as it is ", " as it is "),
    (T.INT, "41", 41),
    (T.INT, "+007", 7),
    (T.INT, "-2147483648", -2147483648),
    (T.DECIMAL, "12.50", Decimal("12.50")),
    (T.DECIMAL, ".5", Decimal("0.5")),
    (T.DECIMAL, "3.0E9", Decimal("3.0E9")),
    (T.BOOLEAN, "true", True),
    (T.BOOLEAN, "0", False),
    (T.DATE, "2024-02-29", date(2024, 2, 29)),
    (T.TIME, "06:30", time(6, 30)),
    (T.TIME, "06:30:00.000+07:00", time(6, 30, tzinfo=WIB)),
    (T.DATETIME, "2026-11-23T08:30:04.000+07:00", datetime(2026, 11, 23, 8, 30, 4, tzinfo=WIB)),
    (T.DATETIME, "2026-11-23T08:30:04+07", datetime(2026, 11, 23, 8, 30, 4, tzinfo=WIB)),
    (T.DATETIME, "2026-11-23T08:30:04", datetime(2026, 11, 23, 8, 30, 4)),
    (T.GEOPOINT, "-8.2 114.36", Geopoint(-8.2, 114.36)),
    (T.GEOPOINT, "-8.2 114.36 12 4.5", HERE),
    (T.GEOTRACE, "-8.2 114.36 12 4.5; -8.3 114.4 0 0;", (HERE, Geopoint(-8.3, 114.4, 0, 0))),
    (T.BINARY, "foto rumah.jpg", "foto rumah.jpg"),
    (T.SELECT, "a b  c", ("a", "b", "c")),
    (T.SELECT1, "yes", "yes"),
    (T.RANK, "b a", ("b", "a")),
]
BAD: list[tuple[T, str]] = [
    (T.INT, "2147483648"),
    (T.INT, "99999999999"),
    (T.INT, "1.0"),
    (T.INT, "1e3"),
    (T.INT, "١٢"),
    (T.INT, " 1"),
    (T.INT, "1\n"),
    (T.DECIMAL, "."),
    (T.DECIMAL, "1,5"),
    (T.DECIMAL, "NaN"),
    (T.DECIMAL, "1e9999"),
    (T.DECIMAL, "9" * 401),
    (T.BOOLEAN, "yes"),
    (T.DATE, "2024-02-30"),
    (T.DATE, "2024-2-9"),
    (T.DATE, "20240209"),
    (T.DATE, "2024-W01-1"),
    (T.DATE, "2024-02-09T00:00:00"),
    (T.TIME, "25:00"),
    (T.TIME, "0630"),
    (T.DATETIME, "2026-11-23"),
    (T.DATETIME, "2026-11-23 08:30:04"),
    (T.DATETIME, "2026-11-23T24:30:00Z"),
    (T.GEOPOINT, "91 0"),
    (T.GEOPOINT, "0 181"),
    (T.GEOPOINT, "0 0 0 -1"),
    (T.GEOPOINT, "0"),
    (T.GEOPOINT, "1e999 0"),
    (T.GEOPOINT, "a b"),
    (T.GEOTRACE, "0 0"),
    (T.GEOSHAPE, "0 0; 0 1; 0 0"),
    (T.GEOSHAPE, "0 0; 0 1; 1 1; 1 0"),
    (T.BINARY, "../../etc/passwd"),
    (T.BINARY, "a\\b.jpg"),
    (T.BINARY, ".."),
    (T.BINARY, "a\x00.jpg"),
    (T.BINARY, "x" * 256),
]


@pytest.mark.parametrize(("type", "text", "value"), GOOD)
def test_text_of_the_type_is_read(type: T, text: str, value: object) -> None:
    assert parse(type, text) == value


@pytest.mark.parametrize(("type", "text"), BAD, ids=lambda value: str(value)[:30])
def test_text_of_another_type_is_refused_with_a_reason(type: T, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+"):
        parse(type, text)


@pytest.mark.parametrize(("type", "text", "value"), GOOD)
def test_a_value_is_written_so_that_it_is_read_again(type: T, text: str, value: object) -> None:
    assert parse(type, written(value)) == value


def test_a_closed_line_of_three_corners_is_an_area() -> None:
    assert len(parse(T.GEOSHAPE, "0 0; 0 1; 1 1; 0 0")) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (T.INT, "1.0"),
        (T.INT, "1e3"),
        (T.INT, "١٢"),
        (T.DECIMAL, "NaN"),
        (T.DATE, "2024-2-9"),
        (T.BINARY, "jr://images/map.png"),
    ],
)
def test_what_one_engine_of_the_field_takes_is_doubtful(type: T, text: str) -> None:
    assert is_taken_by_one_engine(type, text)


@pytest.mark.parametrize(
    ("type", "text"), [(T.INT, "forty"), (T.INT, "9" * 500), (T.DATE, "2024-02-30"), (T.BINARY, "../x")]
)
def test_what_no_engine_takes_is_wrong(type: T, text: str) -> None:
    assert not is_taken_by_one_engine(type, text)
