"""Walks over nested answers: types, shapes, defaults, and what a wrong value makes doubtful."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from forms.definition import Answers, DataType, FormDefinition, Group, Node, Path, Question, Repeat
from forms.finding import Finding, Rule, Severity
from forms.lexical import PARSERS, is_taken_by_one_engine
from forms.program.spec import Spec

_TEXT = frozenset(
    {DataType.STRING, DataType.BARCODE, DataType.INTENT, DataType.SELECT1, DataType.SELECT, DataType.RANK}
)
_POSITION = re.compile(r"\[[0-9]+\]")
LONGEST_VALUE = 1_000


class Clock(Protocol):
    """The times that a client records by itself."""

    @property
    def started_at(self) -> Any: ...

    @property
    def ended_at(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Checkers:
    """The leaves of one group or repeat whose texts have rules, and the sections below it."""

    leaves: tuple[tuple[str, DataType, Callable[[str], object]], ...]
    groups: tuple[tuple[str, Checkers], ...]
    repeats: tuple[tuple[str, Checkers], ...]


def checkers(definition: FormDefinition) -> Checkers:
    return _checkers(definition.root.children)


def _checkers(nodes: Iterable[Node]) -> Checkers:
    nodes = tuple(nodes)
    typed = [node for node in nodes if isinstance(node, Question) and node.type not in _TEXT]
    groups = [(node.name, _checkers(node.children)) for node in nodes if isinstance(node, Group)]
    repeats = [(node.name, _checkers(node.children)) for node in nodes if isinstance(node, Repeat)]
    return Checkers(
        tuple((node.name, node.type, PARSERS[node.type]) for node in typed),
        tuple(one for one in groups if _is_useful(one[1])),
        tuple(one for one in repeats if _is_useful(one[1])),
    )


def _is_useful(found: Checkers) -> bool:
    return bool(found.leaves or found.groups or found.repeats)


def mistyped(known: Checkers, answers: Any, prefix: str = "") -> list[Finding]:
    """A finding for each text that is not of its question's type."""
    found: list[Finding] = []
    if not isinstance(answers, dict):
        return found
    for name, type, parse in known.leaves:
        text = answers.get(name)
        if text:
            try:
                parse(text if isinstance(text, str) else _no_text(text))
            except ValueError as reason:
                found.append(_wrong_type(f"{prefix}{name}", type, str(text), str(reason)))
    return [*found, *_mistyped_below(known, answers, prefix)]


def _mistyped_below(known: Checkers, answers: Answers, prefix: str) -> list[Finding]:
    found: list[Finding] = []
    for name, below in known.groups:
        if answers.get(name):
            found += mistyped(below, answers[name], f"{prefix}{name}/")
    for name, below in known.repeats:
        for position, one in enumerate(_listed(answers.get(name)), 1):
            found += mistyped(below, one, f"{prefix}{name}[{position}]/")
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _no_text(value: object) -> str:
    raise ValueError("not text")


def _section(value: Any) -> Answers:
    """The answers of a group or an occurrence, none when it is not shaped as one."""
    return value if isinstance(value, dict) else {}


def _wrong_type(path: str, type: DataType, text: str, reason: str) -> Finding:
    is_doubtful = is_taken_by_one_engine(type, text)
    severity = Severity.WARNING if is_doubtful else Severity.ERROR
    params = {"type": type.value, "reason": reason}
    return Finding(severity, Rule.TYPE, path, text[:LONGEST_VALUE], certain=not is_doubtful, params=params)


def without(definition: FormDefinition, answers: Answers, wrong: frozenset[str]) -> Answers:
    """A copy without the answers at these paths."""
    return _without(definition.root.children, answers, wrong, "")


def _without(nodes: tuple[Node, ...], answers: Answers, wrong: frozenset[str], prefix: str) -> Answers:
    kept: Answers = {}
    given = answers if isinstance(answers, dict) else {}
    for node in nodes:
        value = given.get(node.name)
        path = f"{prefix}{node.name}"
        if isinstance(node, Group) and isinstance(value, dict):
            kept[node.name] = _without(node.children, value, wrong, f"{path}/")
        elif isinstance(node, Repeat) and isinstance(value, list):
            kept[node.name] = [
                _without(node.children, one, wrong, f"{path}[{position}]/") for position, one in enumerate(value, 1)
            ]
        elif isinstance(node, Question) and path not in wrong:
            kept[node.name] = value
    return kept


def text_at(answers: Answers, path: str) -> str:
    """The text that stands at a path of answers of the form's own shape."""
    found: Any = answers
    for step in path.split("/"):
        name, _, position = step.partition("[")
        found = found[name][int(position[:-1]) - 1] if position else found[name]
    return str(found)


def misplaced(definition: FormDefinition, answers: Any) -> list[str]:
    """The paths of what `shaped` leaves out: names that the form does not have, and answers that are no text."""
    return list(_misplaced(definition.root.children, answers, ""))


def _misplaced(nodes: tuple[Node, ...], answers: Any, prefix: str) -> Iterator[str]:
    if not isinstance(answers, dict):
        yield prefix.rstrip("/")
        return
    known = {node.name: node for node in nodes}
    for name, value in answers.items():
        node, path = known.get(name), f"{prefix}{name}"
        if value is None and node is not None:
            continue
        if isinstance(node, Group):
            yield from _misplaced(node.children, value, f"{path}/")
        elif isinstance(node, Repeat) and isinstance(value, list):
            for position, one in enumerate(value, 1):
                yield from _misplaced(node.children, one, f"{path}[{position}]/")
        elif not (isinstance(node, Question) and isinstance(value, str)):
            yield path


def shaped(definition: FormDefinition, answers: Any) -> Answers:
    """Only what has the form's own shape: texts in questions, lists in repeats."""
    return _shaped(definition.root.children, answers)


def _shaped(nodes: tuple[Node, ...], answers: Any) -> Answers:
    kept: Answers = {}
    given = answers if isinstance(answers, dict) else {}
    for node in nodes:
        value = given.get(node.name)
        if isinstance(node, Group):
            kept[node.name] = _shaped(node.children, value)
        elif isinstance(node, Repeat):
            kept[node.name] = [_shaped(node.children, one) for one in _listed(value)]
        elif isinstance(value, str):
            kept[node.name] = value
    return kept


def is_suppressed(spec: Spec, path: str, wrong: frozenset[str]) -> bool:
    """Whether a verdict on `path` rests on a wrong value; one in another occurrence of the same repeat counts only
    where the rule looks there."""
    return any(_rests_on(spec, path, one) for one in wrong)


def _rests_on(spec: Spec, path: str, wrong: str) -> bool:
    plain = _plain(wrong)
    if plain not in spec.reads:
        return False
    parted = _parted_at(path, wrong)
    return parted is None or any(one == plain and parted >= shared for one, shared in spec.around)


def _plain(path: str) -> Path:
    return tuple(_POSITION.sub("", path).split("/"))


def _parted_at(path: str, other: str) -> int | None:
    """The step at which the two are in different occurrences of one repeat."""
    for at, (one, two) in enumerate(zip(path.split("/"), other.split("/"), strict=False)):
        if one != two:
            return at if _POSITION.sub("", one) == _POSITION.sub("", two) else None
    return None


def with_defaults(definition: FormDefinition, answers: Answers, clock: Clock) -> Answers:
    """The answers, with the form's defaults and the client's own times where nothing was answered."""
    return defaulted(definition.root.children, answers, clock)


def defaulted(nodes: tuple[Node, ...], answers: Mapping[str, Any], clock: Clock) -> Answers:
    """The same for the answers to some nodes: a new occurrence of a repeat."""
    filled: Answers = dict(answers)
    for node in nodes:
        value = answers.get(node.name)
        if isinstance(node, Group):
            filled[node.name] = defaulted(node.children, _section(value), clock)
        elif isinstance(node, Repeat):
            filled[node.name] = [defaulted(node.children, _section(one), clock) for one in _listed(value)]
        elif node.name not in answers:
            filled[node.name] = node.default or _preloaded(node, clock) or None
    return filled


def _preloaded(question: Question, clock: Clock) -> str:
    ended_at = clock.ended_at or clock.started_at
    times = {"timestamp start": clock.started_at, "timestamp end": ended_at, "date today": clock.started_at or ended_at}
    moment = times.get(question.preload)
    if moment is None:
        return ""
    return str(
        moment.date().isoformat() if question.type is DataType.DATE else moment.isoformat(timespec="milliseconds")
    )
