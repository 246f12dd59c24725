"""What somebody sends becomes a form that can be published, or a list of what to mend and where."""

from __future__ import annotations

import pytest

from forms.errors import BrokenForm, MalformedXml, UnreadableWorkbook, UnsafeXml
from forms.form_file import is_xform, read_form_file, read_form_files, row_of
from forms.library import STUDY
from tests.unit.forms.sheet import converted, xform

GOOD = """
| survey |
| | type | name | label |
| | text | who | Who? |
"""
LOGIC = """
| survey |
| | type | name | label | relevant | constraint | calculation | repeat_count |
| | integer | n | N | | . = ) | | |
| | begin_group | g | G | | | | |
| | integer | b | B | frob(${n}) | | | |
| | calculate | d | | | | ${d2} + 1 | |
| | calculate | d2 | | | | ${d} + 1 | |
| | end_group | | | | | | |
"""


def test_a_workbook_keeps_its_bytes_and_its_name() -> None:
    file = read_form_file(GOOD.encode(), "people.md")

    assert (file.workbook, file.workbook_name) == (GOOD.encode(), "people.md")
    assert [question.name for question in file.definition.questions()] == ["who"]
    assert file.rows == {"who": 2}


def test_an_xform_is_kept_byte_for_byte_whatever_its_name() -> None:
    content = b"\xef\xbb\xbf" + xform()

    file = read_form_file(content, "small.xlsx")

    assert file.xform == content
    assert file.workbook is None
    assert file.definition.form_id == "small"


def test_files_come_back_in_the_order_in_which_they_were_given() -> None:
    files = read_form_files([(GOOD.encode(), "a.md"), (xform(), "b.xml"), (GOOD.encode(), "c.md")])

    assert [file.workbook_name for file in files] == ["a.md", "", "c.md"]


def test_every_mistake_of_the_logic_is_named_by_its_row_and_column() -> None:
    with pytest.raises(BrokenForm) as refusal:
        read_form_file(LOGIC.encode(), "logic.md")

    members = refusal.value.members
    assert [(one["sheet"], one["row"], one["column"], one["question"]) for one in members["faults"]] == [
        ("survey", 2, "constraint", "n"),
        ("survey", 4, "relevant", "b"),
        ("survey", 5, "calculation", "d"),
    ]
    assert (members["sheet"], members["row"], members["column"], members["question"]) == (
        "survey",
        2,
        "constraint",
        "n",
    )
    assert "frob" in members["faults"][1]["message"]


def test_the_same_mistakes_in_an_xform_are_named_by_path() -> None:
    with pytest.raises(BrokenForm) as refusal:
        read_form_file(converted(LOGIC), "logic.xml")

    assert [(one["path"], one["row"]) for one in refusal.value.members["faults"]] == [
        ("n", None),
        ("g/b", None),
        ("g/d", None),
    ]


def test_what_an_author_should_know_is_said_with_the_row() -> None:
    table = b"""
| survey |
| | type | name | label | constraint |
| | text | who | Who? | |
| | text | code | Code | regex(., 'a+') |
"""

    (warning,) = [one for one in read_form_file(table, "form.md").warnings if one["code"] != "no-version"]

    assert (warning["sheet"], warning["row"], warning["column"]) == ("survey", 3, "constraint")
    assert warning["message"].startswith("In constraint, ")


def test_a_choice_and_the_settings_are_found_on_their_own_sheets() -> None:
    table = b"""
| survey |
| | type | name | label |
| | select_one yn | a | A |
| choices |
| | list_name | name | label |
| | yn | yes | Yes |
| | yn | oh no | No |
| settings |
| | form_id | version |
| | small | 3 |
"""

    notices = {one["code"]: one for one in read_form_file(table, "form.md").notices}

    choice, version = notices["choice-comma"], notices["version-format"]
    assert (choice["sheet"], choice["row"], choice["column"]) == ("choices", 3, "name")
    assert (version["sheet"], version["row"], version["column"]) == ("settings", 2, "version")
    assert (choice["severity"], version["severity"]) == ("info", "info")


def test_what_the_conversion_noticed_has_its_place_too() -> None:
    table = b"""
| survey |
| | type | name | label |
| | photo | p | Photo |
| | text | a | A |
| | text | A | A |
"""

    noticed = [one for one in read_form_file(table, "form.md").notices if one["code"] == "conversion"]

    assert [(one["severity"], one["sheet"], one["row"], one["question"]) for one in noticed] == [
        ("info", "survey", 2, "p"),
        ("warning", "survey", 4, "A"),
    ]


def test_personal_data_is_marked_in_a_column_of_its_own() -> None:
    table = b"""
| survey |
| | type | name | label | pii |
| | text | phone | Phone number | contact |
"""

    file = read_form_file(table, "form.md")

    assert [question.pii for question in file.definition.questions()] == ["contact"]
    assert "pii-unmarked" not in {one["code"] for one in file.notices}


@pytest.mark.parametrize(
    ("table", "sheet", "column"),
    [
        ("| settings |\n| | form_id | instance_name |\n| | f | frob(1) |\n", "settings", "instance_name"),
        ("| entities |\n| | list_name | label | create_if |\n| | people | ${who} | 1 + |\n", "entities", "create_if"),
    ],
)
def test_a_mistake_on_another_sheet_is_named_there(table: str, sheet: str, column: str) -> None:
    with pytest.raises(BrokenForm) as refusal:
        read_form_file((GOOD + table).encode(), "form.md")

    members = refusal.value.members
    assert (members["sheet"], members["row"], members["column"]) == (sheet, 2, column)


def test_the_shipped_study_has_no_warnings() -> None:
    files = read_form_files([(content, name) for form in STUDY for name, content in form.workbooks()])

    assert [file.warnings for file in files] == [[]] * 6


@pytest.mark.parametrize(
    ("content", "name", "refusal"),
    [
        (b"", "form.xlsx", UnreadableWorkbook),
        (b"hello", "form.xml", UnreadableWorkbook),
        (b"<html", "form.xml", MalformedXml),
        (b"<html></html>", "page.html", BrokenForm),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "form.xml", UnsafeXml),
        (b"<" * 30_000_000, "form.xml", UnreadableWorkbook),
    ],
    ids=["empty", "words", "cut", "page", "entities", "large"],
)
def test_what_is_no_form_is_refused(content: bytes, name: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        read_form_file(content, name)


def test_an_xform_is_told_from_a_table() -> None:
    assert is_xform("<a/>".encode("utf-16"), "form")
    assert is_xform(b" \n<a/>", "form.xml")
    assert not is_xform(b"<a,b", "form.csv")
    assert not is_xform(b"| survey |", "form.md")


def test_a_question_is_found_in_the_sheet_by_path_then_by_name_then_by_its_group() -> None:
    rows = {"g": 2, "g/a": 3, "h": 4, "h/a": 5, "h/b": 6}

    assert row_of("h/a", "a", rows) == 5
    assert row_of("other/b", "b", rows) == 6
    assert row_of("h/generated", "generated", rows) == 4
    assert row_of("", "b", rows) == 6
    assert row_of("", "a", rows) is None
    assert row_of("", "", rows) is None
