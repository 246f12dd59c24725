"""The attachments of a form in which its questions look things up: CSV, XML and GeoJSON as rows."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson

from forms.expression.table import Table
from forms.xml import parse

LARGEST = 16 * 2**20
"""Bytes. A larger table is only handed to devices; what looks things up in it cannot be decided here."""

SUFFIXES = (".csv", ".xml", ".geojson")


def is_table(name: str, size: int) -> bool:
    """Whether the checks should read this attachment."""
    return name.lower().endswith(SUFFIXES) and size <= LARGEST


def table(name: str, content: bytes) -> Table:
    """The rows, all values as text. Raises ValueError when it is no such file."""
    if name.lower().endswith(".csv"):
        return Table(_csv(content))
    if name.lower().endswith(".geojson"):
        return Table(_geojson(content))
    return Table(_xml(content))


def _csv(content: bytes) -> list[dict[str, str]]:
    text = content.decode("utf-8-sig")
    first_line = text.partition("\n")[0]
    # Collect takes semicolons as well: spreadsheets write them where the comma is the decimal sign.
    delimiter = ";" if ";" in first_line and "," not in first_line else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = [column.strip() for column in next(reader, [])]
    return [dict(zip(columns, row, strict=False)) for row in reader if any(row)]


def _geojson(content: bytes) -> list[dict[str, str]]:
    """Each feature's properties, its id and its geometry as ODK writes points (XLSForm documentation)."""
    read = orjson.loads(content)
    features = read.get("features") if isinstance(read, dict) else None
    if not isinstance(features, list):
        raise ValueError("this GeoJSON has no list of features")
    return [_feature(feature) for feature in features if isinstance(feature, dict)]


def _feature(feature: dict[str, Any]) -> dict[str, str]:
    row = {name: _text(value) for name, value in (feature.get("properties") or {}).items()}
    if "id" in feature:
        row["id"] = _text(feature["id"])
    geometry = feature.get("geometry") or {}
    if geometry.get("type") == "Point":
        longitude, latitude = geometry["coordinates"][:2]
        row["geometry"] = f"{latitude} {longitude} 0 0"
    return row


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _xml(content: bytes) -> list[dict[str, str]]:
    """<root><item><name>..</name></item></root>: one row an item."""
    return [{str(cell.tag): cell.text or "" for cell in item} for item in parse(content)]
