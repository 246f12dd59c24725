"""A few of the cases that `python -m tests.fuzz` runs for as long as it is told to."""

from __future__ import annotations

import pytest

from tests.fuzz.cases import KINDS, run


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_a_refusal_leaves_the_engine(kind: str) -> None:
    for seed in range(25):
        run(kind, seed)
