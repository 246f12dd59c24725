"""The fold: from the operations on one record to what is shown. Pure; depends on the set, never on the order.

The sync protocol (docs), section 4, is normative."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from forms.flat import is_mark
from forms.policy import Policy
from sync.combine import combine

Vector: TypeAlias = Mapping[str, int]
"""Origin -> the greatest of its numbers on this record that somebody has seen."""

Value: TypeAlias = str | None

NOTHING: Vector = {}
NO_POLICIES: Mapping[str, Policy] = {}


@dataclass(frozen=True, slots=True)
class Op:
    """One operation, as far as the fold needs it."""

    op_id: str
    origin: str
    n: int
    prev: int = 0
    context: Vector = field(default_factory=dict)
    at: str = ""
    rank: int = 0
    set: Mapping[str, Value] = field(default_factory=dict)
    is_delete: bool = False
    is_void: bool = False
    """It only occupies its number: nothing it says counts."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What it announced: name -> SHA-256. Where one name stands for several files, see sync.namesakes."""

    def has_seen(self, other: Op) -> bool:
        """Whether the author of this one had the other before the eyes. An author has seen all of their own."""
        return other.n <= self.seen(other.origin)

    def seen(self, origin: str) -> int:
        return self.prev if origin == self.origin else self.context.get(origin, 0)

    @property
    def precedence(self) -> tuple[int, str, str, int]:
        """Picks which of several flagged values is displayed; decides nothing else."""
        return self.rank, self.at, self.origin, self.n


def contests(one: Op, other: Op) -> bool:
    """Whether both wrote the same path without seeing each other."""
    is_concurrent = not one.has_seen(other) and not other.has_seen(one)
    return is_concurrent and one is not other and not one.set.keys().isdisjoint(other.set)


@dataclass(frozen=True, slots=True)
class Clash:
    """A path for which people wrote different values without seeing each other; "" (or the mark of an
    entry of a repeat) is an edit against a delete."""

    path: str
    siblings: tuple[Op, ...]
    """The shown one first."""
    base: Value = None
    """What all of them had before their eyes."""


def is_whole(path: str) -> bool:
    """Whether a clash there is about the record, or about an entry of a repeat, as such: it is kept or deleted."""
    return not path or is_mark(path)


@dataclass(frozen=True, slots=True)
class Merger:
    """A path for which people wrote different values without seeing each other, and whose policy has decided."""

    policy: Policy
    siblings: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class View:
    """The record as it stands."""

    values: Mapping[str, Value]
    """Every path that was ever written; None is a value that was cleared."""
    writers: Mapping[str, Op]
    """The operation whose value is displayed, by path."""
    clashes: tuple[Clash, ...]
    vector: Vector
    ready: tuple[Op, ...]
    """Sorted by precedence."""
    held: tuple[Op, ...]
    is_deleted: bool
    mergers: Mapping[str, Merger] = field(default_factory=dict)

    @property
    def shown(self) -> Op | None:
        """The last operation: of those that no other has seen, the one with the greatest precedence."""
        heads = self.heads
        return heads[-1] if heads else None

    @property
    def heads(self) -> Sequence[Op]:
        """The operations that no other has seen."""
        if len(self.ready) == 1:
            return () if self.ready[0].is_void else self.ready
        return _unseen([op for op in self.ready if not op.is_void], self.ready)


def fold(ops: Iterable[Op], *, derived: Set[str] = frozenset(), policies: Mapping[str, Policy] = NO_POLICIES) -> View:
    """Merge the operations on one record.

    `derived` paths (calculations, what the device filled in by itself) take the displayed writer's value but
    never clash: nobody wrote them. Where `policies` can decide between different values, they do; else it is a
    clash."""
    ready, held, vector = _ready({op.op_id: op for op in ops}.values())
    if len(ready) == 1 and not ready[0].is_void:
        return _view_of_one(ready[0], vector, held)
    writes = _writes(ready)
    values: dict[str, Value] = {}
    writers: dict[str, Op] = {}
    clashes: list[Clash] = []
    mergers: dict[str, Merger] = {}
    for path, ops_of_path in writes.items():
        if is_mark(path):
            continue
        live = _unseen(ops_of_path, ops_of_path) if len(ops_of_path) > 1 else ops_of_path
        writers[path] = live[-1]
        values[path] = live[-1].set[path]
        if len(live) == 1 or path in derived or len({op.set[path] for op in live}) == 1:
            continue
        siblings, policy = tuple(reversed(live)), policies.get(path, Policy.FLAG)
        is_decided, value = _decided(policy, path, siblings)
        if is_decided:
            values[path], mergers[path] = value, Merger(policy, siblings)
        else:
            clashes.append(Clash(path, siblings, _base(path, live, ops_of_path)))
    removed, disputed = _entries(ready, writes, derived, values, writers)
    clashes = [clash for clash in clashes if not clash.path.startswith(removed)]
    is_deleted, against = _deletion(ready)
    return View(
        values=values,
        writers=writers,
        clashes=tuple(sorted((*against, *clashes, *disputed), key=lambda clash: clash.path)),
        vector=vector,
        ready=tuple(ready),
        held=tuple(held),
        is_deleted=is_deleted,
        mergers={path: merger for path, merger in mergers.items() if not path.startswith(removed)},
    )


def _entries(
    ready: Sequence[Op],
    writes: Mapping[str, list[Op]],
    derived: Set[str],
    values: dict[str, Value],
    writers: dict[str, Op],
) -> tuple[tuple[str, ...], list[Clash]]:
    """Which entries of repeats were removed, and which one changed and another removed: these stay, and are shown.

    Where people put an entry is no conflict."""
    clashes: list[Clash] = []
    # An entry comes before the entries in it: whose removal of it is disputed, has not removed those either.
    for mark in sorted(filter(is_mark, writes)):
        around = {op.op_id for clash in clashes if mark.startswith(clash.path) for op in clash.siblings}
        live = _unseen(writes[mark], writes[mark])
        kept = [op for op in writes[mark] if op.set[mark] is not None]
        removals = [op for op in live if op.set[mark] is None and op.op_id not in around]
        unseen = [op for op in ready if _changes(op, mark, derived) and not all(one.has_seen(op) for one in removals)]
        if removals and any(all(removal.has_seen(op) for op in unseen) for removal in removals):
            values[mark], writers[mark] = None, removals[-1]
            continue
        writers[mark] = kept[-1] if kept else live[-1]
        values[mark] = kept[-1].set[mark] if kept else "1"
        if removals:
            siblings = (*reversed(unseen), *reversed(removals))
            clashes.append(Clash(mark, siblings, _base(mark, [*unseen, *removals], writes[mark])))
    return tuple(mark for mark in filter(is_mark, writes) if values[mark] is None), clashes


def _changes(op: Op, mark: str, derived: Set[str]) -> bool:
    """Whether it says something about the entry other than that it is gone."""
    if op.is_void or op.set.get(mark, "") is None:
        return False
    return any(path.startswith(mark) and path not in derived for path in op.set)


def _decided(policy: Policy, path: str, siblings: Sequence[Op]) -> tuple[bool, Value]:
    """Whether the policy can say which value stands, and that value."""
    if policy is Policy.FLAG:
        return False, None
    if policy is Policy.LATEST:
        return True, siblings[0].set[path]
    value = combine(policy, [text for op in siblings if (text := op.set[path])])
    return value is not None, value


def _view_of_one(op: Op, vector: Vector, held: Sequence[Op]) -> View:
    # Most records are one operation for ever: the general way comes to the same and takes ten times as long.
    return View(dict(op.set), dict.fromkeys(op.set, op), (), vector, (op,), tuple(held), op.is_delete)


def seen_by(ops: Iterable[Op], context: Vector, *, policies: Mapping[str, Policy] = NO_POLICIES) -> View:
    """The record as somebody with this context had it before the eyes."""
    return fold((op for op in ops if op.n <= context.get(op.origin, 0)), policies=policies)


Twins: TypeAlias = Mapping[tuple[str, int], tuple[str, int]]
"""Of what came by two ways: (origin, n) of the marker -> of the operation that stands for both."""


def with_twins(vector: Vector, twins: Twins) -> Vector:
    """Who has seen one of two that are the same has seen the other."""
    more = {to[0]: to[1] for at, to in twins.items() if vector.get(at[0], 0) >= at[1] and vector.get(to[0], 0) < to[1]}
    return {**vector, **more} if more else vector


def seeing_twins(op: Op, twins: Twins) -> Op:
    """The operation, its author having seen the twins of all that he or she had seen."""
    known = {**op.context, op.origin: op.prev}
    seen = with_twins(known, twins)
    return op if seen is known else replace(op, context={o: n for o, n in seen.items() if o != op.origin})


def closure(op: Op) -> dict[str, int]:
    """The context of somebody who had the record before the eyes right after this operation."""
    return {**op.context, op.origin: op.n}


def union(vectors: Iterable[Vector]) -> dict[str, int]:
    """What at least one of them has seen."""
    seen: dict[str, int] = {}
    for vector in vectors:
        for origin, n in vector.items():
            seen[origin] = max(n, seen.get(origin, 0))
    return seen


def missing(op: Op, vector: Vector) -> str:
    """What an operation still waits for, given what is ready: "predecessor", "base" or ""."""
    if op.prev > vector.get(op.origin, 0):
        return "predecessor"
    behind = (origin for origin, n in op.context.items() if origin != op.origin and n > vector.get(origin, 0))
    return "base" if any(behind) else ""


def _ready(ops: Iterable[Op]) -> tuple[list[Op], list[Op], dict[str, int]]:
    """Each origin's unbroken chain, as far as what its author had seen is here too; the rest waits."""
    # Who has seen more comes later: then one look at each is enough, unless something is missing.
    waiting = sorted(ops, key=lambda op: sum(op.context.values()) + op.n)
    vector: dict[str, int] = {}
    ready: list[Op] = []
    while waiting:
        still = []
        for op in waiting:
            if missing(op, vector):
                still.append(op)
                continue
            ready.append(op)
            vector[op.origin] = max(op.n, vector.get(op.origin, 0))
        if len(still) == len(waiting):
            break
        waiting = still
    ready.sort(key=lambda op: (*op.precedence, op.op_id))
    waiting.sort(key=lambda op: (op.n, op.origin, op.op_id))
    return ready, waiting, vector


def _writes(ready: Sequence[Op]) -> Mapping[str, list[Op]]:
    writes: dict[str, list[Op]] = defaultdict(list)
    for op in ready:
        if not op.is_void:
            for path in op.set:
                writes[path].append(op)
    return writes


def _unseen(ops: Sequence[Op], others: Iterable[Op]) -> list[Op]:
    """Those that none of the others had before the eyes."""
    seen: dict[str, int] = {}
    for other in others:
        if other.is_void:
            continue
        for origin, n in other.context.items():
            if n > seen.get(origin, 0) and origin != other.origin:
                seen[origin] = n
        if other.prev > seen.get(other.origin, 0):
            seen[other.origin] = other.prev
    return [op for op in ops if op.n > seen.get(op.origin, 0)]


def _base(path: str, live: Sequence[Op], writes: Sequence[Op]) -> Value:
    common = [op for op in writes if all(sibling.has_seen(op) for sibling in live)]
    heads = _unseen(common, common)
    return heads[-1].set[path] if heads else None


def _deletion(ready: Sequence[Op]) -> tuple[bool, list[Clash]]:
    """A delete that had seen every write deletes; beside an edit that it had not seen, the record stays visible."""
    written = [op for op in ready if op.is_delete and not op.is_void]
    deletes = _unseen(written, ready) if written else []
    if not deletes:
        return False, []
    edits = [op for op in ready if not op.is_delete and not op.is_void and (op.set or _has_seen_any(op, written))]
    unseen = [op for op in edits if not all(delete.has_seen(op) for delete in deletes)]
    if any(all(delete.has_seen(edit) for edit in unseen) for delete in deletes):
        return True, []
    return False, [Clash("", (*reversed(unseen), *reversed(deletes)))]


def _has_seen_any(op: Op, deletes: Iterable[Op]) -> bool:
    """Who goes on after a delete keeps the record, even without changing anything."""
    return any(op.has_seen(delete) for delete in deletes)
