"""Answers as one value for each path: what devices change, and what is merged field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from forms.definition import Answers, FormDefinition
from forms.outline import Branch, Leaf, outline


def flatten(definition: FormDefinition, answers: Answers) -> dict[str, str | None]:
    """Path -> text, None when blank, for every question outside repeats: "income/after".

    A repeat is one path, since its instances have no key yet: its value is the canonical JSON of their answers, blank
    ones left out, None without an instance."""
    flat: dict[str, str | None] = {}
    _flatten(outline(definition), answers, flat)
    return flat


def unflatten(definition: FormDefinition, flat: Mapping[str, str | None]) -> Answers:
    """The answers in the full shape of the form; a path that is missing is blank, a path it does not know is dropped.

    A repeat whose value is not a list of answers has no instances."""
    return _nested(outline(definition), flat)


def _flatten(branch: Branch, answers: Mapping[str, Any], flat: dict[str, str | None]) -> None:
    for child in branch.children:
        value = answers.get(child.name)
        if isinstance(child, Leaf):
            flat[child.path] = _text(value)
        elif child.is_repeat:
            instances = [_answered(child, instance) for instance in value or ()]
            flat[child.path] = canonical(instances) if instances else None
        else:
            _flatten(child, value or {}, flat)


def canonical(value: object) -> str:
    """JSON with one spelling: sorted names, no spaces, characters as they are."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _answered(branch: Branch, answers: Mapping[str, Any]) -> Answers:
    """Only what is not blank, in any order."""
    found: Answers = {}
    for child in branch.children:
        value = answers.get(child.name)
        if isinstance(child, Leaf):
            value = _text(value)
        elif child.is_repeat:
            value = [_answered(child, instance) for instance in value or ()]
        else:
            value = _answered(child, value or {})
        if value:
            found[child.name] = value
    return found


def _nested(branch: Branch, flat: Mapping[str, str | None]) -> Answers:
    answers: Answers = {}
    for child in branch.children:
        if isinstance(child, Leaf):
            answers[child.name] = flat.get(child.path) or None
        elif child.is_repeat:
            answers[child.name] = _instances(child, _loaded(flat.get(child.path)))
        else:
            answers[child.name] = _nested(child, flat)
    return answers


def _loaded(written: str | None) -> object:
    try:
        return json.loads(written) if written else []
    except (ValueError, RecursionError):
        return []


def _instances(repeat: Branch, value: object) -> list[Answers]:
    return [_full(repeat, one) for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _full(branch: Branch, value: Mapping[str, Any]) -> Answers:
    """What `_answered` left, in the full shape again."""
    answers: Answers = {}
    for child in branch.children:
        found = value.get(child.name)
        if isinstance(child, Leaf):
            answers[child.name] = _text(found)
        elif child.is_repeat:
            answers[child.name] = _instances(child, found)
        else:
            answers[child.name] = _full(child, found if isinstance(found, dict) else {})
    return answers


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
