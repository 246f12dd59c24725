"""Distances and areas on the sphere that JavaRosa uses (radius 6,378,100 m)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from forms.expression.numbers import NAN

_RADIUS_M = 6_378_100.0
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
    return found


def _all_points(texts: Sequence[str]) -> list[Point] | None:
    return points(";".join(texts))


def distance(texts: Sequence[str]) -> float:
    """distance(): metres along a trace, or from point to point; NaN of anything else."""
    path = _all_points(texts)
    if path is None:
        return NAN
    return math.fsum(_between(path[at], path[at + 1]) for at in range(len(path) - 1))


def area(texts: Sequence[str]) -> float:
    """area(): square metres inside a shape; 0 of fewer than three points."""
    path = _all_points(texts)
    if path is None:
        return NAN
    if len(path) < 3:
        return 0.0
    ring = path if path[0] == path[-1] else [*path, path[0]]
    twice = math.fsum(_strip(ring[at], ring[at + 1]) for at in range(len(ring) - 1))
    return abs(twice) * _RADIUS_M * _RADIUS_M / 2


def is_within(point: str, shape: str) -> bool:
    """geofence(): the point lies inside the shape (even-odd rule on latitude and longitude)."""
    where, ring = points(point), points(shape)
    if not where or not ring or len(ring) < 3:
        return False
    latitude, longitude = where[0]
    inside = False
    for at, (lat, lon) in enumerate(ring):
        previous_lat, previous_lon = ring[at - 1]
        if (lon > longitude) != (previous_lon > longitude):
            crossing = (previous_lat - lat) * (longitude - lon) / (previous_lon - lon) + lat
            inside ^= latitude < crossing
    return inside


def is_crossing_itself(text: str) -> bool:
    """intersects(): two of the trace's segments that do not follow one another cross."""
    path = points(text)
    if not path or len(path) < 4 or len(path) > 2_000:
        return False
    parts = [(path[at], path[at + 1]) for at in range(len(path) - 1)]
    last = len(parts) - 1
    is_closed = path[0] == path[-1]
    return any(
        _cross(*parts[one], *parts[other])
        for one in range(len(parts))
        for other in range(one + 2, len(parts))
        if not (is_closed and one == 0 and other == last)
    )


def _between(one: Point, other: Point) -> float:
    """The haversine formula."""
    lat_1, lat_2 = math.radians(one[0]), math.radians(other[0])
    half_lat = (lat_2 - lat_1) / 2
    half_lon = math.radians(other[1] - one[1]) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_1) * math.cos(lat_2) * math.sin(half_lon) ** 2
    return 2 * _RADIUS_M * math.asin(math.sqrt(min(1.0, chord)))


def _strip(one: Point, other: Point) -> float:
    span = math.radians(other[1] - one[1])
    return span * (2 + math.sin(math.radians(one[0])) + math.sin(math.radians(other[0])))


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
