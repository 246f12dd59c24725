"""Answers from the files that people have: JSON, CSV, Excel."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import openpyxl
import pytest

from forms.definition import DataType, FormDefinition, Group, Node, Question, Repeat
from sync.device.answer_file import read_answers_file
from sync.device.enrolment import Enrolment, enrolment
from sync.device.errors import NotAnEnrolment, UnreadableAnswers


def question(*path: str, type: DataType = DataType.STRING) -> Question:
    return Question(path[-1], path, type)


def form(*children: Node) -> FormDefinition:
    return FormDefinition("f", "1", "F", Group("", (), children), "data", "", (), "", {})


INCOME = Group("income", ("income",), (question("income", "before"), question("income", "after")))
PRODUCT = Repeat("product", ("product",), (question("product", "name"), question("product", "price")))
FORM = form(question("age", type=DataType.INT), INCOME, PRODUCT, question("aid"), question("day"))


def written(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_json_answers_become_the_text_that_forms_write(tmp_path: Path) -> None:
    file = written(
        tmp_path, "a.json", '{"age": 41, "income": {"after": 450000.0}, "aid": ["grant", "credit"], "day": null}'
    )

    assert read_answers_file(file, FORM) == [
        {"age": "41", "income": {"after": "450000"}, "aid": "grant credit", "day": None}
    ]


def test_json_may_name_its_answers_as_the_columns_of_a_table(tmp_path: Path) -> None:
    file = written(tmp_path, "a.json", '{"after": 450000, "product[2]/name": "Tahu", "income": {"before": 1}}')

    assert read_answers_file(file, FORM) == [
        {"income": {"after": "450000", "before": "1"}, "product": [{}, {"name": "Tahu"}]}
    ]


def test_a_list_of_records_is_several(tmp_path: Path) -> None:
    assert len(read_answers_file(written(tmp_path, "a.json", '[{"age": 1}, {"age": 2}]'), FORM)) == 2


@pytest.mark.parametrize("mark", [",", ";"])
def test_a_table_has_one_record_a_line(tmp_path: Path, mark: str) -> None:
    text = "age,income/after,product[1]/name,product[2]/name\n41,450000,Tempe,Tahu\n\n42,,,\n".replace(",", mark)

    assert read_answers_file(written(tmp_path, "a.csv", text), FORM) == [
        {"age": "41", "income": {"after": "450000"}, "product": [{"name": "Tempe"}, {"name": "Tahu"}]},
        {"age": "42"},
    ]


def test_a_name_that_is_unique_in_the_form_needs_no_path(tmp_path: Path) -> None:
    assert read_answers_file(written(tmp_path, "a.csv", "after\n450000\n"), FORM) == [{"income": {"after": "450000"}}]


def test_a_workbook_keeps_whole_numbers_whole_and_dates_as_dates(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["age", "day"])
    sheet.append([41.0, date(2026, 11, 23)])
    book.save(tmp_path / "a.xlsx")

    assert read_answers_file(tmp_path / "a.xlsx", FORM) == [{"age": "41", "day": "2026-11-23"}]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "agee\n41\n", "no question 'agee'"),
        ("a.csv", "age\n", "no record"),
        ("a.json", "{", "line 1"),
        ("a.json", "[1]", "object"),
        ("a.json", '{"agee": 41}', "no question 'agee'"),
        ("a.json", '{"income": {"affter": 1}}', "no question 'income/affter'"),
        ("a.json", '{"product": [{"name": "Tempe"}, {"cost": 1}]}', "no question 'product/cost'"),
        ("a.json", '{"incomes": {"after": 1}}', "no question 'incomes'"),
        ("a.xlsx", "not a workbook", "not an Excel workbook"),
        ("a.txt", "", ".json, .csv or .xlsx"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(UnreadableAnswers, match=words):
        read_answers_file(written(tmp_path, name, text), FORM)


def test_a_name_that_stands_twice_must_be_written_out(tmp_path: Path) -> None:
    twice = form(INCOME, Group("cost", ("cost",), (question("cost", "after"),)))

    with pytest.raises(UnreadableAnswers, match="cost/after"):
        read_answers_file(written(tmp_path, "a.csv", "after\n1\n"), twice)


@pytest.mark.parametrize(
    ("told", "server", "base"),
    [
        ("7KQM-X2RD", "http://10.0.0.5:8080", "http://10.0.0.5:8080"),
        ("7kqmx2rd", "10.0.0.5:8080/", "http://10.0.0.5:8080"),
        ("https://field.example/enrol#7KQM-X2RD", "", "https://field.example"),
        ("https://field.example/enrol/7KQM-X2RD", "", "https://field.example"),
        ("https://field.example/enrol?code=7KQM-X2RD", "", "https://field.example"),
    ],
)
def test_a_code_or_an_address_enrols(told: str, server: str, base: str) -> None:
    found = enrolment(told, server)

    assert (found.base, found.code.replace("-", "")) == (base, "7KQMX2RD")
    assert isinstance(found, Enrolment)


@pytest.mark.parametrize(("told", "server"), [("7KQM-X2RD", ""), ("hello", "http://x"), ("https://field.example/", "")])
def test_anything_else_does_not(told: str, server: str) -> None:
    with pytest.raises(NotAnEnrolment):
        enrolment(told, server)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("age,aid\n41,grant\n42,grant, credit\n", "row 3: 'credit' stands under no question"),
        ("age,,aid\n41,lost,grant\n", "row 2: 'lost' stands under no question"),
        ('age,aid\n41,"grant\n42,credit\n', "line 3: unexpected end of data"),
    ],
)
def test_a_table_of_which_something_would_be_lost_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UnreadableAnswers) as refusal:
        read_answers_file(written(tmp_path, "a.csv", text), FORM)

    assert told in refusal.value.detail
