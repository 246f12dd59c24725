"""Whatever the text of a form, the compiler answers with a program or with a refusal."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forms.check import compile_form
from forms.errors import Problem
from forms.expression.functions import SIGNATURES
from forms.finding import Rule
from tests.unit.forms.study_form import CONTEXT, everything

WORDS = st.sampled_from(
    [
        *SIGNATURES, "(", ")", "(", ")", "[", "]", ",", "/", "//", ".", "..", "*", "+", "-", "div", "mod", "and", "or",
        "=", "!=", "<", ">=", "|", "1", "0", "2.5", "'a'", "''", "'2024-01-01'", "/data/t", "/data/i", "/data/d",
        "/data/r", "/data/r/v", "../", "instance('people')/root/item", "current()/", "position()", "name", "@x", "::",
        "self", "'%Y'",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    [
        "/data/t", "/data/i", "/data/n", "/data/d", "/data/m", "/data/s", "/data/r/v", "/data/r", "/data/g/inside",
        "1", "-2.5", "'a'", "''", "'2024-03-01'", "0 div 0", "true()", "instance('people')/root/item/name",
        "/data/blank",
    ]
)  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "t": st.text(max_size=8),
        "i": st.integers(-9, 99).map(str),
        "n": st.decimals(-9, 9, places=2).map(str),
        "d": st.dates().map(str),
        "m": st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
        "s": st.sampled_from(["a", "a b", "z"]),
        "r": st.lists(st.fixed_dictionaries({}, optional={"v": st.integers(0, 9).map(str)}), max_size=3),
    },
)


@st.composite
def calls(draw: st.DrawFn, depth: int = 2) -> str:
    """A call with the right number of arguments, whatever they are."""
    name = draw(st.sampled_from(sorted(SIGNATURES)))
    signature = SIGNATURES[name]
    count = draw(st.integers(signature.least, min(signature.most, signature.least + 2)))
    inner = VALUES if depth == 0 else VALUES | calls(depth - 1)
    return f"{name}({', '.join(draw(inner) for _ in range(count))})"


def answered(expression: str, answers: dict, constraint: str = "") -> None:  # type: ignore[type-arg]
    """Compile and run it; a refusal is an answer too."""
    try:
        compiled = compile_form(everything(expression, constraints={"t": constraint}))
    except Problem:
        return
    compiled.check(answers, CONTEXT)
    compiled.complete(answers, CONTEXT)


@given(st.text(max_size=60))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    answered(text, {})


@given(st.lists(WORDS, max_size=25).map(" ".join), ANSWERS)
@settings(max_examples=150)
def test_any_words_of_the_language_compile_or_are_refused(text: str, answers: dict) -> None:  # type: ignore[type-arg]
    answered(text, answers)


@given(calls(), ANSWERS)
@settings(max_examples=200)
def test_any_call_runs_on_any_answers(text: str, answers: dict) -> None:  # type: ignore[type-arg]
    answered(text, answers, constraint=text)


@given(
    st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["t", "i", "d", "g", "r", "v", "inside", "x"]), inner)
        ),
        max_leaves=12,
    )
)
def test_answers_of_any_shape_are_judged(answers: object) -> None:
    compiled = compile_form(everything("/data/i + count(/data/r)"))
    given_answers = answers if isinstance(answers, dict) else {}

    assert isinstance(compiled.check(given_answers, CONTEXT), tuple)


@given(calls(), ANSWERS)
@settings(max_examples=200)
def test_what_was_completed_needs_no_correction(text: str, answers: dict) -> None:  # type: ignore[type-arg]
    try:
        compiled = compile_form(everything(text))
    except Problem:
        return
    completed = compiled.complete(answers, CONTEXT)

    rules = {finding.rule for finding in compiled.check(completed, CONTEXT)}
    assert not rules & {Rule.CALCULATE, Rule.RELEVANT}
    assert compiled.complete(completed, CONTEXT) == completed
