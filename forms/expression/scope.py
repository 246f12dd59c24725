"""Where an expression stands, and what is learnt while it is compiled."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from forms.definition import Path
from forms.program.layout import Frame, Layout


class Kind(enum.Enum):
    """What an expression is, as far as it is known before it runs. A date is its text; a number is what days count."""

    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    DATE = "date"
    MOMENT = "moment"
    NODES = "nodes"
    """Texts of any number of nodes."""
    ANY = "any"
    """A number, a text or a truth: known when it runs."""

    __hash__ = object.__hash__  # Python's own is a function; thousands are hashed for one form


class Reading(enum.Enum):
    """Where JavaRosa and ODK Web Forms differ: what we adopt, and what the other of the two does."""

    ADOPTED = "adopted"
    OTHER = "other"


class Taint(enum.Enum):
    """Why an expression cannot be decided again from the record alone."""

    TIME = "time"
    """today() and now(): decided for the time of the interview."""
    CHANCE = "chance"
    """random(), uuid(), once(): decided when the form was filled in."""
    DEVICE = "device"
    """A property of the device, its last record, a signature that it checked, a file on it: only the device knows."""
    LANGUAGE = "language"
    """Labels and month names: in the language that the device showed."""
    ZONE = "zone"
    """The device's time zone; or engines that count in their own."""

    __hash__ = object.__hash__


HIDDEN = frozenset({Taint.CHANCE, Taint.DEVICE, Taint.LANGUAGE})
"""What makes an outcome that only the device could know: such a rule is not judged."""


@dataclass(frozen=True, slots=True)
class Read:
    """A node that an expression reads; bound when it is the one in the same repeat."""

    path: Path
    is_bound: bool
    shared: int = 0
    """Of one that is not bound: the steps of the path up to which it is the same repeat."""


@dataclass(slots=True)
class Notes:
    """What one expression reads, depends on, and does that an author should know."""

    reads: set[Read] = field(default_factory=set)
    taints: set[Taint] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    """External lists that it looks things up in, by instance id."""
    diverges: bool = False
    """Engines differ on it: see `Reading`."""
    is_lenient: bool = False
    """It finds numbers in texts; engines differ on some texts, which only shows when it runs."""
    tolerance: float = 1e-9
    """How far two results may lie apart and still be the same."""
    notices: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """For authors: a code and its parameters."""

    def differ(self, notice: str, **params: str) -> None:
        self.diverges = True
        self.notice(notice, **params)

    def notice(self, code: str, **params: str) -> None:
        self.notices.setdefault(code, params)


@dataclass(frozen=True, slots=True)
class Bound:
    """The variables that hold a frame and its position."""

    frame: str
    position: str


@dataclass(slots=True, eq=False)  # not frozen, as `value.Value`
class Scope:
    """A context node and the variables around it. Never changed."""

    layout: Layout
    path: Path
    frames: Mapping[Path, Bound]
    names: tuple[str, ...]
    """Every variable in sight, for code that moves into a function of its own."""
    reading: Reading = Reading.ADOPTED
    clock: str = "low"
    """Which time today() and now() take: "low" and "high" are the ends of the interview, "any" a day between."""
    row: str = ""
    """Inside a predicate on a list: the variable that holds the row."""
    position: str = ""
    """Inside a predicate: the variable that holds the position."""
    last: str = ""
    """Inside a predicate that asks for it: the variable that holds what is numbered."""
    outer: Scope | None = None
    """What current() means: the scope of the whole expression."""

    @property
    def current(self) -> Scope:
        return self.outer or self

    def inside_row(self, row: str, position: str, last: str = "") -> Scope:
        names = (row, position, last) if last else (row, position)
        return replace(self, row=row, position=position, last=last, names=(*self.names, *names), outer=self.current)

    def inside_frame(
        self, path: Path, bound: Mapping[Path, Bound], position: str, last: str, names: tuple[str, ...]
    ) -> Scope:
        return replace(
            self,
            path=path,
            frames=bound,
            row="",
            position=position,
            last=last,
            names=(*self.names, *(name for name in names if name not in self.names)),
            outer=self.current,
        )


def scope_at(layout: Layout, path: Path, reading: Reading = Reading.ADOPTED, clock: str = "low") -> Scope:
    """The scope of a rule about the node at `path`: every repeat around it is bound."""
    bound, names = layout.variables.get(layout.frame_at(path).index) or _variables(layout, layout.frame_at(path))
    return Scope(layout, path, bound, names, reading, clock)


def _variables(layout: Layout, frame: Frame) -> tuple[Mapping[Path, Bound], tuple[str, ...]]:
    frames = frame.chain()
    bound = {one.path: Bound(one.name, one.position) for one in frames}
    names = ("c", *(one.name for one in frames), *(one.position for one in frames[1:]))
    layout.variables[frame.index] = bound, names
    return bound, names
