"""Every promise of the sync protocol names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tests import invariants

TESTS = Path(__file__).parents[2]


def test_each_promise_has_tests_that_are_there() -> None:
    table = re.split(r"^I(\d+), ", invariants.__doc__ or "", flags=re.M)[1:]
    pairs = zip(table[::2], table[1::2], strict=True)
    named = {int(number): set(re.findall(r"\btest_\w+", text)) for number, text in pairs}
    written = {
        name for file in TESTS.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }

    assert sorted(named) == list(range(1, 23))
    assert all(named.values())
    assert set.union(*named.values()) <= written
