"""Answers as people read them, with the study's own interview."""

from __future__ import annotations

from itertools import pairwise

import pytest

from forms.definition import Answers, FormDefinition
from server.console.answers import Reader, Sheet, sheet
from tests.conftest import study_files

INFORMANT = "0b5d9b6c-3a52-4d5e-9d3f-3f2f0c6b1a11"

ANSWERS: Answers = {
    "visit": {"informant": INFORMANT, "visited_on": "2026-11-24"},
    "identity": {"sex": "male", "age": "seventeen"},
    "business": {
        "started_year": "2004",
        "product": [
            {"product_name": "Tempe", "quantity": "1200", "price": "5000", "sales": "6000000"},
            {"product_name": "Tahu", "price": "-5"},
        ],
    },
    "aid": {"aid_types": "credit dragon"},
    "closing": {"location": "-8.23 114.36 0 4.5"},
}


@pytest.fixture(scope="module")
def interview() -> FormDefinition:
    versions = [file.definition for file in study_files() if file.definition.form_id == "wawancara"]
    return versions[-1]


def read(interview: FormDefinition, language: str = "en", *, with_blanks: bool = False) -> Sheet:
    reader = Reader(interview, language, {INFORMANT: "INF-01 Siti"})
    return sheet(reader, ANSWERS, keep=frozenset({"identity/education"}), with_blanks=with_blanks)


def said(page: Sheet, path: str) -> str:
    return next(line.value.text for line in (*page.lines, *page.computed) if line.path == path)


@pytest.mark.parametrize(
    ("path", "language", "words"),
    [
        ("visit/informant", "en", "INF-01 Siti"),
        ("visit/visited_on", "en", "Tuesday, 24 November 2026"),
        ("visit/visited_on", "id", "Selasa, 24 November 2026"),
        ("identity/sex", "en", "Male"),
        ("identity/sex", "id", "Laki-laki"),
        ("identity/age", "en", "seventeen"),
        ("business/started_year", "en", "2004"),
        ("business/product[1]/quantity", "en", "1,200"),
        ("business/product[1]/price", "en", "Rp\u00a05.000"),
        ("business/product[2]/price", "en", "−Rp\u00a05"),
        ("closing/location", "en", "-8.230000, 114.360000"),
    ],
)
def test_an_answer_reads_as_people_say_it(interview: FormDefinition, path: str, language: str, words: str) -> None:
    assert said(read(interview, language), path) == words


def test_a_choice_that_the_form_does_not_know_is_marked(interview: FormDefinition) -> None:
    value = next(line.value for line in read(interview).lines if line.path == "aid/aid_types")

    assert [(option.name, option.is_known) for option in value.options] == [("credit", True), ("dragon", False)]


def test_blank_questions_are_left_out_but_for_those_that_something_hangs_on(interview: FormDefinition) -> None:
    few, all_ = read(interview), read(interview, with_blanks=True)

    assert "identity/education" in [line.path for line in few.lines]
    assert "household/members" not in [line.path for line in few.lines]
    assert "household/members" in [line.path for line in all_.lines]
    assert few.blanks == len(all_.lines) - len(few.lines) - _headings(all_) + _headings(few)


def test_no_heading_stands_over_nothing(interview: FormDefinition) -> None:
    lines = read(interview).lines

    for line, following in pairwise(lines):
        assert line.kind == "answer" or following.depth > line.depth
    assert lines[-1].kind == "answer"


def test_notes_are_not_answers_and_calculations_stand_apart(interview: FormDefinition) -> None:
    page = read(interview, with_blanks=True)

    assert not [line for line in page.lines if line.name in ("consent_text", "sales", "start")]
    assert [line.path for line in page.computed] == ["business/product[1]/sales"]


def test_a_path_is_named_by_its_questions(interview: FormDefinition) -> None:
    reader = Reader(interview, "en")

    assert reader.question("business/product[2]/price") == "Product or service 2 › What is the price of one unit? (Rp)"
    assert reader.question("business/product[1]") == "Product or service 1"
    assert reader.question("no/such/path") == "no/such/path"


def _headings(page: Sheet) -> int:
    return sum(line.kind != "answer" for line in page.lines)


def test_labels_show_the_answers_of_their_record(interview: FormDefinition) -> None:
    answers: Answers = {
        "aid": {"credit_amount": "2000000", "aid_types": "credit"},
        "credit": {"used_total": "1500000", "unspent": "0"},
    }
    page = sheet(Reader(interview, "en", {}), answers)

    hint = next(line.hint for line in page.lines if line.path == "credit/unspent")
    assert hint == "Recorded as used: Rp 1500000 of Rp 2000000. If all is used, enter 0."
