"""Functions on numbers and on nodes: counts, positions, sums, occurrences of a repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from forms.definition import Question
from forms.expression import code, value
from forms.expression.arguments import Own, each_argument, only_argument
from forms.expression.code import Tree
from forms.expression.deep import Deep
from forms.expression.reach import Walk
from forms.expression.scope import Kind, Reading, Scope, Taint
from forms.expression.syntax import BadExpression, Call, Expression, Literal, Path
from forms.expression.value import Value

if TYPE_CHECKING:
    from forms.expression.emit import Emitter

_CENTIMETRES = 0.02


def _number(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield only_argument(emitter, call, scope, Kind.NUMBER)
    return emitter.made(emitter.to(found, Kind.NUMBER, scope), Kind.NUMBER, scope, found, levels=2)


def _pi(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    yield from ()
    return Value(code.constant(3.141592653589793), Kind.NUMBER)


def _round(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield each_argument(emitter, call, scope, Kind.NUMBER)
    emitter.notes.diverges = True  # halves below zero, and 1.005 to two places
    runs = "rounded" if scope.reading is Reading.ADOPTED else "rounded_from_zero"
    tree = code.call(runs, *(emitter.to(one, Kind.NUMBER, scope) for one in values))
    return emitter.made(tree, Kind.NUMBER, scope, *values)


def _of_numbers(runs: str, other: str) -> Own:
    """Web Forms finds no number where one of them is blank."""

    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        values: list[Value] = yield each_argument(emitter, call, scope)
        if call.name == "sum":
            _require_nodes(call, values[0])
        emitter.notes.diverges = True  # with a blank among them
        name = other if scope.reading is Reading.OTHER else runs
        numbers = code.joined_lists([value.as_numbers(one, scope.reading, emitter.notes) for one in values])
        return emitter.made(code.call(name, numbers), Kind.NUMBER, scope, *values, levels=4)

    return emit


def _count(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope)
    _require_nodes(call, found)
    has_irrelevant = found.counted is not None and not found.is_listed
    emitter.notes.diverges |= has_irrelevant
    is_all = has_irrelevant and scope.reading is Reading.OTHER
    counted = value.as_nodes(found) if is_all else value.counted(found)
    return emitter.made(code.call("float", code.call("len", counted)), Kind.NUMBER, scope, found, levels=5)


def _count_non_empty(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope)
    _require_nodes(call, found)
    return emitter.made(code.call("count_filled", value.as_nodes(found)), Kind.NUMBER, scope, found)


def _require_nodes(call: Call, found: Value) -> None:
    if found.kind is not Kind.NODES and not found.is_node:
        raise BadExpression("{function}() takes questions or groups; this argument is none", function=call.name)


def _position(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """position() inside a predicate, position(..) of the repeat that a path names."""
    yield from ()
    if not call.arguments:
        variable = scope.position or _own_position(scope)
        tree = code.call("float", code.name(variable)) if variable else code.constant(1.0)
        return Value(tree, Kind.NUMBER, 2)
    path = call.arguments[0]
    if not isinstance(path, Path) or (path.start is not None and not _is_current(path)):
        raise BadExpression("position() takes a path to the repeat, such as position(..)")
    where = scope.current if _is_current(path) else scope
    walk = Walk(where, emitter.notes, emitter.program.counter)
    walk.start_here(where)
    for step in path.steps:
        walk.move(step)
    cursor = walk.cursors[0]
    if cursor.path not in where.layout.frames or not cursor.path:
        return Value(code.constant(1.0), Kind.NUMBER)
    emitter.read(cursor.path, is_bound=True)
    return Value(code.call("float", code.name(cursor.bound[cursor.path].position)), Kind.NUMBER, 2)


def _is_current(path: Path) -> bool:
    return isinstance(path.start, Call) and path.start.name == "current"


def _own_position(scope: Scope) -> str:
    """Of the context node among those of its name: only a repeat has more than one."""
    held = scope.frames.get(scope.path)
    return held.position if held and scope.path else ""


def _last(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """last() inside a predicate: how many nodes it looks at (XPath 1.0, 4.1). JavaRosa does not have it."""
    yield from ()
    if not scope.last:
        raise BadExpression("last() belongs in brackets, as in [position() = last()]")
    return Value(code.call("float", code.call("len", code.name(scope.last))), Kind.NUMBER, 3)


def _instance(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield emitter.emit(Path(call, ()), scope)
    return found


def _current(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield emitter.emit(Path(call, ()), scope)
    return found


def _randomize(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The order matters to no rule; without a seed it cannot be known."""
    found: Value = yield emitter.emit(call.arguments[0], scope)
    _require_nodes(call, found)
    if len(call.arguments) == 1:
        emitter.notes.taints.add(Taint.CHANCE)
        return found
    seed: Value = yield emitter.emit(call.arguments[1], scope, Kind.NUMBER)
    if seed.kind is Kind.TEXT and seed.number is None:
        emitter.notes.taints.add(Taint.DEVICE)  # how a text becomes a seed depends on the version of the app
    tree = code.call("shuffled", value.as_nodes(found), emitter.to(seed, Kind.NUMBER, scope))
    return emitter.made(tree, Kind.NODES, scope, found, seed)


def _indexed_repeat(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """indexed-repeat(question, repeat, index, ...): up to five levels, the outermost repeat first."""
    wanted, *pairs = call.arguments
    if len(pairs) % 2:
        raise BadExpression("indexed-repeat() takes a position after every repeat")
    indexes: list[Value] = []
    repeats = [static_path(emitter, one, scope) for one in pairs[::2]]
    for one in pairs[1::2]:
        indexes.append((yield emitter.emit(one, scope, Kind.NUMBER)))
    path = static_path(emitter, wanted, scope)
    place = scope.layout.places.get(path)
    frame = scope.layout.frame_at(path)
    if place is None or not isinstance(place.node, Question) or frame.path not in repeats:
        raise BadExpression("indexed-repeat() takes a question and the repeats that it is in")
    emitter.notes.diverges = True  # position 0: JavaRosa takes the first, Web Forms nothing
    emitter.read(path, is_bound=False)
    holder = _pick(emitter, scope, frame.path, dict(zip(repeats, indexes, strict=True)))
    tree = code.call("picked", holder, code.constant(place.slot))
    found = emitter.made(tree, Kind.TEXT, scope, *indexes, levels=4 + 3 * len(repeats))
    return replace(found, is_node=True)


def _pick(emitter: Emitter, scope: Scope, repeat: tuple[str, ...], indexes: dict[tuple[str, ...], Value]) -> Tree:
    """The frame of one occurrence: by its index, else the one around the expression, else the first."""
    if repeat not in indexes and repeat in scope.frames:
        return code.name(scope.frames[repeat].frame)
    place = scope.layout.places[repeat]
    around = _pick(emitter, scope, place.frame.path, indexes)
    index = emitter.to(indexes[repeat], Kind.NUMBER, scope) if repeat in indexes else code.constant(1.0)
    clamps = code.constant(scope.reading is Reading.ADOPTED)
    return code.call("occurrence", around, code.constant(place.slot), index, clamps)


def static_path(emitter: Emitter, expression: Expression, scope: Scope) -> tuple[str, ...]:
    if not isinstance(expression, Path) or isinstance(expression.start, Literal):
        raise BadExpression("indexed-repeat() takes paths to questions and repeats")
    walk = Walk(scope.current, emitter.notes, emitter.program.counter)
    if expression.start == "/":
        walk.start_at_root()
    else:
        walk.start_here(scope.current)
    for step in expression.steps:
        walk.move(step)
    return walk.cursors[0].path


def _measured(runs: str, other: str) -> Own:
    """Metres: engines round differently, and small distances lie in the noise of the arc cosine."""

    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        values: list[Value] = yield each_argument(emitter, call, scope)
        emitter.notes.diverges = True
        emitter.notes.tolerance = _CENTIMETRES
        texts = code.joined_lists([value.as_nodes(one) for one in values])
        name = runs if scope.reading is Reading.ADOPTED else other
        return emitter.made(code.call(name, texts), Kind.NUMBER, scope, *values)

    return emit


NODE_CALLS: Mapping[str, Own] = {
    "number": _number,
    "sum": _of_numbers("total", "total_of_all"),
    "max": _of_numbers("greatest", "greatest_or_zero"),
    "min": _of_numbers("least", "least_of_all"),
    "area": _measured("area", "area_on_sphere"),
    "enclosed-area": _measured("area", "area_on_sphere"),
    "distance": _measured("distance", "distance_to_the_cent"),
    "last": _last,
    "round": _round,
    "pi": _pi,
    "count": _count,
    "count-non-empty": _count_non_empty,
    "position": _position,
    "instance": _instance,
    "current": _current,
    "randomize": _randomize,
    "indexed-repeat": _indexed_repeat,
}
