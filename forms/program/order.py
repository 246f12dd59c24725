"""In which order relevance and calculation run: each after everything that it reads."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from forms.definition import Path
from forms.expression.scope import Notes, Taint
from forms.program.layout import Layout


class Task(enum.Enum):
    RELEVANCE = "relevant"
    CALCULATION = "calculation"

    __hash__ = object.__hash__


Unit = tuple[Path, Task]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a verdict inherits from all that it reads."""

    is_doubtful: bool = False
    lists: frozenset[str] = frozenset()
    reads: frozenset[Path] = frozenset()
    around: frozenset[tuple[Path, int]] = frozenset()
    """Those that are read in other occurrences of their repeats than the verdict's own, too; and the steps of the path
    up to which it is the same."""

    def from_afar(self, shared: int) -> Doubt:
        """The same, of something that is read in every occurrence below so many steps."""
        whole = [(path, len(path)) for path in self.reads]
        return replace(self, around=frozenset((path, min(near, shared)) for path, near in (*whole, *self.around)))

    def joined(self, others: Iterable[Doubt]) -> Doubt:
        known = [self, *others]
        if len(known) == 1:
            return self
        return Doubt(
            any(one.is_doubtful for one in known),
            frozenset().union(*(one.lists for one in known)),
            frozenset().union(*(one.reads for one in known)),
            frozenset().union(*(one.around for one in known)),
        )


class Cycle(ValueError):
    """Nodes that wait for one another; `paths` are theirs, in the order of the circle."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        super().__init__(" -> ".join("/".join(path) for path in paths))
        self.paths = paths


@dataclass(slots=True)
class Order:
    """Units in the order in which they run, and what each verdict depends on."""

    layout: Layout
    notes: Mapping[Unit, Notes]
    sequence: list[Unit] = field(default_factory=list)
    doubts: dict[Unit, Doubt] = field(default_factory=dict)
    _relevances: dict[Path, tuple[Unit, ...]] = field(default_factory=dict)

    def arrange(self) -> None:
        """Fill in the sequence; Cycle when there is none."""
        rank = {unit: at for at, unit in enumerate(self.notes)}
        sorter = TopologicalSorter({unit: self._before(unit) for unit in self.notes})
        try:
            sorter.prepare()
        except CycleError as found:
            raise Cycle(tuple(path for path, _ in found.args[1])) from found
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=rank.__getitem__)
            self.sequence += ready
            sorter.done(*ready)
        for unit in self.sequence:
            self.doubts[unit] = self._doubt(unit)

    def _before(self, unit: Unit) -> list[Unit]:
        path, task = unit
        before = [*self.relevances(path if task is Task.CALCULATION else path[:-1])]
        for read in self.notes[unit].reads:
            if read.path == path and (not read.is_bound or path in self.layout.frames):
                # Another occurrence of the same repeat, as in a running total: they run in their order. A repeat
                # itself has no value: its own relevance may ask for its position.
                continue
            before += self.units_of(read.path)
        return before

    def relevances(self, path: Path) -> tuple[Unit, ...]:
        """The relevance of a node and of everything around it."""
        found = self._relevances.get(path)
        if found is None:
            own = (path, Task.RELEVANCE)
            around = self.relevances(path[:-1]) if path else ()
            found = self._relevances[path] = (*around, own) if own in self.notes else around
        return found

    def units_of(self, path: Path) -> tuple[Unit, ...]:
        """What must have run before a node is read."""
        own = (path, Task.CALCULATION)
        return (*self.relevances(path), own) if own in self.notes else self.relevances(path)

    def _doubt(self, unit: Unit) -> Doubt:
        path, task = unit
        notes = self.notes[unit]
        around = self.relevances(path if task is Task.CALCULATION else path[:-1])
        own = own_doubt(notes, spreads=True, is_relevance=task is Task.RELEVANCE)
        found = own.joined(self._inherited(notes, around))
        running = [read.shared for read in notes.reads if read.path == path and not read.is_bound]
        return found.from_afar(min(running)) if running else found

    def _inherited(self, notes: Notes, around: Iterable[Unit]) -> list[Doubt]:
        """Of the units around a node, and of all that its expression reads, as far as they are known."""
        units = {(unit, True, 0) for unit in around}
        units |= {(unit, read.is_bound, read.shared) for read in notes.reads for unit in self.units_of(read.path)}
        known = [(self.doubts[unit], is_bound, shared) for unit, is_bound, shared in units if unit in self.doubts]
        return [doubt if is_bound else doubt.from_afar(shared) for doubt, is_bound, shared in known]

    def doubt_about(self, notes: Notes, path: Path) -> Doubt:
        """What a rule about the node at `path` inherits: by what it reads, and by the node's own relevance."""
        own = own_doubt(notes, spreads=False)
        own = replace(own, reads=own.reads | {path})
        return own.joined(self._inherited(notes, self.units_of(path)))


def own_doubt(notes: Notes, *, spreads: bool, is_relevance: bool = False) -> Doubt:
    """A rule may itself be read at two times and still be certain; what reads it may not. Where the engines differ on
    a calculation, the record holds the result of one of them, and that decides for what reads it."""
    taints = notes.taints if spreads else notes.taints - {Taint.TIME}
    doubtful = bool(taints) or (is_relevance and notes.diverges)
    around = frozenset((read.path, read.shared) for read in notes.reads if not read.is_bound)
    return Doubt(doubtful, frozenset(notes.lists), frozenset(read.path for read in notes.reads), around)
