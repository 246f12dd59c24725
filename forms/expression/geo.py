"""Distances and areas as the engines of the field measure them (Earth's radius 6,378,100 m)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from forms.expression.numbers import NAN

_RADIUS_M = 6_378_100.0
_DEGREE_M = 2 * math.pi * _RADIUS_M / 360
_NEARLY_SAME = 1 - 1e-15
"""Above this cosine the arc cosine is more noise than distance."""
MOST_POINTS = 2_000
"""Of a line that is looked at for crossings: each part is compared with every other."""
Point: TypeAlias = tuple[float, float]


def points(text: str) -> list[Point] | None:
    """Latitude and longitude of a geopoint, geotrace or geoshape; None when one of them is no point."""
    found: list[Point] = []
    for one in text.split(";"):
        if one.strip():
            parts = one.split()
            try:
                found.append((float(parts[0]), float(parts[1])))
            except (IndexError, ValueError):
                return None
    return found if all(map(_is_on_earth, found)) else None


def _is_on_earth(point: Point) -> bool:
    return abs(point[0]) <= 90 and abs(point[1]) <= 180


def _all_points(texts: Sequence[str]) -> list[Point] | None:
    return points(";".join(texts))


def distance(texts: Sequence[str]) -> float:
    """distance(): metres along a trace, or from point to point; NaN of anything else."""
    path = _all_points(texts)
    if path is None:
        return NAN
    return math.fsum(math.acos(max(-1.0, min(1.0, cosine))) for cosine in _cosines(path)) * _RADIUS_M


def distance_to_the_cent(texts: Sequence[str]) -> float:
    """distance() as Web Forms has it: two decimals. Where two points are nearly one, both engines may say NaN."""
    path = _all_points(texts)
    if path is None or len(path) < 2 or any(cosine > _NEARLY_SAME for cosine in _cosines(path)):
        return NAN
    return round(distance(texts), 2)


def _cosines(path: list[Point]) -> list[float]:
    """Of the angles between neighbours: the spherical law of cosines, which both engines use."""
    return [_cosine(*one, *other) for one, other in pairwise(path)]


def _cosine(lat_1: float, lon_1: float, lat_2: float, lon_2: float) -> float:
    one, other, between = math.radians(lat_1), math.radians(lat_2), math.radians(lon_2 - lon_1)
    return math.sin(one) * math.sin(other) + math.cos(one) * math.cos(other) * math.cos(between)


def area(texts: Sequence[str]) -> float:
    """area() as JavaRosa has it: square metres on a plane that touches the first corner; 0 of fewer than three."""
    path = _all_points(texts)
    if path is None:
        return NAN
    if len(path) < 3:
        return 0.0
    lat_0, lon_0 = path[0]
    plane = [((lon - lon_0) * _DEGREE_M * math.cos(math.radians(lat)), (lat - lat_0) * _DEGREE_M) for lat, lon in path]
    return abs(math.fsum(y_1 * x_2 - x_1 * y_2 for (x_1, y_1), (x_2, y_2) in pairwise(plane))) / 2


def area_on_sphere(texts: Sequence[str]) -> float:
    """area() as Web Forms has it: on the sphere, two decimals."""
    path = _all_points(texts)
    if path is None or len(path) < 2:
        return NAN
    ring = path if path[0] == path[-1] else [*path, path[0]]
    twice = math.fsum(_strip(one, other) for one, other in pairwise(ring))
    return abs(round(twice * _RADIUS_M * _RADIUS_M / 2, 2))


def _strip(one: Point, other: Point) -> float:
    span = math.radians(other[1] - one[1])
    return span * (2 + math.sin(math.radians(one[0])) + math.sin(math.radians(other[0])))


def is_within(point: str, shape: str) -> bool:
    """geofence(): the point lies inside the closed shape (even-odd rule on latitude and longitude)."""
    where, ring = points(point), points(shape)
    if not where or not ring:
        return False
    y, x = where[0]
    crossings = sum(_is_crossed(x, y, *one, *other) for one, other in pairwise(ring))
    return crossings % 2 == 1


def _is_crossed(x: float, y: float, lat_1: float, lon_1: float, lat_2: float, lon_2: float) -> bool:
    """A line eastwards from the point meets this side."""
    if (lat_2 > y) == (lat_1 > y):
        return False
    return x < (lon_1 - lon_2) * (y - lat_2) / (lat_1 - lat_2) + lon_2


def is_crossing_itself(text: str) -> bool:
    """intersects(): two of the trace's parts that do not follow one another cross."""
    path = points(text)
    if not path or len(path) < 4 or len(path) > MOST_POINTS:
        return False
    parts = list(pairwise(path))
    last = len(parts) - 1
    is_closed = path[0] == path[-1]
    return any(
        _cross(*parts[one], *parts[other])
        for one in range(len(parts))
        for other in range(one + 2, len(parts))
        if not (is_closed and one == 0 and other == last)
    )


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
