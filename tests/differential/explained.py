"""Differences that are meant: each with its reason, in differences.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.differential import expressions
from tests.differential.compare import Difference

TABLE: dict[str, Any] = json.loads((Path(__file__).parent / "differences.json").read_text())
FORMS: list[dict[str, Any]] = TABLE["forms"]
"""Each explains the differences that have what it names: form, path, aspect, rule, is_broken."""


def is_explained(difference: Difference, row: dict[str, Any]) -> bool:
    return all(getattr(difference, name) == value for name, value in row.items() if name != "why")


def unexplained(found: Iterable[Difference]) -> list[Difference]:
    return [one for one in found if not any(is_explained(one, row) for row in FORMS)]


def outdated(found: Iterable[Difference]) -> list[dict[str, Any]]:
    """Reasons for what no longer differs."""
    found = list(found)
    return [row for row in FORMS if not any(is_explained(one, row) for one in found)]


def row_of(difference: expressions.Difference) -> dict[str, Any]:
    """As the table has it, without a reason."""
    case = difference.case
    answers = json.loads(case.answers)
    return {"expression": case.expression, "answers": answers, "ours": difference.ours, "theirs": difference.theirs}


def explained(engine: str) -> list[dict[str, Any]]:
    """The table's rows about the expressions of one engine, without their reasons."""
    return [{name: value for name, value in row.items() if name != "why"} for row in TABLE["expressions"][engine]]
