"""Run histories: one seed, one verdict; a failing one is shortened to what it takes to fail."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulator import check
from tests.simulator.world import Step, World, steps_of, world

LENGTH = 12


@dataclass(frozen=True, slots=True)
class Failure:
    """What broke, in which history."""

    seed: int
    steps: tuple[Step, ...]
    broken: str

    def __str__(self) -> str:
        told = "\n".join(f"    {number:3} {step.kind} ({step.seed})" for number, step in enumerate(self.steps))
        return f"seed {self.seed}: {self.broken}\n{told}"


def run(seed: int, steps: Sequence[Step] | None = None, *, length: int = LENGTH) -> Failure | None:
    """The history of this seed, or these steps of it; None when every invariant holds."""
    chosen = steps_of(seed, length) if steps is None else steps
    with _collecting_later(), world(seed) as made:
        try:
            _live(made, chosen)
        except Exception as error:  # noqa: BLE001  # a crash of the code under test breaks the history as well
            return Failure(seed, tuple(chosen), f"{type(error).__name__}: {error}")
    return None


@contextmanager
def _collecting_later() -> Iterator[None]:
    """A history is too short for the collector to be of use before its end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


def _live(made: World, steps: Sequence[Step]) -> None:
    for number, step in enumerate(steps):
        were_up = [node.is_up for node in made.nodes]
        made.step(step)
        for node, was_up in zip(made.nodes, were_up, strict=True):
            if (was_up and not node.is_up) or number % 10 == 9:
                if node.name not in made.truth.restored_nodes:
                    check.check_safe(made.truth, node)
                made.truth.read_feed(node)
    made.settle()
    check.check_settled(made)


def shortened(failure: Failure, still_fails: Callable[[Sequence[Step]], Failure | None]) -> Failure:
    """The same failure by fewer steps, as far as leaving out one part after another gets."""
    size = max(1, len(failure.steps) // 2)
    while size:
        at = 0
        while at < len(failure.steps):
            fewer = failure.steps[:at] + failure.steps[at + size :]
            found = still_fails(fewer)
            if found is None:
                at += size
            else:
                failure = found
        size //= 2
    return failure
