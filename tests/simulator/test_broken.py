"""What is broken on purpose is noticed."""

from __future__ import annotations

import pytest

from tests.simulator.broken import VARIANTS
from tests.simulator.schedule import run

LENGTH = 20
WITHIN = 400
"""Histories; most take a few."""


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_broken_on_purpose_is_noticed(name: str) -> None:
    found = None
    for seed in range(WITHIN):
        with VARIANTS[name]():
            found = run(seed, length=LENGTH)
        if found is not None:
            break

    assert found is not None
    assert run(found.seed, length=LENGTH) is None  # it was that change, and nothing else
