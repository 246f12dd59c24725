"""A small form, built by hand, in which expressions can be tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from forms.check import Context
from forms.definition import (
    Choice,
    DataType,
    FormDefinition,
    Group,
    Instance,
    Itemset,
    Node,
    Path,
    Question,
    Repeat,
)

WIB = timezone(timedelta(hours=7))
STARTED_AT = datetime(2026, 11, 23, 9, 0, tzinfo=WIB)
ENDED_AT = datetime(2026, 11, 23, 10, 0, tzinfo=WIB)
CONTEXT = Context(STARTED_AT, ENDED_AT, ENDED_AT + timedelta(hours=3))
PEOPLE = (
    Choice("a", {"": "Ani"}, {"group": "x"}),
    Choice("b", {"": "Budi"}, {"group": "x"}),
    Choice("c", {"": "Citra"}, {"group": "y"}),
)
SHORT = Itemset("", choices=(Choice("p", {"": "P"}), Choice("q", {"": "Q"})))


def ask(name: str, type: DataType = DataType.STRING, **rules: Any) -> Question:
    """A question that is shown, unless `control` says otherwise."""
    shown: dict[str, Any] = {"control": "input", "label": {"": name}}
    return Question(name, (name,), type, **(shown | rules))


def calculate(name: str, expression: str, **rules: Any) -> Question:
    return Question(name, (name,), DataType.STRING, calculate=expression, **rules)


def group(name: str, *children: Node, **rules: Any) -> Group:
    return Group(name, (name,), children, **rules)


def repeat(name: str, *children: Node, **rules: Any) -> Repeat:
    return Repeat(name, (name,), children, **rules)


def form(*nodes: Node, instances: Sequence[Instance] = (), instance_name: str = "") -> FormDefinition:
    """A form of these nodes; their paths are set here."""
    return FormDefinition(
        form_id="form",
        version="7",
        title="Form",
        root=Group("", (), _placed(nodes, ())),
        root_name="data",
        namespace="",
        languages=(),
        default_language="Bahasa Indonesia (id)",
        instances={instance.id: instance for instance in instances},
        instance_name=instance_name,
    )


def _placed(nodes: Sequence[Node], above: Path) -> tuple[Node, ...]:
    placed: list[Node] = []
    for node in nodes:
        path = (*above, node.name)
        if isinstance(node, Question):
            placed.append(replace(node, path=path))
        else:
            placed.append(replace(node, path=path, children=_placed(node.children, path)))
    return tuple(placed)


def everything(calculation: str, at: str = "result", constraints: Mapping[str, str] | None = None) -> FormDefinition:
    """One question of every kind, and the calculation at `at` ("result", or "r/out" in the repeat)."""
    rules = constraints or {}
    inner = calculation if at == "r/out" else ""
    outer = calculation if at == "result" else ""
    select = Itemset("people")
    return form(
        ask("t", constraint=rules.get("t", "")),
        ask("i", DataType.INT, constraint=rules.get("i", "")),
        ask("n", DataType.DECIMAL, constraint=rules.get("n", "")),
        ask("d", DataType.DATE, constraint=rules.get("d", "")),
        ask("m", DataType.DATETIME, constraint=rules.get("m", "")),
        ask("s", DataType.SELECT, control="select", itemset=select),
        ask("s1", DataType.SELECT1, control="select1", itemset=select),
        ask("p", DataType.GEOPOINT),
        ask("shape", DataType.GEOSHAPE),
        ask("time", DataType.TIME),
        ask("photo", DataType.BINARY, control="upload"),
        ask("blank"),
        group("g", ask("inside"), relevant="/data/t != 'hide'"),
        repeat("r", ask("v", DataType.INT), ask("w"), calculate("out", inner)),
        calculate("result", outer),
        instances=[Instance("people", choices=PEOPLE)],
    )
