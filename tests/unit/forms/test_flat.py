"""Answers as one value for each path."""

from __future__ import annotations

import pytest

from forms.definition import DataType, FormDefinition
from forms.flat import differences, flatten, placed, plain, unflatten
from tests.unit.forms.study_form import ask, form, group, repeat
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


def loans() -> FormDefinition:
    """Loans told apart by their code, each with payments told apart by their month and with notes."""
    month = ask("month", merge="key")
    payment = repeat("payment", month, ask("paid", DataType.INT))
    return form(
        ask("who"), repeat("loan", group("id", ask("code", merge="key")), ask("sum"), payment, repeat("note", ask("n")))
    )


LOANS = loans()


def loan(code: str | None, amount: str | None = None, **rest: object) -> dict[str, object]:
    return {"id": {"code": code}, "sum": amount, "payment": [], "note": []} | rest


FILLED = {
    "who": "Siti",
    "loan": [
        loan("B/2", "7", payment=[{"month": "2026-01", "paid": "3"}]),
        loan("A", None, note=[{"n": "x"}]),
    ],
}


def test_the_entries_of_a_repeat_with_a_key_have_paths_of_their_own() -> None:
    flat = flatten(LOANS, FILLED)

    assert flat["loan/B%2F2/"] == "1"
    assert flat["loan/B%2F2/payment/2026-01/paid"] == "3"
    assert flat["loan/A/"] == "2"
    assert flat["loan/A/note"] == '[{"n":"x"}]'
    assert unflatten(LOANS, flat) == FILLED


def test_two_that_add_different_entries_have_both() -> None:
    base = {"who": "Siti", "loan": [loan("A", "1")]}
    one, other = ({**base, "loan": [loan("A", "1"), loan(code, "2")]} for code in ("B", "C"))
    before = flatten(LOANS, base)

    merged = {**before, **differences(before, flatten(LOANS, one)), **differences(before, flatten(LOANS, other))}

    assert [entry["id"]["code"] for entry in unflatten(LOANS, merged)["loan"]] == ["A", "B", "C"]


def test_entries_that_two_have_put_in_one_place_are_in_one_order_everywhere() -> None:
    marks = {"loan/B/": "1", "loan/B/id/code": "B", "loan/A/": "1", "loan/A/id/code": "A"}

    one, other = unflatten(LOANS, marks), unflatten(LOANS, dict(reversed(marks.items())))

    assert [entry["id"]["code"] for entry in one["loan"]] == ["A", "B"]
    assert one == other


def test_another_order_is_no_change() -> None:
    turned = {**FILLED, "loan": FILLED["loan"][::-1]}

    assert differences(flatten(LOANS, FILLED), flatten(LOANS, turned)) == {}


def test_an_entry_that_is_gone_takes_along_all_that_was_in_it() -> None:
    without = {**FILLED, "loan": FILLED["loan"][1:]}

    changes = differences(flatten(LOANS, FILLED), flatten(LOANS, without))

    assert changes == {"loan/B%2F2/": None, "loan/B%2F2/payment/2026-01/": None}
    assert unflatten(LOANS, flatten(LOANS, FILLED) | changes)["loan"] == without["loan"]


def test_nothing_comes_back_of_an_earlier_entry_with_the_same_key() -> None:
    empty = {**FILLED, "loan": FILLED["loan"][1:]}
    kept = flatten(LOANS, FILLED) | differences(flatten(LOANS, FILLED), flatten(LOANS, empty))

    kept |= differences(flatten(LOANS, empty), flatten(LOANS, {**empty, "loan": [*empty["loan"], loan("B/2")]}))

    assert loan("B/2") in unflatten(LOANS, kept)["loan"]


@pytest.mark.parametrize("codes", [(None, None), ("A", "A"), ("A", None, "A"), ("k" * 300, "k" * 301), ("~x", "%7Ex")])
def test_no_entry_is_lost_or_told_by_its_place_for_want_of_a_key(codes: tuple[str | None, ...]) -> None:
    entries = [loan(code, str(number)) for number, code in enumerate(codes)]
    twins = [*entries, dict(entries[0])]

    for order in (twins, twins[::-1]):
        flat = flatten(LOANS, {"who": None, "loan": order})
        assert unflatten(LOANS, flat)["loan"] == order
    assert differences(flatten(LOANS, {"loan": entries[1:]}), flatten(LOANS, {"loan": entries})).keys() >= {
        path for path in flatten(LOANS, {"loan": entries}) if path not in flatten(LOANS, {"loan": entries[1:]})
    }


def test_what_was_written_before_the_repeat_had_a_key_is_there_until_it_is_written_anew() -> None:
    earlier = {"who": "Siti", "loan": '[{"id":{"code":"A"},"sum":"1"},{"id":{"code":"B"}}]'}

    assert unflatten(LOANS, earlier)["loan"] == [loan("A", "1"), loan("B")]
    assert unflatten(LOANS, earlier | {"loan/A/sum": "2", "loan/B/": None})["loan"] == [loan("A", "2")]


@pytest.mark.parametrize(
    ("path", "asked", "place"),
    [
        ("who", "who", "who"),
        ("loan/A/sum", "loan/sum", "loan[2]/sum"),
        ("loan/A/", "loan/", "loan[2]"),
        ("loan/A/id/code", "loan/id/code", "loan[2]/id/code"),
        ("loan/B%2F2/payment/2026-01/paid", "loan/payment/paid", "loan[1]/payment[1]/paid"),
        ("loan/gone/sum", "loan/sum", "loan/sum"),
        ("loan/A/note", "loan/note", "loan[2]/note"),
        ("loan", None, "loan"),
        ("loan/A", None, "loan[2]"),
        ("ghost/A/sum", None, "ghost/A/sum"),
        ("loan//sum", None, "loan/sum"),
        ("who/x", None, "who/x"),
        ("", None, ""),
    ],
)
def test_a_path_with_keys_is_known_by_its_question_and_its_place(path: str, asked: str | None, place: str) -> None:
    assert plain(LOANS, path) == asked
    assert placed(LOANS, FILLED, path) == place
