"""The fold: from the operations on one record to what is shown. Pure; depends on the set, never on the order.

The sync protocol (docs), section 4, is normative."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TypeAlias

from forms.flat import is_mark
from forms.policy import Policy
from sync.combine import combine

Vector: TypeAlias = Mapping[str, int]
"""Origin -> the greatest of its numbers on this record that somebody has seen; and UNSEEN with the id of an operation
whose number is among these, where only a marker stood for it."""

UNSEEN = "!"
NOTHING: frozenset[str] = frozenset()

Value: TypeAlias = str | None

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
    precedence: tuple[int, str, str, int, str] = field(init=False, repr=False, compare=False)
    """Picks which of several flagged values is displayed; decides nothing else."""
    unseen: frozenset[str] = field(init=False, repr=False, compare=False)
    """Operations whose number its author has seen, and nothing else of them: they had been put aside there."""

    def __post_init__(self) -> None:
        unseen = frozenset(name[1:] for name in self.context if name.startswith(UNSEEN)) if self.context else NOTHING
        object.__setattr__(self, "unseen", unseen)
        object.__setattr__(self, "precedence", (self.rank, self.at, self.origin, self.n, self.op_id))

    def has_seen(self, other: Op) -> bool:
        """Whether the author of this one had the other before the eyes. An author has seen all of their own."""
        if other.n > self.seen(other.origin):
            return False
        return other.op_id not in self.unseen or other.origin == self.origin

    def seen(self, origin: str) -> int:
        return self.prev if origin == self.origin else self.context.get(origin, 0)


BY_PRECEDENCE = attrgetter("precedence")


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
    heads: tuple[Op, ...]
    """The operations that no other has seen, sorted by precedence."""
    mergers: Mapping[str, Merger] = field(default_factory=dict)

    @property
    def shown(self) -> Op | None:
        """The last operation: of those that no other has seen, the one with the greatest precedence."""
        return self.heads[-1] if self.heads else None


class History:
    """The operations on one record that have come so far, in any order: which are ready, and which writes live.

    What comes next is taken in without a look at all that came before: of a household with 500 writes a fold takes
    100 times as long."""

    def __init__(self, ops: Iterable[Op] = ()) -> None:
        self.vector: dict[str, int] = {}
        self.ready: list[Op] = []
        """Sorted by precedence."""
        self._held: list[Op] = []
        self._loose: list[tuple[Op, bool]] = []
        """Ready, but not woven in yet: most records are one operation for ever, which needs none of this."""
        self._heads: list[Op] = []
        self._writes: dict[str, list[Op]] = defaultdict(list)
        self._live: dict[str, list[Op]] = defaultdict(list)
        self.take(*ops)

    def take(self, *ops: Op) -> None:
        """These take part too, each once, as far as what its author had seen is here; the others wait."""
        # Who has seen more comes later: then one look at each is enough, unless something is missing.
        waiting = [*self._held, *sorted(ops, key=lambda op: sum(op.context.values()) + op.n)]
        while waiting:
            still = [op for op in waiting if not self._admit(op)]
            if len(still) == len(waiting):
                break
            waiting = still
        self._held = waiting

    @property
    def heads(self) -> Sequence[Op]:
        """The operations that no other has seen, sorted by precedence."""
        if len(self.ready) == 1:
            return [op for op in self.ready if not op.is_void]
        self._weave()
        return self._heads

    @property
    def told(self) -> Vector:
        """What somebody has seen who has the record before the eyes as it is. Another server may have taken what was
        put aside here: then the marker gives way to it, and nobody has seen what it says."""
        return self.vector | {f"{UNSEEN}{op.op_id}": 1 for op in self.ready if op.is_void}

    @property
    def paths(self) -> Iterable[str]:
        """All that was ever written."""
        self._weave()
        return self._writes.keys()

    def view(self, *, derived: Set[str] = frozenset(), policies: Mapping[str, Policy] = NO_POLICIES) -> View:
        """See `fold`."""
        held = tuple(sorted(self._held, key=lambda op: (op.n, op.origin, op.op_id)))
        if len(self.ready) == 1 and not self.ready[0].is_void:
            return _view_of_one(self.ready[0], self.told, held)
        self._weave()
        values: dict[str, Value] = {}
        writers: dict[str, Op] = {}
        clashes: list[Clash] = []
        mergers: dict[str, Merger] = {}
        for path in self._writes:
            live = self._living(path)
            writers[path] = live[-1]
            values[path] = live[-1].set[path]
            if len(live) == 1 or is_mark(path) or path in derived or len({op.set[path] for op in live}) == 1:
                continue
            siblings, policy = tuple(reversed(live)), policies.get(path, Policy.FLAG)
            is_decided, value = _decided(policy, path, siblings)
            if is_decided:
                values[path], mergers[path] = value, Merger(policy, siblings)
            else:
                clashes.append(Clash(path, siblings, _base(path, live, self._writes[path])))
        removed, disputed = self._entries(derived, values, writers)
        clashes = [clash for clash in clashes if not clash.path.startswith(removed)]
        is_deleted, against = _deletion(self.ready)
        return View(
            values=values,
            writers=writers,
            clashes=tuple(sorted((*against, *clashes, *disputed), key=lambda clash: clash.path)),
            vector=self.told,
            ready=tuple(self.ready),
            held=held,
            is_deleted=is_deleted,
            heads=tuple(self._heads),
            mergers={path: merger for path, merger in mergers.items() if not path.startswith(removed)},
        )

    def seen_by(self, context: Vector, *, policies: Mapping[str, Policy] = NO_POLICIES) -> View:
        """The record as somebody with this context had it before the eyes: mostly as it is."""
        if all(covers(context, op) for op in self.ready):
            return self.view(policies=policies)
        return fold((op for op in self.ready if covers(context, op)), policies=policies)

    def _admit(self, op: Op) -> bool:
        if missing(op, self.vector):
            return False
        counted = self.vector.get(op.origin, 0)
        self.vector[op.origin] = max(op.n, counted)
        insort(self.ready, op, key=BY_PRECEDENCE)
        # All that is ready has seen nothing but what is counted.
        self._loose.append((op, op.n > counted))
        return True

    def _weave(self) -> None:
        for op, is_unseen in self._loose:
            if op.is_void:
                continue
            self._heads = _beside(self._heads, op, () if is_unseen else self.ready)
            for path in op.set:
                others = self._writes[path]
                self._live[path] = _beside(self._live[path], op, () if is_unseen else others)
                insort(others, op, key=BY_PRECEDENCE)
        self._loose.clear()

    def _living(self, path: str) -> Sequence[Op]:
        """The writes that no other has seen; where numbers were given out of turn and each was seen, the last."""
        return self._live[path] or self._writes[path][-1:]

    def _entries(
        self, derived: Set[str], values: dict[str, Value], writers: dict[str, Op]
    ) -> tuple[tuple[str, ...], list[Clash]]:
        """Which entries of repeats were removed, and which one changed and another removed: these stay, and are shown.

        Where people put an entry is no conflict."""
        clashes: list[Clash] = []
        marks = sorted(filter(is_mark, self._writes))
        # An entry comes before the entries in it: whose removal of it is disputed, has not removed those either.
        for mark in marks:
            writes, live = self._writes[mark], self._live[mark]
            around = {op.op_id for clash in clashes if mark.startswith(clash.path) for op in clash.siblings}
            kept = [op for op in writes if op.set[mark] is not None]
            removals = [op for op in live if op.set[mark] is None and op.op_id not in around]
            unseen = _unseen_changes(self.ready, mark, derived, removals) if removals else []
            if removals and any(all(removal.has_seen(op) for op in unseen) for removal in removals):
                values[mark], writers[mark] = None, removals[-1]
                continue
            writers[mark] = kept[-1] if kept else self._living(mark)[-1]
            values[mark] = kept[-1].set[mark] if kept else "1"
            if removals:
                siblings = (*reversed(unseen), *reversed(removals))
                clashes.append(Clash(mark, siblings, _base(mark, [*unseen, *removals], writes)))
        return tuple(mark for mark in marks if values[mark] is None), clashes


def fold(ops: Iterable[Op], *, derived: Set[str] = frozenset(), policies: Mapping[str, Policy] = NO_POLICIES) -> View:
    """Merge the operations on one record.

    `derived` paths (calculations, what the device filled in by itself) take the displayed writer's value but
    never clash: nobody wrote them. Where `policies` can decide between different values, they do; else it is a
    clash."""
    return History({op.op_id: op for op in ops}.values()).view(derived=derived, policies=policies)


def _beside(live: Sequence[Op], op: Op, others: Iterable[Op]) -> list[Op]:
    """What lives once `op` has come beside it. `others` are those that may have had it before the eyes."""
    # As `op.has_seen` says: to ask it of each takes three times as long, and a household has dozens that live.
    origin, seen = op.origin, op.context
    left = [one for one in live if one.n > (op.prev if one.origin == origin else seen.get(one.origin, 0))]
    if op.unseen:
        left = [one for one in live if not op.has_seen(one)]
    if not any(other.has_seen(op) for other in others if not other.is_void):
        insort(left, op, key=BY_PRECEDENCE)
    return left


def _unseen_changes(ready: Sequence[Op], mark: str, derived: Set[str], removals: Sequence[Op]) -> list[Op]:
    """What was said about the entry that not everybody who removed it had before the eyes."""
    return [op for op in ready if _changes(op, mark, derived) and not all(one.has_seen(op) for one in removals)]


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
    return View(dict(op.set), dict.fromkeys(op.set, op), (), vector, (op,), tuple(held), op.is_delete, (op,))


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


def covers(vector: Vector, op: Op) -> bool:
    """Whether somebody with this vector has seen the operation; its marker has been seen as one."""
    is_counted = op.n <= vector.get(op.origin, 0)
    return is_counted and (op.is_void or f"{UNSEEN}{op.op_id}" not in vector)


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
    for origin, n in op.context.items():
        if n > vector.get(origin, 0) and origin != op.origin and not origin.startswith(UNSEEN):
            return "base"
    return ""


def _base(path: str, live: Sequence[Op], writes: Sequence[Op]) -> Value:
    """Of what all of them had before the eyes, the last."""

    def is_common(op: Op) -> bool:
        return all(sibling.has_seen(op) for sibling in live)

    # Mostly the first one found is it: to look at all that everybody had seen takes as long as the fold.
    for op in reversed(writes):
        if is_common(op) and not any(other.has_seen(op) and is_common(other) for other in writes):
            return op.set[path]
    return None


def _deletion(ready: Sequence[Op]) -> tuple[bool, list[Clash]]:
    """A delete that had seen every write deletes; beside an edit that it had not seen, the record stays visible."""
    written = [op for op in ready if op.is_delete and not op.is_void]
    deletes = [op for op in written if not any(other.has_seen(op) for other in ready if not other.is_void)]
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
