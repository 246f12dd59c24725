"""Tables that are attached to a form, as the questions see them."""

from __future__ import annotations

import pytest

from sync.form_table import is_table, table


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


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"name\n\x80"])
def test_bytes_that_are_no_utf_8_are_no_table(content: bytes) -> None:
    with pytest.raises(ValueError, match="utf-8"):
        table("a.csv", content)


@pytest.mark.parametrize("content", [b"[]", b"{}", b"{", b'{"features": 1}'])
def test_json_without_features_is_no_table(content: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        table("a.geojson", content)


def test_pictures_and_giants_are_not_read() -> None:
    assert is_table("a.CSV", 100)
    assert not is_table("a.png", 100)
    assert not is_table("a.csv", 2**30)
