"""Paths resolved against the form: which slots a path reaches, through which repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile

from forms.definition import DataType, Path, Question, Repeat
from forms.expression import code
from forms.expression.code import Tree
from forms.expression.names import nearest
from forms.expression.scope import Bound, Kind, Notes, Read, Reading, Scope
from forms.expression.syntax import BadExpression, Step
from forms.expression.value import Value, counted
from forms.program.layout import Place

META = "meta"
MOST_REACHED = 5_000
"""Places in a form that one path may reach."""
MOST_STEPS = 500_000
"""Steps through places that all the paths of one form may take."""
_KINDS = {DataType.DATE: Kind.DATE, DataType.DATETIME: Kind.MOMENT}

Loop = tuple[Tree, Tree, list[Tree]]
"""Variable, what it runs through, and conditions."""


@dataclass(slots=True)  # not frozen, as `value.Value`
class Cursor:
    """One place that a path has reached. Never changed."""

    path: Path
    bound: Mapping[Path, Bound]
    """Frames that have a variable here."""
    loops: tuple[Loop, ...] = ()
    looped: tuple[Path, ...] = ()
    """The repeats that the loops run through, in their order."""
    names: tuple[str, ...] = ()
    """Variables of the loops."""
    crossed: bool = False
    """It went from the root into a repeat that is bound."""

    def at(self, path: Path, *, crosses: bool = False) -> Cursor:
        """The same at another place that needs no other loop."""
        return Cursor(path, self.bound, self.loops, self.looped, self.names, self.crossed or crosses)


@dataclass(slots=True)
class Walk:
    """One path on its way: steps move it on, predicates narrow it."""

    scope: Scope
    notes: Notes
    counter: list[int]
    """The program's: names that it made, and steps that its paths took."""
    cursors: list[Cursor] = field(default_factory=list)
    called: int = 0
    """Functions that call one another in its predicates."""

    def start_at_root(self) -> None:
        bound = self.scope.frames
        if self.scope.reading is Reading.OTHER:
            bound = {(): bound[()]}
        self.cursors = [Cursor(("",), bound)]

    def start_here(self, scope: Scope) -> None:
        self.cursors = [Cursor(scope.path, scope.frames)]

    def fresh(self) -> int:
        self.counter[0] += 1
        return self.counter[0]

    def move(self, step: Step) -> None:
        """One step on, without its predicates. BadExpression when it leads nowhere."""
        before = self.cursors
        reached: dict[tuple[Path, tuple[int, ...]], Cursor] = {}
        for cursor in before:
            moved = self._moved(cursor, step)
            self._spend(len(moved))
            for after in moved:
                # What several ways lead to is one node of the set (XPath 1.0, 3.3).
                reached.setdefault((after.path, tuple(map(id, after.loops))), after)
            if len(reached) > MOST_REACHED:
                raise BadExpression("a path reaches more than {most} questions and groups", most=str(MOST_REACHED))
        self.cursors = list(reached.values())
        if not self.cursors:
            raise self._nowhere(before, step)

    def _spend(self, steps: int) -> None:
        self.counter[1] += steps
        if self.counter[1] > MOST_STEPS:
            raise BadExpression("the paths of the form lead through more than {most} places", most=str(MOST_STEPS))

    def _moved(self, cursor: Cursor, step: Step) -> list[Cursor]:
        if step.axis == "self":
            return [cursor]
        if step.axis == "parent":
            return self._climbed(cursor)
        if cursor.path == ("",):
            root = self.scope.layout.definition.root_name
            below = cursor.at(())
            if step.axis == "child":
                return [below] if step.name in (root, "*") else []
            return self._descended(below, step.name)
        if step.axis == "descendant":
            return self._descended(cursor, step.name)
        return [self._entered(cursor, child) for child in self._children(cursor.path, step.name)]

    def _children(self, path: Path, name: str) -> list[Path]:
        if path[:1] == (META,) or (path == () and name == META):
            return [(*path, name)]
        name = name.rpartition(":")[2]
        if name != "*":
            child = (*path, name)
            return [child] if child in self.scope.layout.places else []
        return [child.path for child in self.scope.layout.children.get(path, ())]

    def _descended(self, cursor: Cursor, name: str) -> list[Cursor]:
        """//name: every node of that name below, in document order."""
        found: list[Cursor] = []
        waiting = self._below(cursor)
        while waiting:
            here = waiting.pop()
            if name in (here.path[-1], "*"):
                found.append(here)
            waiting += self._below(here)
            self._spend(1)
        return found

    def _below(self, cursor: Cursor) -> list[Cursor]:
        """Every child, the last one first."""
        children = self.scope.layout.children.get(cursor.path, ())
        return [self._entered(cursor, child.path) for child in reversed(children)]

    def _climbed(self, cursor: Cursor) -> list[Cursor]:
        if cursor.path in ((), ("",)):
            return []
        if cursor.path not in self.scope.layout.frames:
            return [cursor.at(cursor.path[:-1])]
        bound = {path: held for path, held in cursor.bound.items() if path[: len(cursor.path)] != cursor.path}
        loops, looped = cursor.loops, cursor.looped
        if cursor.path in looped:
            at = looped.index(cursor.path)
            loops, looped = loops[:at], looped[:at]
        return [replace(cursor, path=cursor.path[:-1], bound=bound, loops=loops, looped=looped)]

    def _entered(self, cursor: Cursor, path: Path) -> Cursor:
        layout = self.scope.layout
        if path not in layout.frames:
            return cursor.at(path)
        if path in cursor.bound:
            return cursor.at(path, crosses=True)
        place = layout.places[path]
        holder = cursor.bound[place.frame.path]
        frame, position = f"g{self.fresh()}", f"m{self.fresh()}"
        source = code.item(code.name(holder.frame), place.slot)
        if len(self.scope.frames) > 1:  # for each occurrence of one repeat, all of another
            source = code.method(code.name("c"), "spend", source)
        return replace(
            cursor,
            path=path,
            bound={**cursor.bound, path: Bound(frame, position)},
            loops=(*cursor.loops, (code.pair_target(position, frame), code.numbered(source), [])),
            looped=(*cursor.looped, path),
            names=(*cursor.names, frame, position),
        )

    def _nowhere(self, before: list[Cursor], step: Step) -> BadExpression:
        if step.axis == "parent":
            return BadExpression("the path climbs above the root of the form")
        known = {child.name for cursor in before for child in self.scope.layout.children.get(cursor.path, ())}
        if before and before[0].path == ("",):
            known = {self.scope.layout.definition.root_name}
        where = "/".join(before[0].path) if before and before[0].path not in ((), ("",)) else ""
        everywhere = {path[-1] for path in self.scope.layout.places}
        params = {"question": step.name, "group": where, "meant": nearest(step.name, known or everywhere)}
        if where:
            return BadExpression("there is no question {question} in {group}", **params)
        return BadExpression("there is no question {question}", **params)

    def unbound(self, cursor: Cursor) -> Cursor:
        """The cursor with its repeat run through again: a predicate looks at every occurrence."""
        if cursor.path not in self.scope.layout.frames or not cursor.path or cursor.path in cursor.looped:
            return cursor
        bound = {path: held for path, held in cursor.bound.items() if path[: len(cursor.path)] != cursor.path}
        return self._entered(replace(cursor, bound=bound, crossed=False), cursor.path)

    def predicate_scope(self, cursor: Cursor, last: str) -> tuple[Cursor, Scope]:
        """Where a predicate on this cursor is evaluated; the cursor may have had to be unbound for it."""
        cursor = self.unbound(cursor)
        position = f"m{self.fresh()}"
        if cursor.path in cursor.looped:
            position = cursor.bound[cursor.path].position
        names = (*cursor.names, position, last) if last else (*cursor.names, position)
        return cursor, self.scope.inside_frame(cursor.path, cursor.bound, position, last, names)

    def narrowed(self, cursor: Cursor, condition: Tree, scope: Scope) -> Cursor:
        """The cursor where `condition`, made in `scope`, holds; what is left is counted from 1 again."""
        if cursor.path not in cursor.looped:
            only = code.listed(code.constant(None))
            variables = code.pair_target(scope.position, f"u{self.fresh()}")
            added = code.numbered_loops(variables, only, condition, scope.last)
            return replace(cursor, loops=(*cursor.loops, *added), looped=(*cursor.looped, *(() for _ in added)))
        at = cursor.looped.index(cursor.path)
        held = cursor.bound[cursor.path]
        variables = code.pair_target(held.position, held.frame)
        source = code.unnumbered(cursor.loops[at][1])
        kept = code.each(code.name(held.frame), code.numbered_loops(variables, source, condition, scope.last))
        again: Loop = (variables, code.numbered(kept), [])
        return replace(cursor, loops=(*cursor.loops[:at], again, *cursor.loops[at + 1 :]))

    # What has been reached

    def value(self) -> Value:
        """The node, or the texts of the nodes."""
        if self.cursors == [Cursor(("",), self.cursors[0].bound)]:
            raise BadExpression("a path cannot end at the root of the document")
        if any(cursor.path[:1] == (META,) for cursor in self.cursors):
            return self._meta()
        for cursor in self.cursors:
            self._note(cursor)
        if len(self.cursors) == 1 and not self.cursors[0].loops:
            return self._single(self.cursors[0])
        parts = [self._several(cursor) for cursor in self.cursors]
        numbers = None if any(part.number is None for part in parts) else [part.number for part in parts if part.number]
        return Value(
            code.joined_lists([part.tree for part in parts]),
            Kind.NODES,
            16 + 2 * max(len(cursor.loops) for cursor in self.cursors),
            self.called,
            code.joined_lists(numbers) if numbers else None,
            is_node=True,
            counted=(lambda: code.joined_lists(list(map(counted, parts))))
            if any(one.counted for one in parts)
            else None,
        )

    def _meta(self) -> Value:
        from_meta = "/".join(self.cursors[0].path[1:])
        return Value(code.method(code.name("c"), "meta", code.constant(from_meta)), Kind.TEXT, 2, is_node=True)

    def _note(self, cursor: Cursor) -> None:
        own = self.scope.current.frames
        repeats = _repeats(self.scope, cursor.path)
        bound = list(takewhile(lambda path: cursor.bound[path] == own.get(path), repeats))
        self.notes.reads.add(Read(cursor.path, bound == repeats, len(bound[-1]) if bound else 0))
        if cursor.crossed:
            self.notes.differ("absolute-in-repeat", path="/".join(cursor.path))

    def _place(self, cursor: Cursor) -> tuple[Place | None, Tree]:
        place = self.scope.layout.places.get(cursor.path)
        frame = self.scope.layout.frame_at(cursor.path)
        if place is not None and not isinstance(place.node, Repeat):
            frame = place.frame
        return place, code.name(cursor.bound[frame.path].frame)

    def _single(self, cursor: Cursor) -> Value:
        place, frame = self._place(cursor)
        if place is None or not isinstance(place.node, Question):
            return Value(code.constant(""), Kind.TEXT, 2, is_node=True, counted=self._relevant(cursor, place, frame))
        number = code.item(frame, place.number) if place.has_number else None
        kind = _KINDS.get(place.node.type, Kind.TEXT)
        counted = self._relevant(cursor, place, frame)
        return Value(code.item(frame, place.slot), kind, 2, 0, number, is_node=True, counted=counted)

    def _several(self, cursor: Cursor) -> Value:
        place, frame = self._place(cursor)
        loops = list(cursor.loops) or [(code.target("_"), code.listed(code.constant(None)), [])]
        counted = self._relevant(cursor, place, frame)
        if place is None or not isinstance(place.node, Question):
            return Value(code.each(code.constant(""), loops), Kind.NODES, 4, counted=counted)
        number = code.each(code.item(frame, place.number), loops) if place.has_number else None
        texts = code.each(code.item(frame, place.slot), loops)
        return Value(texts, Kind.NODES, 4, 0, number, is_node=True, counted=counted)

    def _relevant(self, cursor: Cursor, place: Place | None, frame: Tree) -> Callable[[], Tree] | None:
        """Makes a list as long as there are relevant nodes; None when they are relevant wherever they are."""
        flag = 0 if place is None or isinstance(place.node, Repeat) else self.scope.layout.flag_of(cursor.path)
        return partial(_flagged, cursor.loops, code.item(frame, flag)) if flag else None


def _flagged(loops: tuple[Loop, ...], flag: Tree) -> Tree:
    *around, (variable, source, conditions) = loops or ((code.target("_"), code.listed(code.constant(None)), []),)
    return code.each(code.constant(""), [*around, (variable, source, [*conditions, flag])])


def _repeats(scope: Scope, path: Path) -> list[Path]:
    return [path[:size] for size in range(1, len(path) + 1) if path[:size] in scope.layout.frames]
