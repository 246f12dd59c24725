"""What is broken on purpose is noticed."""

from __future__ import annotations

import pytest

from tests.simulator.broken import VARIANTS
from tests.simulator.schedule import run
from tests.simulator.world import steps_of

LENGTH = 20
WITHIN = 400
"""Histories; most take a few."""


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_broken_on_purpose_is_noticed(name: str) -> None:
    broken = VARIANTS[name]
    found = None
    for seed in range(WITHIN):
        steps = steps_of(seed, LENGTH, broken.shown_by)
        with broken.patches():
            found = run(seed, steps)
        if found is not None:
            break

    assert found is not None
    assert run(found.seed, found.steps) is None  # it was that change, and nothing else
