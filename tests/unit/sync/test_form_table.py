"""Tables that are attached to a form, as the questions see them."""

from __future__ import annotations

import pytest

from sync.form_table import (
    BadTable,
    BrokenRow,
    DoubledColumn,
    EmptyTable,
    FaultyRows,
    MissingColumn,
    NamelessColumn,
    NotUtf8,
    TableTooLarge,
    Wanted,
    check_table,
    is_table,
    sent_rows,
    table,
)
from tests.unit.forms.sheet import form


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("a.csv", b"name,label\nrt1,RT 01\n", [{"name": "rt1", "label": "RT 01"}]),
        ("a.csv", '\ufeffname,label\r\nrt1,"RT, 01"\r\n'.encode(), [{"name": "rt1", "label": "RT, 01"}]),
        ("a.csv", b"name;label\nrt1;RT 01\n", [{"name": "rt1", "label": "RT 01"}]),
        ("a.csv", b"name,label\n\nrt1\n", [{"name": "rt1"}]),
        ("a.csv", b"", []),
        ("a.xml", b"<root><item><name>rt1</name><label/></item></root>", [{"name": "rt1", "label": ""}]),
        (
            "a.geojson",
            b'{"features": [{"id": 3, "properties": {"name": "well", "deep": true, "note": null},'
            b' "geometry": {"type": "Point", "coordinates": [114.3, -8.2]}}]}',
            [{"name": "well", "deep": "true", "note": "", "id": "3", "geometry": "-8.2 114.3 0 0"}],
        ),
    ],
)
def test_rows_are_read_as_text(name: str, content: bytes, rows: list[dict[str, str]]) -> None:
    assert list(table(name, content).rows) == rows


@pytest.mark.parametrize(
    ("content", "refusal", "line"),
    [
        (b"\xff\xfen\x00a\x00", NotUtf8, 1),
        ("name,label\nrt1,Désa\n".encode("latin-1"), NotUtf8, 2),
        (b"name,label,name\n", DoubledColumn, None),
        (b"name,label,\nrt1,RT 01,\n", NamelessColumn, None),
        (b'name,label\nrt1,"RT 01\nrt2,RT 02\n', BrokenRow, 3),
        (b'name,label\n"rt1"x,RT 01\n', BrokenRow, 2),
        (b'"name,label\nrt1,RT 01\n', BrokenRow, 1),
        (b"name\n" + b"a" * 200_000, BrokenRow, 2),
    ],
    ids=["utf-16", "latin-1", "doubled", "nameless", "open quote", "after quote", "header", "endless"],
)
def test_a_table_that_would_come_out_wrong_is_refused_with_its_line(
    content: bytes, refusal: type[BadTable], line: int | None
) -> None:
    with pytest.raises(refusal) as refused:
        table("a.csv", content)

    assert refused.value.members.get("line") == line


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(end: str) -> None:
    content = end.join(["name,label", "rt1,RT 01", "rt2,RT 02\r\nrt3,RT 03", ""]).encode()

    assert [row["name"] for row in table("a.csv", content).rows] == ["rt1", "rt2", "rt3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("a.geojson", one) for one in (b"[]", b"{}", b"{", b'{"features": 1}', b'{"features": [1]}')),
        ("a.geojson", b'{"features": [{"geometry": {"type": "Point", "coordinates": [1]}}]}'),
        ("a.geojson", b'{"features": [{"geometry": {"type": "Point", "coordinates": {"x": 1}}}]}'),
        ("a.geojson", b'{"features": [{"properties": 3}]}'),
        ("a.geojson", b'{"features": [{"geometry": {"type": ["Point"], "coordinates": [1, 2]}}]}'),
        ("a.xml", b"<root>"),
        ("a.xml", b'<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>'),
    ],
)
def test_what_is_no_table_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(BadTable):
        table(name, content)


@pytest.mark.parametrize(
    ("kind", "coordinates", "geometry"),
    [
        ("LineString", "[[1, 2], [3, 4, 5]]", "2 1 0 0; 4 3 0 0"),
        ("Polygon", "[[[1, 2], [3, 4], [5, 6], [1, 2]]]", "2 1 0 0; 4 3 0 0; 6 5 0 0; 2 1 0 0"),
        ("MultiPoint", "[[1, 2]]", ""),
    ],
)
def test_lines_and_areas_are_places_too(kind: str, coordinates: str, geometry: str) -> None:
    content = f'{{"features": [{{"geometry": {{"type": "{kind}", "coordinates": {coordinates}}}}}]}}'.encode()

    assert table("a.geojson", content).rows[0].get("geometry", "") == geometry


def test_a_file_may_hold_several_lists() -> None:
    content = b'"list_name","name","label"\n"city","a","A"\n"state","b","B"\n'

    assert [row["name"] for row in table("itemsets.csv", content, "city").rows] == ["a"]


def test_the_columns_that_the_form_takes_its_choices_from_must_be_there() -> None:
    definition = form(
        """
        | survey |
        | | type | name | label | parameters |
        | | select_one_from_file rt.csv | rt | RT | value=code label=words |
        """
    )

    check_table(definition, "rt.csv", b"code;words\n1;RT 01\n")
    check_table(definition, "other.csv", b"anything\n")
    with pytest.raises(MissingColumn) as refusal:
        check_table(definition, "rt.csv", b"name;words\n1;RT 01\n")

    assert (refusal.value.members["column"], refusal.value.members["question"]) == ("code", "rt")


def test_pictures_and_giants_are_not_read() -> None:
    assert is_table("a.CSV", 100)
    assert not is_table("a.png", 100)
    assert not is_table("a.csv", 2**30)


WANTED = Wanted(("label",), most_rows=2, most_bytes=40)


def test_a_csv_that_somebody_sends_is_rows_whatever_its_column_order_and_delimiter() -> None:
    sent = sent_rows(b"\xef\xbb\xbfrt;label\r\n03;Siti\r\n;Ani\r\n", WANTED)

    assert sent.columns == ["rt", "label"]
    assert sent.rows == {2: {"rt": "03", "label": "Siti"}, 3: {"rt": "", "label": "Ani"}}


def test_the_rows_of_a_csv_have_the_numbers_that_a_spreadsheet_shows() -> None:
    sent = sent_rows(b'label,rt\n\n"Si\nti",3\n,\nAni\n', WANTED)

    assert sent.rows == {3: {"label": "Si\nti", "rt": "3"}, 5: {"label": "Ani"}}


def test_a_text_with_a_comma_that_would_shift_its_row_is_refused_with_its_number() -> None:
    with pytest.raises(FaultyRows) as refusal:
        sent_rows(b"label,rt\nSiti,3,,\nAni, S.Pd,4\n", WANTED)

    assert refusal.value.members["faults"] == [{"row": 3, "column": "", "value": "4", "why": "more_cells"}]


@pytest.mark.parametrize(
    ("content", "refusal", "detail"),
    [
        (b"", MissingColumn, "label"),
        (b"name\nSiti\n", MissingColumn, "label"),
        (b"label\n\n", EmptyTable, ""),
        (b"label\n\xff\n", NotUtf8, "CSV, 2"),
        (b"label,label\nSiti,Ani\n", DoubledColumn, "CSV: label"),
        (b"label\n1\n2\n3\n", TableTooLarge, "3 > 2"),
        (b"label\n" + b"x" * 40, TableTooLarge, "46 > 40"),
    ],
)
def test_a_csv_that_cannot_be_taken_is_refused_with_what_to_do(
    content: bytes, refusal: type[BadTable], detail: str
) -> None:
    with pytest.raises(refusal) as refused:
        sent_rows(content, WANTED)

    assert refused.value.detail == detail
