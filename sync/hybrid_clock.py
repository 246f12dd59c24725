"""A hybrid logical clock: what somebody writes is later than all that he or she has seen, if that can be believed.

Its readings only pick which of several flagged values is displayed (Kulkarni and others, 2014, "Logical Physical Clocks
and Consistent Snapshots in Globally Distributed Databases")."""

from __future__ import annotations

import re
from datetime import datetime

FARTHEST_AHEAD_MS = 3_600_000
"""Whoever is further ahead of our own clock than this is not followed: one clock that is off by years must not drag all
others along, which would then stand still for years."""
NEVER = "000000000000-0000"
MOST = 0xFFFF
_READING = re.compile(r"([0-9a-f]{12})-([0-9a-f]{4})")


def reading(now: datetime) -> str:
    """48 bits of Unix time in ms, then a counter."""
    return f"{_ms(now):012x}-0000"


def tick(now: datetime, last: str) -> str:
    """The reading for what is written now: later than `last`, whatever somebody does to the clock."""
    found = _READING.fullmatch(last)
    last_ms, last_count = (int(found[1], 16), int(found[2], 16)) if found else (0, 0)
    if _ms(now) > last_ms:
        return reading(now)
    return f"{last_ms:012x}-{last_count + 1:04x}" if last_count < MOST else f"{last_ms + 1:012x}-0000"


def followed(last: str, told: str, now: datetime) -> str:
    """The later of the two readings, unless what we are told is nonsense or too far ahead of our own clock."""
    return max(last, told) if _READING.fullmatch(told) and told <= latest_credible(now) else last


def latest_credible(now: datetime) -> str:
    """Beyond this nobody is followed."""
    return f"{_ms(now) + FARTHEST_AHEAD_MS:012x}-{MOST:04x}"


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)
