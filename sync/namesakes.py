"""Files of one name. Who replaces a photo may give the new one the name of the old: then no answer differs, and yet
something was written. So the fold takes a file for an answer at a path of its own, whose value is the SHA-256."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import replace

from forms.flat import is_mark
from sync.merge import Clash, Op, Value, View, fold

FILE = "@"
"""No name of a question begins so: XML knows no such names."""


def is_file(path: str) -> bool:
    """Whether the path is that of a file."""
    return path.startswith(FILE)


def file_path(name: str) -> str:
    return f"{FILE}{name}"


def told(ops: Iterable[Op]) -> list[Op]:
    """The operations as the fold is to take them: where different bytes were announced under one name, whoever brought
    other bytes than he or she had seen has written the file, and the answers that name it."""
    known = list({op.op_id: op for op in ops}.values())
    names = _shared(known)
    if not names:
        return known
    done: list[Op] = []
    # Who has seen more comes later.
    for op in sorted(known, key=lambda op: (sum(op.context.values()) + op.n, op.op_id)):
        done.append(_told(op, names, [one for one in done if op.has_seen(one)]))
    return done


def naming(view: View, expected: Set[str]) -> View:
    """The view without clashes about files that neither the record (`expected`) nor anybody in a clash names."""
    if not any(is_file(clash.path) for clash in view.clashes):
        return view
    clashes = tuple(clash for clash in view.clashes if not is_file(clash.path) or _is_named(clash, view, expected))
    return replace(view, clashes=clashes)


def _shared(ops: Iterable[Op]) -> set[str]:
    """The names under which different bytes were announced."""
    found: dict[str, set[str]] = defaultdict(set)
    for op in ops:
        for name, sha256 in op.files.items():
            found[name].add(sha256)
    return {name for name, hashes in found.items() if len(hashes) > 1}


def _told(op: Op, names: Set[str], seen: list[Op]) -> Op:
    if op.is_void or not names & op.files.keys():
        return op
    view = fold(seen)
    disputed = {clash.path for clash in view.clashes}
    brought = {
        file_path(name): sha256
        for name, sha256 in op.files.items()
        if name in names and (view.values.get(file_path(name)) != sha256 or file_path(name) in disputed)
    }
    gone = tuple(path for path, value in view.values.items() if is_mark(path) and value is None)
    answers = {
        path: value
        for path, value in view.values.items()
        if not path.startswith((FILE, *gone)) and any(mentions(value, path[len(FILE) :]) for path in brought)
    }
    return replace(op, set={**answers, **op.set, **brought})


def _is_named(clash: Clash, view: View, expected: Set[str]) -> bool:
    name = clash.path[len(FILE) :]
    siblings = ((other.path, op) for other in view.clashes if not is_file(other.path) for op in other.siblings)
    return name in expected or any(mentions(op.set.get(path), name) for path, op in siblings)


def mentions(value: Value, name: str) -> bool:
    """Whether an answer names the file; a repeat without keys is one answer, a list in JSON."""
    if value is None or value == name:
        return value is not None
    return value.startswith("[") and json.dumps(name, ensure_ascii=False) in value
