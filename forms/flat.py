"""Answers as one value for each path: what devices change, and what is merged field by field.

A repeat with a key (see forms.policy) has a path for each answer of each entry, "loan/INF-01/amount", and for each
entry a mark, "loan/INF-01/", whose value is where the entry stood when it was added; None when it was removed. A repeat
without a key is one path: its value is the canonical JSON of its entries, blank answers left out, None without one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from forms.definition import Answers, FormDefinition
from forms.derived import Derived
from forms.outline import Branch, Leaf, outline

LONGEST_KEY = 64
"""Characters of a key as a path has it; a longer one is stood in for by its hash."""
LAST = 2**31

_NO_KEY = re.compile(r"[%/\[\]~]")


def flatten(definition: FormDefinition, answers: Answers) -> dict[str, str | None]:
    """Path -> text, None when blank, for every question outside repeats and of every entry with a key."""
    flat: dict[str, str | None] = {}
    _flatten(outline(definition), answers, "", flat)
    return flat


def unflatten(definition: FormDefinition, flat: Mapping[str, str | None]) -> Answers:
    """The answers in the full shape of the form; a path that is missing is blank, a path it does not know is dropped.

    A repeat without a key whose value is not a list of answers has no entries."""
    return _nested(outline(definition), flat, "")


def is_mark(path: str) -> bool:
    """Whether the path says that an entry of a repeat is there, and nothing else."""
    return path.endswith("/")


def differences(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> dict[str, str | None]:
    """What somebody wrote who made `after` of `before`.

    Where an entry stands is no change. Of an entry that is gone the mark is said, and those of the entries in it; of a
    new one every answer, so that nothing comes back of an earlier entry with that key."""
    new = tuple(path for path, value in after.items() if is_mark(path) and value and not before.get(path))
    written = {
        path: value
        for path, value in after.items()
        if (value != before.get(path) and not (is_mark(path) and value and before.get(path)))
        or (new and path.startswith(new))
    }
    gone = (path for path, value in before.items() if is_mark(path) and value and path not in after)
    return written | dict.fromkeys(gone)


def is_keyed(definition: FormDefinition, path: str) -> bool:
    """Whether the path is that of a repeat with a key as a whole, outside other repeats."""
    branch, parts = outline(definition), path.split("/")
    for name in parts[:-1]:
        child = branch.tags.get(name)
        if not isinstance(child, Branch) or child.is_repeat:
            return False
        branch = child
    last = branch.tags.get(parts[-1])
    return isinstance(last, Branch) and bool(last.key)


def plain(definition: FormDefinition, path: str) -> str | None:
    """The path without the keys on its way, "loan/amount" or "loan/"; None when the form asks nothing there."""
    branch, parts = outline(definition), path.split("/")
    names: list[str] = []
    while parts:
        name = parts.pop(0)
        child = branch.tags.get(name)
        if child is None:
            return None
        names.append(name)
        if isinstance(child, Leaf) or (child.is_repeat and not child.key):
            return None if parts else "/".join(names)
        if child.is_repeat and not (parts and parts.pop(0)):
            return None
        if parts == [""]:
            return "/".join([*names, ""]) if child.is_repeat else None
        branch = child
    return None


def placed(definition: FormDefinition, answers: Answers, path: str) -> str:
    """The path as findings and pages have it: entries by their position, "loan[2]/amount", without one when the entry
    is not there."""
    if not has_keys(definition):
        return path
    branch, here, parts = outline(definition), answers, path.split("/")
    names: list[str] = []
    while parts:
        name = parts.pop(0)
        child = branch.tags.get(name)
        if not isinstance(child, Branch) or (child.is_repeat and not (child.key and parts)):
            return "/".join([*names, name, *parts])
        below = here.get(name)
        if child.is_repeat:
            position, below = _entry_at(child, below or (), parts.pop(0))
            name += f"[{position}]" if position else ""
        branch, here = child, below or {}
        names.append(name)
        if parts == [""]:
            break
    return "/".join(names)


def _entry_at(repeat: Branch, entries: Iterable[Answers], key: str) -> tuple[int, Answers]:
    found = ((position, entry) for position, (one, entry) in enumerate(_keyed(repeat, entries), 1) if one == key)
    return next(found, (0, {}))


def _has_keys(definition: FormDefinition) -> bool:
    return _any_key(outline(definition))


def _any_key(branch: Branch) -> bool:
    return any(bool(child.key) or _any_key(child) for child in branch.branches)


has_keys = Derived(_has_keys)
"""Whether a repeat of the form has a key."""


def _flatten(branch: Branch, answers: Mapping[str, Any], at: str, flat: dict[str, str | None]) -> None:
    """`at` is where the branch is, "" or ending in a slash."""
    for child in branch.children:
        value = answers.get(child.name)
        if isinstance(child, Leaf):
            # Nearly all are text already.
            flat[at + child.name] = (value or None) if type(value) is str else _text(value)
        elif child.key:
            for position, (key, entry) in enumerate(_keyed(child, value or ()), 1):
                mark = f"{at}{child.name}/{key}/"
                flat[mark] = str(position)
                _flatten(child, entry, mark, flat)
        elif child.is_repeat:
            instances = [_answered(child, instance) for instance in value or ()]
            flat[at + child.name] = canonical(instances) if instances else None
        else:
            _flatten(child, value or {}, f"{at}{child.name}/", flat)


def _keyed(repeat: Branch, entries: Iterable[Answers]) -> Iterator[tuple[str, Answers]]:
    """Each entry with its key. One without, or with a key that is taken, is known by what it says: never by its
    place."""
    taken: set[str] = set()
    for entry in entries:
        value: Any = entry
        for name in repeat.key:
            value = (value or {}).get(name)
        key = _NO_KEY.sub(lambda found: f"%{ord(found[0]):02X}", str(value or ""))
        if not key or key in taken:
            key = f"~{_hash(canonical(_answered(repeat, entry)))}"
        elif len(key) > LONGEST_KEY:
            key = f"~{_hash(key)}"
        while key in taken:
            # Word for word the same entry once more.
            key += "~"
        taken.add(key)
        yield key, entry


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


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


def _nested(branch: Branch, flat: Mapping[str, str | None], at: str) -> Answers:
    answers: Answers = {}
    for child in branch.children:
        path = at + child.name
        if isinstance(child, Leaf):
            answers[child.name] = flat.get(path) or None
        elif child.key:
            answers[child.name] = [_nested(child, entry, "") for entry in _entries(child, flat, path)]
        elif child.is_repeat:
            answers[child.name] = _instances(child, _loaded(flat.get(path)))
        else:
            answers[child.name] = _nested(child, flat, f"{path}/")
    return answers


def _entries(repeat: Branch, flat: Mapping[str, str | None], path: str) -> list[dict[str, str | None]]:
    """What is said of each entry that is there, by paths that begin at the entry; its mark is ""."""
    found: dict[str, dict[str, str | None]] = {}
    # Before the repeat had a key, it was one answer: what has not been written since is in there.
    for position, (key, entry) in enumerate(_keyed(repeat, _instances(repeat, _loaded(flat.get(path)))), 1):
        found[key] = {"": str(position)}
        _flatten(repeat, entry, "", found[key])
    for name, value in flat.items():
        if name.startswith(f"{path}/"):
            key, slash, rest = name[len(path) + 1 :].partition("/")
            if slash and key:
                found.setdefault(key, {})[rest] = value
    there = [(_position(entry), key, entry) for key, entry in found.items() if _is_there(entry)]
    # Two people may each have put an entry in one place: then by key, so that the order is the same everywhere.
    return [entry for _place, _key, entry in sorted(there, key=lambda one: one[:2])]


def _is_there(entry: Mapping[str, str | None]) -> bool:
    return entry[""] is not None if "" in entry else any(entry.values())


def _position(entry: Mapping[str, str | None]) -> int:
    said = entry.get("") or ""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else LAST


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
