"""What is broken on purpose is noticed."""

from __future__ import annotations

import pytest

from tests.simulator.broken import VARIANTS
from tests.simulator.schedule import run

LENGTH = 20
WITHIN = 150
"""Histories; most take one or two."""
FIRST: dict[str, int] = {}
"""Where to begin looking, so that it does not take long: a seed that has noticed it before."""


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_broken_on_purpose_is_noticed(name: str) -> None:
    first = FIRST.get(name, 0)
    with VARIANTS[name]():
        found = next((failure for seed in range(first, first + WITHIN) if (failure := run(seed, length=LENGTH))), None)

    assert found is not None
