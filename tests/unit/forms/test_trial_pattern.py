"""Texts made up from a pattern match it, and patterns that are beyond us are left alone."""

from __future__ import annotations

from random import Random

import pytest

from forms.expression.patterns import matches
from forms.trial.pattern import text_like

READ = [
    r"^INF-[0-9]{2}$",
    r"^(\+62|0)8[0-9]{8,11}$",
    r"^uuid:[0-9a-f]{8}-[0-9a-f]{4}$",
    r"^[A-Z][a-z]{2,8}( [A-Z][a-z]+)*$",
    r"^[^0-9@]+@[a-z.]+\.(com|co\.id)$",
    r"\d{3}-?\w+\s?\S",
    r"^(?:ab|cd|)+x?$",
    r"^[a-c\-\]]{4}$",
    r"^.{3,5}$",
    r"^a{2}b{1,}c{0,2}?$",
    r"^\D\W[\d\w]$",
    "",
]


@pytest.mark.parametrize("pattern", READ)
def test_a_made_up_text_matches_its_pattern(pattern: str) -> None:
    made = {text_like(pattern, Random(seed)) for seed in range(50)}

    assert [text for text in made if text is None or not matches(text, pattern)] == []


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?=a)b", "[[:alpha:]]", "a{2000}", "a{3,1}", "(a", "[", "*a", "a)b", "\\"]
)
def test_a_pattern_beyond_us_gives_no_text(pattern: str) -> None:
    assert text_like(pattern, Random(1)) is None
