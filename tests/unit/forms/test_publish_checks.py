"""Everything that is looked for before a form is published, as an author gets it: sheet, row, column, how grave."""

from __future__ import annotations

from typing import Any

import pytest

from forms.errors import BrokenForm
from forms.form_file import read_form_file

SETTINGS = "| settings |\n| | form_id | version | name |\n| | small | 2026010101 | data |\n"
BROKEN = rf"""
| survey |
| | type | name | label | relevant | constraint | calculation |
| | integer | age | Age | | . >= | |
| | text | a | A | selectd(/data/age, '1') | | |
| | text | b | B | | round(1, 2, 3) = 1 | |
| | text | c | C | /data/agge = 1 | | |
| | calculate | d | | | | /data/e + 1 |
| | calculate | e | | | | /data/d + 1 |
| | calculate | f | | | | count(5) |
| | text | g | G | | regex(., '(?=x)') | |
{SETTINGS}"""
DOUBTFUL = rf"""
| survey |
| | type | name | label | relevant | constraint | calculation | appearance |
| | select_one uses | uses | Uses | | | | |
| | text | code | Code | | regex(., '[0-9]+') | | |
| | date | day | Day | | . > '2026-01-01' | | |
| | integer | money | Value (Rp) | | . > 0 | | |
| | integer | large | Large | | . <= 5000000000 | | |
| | integer | part | Part | | | | |
| | calculate | total | | | | ${{part}} + 1 | |
| | begin_repeat | r | R | | | | |
| | integer | v | V | | | | |
| | calculate | w | | | | /data/r/v * 2 | |
| | end_repeat | | | | | | |
| | text | app | App | | | | ex:org.example.scale |
| | osm | building | Building | | | | |
| choices |
| | list_name | name | label |
| | uses | other | Other |
| | uses | raw material | Raw |
{SETTINGS}"""


def faults(table: str) -> list[dict[str, Any]]:
    with pytest.raises(BrokenForm) as refusal:
        read_form_file(table.encode(), "form.md")
    found: list[dict[str, Any]] = refusal.value.members["faults"]
    return found


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        (2, "constraint", "the expression ends where a value is expected"),
        (3, "relevant", "there is no function selectd(); did you mean selected?"),
        (4, "constraint", "round() takes 1 to 2 arguments, not 3"),
        (5, "relevant", "there is no question agge; did you mean age?"),
        (6, "calculation", "it waits for itself: d -> e -> d"),
        (8, "calculation", "count() takes questions or groups; this argument is none"),
        (9, "constraint", "the pattern of regex() cannot be read: invalid perl operator: (?="),
    ],
)
def test_what_cannot_work_stops_the_publication(row: int, column: str, says: str) -> None:
    found = [(one["severity"], one["sheet"], one["row"], one["column"], one["message"]) for one in faults(BROKEN)]

    assert ("error", "survey", row, column, says) in found
    assert len(found) == 7


@pytest.mark.parametrize(
    ("severity", "sheet", "row", "column", "code"),
    [
        ("warning", "survey", 3, "constraint", "regex-not-anchored"),
        ("warning", "survey", 4, "constraint", "date-literal"),
        ("warning", "survey", 5, "constraint", "money-without-bound"),
        ("warning", "survey", 6, "constraint", "long-number"),
        ("info", "survey", 8, "calculation", "optional-in-sum"),
        ("warning", "survey", 11, "calculation", "absolute-in-repeat"),
        ("info", "survey", 13, "appearance", "outside-app"),
        ("warning", "survey", 14, "type", "no-client"),
        ("info", "choices", 3, "name", "choice-comma"),
    ],
)
def test_what_may_go_wrong_is_to_be_confirmed_or_read(
    severity: str, sheet: str, row: int, column: str, code: str
) -> None:
    notices = read_form_file(DOUBTFUL.encode(), "form.md").notices

    found = [(one["severity"], one["sheet"], one["row"], one["column"], one["code"]) for one in notices]

    assert (severity, sheet, row, column, code) in found


def test_a_choice_with_a_space_stops_a_question_that_takes_several() -> None:
    (fault,) = faults(DOUBTFUL.replace("select_one uses", "select_multiple uses"))

    assert (fault["sheet"], fault["row"], fault["column"]) == ("choices", 3, "name")


def test_a_file_outside_its_folder_is_named_at_the_question_that_reads_it() -> None:
    table = f"| survey |\n| | type | name | label |\n| | select_one_from_file ../x.csv | a | A |\n{SETTINGS}"

    (fault,) = faults(table)

    assert (fault["sheet"], fault["row"], fault["column"]) == ("survey", 2, "type")
    assert fault["message"] == "The form names a file '../x.csv'. Use a plain file name, without folders."
