"""Histories with faults, each from its own seed: nothing lost, nothing doubled, everybody agrees at the end."""

from __future__ import annotations

import pytest

from tests.simulator.__main__ import told
from tests.simulator.schedule import run
from tests.simulator.world import steps_of, world

SCHEDULES, PART = 500, 25


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SCHEDULES, PART))
def test_histories_with_faults_keep_every_promise(first: int) -> None:
    for seed in range(first, first + PART):
        failure = run(seed)

        assert failure is None, told(failure)


def test_the_same_seed_is_the_same_history() -> None:
    def history(seed: int) -> list[object]:
        with world(seed) as made:
            for step in steps_of(seed, 20):
                made.step(step)
            made.settle()
            return made.node.rows("SELECT op_id, origin, n, seq, changes, received_at FROM operation ORDER BY op_id")

    first, again, other = history(7), history(7), history(8)

    assert first == again
    assert first != other
