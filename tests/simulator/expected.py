"""What should be shown of a record: by who wrote what and had seen what, as nobody but the truth knows it.

It shares nothing with the fold of the servers: sets of writes instead of numbers in chains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.simulator.kept import Kept
from tests.simulator.truth import Truth

FILE = "@"
"""A file is at this and its name."""


@dataclass(slots=True)
class Expected:
    """Path -> value, path -> the operations that clash there."""

    values: dict[str, str | None] = field(default_factory=dict)
    conflicts: dict[str, set[str]] = field(default_factory=dict)
    is_deleted: bool = False


def expected(
    truth: Truth, ops: Sequence[Kept], policies: Mapping[str, str], unwritten: Collection[str] = ()
) -> Expected:
    """`policies` by path; nobody writes the `unwritten` ones. Of the paths in entries that are gone nothing is said."""
    ready = sorted(_with_files(truth, ops), key=lambda one: one.precedence)
    found = Expected()
    kept_or_gone = _between(truth, ready, lambda one: one.is_delete, lambda one: bool(one.changes))
    found.is_deleted = kept_or_gone is None
    if kept_or_gone:
        found.conflicts[""] = kept_or_gone
    gone = _entries(truth, ready, found)
    for path in sorted({path for one in ready for path in one.changes} - set(unwritten)):
        if path.endswith("/") or path.startswith(gone):
            continue
        writes = [one for one in ready if path in one.changes]
        live = [one for one in writes if is_head(truth, one, writes)]
        values = [one.changes[path] for one in live]
        decide = DECIDING.get(policies.get(path, ""))
        found.values[path] = values[-1] if decide is None or len(set(values)) == 1 else decide(values)
        if decide is None and len(set(values)) > 1:
            found.conflicts[path] = {one.op_id for one in live}
    _leave_out_unnamed(found, {one.op_id: one for one in ready})
    return found


def _with_files(truth: Truth, ops: Sequence[Kept]) -> list[Kept]:
    """Where one name stands for different files, a file is something that its author has written, at a path of its own;
    and so is the answer that names it, though it is letter for letter what was there."""
    hashes: dict[str, set[str]] = defaultdict(set)
    for one in ops:
        for name, sha256 in one.files.items():
            hashes[name].add(sha256)
    shared = {name for name, known in hashes.items() if len(known) > 1}
    done: list[Kept] = []
    # Who has seen more comes later.
    for one in sorted(ops, key=lambda one: len(truth.made[one.op_id].seen or ())) if shared else ():
        before = [other for other in done if saw(truth, one, other)]
        new = {name: sha for name, sha in one.files.items() if name in shared and _shown(truth, before, name) != [sha]}
        paths = {path for other in before for path in other.changes if not path.startswith(FILE)}
        named = {path: name for path in paths for name in new if _shown(truth, before, path, last=True) == [name]}
        done.append(replace(one, changes=named | dict(one.changes) | {FILE + name: sha for name, sha in new.items()}))
    return done or list(ops)


def _shown(truth: Truth, ops: Sequence[Kept], path: str, *, last: bool = False) -> list[str | None]:
    """The values between which nobody has decided, or the last of them; of a file by its name."""
    path = path if last else FILE + path
    writes = sorted((one for one in ops if path in one.changes), key=lambda one: one.precedence)
    values = [one.changes[path] for one in writes if is_head(truth, one, writes)]
    return values[-1:] if last else sorted(set(values), key=str)


def _leave_out_unnamed(found: Expected, ops: Mapping[str, Kept]) -> None:
    """Whoever decides against a photo decides about its bytes, too: only of a file that somebody names is it asked."""
    answers = {path: value for path, value in found.values.items() if not path.startswith(FILE)}
    sides = [(path, ops[op_id]) for path, clashing in found.conflicts.items() for op_id in clashing if path in answers]
    named = {*answers.values(), *(one.changes.get(path) for path, one in sides)}
    for path in [path for path in found.conflicts if path.startswith(FILE) and path[len(FILE) :] not in named]:
        del found.conflicts[path]


def is_head(truth: Truth, op: Kept, ops: Sequence[Kept]) -> bool:
    """Nobody of them had seen it."""
    return not any(saw(truth, other, op) for other in ops)


def saw(truth: Truth, op: Kept, other: Kept) -> bool:
    return other.op_id in (truth.made[op.op_id].seen or ())


def _entries(truth: Truth, ready: Sequence[Kept], found: Expected) -> tuple[str, ...]:
    """Which entries are there and which are gone; these are returned."""
    gone = []
    for mark in sorted({path for one in ready for path in one.changes if path.endswith("/")}):

        def removes(one: Kept, mark: str = mark) -> bool:
            return one.changes.get(mark, "") is None

        about = [one for one in ready if any(path.startswith(mark) for path in one.changes)]
        kept_or_gone = _between(truth, about, removes, lambda _one: True, only_among=mark)
        if kept_or_gone is None:
            gone.append(mark)
        elif kept_or_gone:
            found.conflicts[mark] = kept_or_gone
        found.values[mark] = None if kept_or_gone is None else "1"
    return tuple(gone)


def _between(
    truth: Truth,
    ready: Sequence[Kept],
    removes: Callable[[Kept], bool],
    changes: Callable[[Kept], bool],
    only_among: str = "",
) -> set[str] | None:
    """The removals that count, and what would be lost by one of them: what somebody wrote, or went on with, unseen.

    None where a removal had seen all of that. A removal of an entry counts until somebody says again, who had seen it,
    that the entry is there (`only_among` these)."""
    gone = [one for one in ready if removes(one)]
    speaking = [one for one in ready if only_among in one.changes] if only_among else ready
    removals = [one for one in gone if is_head(truth, one, speaking)]
    edits = [one for one in ready if not removes(one) and (changes(one) or any(saw(truth, one, two) for two in gone))]
    unseen = [edit for edit in edits if not all(saw(truth, removal, edit) for removal in removals)]
    if not removals:
        return set()
    if any(all(saw(truth, removal, edit) for edit in unseen) for removal in removals):
        return None
    return {one.op_id for one in (*unseen, *removals)}


def _numbers(values: Sequence[str | None]) -> list[int]:
    return [int(one) for one in values if one]


def _all_lines(values: Sequence[str | None]) -> str:
    """Each line that anybody wrote, once: who wrote least comes first."""
    found: list[str] = []
    for text in sorted({one for one in values if one}, key=lambda one: (len(one), one)):
        found += [line for line in text.split("\n") if line not in found]
    return "\n".join(found)


DECIDING: Mapping[str, Callable[[Sequence[str | None]], str | None]] = {
    "latest": lambda values: values[-1],
    "max": lambda values: str(max(_numbers(values))),
    "min": lambda values: str(min(_numbers(values))),
    "union": lambda values: " ".join(sorted({choice for one in values if one for choice in one.split()})),
    "append": _all_lines,
}
