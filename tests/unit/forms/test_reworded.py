"""What the conversion says comes in plain words, with sheet, row and column, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from babel.support import Translations
from openpyxl import Workbook

from forms.errors import BrokenForm
from forms.fault import told
from forms.form_file import read_form_file
from forms.reworded import SENTENCES, reworded
from server.translations import catalogue

CHOICES = "| choices |\n| | list_name | name | label |\n| | yn | yes | Yes |\n| | yn | oh no | No |\n"


def survey(*rows: str, header: str = "type | name | label | relevant | calculation") -> str:
    return "| survey |\n" + "".join(f"| | {row} |\n" for row in (header, *rows))


ONE, SEVERAL = survey("select_one yn | a | A | |") + CHOICES, survey("select_multiple yn | a | A | |") + CHOICES
A, END = "text | a | A | |", "end_group | | | |"
FILTERED = survey("select_one yn or_other | a | A | x = 1", header="type | name | label | choice_filter") + CHOICES
TWO_REPEATS = survey(
    "begin_repeat | r | R | |", A, "end_repeat | | | |", "begin_group | g | G | |",
    "begin_repeat | r | R | |", "text | b | B | |", "end_repeat | | | |", END,
)  # fmt: skip
REFUSED = [
    (CHOICES, "no sheet called survey", "survey", None, ""),
    (survey("select_one yn | a | A | |"), "no sheet called choices", "choices", None, ""),
    (ONE.replace("one yn", "one yo"), "There is no list yo in the choices sheet.", "survey", 2, "type"),
    (
        ONE.replace("| name | label |\n| | yn", "| title | label |\n| | yn"),
        "The sheet choices lacks",
        "choices",
        None,
        "",
    ),
    (FILTERED, "or_other cannot be used", "survey", 2, "choice_filter"),
    (survey("integr | a | A | |"), "There is no question type integr; did you mean integer?", "survey", 2, "type"),
    (survey(A, END), "This end_group closes nothing", "survey", 3, "type"),
    (survey("begin_group | g | G | |", A), "This begin_group is never closed", "survey", 2, "type"),
    (survey(A, A), "The name a is used twice", "survey", 3, "name"),
    (survey("text | a b | A | |"), "This is no name", "survey", 2, "name"),
    (survey("text | | A | |"), "This row has a type, but no name.", "survey", 2, "name"),
    (survey(A, "| b | B | |"), "This row has no type.", "survey", 3, "type"),
    (survey("text | a | | |"), "a is shown to the enumerator, but has no label", "survey", 2, "label"),
    (survey("calculate | a | | |"), "This row calculates nothing", "survey", 2, "calculation"),
    (survey("text | a | A | ${zz} = 1 |"), "There is no question zz in the survey sheet.", "survey", 2, "relevant"),
    (survey("text | a | A | ${ a = 1 |"), "A question is named as ${name}", "survey", 2, "relevant"),
    (
        survey("begin_group | g | G | |", A, END, "text | a | A | ${a} = 1 |"),
        "More than one question is called a",
        "survey",
        5,
        "relevant",
    ),
    (SEVERAL, "The choice 'oh no' of the list yn has a space", "choices", 3, "name"),
    (f"{ONE}| | yn | | X |\n", "This choice has no name.", "choices", 4, "name"),
    (f"{ONE}| | yn | yes | X |\n", "The list has another choice of this name.", "choices", 4, "name"),
    (survey(A, header="type | name | label | relevant | relevance"), "The columns relevant and", "", None, ""),
    (
        survey("range | a | A | strt=1", header="type | name | label | parameters"),
        "A question of this kind has no parameter strt; it has",
        "survey",
        2,
        "parameters",
    ),
    (
        survey("range | a | A | start", header="type | name | label | parameters"),
        "Parameters are written as name=value",
        "survey",
        2,
        "parameters",
    ),
    (survey("select_one_from_file a.txt | a | A | |"), "The file of select_one_from_file a.txt", "survey", 2, "type"),
    (TWO_REPEATS, "Two repeats have the same name", "survey", 6, "name"),
]


def refused(table: str) -> BrokenForm:
    with pytest.raises(BrokenForm) as refusal:
        read_form_file(table.encode(), "form.md")
    return refusal.value


@pytest.mark.parametrize(("table", "says", "sheet", "row", "column"), REFUSED, ids=[says for _, says, *_ in REFUSED])
def test_what_the_conversion_refuses_is_said_plainly_and_in_its_place(
    table: str, says: str, sheet: str, row: int | None, column: str
) -> None:
    (fault,) = refused(table).members["faults"]

    assert says in fault["message"]
    assert (fault["sheet"], fault["row"], fault["column"]) == (sheet, row, column)


def test_an_author_reads_it_in_indonesian(indonesian: Callable[[str], str]) -> None:
    table = survey("integr | a | A | |")

    (fault,) = refused(table).members["faults"]

    assert told(fault, indonesian) == "Tidak ada jenis pertanyaan integr; mungkin maksudnya integer?"
    assert (fault["sheet"], fault["row"], fault["column"]) == ("survey", 2, "type")


@pytest.fixture(scope="module")
def indonesian() -> Callable[[str], str]:
    folder = Path(catalogue.__file__).parent
    return Translations.load(folder, ["id"]).gettext


def test_what_the_conversion_warns_of_is_said_plainly_too() -> None:
    table = survey("begin_repeat | g | | |", "select_one l | a | A | |", "text | A | B | |", "end_repeat | | | |")
    table += "| choices |\n| | list_name | name | label |\n| | l | x | X |\n| | l | y | |\n"

    notices = [one for one in read_form_file(table.encode(), "form.md").notices if one["code"] == "conversion"]

    assert {(one["sheet"], one["row"], one["message"].partition(":")[0]) for one in notices} == {
        ("survey", 2, "This repeat has no label"),
        ("survey", 4, "Another question differs from this one in capital letters only"),
        ("choices", 3, "This choice has no label"),
    }


def test_a_workbook_with_a_doubled_column_is_no_unreadable_one() -> None:
    book = Workbook()
    assert book.active is not None
    book.active.title = "survey"
    for row in (("type", "name", "label", "label"), ("text", "a", "A", "B")):
        book.active.append(row)
    saved = BytesIO()
    book.save(saved)

    with pytest.raises(BrokenForm) as refusal:
        read_form_file(saved.getvalue(), "form.xlsx")

    (fault,) = refusal.value.members["faults"]
    assert fault["message"] == "Two columns of one sheet are called label. Rename or remove one of them."


def test_a_day_that_cannot_be_told_is_named_by_sheet_row_and_column() -> None:
    said = "The xls file provided has an invalid date on the choices sheet, under the name column on row number 7"

    fault = reworded({"message": said})

    assert (fault["sheet"], fault["row"], fault["column"]) == ("choices", 7, "name")


def test_every_sentence_is_said_in_some_case() -> None:
    said = {fault["words"] for table, *_ in REFUSED for fault in refused(table).members["faults"]}

    assert len(set(SENTENCES) - said) == 5, "three warnings, and two that only a workbook of Excel can be given"
