"""The study's indicators against cases computed by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from forms.definition import Answers
from sync.consolidate.indicator import Figure, Observation, figures, observe
from sync.consolidate.study import INCOME


def an_interview(before: str | None, after: str | None, aid: str = "credit", uses: tuple[str, ...] = ()) -> Answers:
    return {
        "opening": {"consent": "yes"},
        "aid": {"aid_types": aid},
        "credit": {"use": [{"purpose": purpose} for purpose in uses]},
        "income": {"income_before": before, "income_after": after},
    }


def computed(*interviews: Answers) -> dict[tuple[str, str, str], Figure]:
    seen = [
        observe(INCOME, answers, f"uuid:{number}", f"op-{number}", number)
        for number, answers in enumerate(interviews, 1)
    ]
    return {(one.name, one.dimension, one.category): one for one in figures(INCOME, [one for one in seen if one])}


def test_three_households_computed_by_hand() -> None:
    found = computed(
        an_interview("1000000", "1400000"), an_interview("800000", "1000000"), an_interview("2000000", "2900000")
    )

    change, percent = found["income_change", "all", ""], found["income_change_pct", "all", ""]
    assert (change.n, change.missing) == (3, 0)
    assert (change.mean, change.median) == (500_000, 400_000)
    assert (change.least, change.most) == (200_000, 900_000)
    assert percent.mean == pytest.approx((40 + 25 + 45) / 3)
    assert percent.median == 40


def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle() -> None:
    found = computed(*(an_interview(before, "0") for before in ("100", "400", "200", "1000")))

    assert found["income_before", "all", ""].median == 300


def test_a_change_is_missing_when_either_side_is_and_the_other_side_still_counts() -> None:
    found = computed(an_interview("1000000", "1500000"), an_interview("900000", None), an_interview(None, "700000"))

    assert (found["income_before", "all", ""].n, found["income_before", "all", ""].missing) == (2, 1)
    assert (found["income_after", "all", ""].n, found["income_after", "all", ""].missing) == (2, 1)
    assert (found["income_change", "all", ""].n, found["income_change", "all", ""].missing) == (1, 2)


def test_from_nothing_there_is_a_change_but_no_percentage() -> None:
    found = computed(an_interview("0", "500000"))

    assert found["income_change", "all", ""].mean == 500_000
    percent = found["income_change_pct", "all", ""]
    assert (percent.n, percent.missing, percent.mean, percent.median) == (0, 1, None, None)


def test_a_loss_is_a_change_below_zero() -> None:
    found = computed(an_interview("1000000", "750000"))

    assert found["income_change_pct", "all", ""].least == -25


@pytest.mark.parametrize("text", ["seribu", "1.000.000", "1e6", "", " 5", "٣"])
def test_what_is_no_number_is_missing_and_never_guessed(text: str) -> None:
    assert computed(an_interview(text, "1"))["income_before", "all", ""].missing == 1


def test_a_household_with_two_kinds_of_aid_counts_in_both_groups_and_once_for_all() -> None:
    found = computed(an_interview("100", "150", aid="grant credit"), an_interview("100", "110", aid="grant"))

    assert found["income_change", "all", ""].n == 2
    assert found["income_change", "aid", "grant"].n == 2
    assert found["income_change", "aid", "credit"].n == 1
    assert found["income_change", "aid", "credit"].mean == 50


def test_the_use_of_the_credit_is_read_from_every_round_of_its_repeat() -> None:
    found = computed(an_interview("100", "150", uses=("raw_material", "equipment", "raw_material")))

    assert {key[2] for key in found if key[1] == "credit_use"} == {"raw_material", "equipment"}
    assert found["income_after", "credit_use", "raw_material"].n == 1


def test_every_record_is_listed_as_evidence_with_its_version_and_its_value_or_none() -> None:
    found = computed(an_interview("1000000", "1400000"), an_interview("1000000", None))

    assert found["income_change", "all", ""].evidence == [
        {"instance_id": "uuid:1", "op_id": "op-1", "revision": 1, "value": 400_000},
        {"instance_id": "uuid:2", "op_id": "op-2", "revision": 2, "value": None},
    ]


def test_a_refused_interview_is_not_even_missing() -> None:
    refused: Answers = {"opening": {"consent": "no"}, "income": {}}

    assert observe(INCOME, refused, "uuid:1", "op-1", 1) is None


def test_without_records_every_figure_is_empty_but_there() -> None:
    found = list(figures(INCOME, []))

    assert [(one.n, one.missing, one.mean) for one in found] == [(0, 0, None)] * 4


def test_percentages_are_exact_where_decimals_are() -> None:
    seen = Observation("uuid:1", "op-1", 1, Decimal(300_000), Decimal(400_000))

    assert seen.change_pct == Decimal(100_000) / Decimal(300_000) * 100
