"""The files of a form, from a small one that has a group, nested repeats, choices and two languages."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from forms.definition import Answers, Choice, DataType, FormDefinition, Group, Instance, Itemset, Node, Question, Repeat
from sync.consolidate.cell import csv_cell, workbook_cell
from sync.consolidate.export import Entry, FormExport

ID, EN = "Bahasa Indonesia (id)", "English (en)"


def a_question(
    path: str, type: DataType = DataType.STRING, label: str = "", itemset: Itemset | None = None
) -> Question:
    parts = tuple(path.split("/"))
    return Question(parts[-1], parts, type, "input", {ID: label or path, EN: f"{label or path}?"}, itemset=itemset)


def a_form(*extra: Question, version: str = "2") -> FormDefinition:
    uses = Instance(
        "use",
        choices=(
            Choice("raw", {ID: "Bahan baku", EN: "Raw material"}),
            Choice("tools", {ID: "Peralatan", EN: "Equipment"}),
        ),
    )
    part = Repeat("part", ("trade", "product", "part"), (a_question("trade/product/part/of"),))
    product = Repeat(
        "product",
        ("trade", "product"),
        (a_question("trade/product/name"), a_question("trade/product/price", DataType.INT), part),
    )
    trade = Group(
        "trade",
        ("trade",),
        (
            a_question("trade/uses", DataType.SELECT, "Dipakai untuk", Itemset("use")),
            a_question("trade/main", DataType.SELECT1, "Terutama", Itemset("use")),
            product,
        ),
    )
    children: tuple[Node, ...] = (a_question("name", label="Nama"), a_question("day", DataType.DATE), trade, *extra)
    return FormDefinition(
        form_id="usaha",
        version=version,
        title="Usaha",
        root=Group("data", (), children),
        root_name="data",
        namespace="",
        languages=(ID, EN),
        default_language=ID,
        instances={"use": uses},
    )


ANSWERS: Answers = {
    "name": "Siti",
    "day": "2026-11-23",
    "trade": {
        "uses": "raw",
        "main": "tools",
        "product": [
            {"name": "Tempe", "price": "2500", "part": [{"of": "kedelai"}, {"of": "ragi"}]},
            {"name": "Tahu", "price": "-1", "part": []},
        ],
    },
}


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    return export(tmp_path, [a_form()], ANSWERS)


def export(folder: Path, versions: list[FormDefinition], *records: Answers) -> Path:
    with FormExport(folder, "usaha", versions, {}) as files:
        for number, answers in enumerate(records, 1):
            files.write(Entry(f"uuid:{number}", answers, {"KEY": f"uuid:{number}", "ReviewState": "approved"}))
    return folder


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def sheet(file: Path, name: str) -> list[dict[str, object]]:
    book = openpyxl.load_workbook(file, read_only=True)
    try:
        rows: Iterator[tuple[object, ...]] = book[name].iter_rows(values_only=True)
        headers = [str(header) for header in next(rows)]
        return [dict(zip(headers, row, strict=False)) for row in rows]
    finally:
        book.close()


def test_a_form_becomes_a_table_and_each_repeat_another(exported: Path) -> None:
    assert sorted(file.name for file in exported.iterdir()) == [
        "usaha-trade-product-part.csv",
        "usaha-trade-product-part.en.csv",
        "usaha-trade-product-part.id.csv",
        "usaha-trade-product.csv",
        "usaha-trade-product.en.csv",
        "usaha-trade-product.id.csv",
        "usaha.csv",
        "usaha.en.csv",
        "usaha.id.csv",
        "usaha.xlsx",
    ]


def test_headers_are_named_as_in_central_and_a_select_multiple_is_split(exported: Path) -> None:
    (row,) = read(exported / "usaha.csv")

    assert list(row)[:7] == [
        "SubmissionDate",
        "name",
        "day",
        "trade-uses",
        "trade-uses/raw",
        "trade-uses/tools",
        "trade-main",
    ]
    assert (row["trade-uses"], row["trade-uses/raw"], row["trade-uses/tools"]) == ("raw", "1", "0")
    assert row["KEY"] == "uuid:1"


def test_an_unanswered_select_multiple_is_blank_and_not_zero(tmp_path: Path) -> None:
    (row,) = read(export(tmp_path, [a_form()], {"name": "Siti"}) / "usaha.csv")

    assert (row["trade-uses"], row["trade-uses/raw"]) == ("", "")


def test_each_round_of_a_repeat_points_to_the_one_it_belongs_to(exported: Path) -> None:
    products, parts = read(exported / "usaha-trade-product.csv"), read(exported / "usaha-trade-product-part.csv")

    assert [(row["name"], row["KEY"], row["PARENT_KEY"]) for row in products] == [
        ("Tempe", "uuid:1/trade/product[1]", "uuid:1"),
        ("Tahu", "uuid:1/trade/product[2]", "uuid:1"),
    ]
    assert [(row["of"], row["KEY"], row["PARENT_KEY"]) for row in parts] == [
        ("kedelai", "uuid:1/trade/product[1]/part[1]", "uuid:1/trade/product[1]"),
        ("ragi", "uuid:1/trade/product[1]/part[2]", "uuid:1/trade/product[1]"),
    ]


def test_the_labels_are_in_each_language_with_the_questions_as_headers(exported: Path) -> None:
    (indonesian,), (english,) = read(exported / "usaha.id.csv"), read(exported / "usaha.en.csv")

    assert (indonesian["Dipakai untuk"], indonesian["Terutama"]) == ("Bahan baku", "Peralatan")
    assert (english["Dipakai untuk?"], english["Terutama?"]) == ("Raw material", "Equipment")


def test_the_workbook_opens_with_numbers_and_days_as_such(exported: Path) -> None:
    book = openpyxl.load_workbook(exported / "usaha.xlsx")

    assert book.sheetnames == [
        *("usaha", "product", "part", "usaha (id)", "product (id)", "part (id)"),
        *("usaha (en)", "product (en)", "part (en)", "codebook", "choices"),
    ]
    assert [row[1].value for row in book["product"].iter_rows(min_row=2)] == [2500, -1]
    assert book["usaha"]["C2"].is_date


def test_the_codebook_names_every_question_and_every_choice(exported: Path) -> None:
    questions, choices = sheet(exported / "usaha.xlsx", "codebook"), sheet(exported / "usaha.xlsx", "choices")

    assert [(row["column"], row["type"]) for row in questions][2:4] == [
        ("trade-uses", "select"),
        ("trade-main", "select1"),
    ]
    assert [choices[0][name] for name in ("code", "label (id)", "label (en)")] == ["raw", "Bahan baku", "Raw material"]


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+62812", "-2+3", "@SUM(A1)", "\tx", "\rx"])
def test_text_cannot_start_a_formula_anywhere(tmp_path: Path, text: str) -> None:
    folder = export(tmp_path, [a_form()], {"name": text})

    with (folder / "usaha.csv").open(encoding="utf-8-sig", newline="") as lines:
        assert next(iter(csv.DictReader(lines)))["name"] == f"'{text}"
    cell = openpyxl.load_workbook(folder / "usaha.xlsx")["usaha"]["B2"]
    assert cell.data_type == "s"
    assert str(cell.value).startswith("'")


def test_a_number_below_zero_stays_a_number_only_where_a_number_was_asked() -> None:
    assert csv_cell("-2500", DataType.INT) == "-2500"
    assert csv_cell("-2500", DataType.STRING) == "'-2500"
    assert csv_cell("-1+2", DataType.INT) == "'-1+2"


def test_digits_that_a_spreadsheet_would_round_stay_text() -> None:
    assert workbook_cell("3510123456789012", DataType.INT) == "3510123456789012"


def test_a_place_becomes_four_columns(tmp_path: Path) -> None:
    form = a_form(a_question("where", DataType.GEOPOINT))

    (row,) = read(export(tmp_path, [form], {"where": "-8.233 114.36 0 4.5"}) / "usaha.csv")

    assert (row["where-Latitude"], row["where-Longitude"], row["where-Accuracy"]) == ("-8.233", "114.36", "4.5")


def test_what_only_an_older_version_asked_follows_the_newest_versions_columns(tmp_path: Path) -> None:
    newest, older = a_form(), a_form(a_question("old_question"), version="1")

    rows = read(export(tmp_path, [newest, older], {"name": "A", "old_question": "x"}, {"name": "B"}) / "usaha.csv")

    assert [(row["name"], row["old_question"]) for row in rows] == [("A", "x"), ("B", "")]
    assert list(rows[0])[7] == "old_question"


def test_the_same_records_make_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, again = export(tmp_path / "a", [a_form()], ANSWERS), export(tmp_path / "b", [a_form()], ANSWERS)

    for file in first.glob("*.csv"):
        assert file.read_bytes() == (again / file.name).read_bytes()
