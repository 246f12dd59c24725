"""The table of misfortunes names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.e2e import luck

TESTS = Path(__file__).parents[2]


def test_each_test_that_the_table_names_is_there() -> None:
    named = set(re.findall(r"\btest_\w+", luck.__doc__ or ""))
    written = {
        name for file in TESTS.rglob("test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }

    assert len(named) > 25
    assert named <= written
