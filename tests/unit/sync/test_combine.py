"""Different answers become one, by the policy of their question."""

from __future__ import annotations

import itertools

import pytest

from forms.policy import Policy
from sync.combine import combine

CASES = [
    (Policy.MAX, ["9", "10"], "10"),
    (Policy.MIN, ["9", "10", "-3"], "-3"),
    (Policy.MAX, ["1.5", "1.25"], "1.5"),
    (Policy.MAX, ["5", "5.0"], "5.0"),
    (Policy.MAX, ["2026-11-09", "2026-11-25"], "2026-11-25"),
    (Policy.MIN, ["08:30:00.000+07:00", "08:15:00.000+08:00"], "08:15:00.000+08:00"),
    (Policy.MAX, ["2026-11-25T10:00:00.000+07:00", "2026-11-25T02:59:00.000Z"], "2026-11-25T10:00:00.000+07:00"),
    (Policy.UNION, ["b a", "c a"], "a b c"),
    (Policy.APPEND, ["Toko tutup.", "Toko tutup.\nKembali besok."], "Toko tutup.\nKembali besok."),
    (Policy.APPEND, ["Tutup.\nAni pergi.", "Tutup.\nBudi datang."], "Tutup.\nAni pergi.\nBudi datang."),
    (Policy.MAX, ["41"], "41"),
]


@pytest.mark.parametrize(("policy", "texts", "combined"), CASES)
def test_the_policy_says_which_answer_stands_in_whatever_order(policy: Policy, texts: list[str], combined: str) -> None:
    assert {combine(policy, order) for order in itertools.permutations(texts)} == {combined}


@pytest.mark.parametrize(
    "texts",
    [
        ["forty", "41"],
        ["2026-11-25", "41"],
        ["NaN", "41"],
        ["2026-11-25T10:00:00", "2026-11-25T10:00:00+07:00"],
        ["Siti", "Budi"],
    ],
)
def test_what_cannot_be_compared_is_left_to_a_person(texts: list[str]) -> None:
    assert combine(Policy.MAX, texts) is None
    assert combine(Policy.MIN, texts) is None
