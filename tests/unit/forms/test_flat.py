"""Answers as one value for each path."""

from __future__ import annotations

import pytest

from forms.flat import flatten, unflatten
from tests.unit.forms.test_instance import BLANK, FORM

FULL = {
    "who": "Siti",
    "photo": None,
    "income": {"after": "5"},
    "business": [{"kind": "tempe", "paper": None, "month": []}, {"kind": None, "paper": None, "month": []}],
}


def test_every_path_has_a_value_and_a_repeat_is_one_path() -> None:
    assert flatten(FORM, FULL) == {
        "who": "Siti",
        "photo": None,
        "income/after": "5",
        "business": '[{"kind":"tempe"},{}]',
    }


def test_what_is_left_out_is_blank() -> None:
    assert flatten(FORM, {}) == {"who": None, "photo": None, "income/after": None, "business": None}
    assert unflatten(FORM, {}) == BLANK


def test_flat_answers_become_nested_again() -> None:
    assert unflatten(FORM, flatten(FORM, FULL)) == FULL


def test_the_spelling_of_a_repeat_does_not_depend_on_how_it_was_given() -> None:
    one = {"business": [{"kind": "a", "month": [{"sales": "1"}]}]}
    other = {"business": [{"month": [{"sales": "1"}], "paper": "", "kind": "a", "unknown": "x"}]}

    assert flatten(FORM, one) == flatten(FORM, other)


@pytest.mark.parametrize(
    "value", ["{", "7", '"x"', "{}", "[1, null]", "[" * 100_000, "", '[{"month": 3, "kind": null}]', "NaN"]
)
def test_a_repeat_that_cannot_be_read_does_no_harm(value: str) -> None:
    answers = unflatten(FORM, {"who": "Siti", "business": value, "ghost": "x"})

    assert answers["who"] == "Siti"
    assert all(one == {"kind": None, "paper": None, "month": []} for one in answers["business"])
    assert "ghost" not in answers


def test_numbers_and_truths_are_written_as_text() -> None:
    assert flatten(FORM, {"who": True, "income": {"after": 5}})["income/after"] == "5"
    assert flatten(FORM, {"who": True})["who"] == "true"
