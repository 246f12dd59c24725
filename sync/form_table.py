"""Tables as rows: the attachments of a form in which its questions look things up (CSV, XML and GeoJSON), and the CSVs
that people send to fill a registry or to assign work."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import orjson
from lxml import etree

from forms import xml
from forms.definition import FormDefinition, Question
from forms.errors import Kind, Problem
from forms.expression.table import Table

LARGEST = 16 * 2**20
"""Bytes. A larger table is only handed to devices; what looks things up in it cannot be decided here."""
MOST_NODES = 2_000_000
"""Elements of a table in XML: a hundred thousand rows of nearly twenty columns."""

SUFFIXES = (".csv", ".xml", ".geojson")
MOST_FAULTS = 20
"""Of a CSV that somebody sends, told at once."""
LIST_NAME = "list_name"
"""The column of itemsets.csv that says to which list a row belongs."""


class BadTable(Problem):
    """This file cannot be read as a table. Save it as CSV in UTF-8 and send it again."""

    slug = "form/bad-table"


class NotUtf8(BadTable):
    """This table is not in UTF-8: its letters would come out wrong. Save it as “CSV UTF-8” and send it again."""

    slug = "form/table-not-utf-8"


class DoubledColumn(BadTable):
    """Two columns of this table have the same name. Rename or remove one of them and send it again."""

    slug = "form/table-doubled-column"


class NamelessColumn(BadTable):
    """A column of this table has no name in the first row. Name it, or remove it, and send it again."""

    slug = "form/table-nameless-column"


class BrokenRow(BadTable):
    """A row of this table cannot be read. Look at the quotation marks on the line that is named."""

    slug = "form/table-broken-row"


class MissingColumn(BadTable):
    """This table lacks a column that is needed. Add it, or rename the one that is meant, and send it again."""

    slug = "form/table-missing-column"


class EmptyTable(BadTable):
    """This table has no rows. Write at least one below the names of the columns and send it again."""

    slug = "table/empty"


class TableTooLarge(BadTable):
    """This table is too large. Divide it into several files and send them one after the other."""

    kind = Kind.TOO_LARGE
    slug = "table/too-large"


MORE_CELLS = "more_cells"
"""Why a row is faulty: a text with a comma in it, without quotation marks, would put all that follows into the wrong
columns."""


class RowFault(TypedDict):
    """What is wrong in a row of a file; the names of the columns are row 1. `why` is a word of who reads the file."""

    row: int
    column: str
    value: str
    why: str


class FaultyRows(BadTable):
    """This CSV cannot be taken; nothing was changed. Correct what is listed and send it again."""

    slug = "table/faulty-rows"

    def __init__(self, faults: Sequence[RowFault]) -> None:
        super().__init__(faults=faults[:MOST_FAULTS])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a CSV that somebody sends may be, and the columns that it needs."""

    columns: Sequence[str]
    most_rows: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A CSV that somebody sent. `rows` are by their numbers in a spreadsheet; cells that are missing at the end of a
    row are not in it."""

    columns: Sequence[str]
    rows: Mapping[int, Mapping[str, str]]


def is_table(name: str, size: int) -> bool:
    """Whether the checks should read this attachment."""
    return name.lower().endswith(SUFFIXES) and size <= LARGEST


def table(name: str, content: bytes, list_name: str = "") -> Table:
    """The rows, all values as text; only those of one list where the file holds several. Refuses BadTable."""
    rows = _rows(name, content)
    return Table([row for row in rows if row.get(LIST_NAME) == list_name] if list_name else rows)


def sent_rows(content: bytes, wanted: Wanted) -> Sent:
    """The columns and rows of a CSV that somebody sends.

    Refuses BadTable, and FaultyRows for a row with more cells than there are columns."""
    if len(content) > wanted.most_bytes:
        raise TableTooLarge(f"{len(content)} > {wanted.most_bytes}")
    columns, cells = _csv_columns("CSV", content), _csv_cells("CSV", content)
    rows = {number: dict(zip(columns, row, strict=False)) for number, row in cells.items()}
    missing = [column for column in wanted.columns if column not in columns]
    if missing:
        raise MissingColumn(", ".join(missing), column=missing[0])
    if not rows:
        raise EmptyTable
    if len(rows) > wanted.most_rows:
        raise TableTooLarge(f"{len(rows)} > {wanted.most_rows}")
    more = ((number, row[len(columns) :]) for number, row in cells.items() if any(row[len(columns) :]))
    faults: list[RowFault] = [
        {"row": number, "column": "", "value": ", ".join(rest)[:100], "why": MORE_CELLS} for number, rest in more
    ]
    if faults:
        raise FaultyRows(faults)
    return Sent(columns, rows)


def check_table(definition: FormDefinition, name: str, content: bytes) -> None:
    """The file can be read and has the columns from which the form takes its choices. Refuses BadTable."""
    rows = _rows(name, content)
    columns = (
        set(_csv_columns(name, content)) if name.lower().endswith(".csv") else {key for row in rows for key in row}
    )
    for column, question in _wanted(definition, name):
        if column not in columns:
            raise MissingColumn(f"{name}: {column} ({', '.join(sorted(columns))})", column=column, question=question)


def _wanted(definition: FormDefinition, name: str) -> Iterator[tuple[str, str]]:
    """The columns that selects read from this file, each with a question that does."""
    sources = {one.id: one for one in definition.instances.values() if one.src.rpartition("/")[2] == name}
    for question in definition.questions():
        source = sources.get(question.itemset.instance) if question.itemset else None
        if source is not None:
            columns = [LIST_NAME] if source.list_name else []
            yield from ((column, question.name) for column in [*columns, *_columns(question)])


def _columns(question: Question) -> Iterator[str]:
    itemset = question.itemset
    for column in (itemset.value_column, itemset.label_column) if itemset else ():
        if "/" not in column:
            yield column


def _rows(name: str, content: bytes) -> list[dict[str, str]]:
    try:
        if name.lower().endswith(".csv"):
            return list(_csv(name, content))
        return _geojson(content) if name.lower().endswith(".geojson") else _xml(content)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise BadTable(f"{name}: {error}"[:200]) from error
    except BadTable:
        raise
    except Problem as refusal:
        raise BadTable(f"{name}: {refusal}"[:200]) from refusal


def _csv(name: str, content: bytes) -> Iterator[dict[str, str]]:
    columns = _csv_columns(name, content)
    yield from (dict(zip(columns, row, strict=False)) for row in _csv_cells(name, content).values())


def _csv_cells(name: str, content: bytes) -> dict[int, list[str]]:
    """The rows below the columns by their numbers, without those that are blank."""
    reader = _reader(name, content)
    try:
        return {number: row for number, row in enumerate(reader, 1) if number > 1 and any(row)}
    except csv.Error as error:
        raise BrokenRow(f"{name}, {reader.line_num}: {error}", line=reader.line_num) from error


def _csv_columns(name: str, content: bytes) -> list[str]:
    reader = _reader(name, content)
    try:
        columns = [column.strip() for column in next(reader, [])]
    except csv.Error as error:
        raise BrokenRow(f"{name}, 1: {error}", line=1) from error
    doubled = [column for column, times in Counter(columns).items() if column and times > 1]
    if doubled:
        raise DoubledColumn(f"{name}: {', '.join(doubled)}", column=doubled[0])
    if "" in columns:
        raise NamelessColumn(f"{name}: {columns.index('') + 1}", column=columns.index("") + 1)
    return columns


def _reader(name: str, content: bytes) -> Any:
    """Lines may end in any way; strict, since an open quotation mark would swallow the rest of the file."""
    text = _text(name, content)
    first_line = text[:10_000].splitlines()[0] if text else ""
    # Collect takes semicolons as well: spreadsheets write them where the comma is the decimal sign.
    delimiter = ";" if ";" in first_line and "," not in first_line else ","
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotUtf8(f"{name}, {line}", line=line) from error


def _geojson(content: bytes) -> list[dict[str, str]]:
    """Each feature's properties, its id and its geometry as ODK writes places (XLSForm documentation)."""
    read = orjson.loads(content)
    features = read.get("features") if isinstance(read, dict) else None
    if not isinstance(features, list):
        raise ValueError("this GeoJSON has no list of features")
    return [_feature(feature) for feature in features]


def _feature(feature: dict[str, Any]) -> dict[str, str]:
    row = {name: _said(value) for name, value in (feature.get("properties") or {}).items()}
    if "id" in feature:
        row["id"] = _said(feature["id"])
    geometry = feature.get("geometry") or {}
    found = _places(geometry.get("type", ""), geometry.get("coordinates") or [])
    return row | ({"geometry": "; ".join(found)} if found else {})


def _places(kind: str, coordinates: Sequence[Any]) -> list[str]:
    """The points of a place, a line or the outline of an area."""
    points = {"Point": [coordinates], "LineString": coordinates, "Polygon": coordinates[:1]}.get(kind, [])
    if kind == "Polygon":
        points = [point for ring in points for point in ring]
    return [f"{latitude} {longitude} 0 0" for longitude, latitude, *_ in points]


def _said(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _xml(content: bytes) -> list[dict[str, str]]:
    """<root><item><name>..</name></item></root>: one row an item."""
    return [_item(item) for item in xml.parse(content, nodes=MOST_NODES)]


def _item(item: etree._Element) -> dict[str, str]:
    return {xml.local_name(cell): cell.text or "" for cell in item}
