"""What differs between two versions of a form is said as its author would say it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forms.definition import Choice, DataType, FormDefinition, Instance, Itemset
from forms.fault import told
from forms.finding import Severity
from forms.versions import SENTENCES, compare, conflicts, readable
from tests.unit.forms.study_form import ask, calculate, form, group, repeat

YES, NO = Choice("yes", {"": "Yes"}), Choice("no", {"": "No"})
WELL = Choice("yes", {"": "Yes, well"})


def select(*choices: Choice) -> FormDefinition:
    asked = ask("s", DataType.SELECT1, control="select1", itemset=Itemset("yn"))
    return form(asked, instances=[Instance("yn", choices=choices)])


AGE = ask("age", DataType.INT, label={"": "Age"})
CASES: list[tuple[str, str, FormDefinition, FormDefinition]] = [
    ("added", "b", form(AGE), form(AGE, ask("b"))),
    ("removed", "b", form(AGE, ask("b")), form(AGE)),
    ("renamed", "age", form(AGE), form(replace(AGE, name="years"))),
    ("moved", "age", form(AGE), form(group("who", AGE))),
    ("type", "age", form(AGE), form(replace(AGE, type=DataType.STRING))),
    ("choice-added", "s", select(YES), select(YES, NO)),
    ("choice-removed", "s", select(YES, NO), select(YES)),
    ("choice-label", "s", select(YES), select(WELL)),
    ("list", "s", select(YES), form(ask("s", DataType.SELECT1, control="select1", itemset=Itemset("other")))),
    ("rule-added", "age", form(AGE), form(replace(AGE, required="true()"))),
    ("rule-removed", "age", form(replace(AGE, constraint=". > 1")), form(AGE)),
    ("rule", "r", form(repeat("r", AGE, count="2")), form(repeat("r", AGE, count="3"))),
    ("words", "age", form(AGE), form(replace(AGE, label={"": "Years"}))),
    ("words-added", "age", form(AGE), form(replace(AGE, hint={"": "In years"}))),
    ("words-removed", "age", form(replace(AGE, hint={"": "In years"})), form(AGE)),
    ("order", "", form(AGE, ask("b")), form(ask("b"), AGE)),
    ("language-added", "", form(AGE), replace(form(AGE), languages=("en",))),
    ("language-removed", "", replace(form(AGE), languages=("en",)), form(AGE)),
    ("title", "", form(AGE), replace(form(AGE), title="Another")),
    ("version-not-above", "", form(AGE), replace(form(AGE), version="6")),
    ("other-form", "", form(AGE), replace(form(AGE), form_id="another")),
]


@pytest.mark.parametrize(("code", "path", "old", "new"), CASES, ids=[code for code, *_ in CASES])
def test_a_difference_is_named_at_its_question(code: str, path: str, old: FormDefinition, new: FormDefinition) -> None:
    new = new if code == "version-not-above" else replace(new, version="8")

    changes = [change for change in compare(old, new) if change.code == code]

    assert [change.path for change in changes] == [path]
    assert "{" not in told(changes[0].as_fault())


def test_every_sentence_has_a_case() -> None:
    assert set(SENTENCES) == {code for code, *_ in CASES} | {"conflict"}


def test_the_same_form_under_a_higher_version_differs_in_nothing() -> None:
    definition = form(AGE, group("g", ask("b", relevant="/data/age > 3")), calculate("c", "/data/age + 1"))

    assert compare(definition, replace(definition, version="8")) == ()


def test_what_touches_answers_is_told_from_what_does_not() -> None:
    old, new = form(AGE, ask("b")), form(replace(AGE, constraint=". < 9", label={"": "Years"}), ask("c"))

    changes = {change.code: change.severity for change in compare(old, replace(new, version="8"))}

    assert changes == {
        "rule-added": Severity.WARNING,
        "words": Severity.INFO,
        "added": Severity.INFO,
        "removed": Severity.WARNING,
    }


def test_a_group_that_moves_is_one_change_however_much_is_in_it() -> None:
    old = form(group("who", AGE, ask("b")))
    new = form(group("part", group("who", AGE, ask("b"))))

    assert [change.path for change in compare(old, replace(new, version="8")) if change.code == "moved"] == ["who"]


@pytest.mark.parametrize(
    ("was", "becomes", "is_refused"),
    [
        (AGE, replace(AGE, type=DataType.STRING), False),
        (AGE, ask("age", DataType.SELECT1, control="select1"), False),
        (AGE, replace(AGE, type=DataType.DECIMAL), True),
        (ask("age"), AGE, True),
        (ask("age"), ask("age", DataType.SELECT, control="select"), False),
        (group("age", ask("x")), ask("age"), True),
        (repeat("age", ask("x")), group("age", ask("x")), True),
    ],
    ids=[
        "to text",
        "to choices",
        "to decimal",
        "text to number",
        "text to choices",
        "group to text",
        "repeat to group",
    ],
)
def test_a_type_may_become_text_and_nothing_else(was: object, becomes: object, is_refused: bool) -> None:
    found = conflicts([form(was)], form(becomes))  # type: ignore[arg-type]

    assert [change.path for change in found] == (["age"] if is_refused else [])


def test_the_type_that_counts_is_that_of_the_latest_version_which_had_the_question() -> None:
    versions = [form(AGE), form(replace(AGE, type=DataType.STRING)), form(ask("b"))]

    (conflict,) = conflicts(versions, form(AGE))

    assert told(conflict.as_fault()).startswith("Was text and would become whole number")


def test_expressions_are_shown_as_they_were_written() -> None:
    assert readable(" /data/who/age  > 3 and ../b = '/data/x'") == "${age} > 3 and ${b} = '/data/x'"
    assert readable(". >= 0 and . <= 12 div 2") == ". >= 0 and . <= 12 div 2"
    assert readable("count( /data/r )") == "count( ${r} )"
    assert readable("position(..)") == "position(..)"
