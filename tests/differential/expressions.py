"""The expressions of the conformance table, worked out by our engine and by others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from forms.check import compile_form
from forms.definition import Answers
from forms.expression.numbers import stored_text
from forms.expression.parser import parse
from forms.expression.scope import Reading
from forms.instance import open_instance, read_answers, write
from forms.trial.probe import Probe
from tests.differential.compare import INSTANCE_ID, same
from tests.differential.node import Engine
from tests.unit.forms.study_form import CONTEXT, everything

TABLES = Path(__file__).parents[1] / "conformance"
FORM = (Path(__file__).parent / "forms" / "everything.xml").read_text()
ENDLESS = "^(a+)+$"
"""A pattern that JavaScript's own engine would try until the sun is cold; ours takes linear time."""
CHANCE = (
    "random()",
    "uuid(",
    "now()",
    "property(",
    "extract-signed(",
    "%b %a",
    "randomize(instance('people')/root/item/name))",
)
"""What only the device could tell: each engine gives its own."""
AT = {"result": "/data/result", "r/out": "/data/r[1]/out"}


@dataclass(frozen=True, slots=True)
class Case:
    """An expression at a node of one record, and what our engine makes of it."""

    expression: str
    at: str
    answers: str
    """As JSON."""

    @property
    def name(self) -> str:
        with_ = f" with {self.answers}" if self.answers != "{}" else ""
        return f"{self.expression}{with_}"

    def ours(self) -> tuple[str, str]:
        """In both readings."""
        adopted, other = (self._worked_out(probe) for probe in probes())
        return adopted, other

    def _worked_out(self, probe: Probe) -> str:
        run = probe.compiled.filling(CONTEXT, is_beginning=False)
        slots = probe.loaded(json.loads(self.answers))
        probe.settle(run, slots)
        path = tuple(self.at.split("/"))
        spot = next(spot for spot in probe.spots(slots) if spot.place.node.path == path)
        found = probe.value(run, spot, parse(self.expression))
        return stored_text(found) if isinstance(found, float) else str(found)


@cache
def probes() -> tuple[Probe, Probe]:
    """The form of the conformance table in our two readings."""
    compiled = compile_form(everything(""))
    return Probe(compiled), Probe(compiled, Reading.OTHER)


@dataclass(frozen=True, slots=True)
class Difference:
    """An expression that another engine works out as neither of our readings does; `theirs` is a text, or
    "error: ..."."""

    case: Case
    ours: str
    theirs: str


def cases() -> list[Case]:
    """Every calculation of the table, each with its answers."""
    rows: list[dict[str, Any]] = []
    for name in ("functions", "operators", "engines"):
        rows += json.loads((TABLES / f"{name}.json").read_text())
    asked = [(row.get("expression") or row.get("calculate", ""), row) for row in rows]
    found = [
        Case(text, row.get("at", "result"), json.dumps(row.get("answers", {})))
        for text, row in asked
        if text and not any(part in text for part in (ENDLESS, *CHANCE))
    ]
    return list(dict.fromkeys(found))


def differences(engine: Engine, asked: Sequence[Case]) -> Iterator[Difference]:
    """Those of the cases that the engine works out otherwise."""
    by_record: dict[str, list[Case]] = {}
    for case in asked:
        by_record.setdefault(case.answers, []).append(case)
    for answers, found in by_record.items():
        told = engine.ask(
            form=FORM,
            attachments={},
            record=_whole(json.loads(answers)),
            expressions=[(AT[case.at], case.expression) for case in found],
        )
        values = told.get("values") or [told] * len(found)
        for case, value in zip(found, values, strict=True):
            ours, theirs = case.ours(), value.get("value", f"error: {value.get('error', '')}")
            if not any(same(one, theirs) for one in ours):
                yield Difference(case, ours[0], theirs)


def _whole(answers: Answers) -> str:
    """The record with an element for every question."""
    definition = everything("")
    sent = write(definition, answers, instance_id=INSTANCE_ID)
    return write(definition, read_answers(definition, open_instance(sent)).answers, instance_id=INSTANCE_ID)
