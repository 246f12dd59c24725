"""Expressions give what the specifications say, and verdicts are certain only where the engines of the field agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from forms.check import compile_form
from forms.definition import Answers
from forms.errors import BrokenForm
from forms.expression.functions import SIGNATURES
from forms.expression.lexer import tokens
from tests.unit.forms.study_form import CONTEXT, everything

FOLDER = Path(__file__).parents[2] / "conformance"


def rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_text())
    return found


FUNCTIONS, OPERATORS, REFUSED, ENGINES = (
    rows(f"{name}.json") for name in ("functions", "operators", "refused", "engines")
)


def result(answers: Answers, at: str) -> str | list[str]:
    if at == "r/out":
        return [one.get("out", "") for one in answers.get("r", [])]
    return str(answers.get("result", ""))


@pytest.mark.parametrize("row", FUNCTIONS + OPERATORS, ids=lambda row: row["expression"])
def test_an_expression_gives_what_its_source_says(row: dict[str, Any]) -> None:
    at = row.get("at", "result")
    compiled = compile_form(everything(row["expression"], at))

    completed = compiled.calculate(row.get("answers", {}), CONTEXT)

    assert result(completed, at) == row["result"], row["source"]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["expression"])
def test_what_cannot_be_published_is_refused_with_its_place(row: dict[str, Any]) -> None:
    with pytest.raises(BrokenForm) as refusal:
        compile_form(everything(row["expression"]))

    (fault,) = refusal.value.members["faults"]
    assert (fault["path"], fault["column"]) == ("result", "calculation")
    assert fault["message"]


def test_a_misspelt_function_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(BrokenForm, match=r"there is no function selectd\(\); did you mean selected\?"):
        compile_form(everything("selectd('a', 'b')"))


def test_a_misspelt_question_is_answered_with_the_nearest_known_one() -> None:
    with pytest.raises(BrokenForm, match=r"there is no question shap; did you mean shape\?"):
        compile_form(everything("/data/shap"))


@pytest.mark.parametrize("row", ENGINES, ids=lambda row: row["case"])
def test_a_verdict_is_certain_only_where_both_engines_agree(row: dict[str, Any]) -> None:
    node = row.get("node", "result")
    at = row.get("at", "result")
    constraints = {node: row["constraint"]} if "constraint" in row else {}
    compiled = compile_form(everything(row.get("calculate", ""), at, constraints))
    answers = json.loads(json.dumps(row.get("answers", {})))
    if at == "r/out":
        answers["r"][0]["out"] = row["stored"]
    elif row["stored"]:
        answers[node] = row["stored"]

    findings = compiled.check(answers, CONTEXT)

    assert [finding.severity.value for finding in findings] == [row["verdict"]] * bool(row["verdict"]), row["source"]


def test_every_function_has_a_row() -> None:
    tried = {word.text for row in FUNCTIONS + OPERATORS for word in tokens(row["expression"]) if word.kind == "name"}

    assert set(SIGNATURES) - tried == set()


def test_every_row_names_its_source() -> None:
    assert [row for row in FUNCTIONS + OPERATORS + ENGINES if not row["source"]] == []
