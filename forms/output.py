"""Answers within words: what an <output> in a label, a hint or a message shows, taken from a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from forms.definition import Answers, FormDefinition, Path
from forms.expression.parser import parse
from forms.expression.syntax import BadExpression, Call, Expression
from forms.expression.syntax import Path as Way

MISSING = "…"
"""Stands where an answer is not known."""
LONGEST = 2000
"""Characters of an expression that is looked at."""

_OUTPUT = re.compile(r"\$\{([^{}]*)\}")
_TURN = re.compile(r"(.*?)(?:\[(\d+)\])?")


def reached(way: Expression, at: Path, root: str) -> Path | None:
    """Where a bare path leads, seen from the node at `at` in a form whose root is called `root`; None for anything
    else: other expressions, predicates, any depth."""
    if not isinstance(way, Way) or way.predicates:
        return None
    is_here = way.start is None or (isinstance(way.start, Call) and way.start.name == "current")
    if not is_here and way.start != "/":
        return None
    path = list(at) if is_here else []
    for index, step in enumerate(way.steps):
        if step.predicates or step.axis == "descendant":
            return None
        if step.axis == "parent":
            path = path[:-1]
        elif step.axis == "child" and not (index == 0 and not is_here and step.name == root):
            path.append(step.name.rpartition(":")[2])
    return tuple(path)


def unfilled(words: str) -> str:
    """The words without a record: each answer in them is missing."""
    return _OUTPUT.sub(MISSING, words) if "${" in words else words


def filled(words: str, form: FormDefinition, answers: Answers, at: str, said: Callable[[Path, str], str]) -> str:
    """The words with the answers of a record. `at` is the node that they belong to, with its positions
    ("aid/received[2]/kind"): what stands in the same repeat is the one of the same turn. `said` puts an answer, never
    blank, into words. What is no answer, or could be several, is MISSING."""
    if "${" not in words:
        return words
    turns, path = _turns(at)

    def answer(found: re.Match[str]) -> str:
        target = _named(found[1], path, form.root_name)
        raw = _answer(answers, target, turns) if target else ""
        return (said(target, raw) if target and raw else "") or MISSING

    return _OUTPUT.sub(answer, words)


def _named(source: str, path: Path, root: str) -> Path | None:
    if len(source) > LONGEST:
        return None
    try:
        return reached(parse(source), path, root)
    except BadExpression:
        return None


def _turns(at: str) -> tuple[Mapping[Path, int], Path]:
    """Which turn of each repeat is meant, and the path without positions."""
    turns: dict[Path, int] = {}
    path: Path = ()
    for part in at.split("/") if at else []:
        match = _TURN.fullmatch(part)
        path = (*path, match[1] if match else part)
        if match and match[2]:
            turns[path] = int(match[2])
    return turns, path


def _answer(answers: Answers, path: Path, turns: Mapping[Path, int]) -> str:
    here: object = answers
    for depth, name in enumerate(path, 1):
        here = here.get(name) if isinstance(here, dict) else None
        if isinstance(here, list):
            turn = turns.get(path[:depth], 1 if len(here) == 1 else 0)
            here = here[turn - 1] if 0 < turn <= len(here) else None
    return here if isinstance(here, str) else ""
