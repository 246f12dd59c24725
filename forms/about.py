"""Which entry of a list a record is about: where a form asks for one, and what was answered there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forms.definition import Answers, FormDefinition, Path, Question
from forms.expression.parser import parse
from forms.expression.syntax import BadExpression, Binary, Literal, Step, conjuncts
from forms.expression.syntax import Path as XPath

LIST = ".csv"


def asks_about(definition: FormDefinition, list_name: str = "") -> tuple[Path, ...]:
    """The questions that choose from a list that comes as a CSV, or from this one of them."""
    return tuple(question.path for question in _asking(definition, list_name))


def offers(definition: FormDefinition, list_name: str, row: Mapping[str, str]) -> bool:
    """Whether a question can offer this row of the list: none of its filter's fixed conditions says otherwise."""
    return any(
        all(row.get(column, "") == value for column, value in _fixed(question.itemset.predicate))
        for question in _asking(definition, list_name)
        if question.itemset is not None
    )


def _asking(definition: FormDefinition, list_name: str) -> Iterator[Question]:
    wanted = f"/{list_name}{LIST}" if list_name else LIST
    lists = {instance.id for instance in definition.instances.values() if instance.src.endswith(wanted)}
    for question in definition.questions():
        if question.itemset is not None and question.itemset.instance in lists:
            yield question


def _fixed(predicate: str) -> Iterator[tuple[str, str]]:
    """The conditions of a filter that no answer changes: (column, value) of each "column = 'value'"."""
    try:
        conditions = conjuncts(parse(predicate)) if predicate else []
    except BadExpression:
        return
    for condition in conditions:
        match condition:
            case Binary("=", XPath(None, (Step("child", column, ()),), ()), Literal(value)) | Binary(
                "=", Literal(value), XPath(None, (Step("child", column, ()),), ())
            ):
                yield column, value


def before_repeat(definition: FormDefinition, path: Path) -> Path:
    """The path as far as its first repeat; the whole of it when there is none on the way."""
    repeats = {repeat.path for repeat in definition.repeats()}
    return next((path[:length] for length in range(1, len(path)) if path[:length] in repeats), path)


def names_in(value: Any) -> Iterator[str]:
    """Every name chosen in an answer, or anywhere in a group or a repeat."""
    if isinstance(value, str):
        yield from value.split()
    elif isinstance(value, dict):
        for inner in value.values():
            yield from names_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from names_in(inner)


def said_about(definition: FormDefinition, answers: Answers) -> frozenset[str]:
    """The entries that these answers choose from lists."""
    return frozenset(
        name for path in asks_about(definition) for name in names_in(_at(answers, before_repeat(definition, path)))
    )


def placed_about(definition: FormDefinition, answers: Answers, list_name: str, entry: str) -> Answers:
    """`answers`, with `entry` at the first question outside repeats that asks for one of this list, if it is blank."""
    for path in asks_about(definition, list_name):
        if before_repeat(definition, path) == path:
            return _with(answers, path, entry)
    return answers


def _at(answers: Any, path: Path) -> Any:
    for name in path:
        answers = answers.get(name) if isinstance(answers, dict) else None
    return answers


def _with(answers: Answers, path: Path, value: str) -> Answers:
    name, *rest = path
    inner = answers.get(name)
    if not rest:
        return {**answers, name: inner or value}
    return {**answers, name: _with(inner if isinstance(inner, dict) else {}, tuple(rest), value)}
