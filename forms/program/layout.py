"""Where each answer lies while a form is checked: one flat list of slots for the record and one for each repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from forms.definition import FormDefinition, Group, Node, Path, Question, Repeat

NAN = float("nan")
PREFIX = 0
"""The slot that holds where a frame is: "" or "business[2]/"."""


@dataclass(slots=True)
class Place:
    """Where one node lies in its frame.

    A question takes two slots from `slot`: its text, and its number where `has_number`. A repeat takes one: the list of
    its frames. A group takes those of its children: `slot` up to `end`."""

    node: Node
    frame: Frame
    slot: int
    end: int = 0
    flag: int = 0
    """The slot that says whether the node is relevant; 0 when its frame decides."""
    has_number: bool = False
    inner: tuple[Place, ...] = ()
    """Questions and repeats at or below the node that lie in one frame: its own, of a repeat."""

    @property
    def number(self) -> int:
        return self.slot + 1


@dataclass(slots=True)
class Frame:
    """The slots of the record, or of one occurrence of a repeat."""

    index: int
    path: Path
    parent: Frame | None
    size: int = 1
    flags: int = 0
    blank: list[Any] = field(default_factory=list, repr=False)

    @property
    def name(self) -> str:
        """The variable that holds it."""
        return f"f{self.index}"

    @property
    def position(self) -> str:
        return f"n{self.index}"

    def chain(self) -> tuple[Frame, ...]:
        """The frames around it and itself, outermost first."""
        return (*self.parent.chain(), self) if self.parent else (self,)


@dataclass(slots=True)
class Layout:
    """The slots of a whole form."""

    definition: FormDefinition
    root: Frame = field(default_factory=lambda: Frame(0, (), None))
    places: dict[Path, Place] = field(default_factory=dict)
    frames: dict[Path, Frame] = field(default_factory=dict)
    """By the path of their repeat; () is the record's."""
    children: dict[Path, tuple[Node, ...]] = field(default_factory=dict)
    variables: dict[int, tuple[Any, tuple[str, ...]]] = field(default_factory=dict)
    """By frame: what `scope_at` binds there, worked out once."""

    def frame_at(self, path: Path) -> Frame:
        """The innermost frame in which a path lies; a repeat's own path is its frame."""
        if len(self.frames) == 1:
            return self.root
        while path not in self.frames:
            path = path[:-1]
        return self.frames[path]

    def below(self, path: Path) -> Iterator[Place]:
        """A node and everything under it, across repeats."""
        yield self.places[path]
        for child in self.children.get(path, ()):
            yield from self.below(child.path)

    def flag_of(self, path: Path) -> int:
        """The slot of the nearest relevance around a node, in the node's own frame; 0 for none."""
        frame = self.frame_at(path)
        while path not in self.frames:
            place = self.places[path]
            if place.flag:
                return place.flag
            path = path[:-1]
        return frame.flags


def lay_out(definition: FormDefinition, numeric: frozenset[Path]) -> Layout:
    """Slots for every node; `numeric` are the paths of the questions that keep their number beside their text."""
    layout = Layout(definition)
    layout.frames[()] = layout.root
    _place_children(layout, definition.root, layout.root, numeric)
    for place in layout.places.values():
        if place.node.relevant and not isinstance(place.node, Repeat):
            place.flag = place.frame.size
            place.frame.size += 1
    for path in reversed(layout.places):
        layout.places[path].inner = _inner(layout, path)
    return layout


def _inner(layout: Layout, path: Path) -> tuple[Place, ...]:
    place = layout.places[path]
    if isinstance(place.node, Question):
        return (place,)
    below = [layout.places[child.path] for child in layout.children[path]]
    return tuple(one for child in below for one in ((child,) if not isinstance(child.node, Group) else child.inner))


def blank(layout: Layout, frame: Frame) -> list[Any]:
    """A frame without answers, everything relevant. One list for each frame: copy it."""
    if not frame.blank:
        frame.blank = _blank(layout, frame)
    return frame.blank


def _blank(layout: Layout, frame: Frame) -> list[Any]:
    slots: list[Any] = [True] * frame.size
    slots[PREFIX] = ""
    for place in layout.places.values():
        if place.frame is frame and isinstance(place.node, Question):
            slots[place.slot] = ""
            if place.has_number:
                slots[place.number] = NAN
        elif place.frame is frame and isinstance(place.node, Repeat):
            slots[place.slot] = ()
    return slots


def _place_children(layout: Layout, parent: Group | Repeat, frame: Frame, numeric: frozenset[Path]) -> None:
    layout.children[parent.path] = parent.children
    for child in parent.children:
        place = layout.places[child.path] = Place(child, frame, frame.size)
        if isinstance(child, Group):
            _place_children(layout, child, frame, numeric)
        elif isinstance(child, Repeat):
            frame.size += 1
            inner = layout.frames[child.path] = Frame(len(layout.frames), child.path, frame)
            _place_children(layout, child, inner, numeric)
        elif isinstance(child, Question):
            place.has_number = child.path in numeric
            frame.size += 1 + place.has_number
        place.end = frame.size
