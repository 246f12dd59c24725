"""Charts as positions: the templates draw them as SVG in percent of the width, so that they fit any screen."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to a place between 0 and 100. `ticks` are round values."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    @property
    def zero(self) -> float:
        return self.at(min(max(0.0, self.low), self.high))


@dataclass(frozen=True, slots=True)
class Span:
    """A range with something marked in it; None where there is nothing to draw."""

    left: float
    width: float
    mark: float


def scale(values: Iterable[float], *, with_zero: bool = True, steps: int = 4) -> Scale:
    """A scale that has room for all the values, and for zero unless only their distance matters."""
    known = list(values) + [0.0] * with_zero or [0.0]
    low, high = min(known), max(known)
    step = _round_step((high - low) / steps) if high > low else _round_step(abs(high) or 1.0)
    first, last = math.floor(low / step), math.ceil(high / step)
    last = max(last, first + 1)
    return Scale(first * step, last * step, tuple(step * number for number in range(first, last + 1)))


def span(on: Scale, least: float, most: float, mark: float) -> Span:
    left, right = on.at(min(least, most)), on.at(max(least, most))
    return Span(left, round(right - left, 2), on.at(mark))


def _round_step(rough: float) -> float:
    """The next 1, 2 or 5 times a power of ten."""
    power: float = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough - 1e-9 * power)
