"""Random forms and random answers to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from forms.definition import Answers, DataType, FormDefinition, Group, Node, Path, Question, Repeat

NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True),
    st.sampled_from(["class", "None", "load", "Meta", "fields", "désa", "日本", "a.b", "__proto__", "_schema", "data"]),
).filter(lambda name: name != "meta")
TEXT = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\n\t\r"
    ),
    min_size=1,
    max_size=30,
).filter(lambda text: not text.isspace())
ANSWERS_OF = {
    DataType.INT: st.integers(-(2**31), 2**31 - 1).map(str),
    DataType.DECIMAL: st.decimals(-(10**9), 10**9, places=3).map(str),
    DataType.DATE: st.dates().map(str),
    DataType.DATETIME: st.datetimes().map(lambda moment: moment.isoformat() + "+07:00"),
    DataType.BOOLEAN: st.sampled_from(["true", "false"]),
    DataType.SELECT: st.lists(st.from_regex(r"[a-z]{1,4}", fullmatch=True), min_size=1, max_size=3).map(" ".join),
}


def forms() -> st.SearchStrategy[FormDefinition]:
    return st.builds(_definition, _children((), 3))


@st.composite
def _children(draw: st.DrawFn, above: Path, depth: int) -> tuple[Node, ...]:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    return tuple(draw(_node((*above, name), depth)) for name in names)


@st.composite
def _node(draw: st.DrawFn, path: Path, depth: int) -> Node:
    kind = draw(st.sampled_from(["question"] * 3 + (["group", "repeat"] if depth else [])))
    if kind == "question":
        return Question(path[-1], path, draw(st.sampled_from(list(DataType))), control="input")
    children = draw(_children(path, depth - 1))
    return Group(path[-1], path, children) if kind == "group" else Repeat(path[-1], path, children)


def _definition(children: tuple[Node, ...]) -> FormDefinition:
    return FormDefinition("any form", 'v"1', "Any", Group("", (), children), "data", "", (), "", {})


@st.composite
def answers_to(draw: st.DrawFn, parent: Group | Repeat, *, typed: bool = False) -> Answers:
    """Answers in the full shape; `typed` ones fit their question's type, others are any text."""
    found: Answers = {}
    for child in parent.children:
        if isinstance(child, Question):
            text = ANSWERS_OF.get(child.type, TEXT) if typed else TEXT
            found[child.name] = draw(st.none() | text)
        elif isinstance(child, Repeat):
            found[child.name] = draw(st.lists(answers_to(child, typed=typed), max_size=3))
        else:
            found[child.name] = draw(answers_to(child, typed=typed))
    return found


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.just(""),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def spoilt(draw: st.DrawFn, answers: Answers) -> Answers:
    """Answers in which some things are missing, strange or too much."""
    found: Answers = {}
    for name, value in answers.items():
        fate = draw(st.integers(0, 9))
        if fate == 0:
            continue
        if fate == 1:
            found[name] = draw(JSON)
        elif isinstance(value, dict):
            found[name] = draw(spoilt(value))
        elif isinstance(value, list):
            found[name] = [draw(spoilt(one)) for one in value]
        else:
            found[name] = value
    if draw(st.integers(0, 9)) == 0:
        found[draw(NAMES)] = draw(JSON)
    return found
