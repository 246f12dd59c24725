"""What is written later is later, also by clocks that are wrong; and nobody drags the others along."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.hybrid_clock import FARTHEST_AHEAD_MS, NEVER, followed, reading, tick

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(milliseconds=FARTHEST_AHEAD_MS)
instants = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # bounds


@given(st.lists(instants, min_size=2))
def test_it_never_stands_still_and_never_goes_back(clock: list[datetime]) -> None:
    last, seen = NEVER, [NEVER]
    for now in clock:
        last = tick(now, last)
        seen.append(last)

    assert seen == sorted(set(seen))
    assert len({len(one) for one in seen}) == 1


def test_the_counter_runs_over_into_the_time() -> None:
    full = reading(NOW)[:-4] + "ffff"

    later = tick(NOW, full)

    assert later > full
    assert later == reading(NOW + timedelta(milliseconds=1))


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=10), HOUR])
def test_what_is_written_is_later_than_what_was_seen(ahead: timedelta) -> None:
    seen = tick(NOW + ahead, NEVER)

    assert tick(NOW, followed(NEVER, seen, NOW)) > seen


@pytest.mark.parametrize("ahead", [HOUR + timedelta(milliseconds=1), timedelta(days=7300)])
def test_a_clock_that_is_far_ahead_drags_nobody_along(ahead: timedelta) -> None:
    own = reading(NOW)

    assert followed(own, reading(NOW + ahead), NOW) == own


@pytest.mark.parametrize("told", ["", "0", "zzz", "019a3f2c1b20", "019A3F2C1B20-0000", "000000000000-00000"])
def test_what_is_no_reading_changes_nothing(told: str) -> None:
    assert followed(NEVER, told, NOW) == NEVER


def test_what_is_earlier_changes_nothing() -> None:
    assert followed(reading(NOW), reading(NOW - HOUR), NOW) == reading(NOW)
