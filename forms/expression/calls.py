"""Function calls: the plain ones by their signature, the others each by an emitter of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from forms.definition import Question
from forms.expression import code, lists, patterns, value
from forms.expression.code import Tree
from forms.expression.deep import Deep
from forms.expression.functions import SIGNATURES, Signature
from forms.expression.names import nearest
from forms.expression.parser import parse
from forms.expression.reach import Walk
from forms.expression.scope import Kind, Reading, Scope, Taint
from forms.expression.syntax import BadExpression, Call, Expression, Literal, Path
from forms.expression.value import Value

if TYPE_CHECKING:
    from forms.expression.emit import Emitter

Own = Callable[["Emitter", Call, Scope, Kind | None], Deep[Value]]


def emit_call(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """A function call as a value. BadExpression for an unknown function or a wrong number of arguments."""
    signature = SIGNATURES.get(call.name)
    if signature is None:
        raise BadExpression(f"there is no function {call.name}(){nearest(call.name, SIGNATURES)}")
    _check_number_of_arguments(call, signature)
    if call.name in _OWN:
        return (yield _OWN[call.name](emitter, call, scope, want))
    return (yield _plain(emitter, call, scope, signature))


def _check_number_of_arguments(call: Call, signature: Signature) -> None:
    given = len(call.arguments)
    if signature.least <= given <= signature.most:
        return
    least, most = signature.least, signature.most
    wanted = str(least) if least == most else f"{least} or more" if most > 100 else f"{least} to {most}"
    raise BadExpression(f"{call.name}() takes {wanted} argument{'' if wanted == '1' else 's'}, not {given}")


def _plain(emitter: Emitter, call: Call, scope: Scope, signature: Signature) -> Deep[Value]:
    values: list[Value] = []
    for at, argument in enumerate(call.arguments):
        want = signature.wants[min(at, len(signature.wants) - 1)]
        values.append((yield emitter.emit(argument, scope, want)))
    if signature.wants[0] is Kind.NODES:
        trees = [code.joined_lists([value.as_nodes(one) for one in values])]
    else:
        wants = [signature.wants[min(at, len(signature.wants) - 1)] for at in range(len(values))]
        trees = [emitter.to(one, want, scope) for one, want in zip(values, wants, strict=True)]
    return emitter.made(code.call(signature.runs, *trees), signature.gives, scope, *values)


def _each(emitter: Emitter, call: Call, scope: Scope, want: Kind | None = None) -> Deep[list[Value]]:
    values: list[Value] = []
    for argument in call.arguments:
        values.append((yield emitter.emit(argument, scope, want)))
    return values


def _only(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The one argument, or the context node."""
    if call.arguments:
        return (yield emitter.emit(call.arguments[0], scope, want))
    walk = Walk(scope, emitter.notes, emitter.program.counter)
    walk.start_here(scope)
    return walk.value()


# Texts


def _string(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield _only(emitter, call, scope, Kind.TEXT)
    return emitter.made(emitter.to(found, Kind.TEXT, scope), Kind.TEXT, scope, found, levels=2)


def _string_length(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield _only(emitter, call, scope, Kind.TEXT)
    length = code.call("float", code.call("len", emitter.to(found, Kind.TEXT, scope)))
    return emitter.made(length, Kind.NUMBER, scope, found, levels=4)


def _normalize_space(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield _only(emitter, call, scope, Kind.TEXT)
    return emitter.made(code.call("normalized", emitter.to(found, Kind.TEXT, scope)), Kind.TEXT, scope, found)


def _contains(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    text, part = yield _each(emitter, call, scope, Kind.TEXT)
    tree = code.compare("in", emitter.to(part, Kind.TEXT, scope), emitter.to(text, Kind.TEXT, scope))
    return emitter.made(tree, Kind.TRUTH, scope, text, part)


def _spread(values: list[Value]) -> Tree:
    """All arguments as one list of texts: node-sets give every node."""
    return code.joined_lists([value.as_nodes(one) for one in values])


def _concat(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield _each(emitter, call, scope)
    if len(values) == 1 or any(one.kind is Kind.NODES for one in values):
        return emitter.made(
            code.method(code.constant(""), "join", _spread(values)), Kind.TEXT, scope, *values, levels=5
        )
    tree = code.method(code.constant(""), "join", code.listed(*(value.as_text(one) for one in values)))
    return emitter.made(tree, Kind.TEXT, scope, *values, levels=5)


def _join(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    mark, *values = yield _each(emitter, call, scope)
    inner = _spread(values) if values else code.listed()
    return emitter.made(
        code.method(emitter.to(mark, Kind.TEXT, scope), "join", inner), Kind.TEXT, scope, mark, *values, levels=5
    )


def _regex(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """JavaRosa matches the whole text, Web Forms anywhere in it."""
    text, pattern = yield _each(emitter, call, scope, Kind.TEXT)
    subject, literal = emitter.to(text, Kind.TEXT, scope), pattern.literal
    is_whole = scope.reading is Reading.ADOPTED
    if literal is None:
        emitter.notes.diverges = True
        tree = code.call("matches" if is_whole else "is_inside", subject, emitter.to(pattern, Kind.TEXT, scope))
        return emitter.made(tree, Kind.TRUTH, scope, text, pattern)
    try:
        found = patterns.compiled(literal)
    except patterns.BadPattern as refusal:
        raise BadExpression(f"the pattern of regex() cannot be read: {refusal}") from refusal
    if not (literal.startswith("^") and literal.endswith("$") and not literal.endswith(r"\$")) or "|" in literal:
        emitter.notes.diverges = True
        if "|" not in literal:
            emitter.notes.notice("regex-not-anchored", pattern=literal)
    run = emitter.program.keep(found.is_whole if is_whole else found.is_inside)
    return emitter.made(code.call(run, subject), Kind.TRUTH, scope, text)


# Truths


def _constant(result: bool) -> Own:
    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        yield from ()
        return Value(code.constant(result), Kind.TRUTH)

    return emit


def _boolean(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope, Kind.TRUTH)
    return emitter.made(emitter.to(found, Kind.TRUTH, scope), Kind.TRUTH, scope, found, levels=2)


def _not(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope, Kind.TRUTH)
    return emitter.made(code.no(emitter.to(found, Kind.TRUTH, scope)), Kind.TRUTH, scope, found)


def _if(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """Only the branch that is chosen is worked out; the kinds of the branches are kept."""
    condition, one, other = yield _branches(emitter, call, scope, want)
    test = emitter.to(condition, Kind.TRUTH, scope)
    if want in (Kind.NUMBER, Kind.TEXT, Kind.TRUTH):
        tree = code.choose(test, emitter.to(one, want, scope), emitter.to(other, want, scope))
        return emitter.made(tree, want, scope, condition, one, other)
    trees, kind = _alike(emitter, [one, other], scope)
    return emitter.made(code.choose(test, *trees), kind, scope, condition, one, other)


def _branches(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[tuple[Value, Value, Value]]:
    condition: Value = yield emitter.emit(call.arguments[0], scope, Kind.TRUTH)
    one: Value = yield emitter.emit(call.arguments[1], scope, want)
    other: Value = yield emitter.emit(call.arguments[2], scope, want)
    return condition, one, other


def _alike(emitter: Emitter, values: list[Value], scope: Scope) -> tuple[list[Tree], Kind]:
    """The values as they are when they are of one kind, else as what they turn out to be."""
    kinds = {one.kind for one in values}
    if len(kinds) == 1 and Kind.NODES not in kinds:
        numbered = [one.number for one in values if one.is_node and one.number is not None and one.kind is Kind.TEXT]
        if len(numbered) < len(values):
            return [one.tree for one in values], values[0].kind
    if kinds <= {Kind.DATE, Kind.MOMENT}:
        return [one.tree for one in values], Kind.MOMENT
    return [_loose(one) for one in values], Kind.ANY


def _loose(found: Value) -> Tree:
    if found.kind is Kind.NODES:
        return code.call("first", found.tree)
    return found.tree


def _coalesce(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The first that is not blank."""
    values: list[Value] = yield _each(emitter, call, scope)
    if want is Kind.NUMBER and all(one.is_node and one.number is not None for one in values[:-1]):
        tree = emitter.to(values[-1], Kind.NUMBER, scope)
        for one in reversed(values[:-1]):
            is_filled = code.compare("!=", value.as_text(one), code.constant(""))
            tree = code.choose(is_filled, emitter.to(one, Kind.NUMBER, scope), tree)
        return emitter.made(tree, Kind.NUMBER, scope, *values, levels=3 * len(values))
    trees = [emitter.to(one, Kind.TEXT, scope) for one in values]
    kinds = {one.kind for one in values}
    kind = kinds.pop() if len(kinds) == 1 and kinds <= {Kind.DATE, Kind.MOMENT} else Kind.TEXT
    return emitter.made(code.call("coalesced", *trees), kind, scope, *values)


def _checklist(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield _each(emitter, call, scope)
    least, most, *answers = values
    bounds = [emitter.to(one, Kind.NUMBER, scope) for one in (least, most)]
    truths = code.joined_lists([_truths(emitter, one, scope) for one in answers])
    return emitter.made(code.call("checklist", *bounds, truths), Kind.TRUTH, scope, *values, levels=4)


def _weighted_checklist(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield _each(emitter, call, scope)
    least, most, *pairs = values
    if len(pairs) % 2:
        raise BadExpression("weighted-checklist() takes a weight after every answer")
    bounds = [emitter.to(one, Kind.NUMBER, scope) for one in (least, most)]
    truths = code.joined_lists([_truths(emitter, one, scope) for one in pairs[::2]])
    weights = code.joined_lists([value.as_numbers(one, scope.reading, emitter.notes) for one in pairs[1::2]])
    tree = code.call("weighted_checklist", *bounds, truths, weights)
    return emitter.made(tree, Kind.TRUTH, scope, *values, levels=4)


def _truths(emitter: Emitter, found: Value, scope: Scope) -> Tree:
    """JavaRosa asks for the number of each: 1 is true, so is true()."""
    if found.kind is Kind.TRUTH:
        return code.listed(found.tree)
    numbers = value.as_numbers(found, scope.reading, emitter.notes)
    return code.each(code.call("is_true", code.name("one")), [(code.target("one"), numbers, [])])


# Numbers


def _number(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield _only(emitter, call, scope, Kind.NUMBER)
    return emitter.made(emitter.to(found, Kind.NUMBER, scope), Kind.NUMBER, scope, found, levels=2)


def _pi(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    yield from ()
    return Value(code.constant(3.141592653589793), Kind.NUMBER)


def _round(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield _each(emitter, call, scope, Kind.NUMBER)
    emitter.notes.diverges = True  # halves below zero, and 1.005 to two places
    runs = "rounded" if scope.reading is Reading.ADOPTED else "rounded_from_zero"
    tree = code.call(runs, *(emitter.to(one, Kind.NUMBER, scope) for one in values))
    return emitter.made(tree, Kind.NUMBER, scope, *values)


def _of_numbers(runs: str, other: str = "") -> Own:
    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        values: list[Value] = yield _each(emitter, call, scope)
        emitter.notes.diverges |= bool(other)
        name = other if other and scope.reading is Reading.OTHER else runs
        numbers = code.joined_lists([value.as_numbers(one, scope.reading, emitter.notes) for one in values])
        return emitter.made(code.call(name, numbers), Kind.NUMBER, scope, *values, levels=4)

    return emit


# Nodes


def _count(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope)
    _require_nodes(call, found)
    counted = found.counted or value.as_nodes(found)
    return emitter.made(code.call("float", code.call("len", counted)), Kind.NUMBER, scope, found, levels=5)


def _count_non_empty(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope)
    _require_nodes(call, found)
    return emitter.made(code.call("count_filled", value.as_nodes(found)), Kind.NUMBER, scope, found)


def _require_nodes(call: Call, found: Value) -> None:
    if found.kind is not Kind.NODES and not found.is_node:
        raise BadExpression(f"{call.name}() counts questions or groups; this argument is none")


def _position(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """position() inside a predicate, position(..) of the repeat that a path names."""
    yield from ()
    if not call.arguments:
        variable = scope.position or _innermost(scope)
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


def _innermost(scope: Scope) -> str:
    frame = scope.layout.frame_at(scope.path)
    return frame.position if frame.parent else ""


def _instance(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    return (yield emitter.emit(Path(call, ()), scope))


def _current(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    return (yield emitter.emit(Path(call, ()), scope))


def _randomize(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The order matters to no rule; without a seed it cannot be known."""
    found: Value = yield emitter.emit(call.arguments[0], scope)
    if len(call.arguments) == 1:
        emitter.notes.taints.add(Taint.CHANCE)
        return found
    seed: Value = yield emitter.emit(call.arguments[1], scope, Kind.NUMBER)
    tree = code.call("shuffled", value.as_nodes(found), emitter.to(seed, Kind.NUMBER, scope))
    return emitter.made(tree, Kind.NODES, scope, found, seed)


def _indexed_repeat(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """indexed-repeat(question, repeat, index, ...): up to five levels, the outermost repeat first."""
    wanted, *pairs = call.arguments
    if len(pairs) % 2:
        raise BadExpression("indexed-repeat() takes a position after every repeat")
    indexes: list[Value] = []
    repeats = [_static_path(emitter, one, scope) for one in pairs[::2]]
    for one in pairs[1::2]:
        indexes.append((yield emitter.emit(one, scope, Kind.NUMBER)))
    path = _static_path(emitter, wanted, scope)
    place = scope.layout.places.get(path)
    frame = scope.layout.frame_at(path)
    if place is None or not isinstance(place.node, Question) or frame.path not in repeats:
        raise BadExpression("indexed-repeat() takes a question and the repeats that it is in")
    emitter.notes.diverges = True  # position 0: JavaRosa takes the first, Web Forms nothing
    emitter.read(path, is_bound=False)
    holder = _pick(emitter, scope, frame.path, dict(zip(repeats, indexes, strict=True)))
    tree = code.call("picked", holder, code.constant(place.slot))
    found = emitter.made(tree, Kind.TEXT, scope, *indexes, levels=4 + 3 * len(repeats))
    return Value(found.tree, Kind.TEXT, found.depth, is_node=True)


def _pick(emitter: Emitter, scope: Scope, repeat: tuple[str, ...], indexes: dict[tuple[str, ...], Value]) -> Tree:
    """The frame of one occurrence: by its index, else the one around the expression, else the first."""
    if repeat not in indexes and repeat in scope.frames:
        return code.name(scope.frames[repeat].frame)
    place = scope.layout.places[repeat]
    around = _pick(emitter, scope, place.frame.path, indexes)
    index = emitter.to(indexes[repeat], Kind.NUMBER, scope) if repeat in indexes else code.constant(1.0)
    clamps = code.constant(scope.reading is Reading.ADOPTED)
    return code.call("occurrence", around, code.constant(place.slot), index, clamps)


def _static_path(emitter: Emitter, expression: Expression, scope: Scope) -> tuple[str, ...]:
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


# Dates


def _today(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    yield from ()
    emitter.notes.taints.add(Taint.TIME)
    return Value(code.attribute(code.name("c"), f"{scope.clock}_day"), Kind.DATE, 2)


def _now(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    yield from ()
    emitter.notes.taints.add(Taint.TIME)
    return Value(code.attribute(code.name("c"), f"{scope.clock}_moment"), Kind.MOMENT, 2)


def _is_number(found: Value) -> bool:
    return found.kind is Kind.NUMBER or (found.is_node and found.number is not None and found.kind is Kind.TEXT)


def _date(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope)
    if _is_number(found):
        tree = code.call("day_of_number", emitter.to(found, Kind.NUMBER, scope))
    else:
        tree = code.call("day_text", emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.DATE, scope, found)


def _date_time(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope)
    if _is_number(found):
        emitter.notes.taints.add(Taint.ZONE)
        tree = code.call("moment_of_number", emitter.to(found, Kind.NUMBER, scope))
    else:
        tree = code.call("moment_text", emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.MOMENT, scope, found)


def _format_date(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found, layout = yield _each(emitter, call, scope)
    literal = layout.literal
    if literal is None or "%b" in literal or "%a" in literal:
        emitter.notes.taints.add(Taint.LANGUAGE)
    runs, kind = ("formatted_number", Kind.NUMBER) if _is_number(found) else ("formatted", Kind.TEXT)
    language = code.attribute(code.name("c"), "language")
    tree = code.call(runs, emitter.to(found, kind, scope), emitter.to(layout, Kind.TEXT, scope), language)
    return emitter.made(tree, Kind.TEXT, scope, found, layout)


def _decimal_date_time(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield _each(emitter, call, scope)
    emitter.notes.taints.add(Taint.ZONE)
    offset = code.attribute(code.name("c"), "offset_minutes")
    tree = code.call("decimal_days", emitter.to(found, Kind.TEXT, scope), offset)
    return emitter.made(tree, Kind.NUMBER, scope, found)


# What only the device knows, and lists


def _chance(default: str, kind: Kind = Kind.TEXT) -> Own:
    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        values: list[Value] = yield _each(emitter, call, scope)
        emitter.notes.taints.add(Taint.CHANCE)
        return emitter.made(code.method(code.name("c"), default), kind, scope, *values)

    return emit


def _once(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The value that is there, else a new one."""
    (found,) = yield _each(emitter, call, scope, Kind.TEXT)
    emitter.notes.taints.add(Taint.CHANCE)
    walk = Walk(scope, emitter.notes.__class__(), emitter.program.counter)
    walk.start_here(scope)
    stored = walk.value()
    tree = code.call("coalesced", emitter.to(stored, Kind.TEXT, scope), emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.TEXT, scope, found, levels=4)


def _version(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    yield from ()
    return Value(code.constant(scope.layout.definition.version), Kind.TEXT)


def _depend(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield _each(emitter, call, scope)
    return values[0]


def _pulldata(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """pulldata(list, column, key column, key): the cell of the first row with that key."""
    list_name, column, key_column, key = yield _each(emitter, call, scope, Kind.TEXT)
    if list_name.literal is None:
        raise BadExpression("pulldata() takes the name of a list in quotation marks")
    table = lists.table(list_name.literal.removesuffix(".csv"), scope, emitter.notes, is_declared=False)
    rows = code.method(table, "where", *(emitter.to(one, Kind.TEXT, scope) for one in (key_column, key)))
    tree = code.call("cell", rows, emitter.to(column, Kind.TEXT, scope))
    found = emitter.made(tree, Kind.TEXT, scope, list_name, column, key_column, key, levels=4)
    return Value(found.tree, Kind.TEXT, found.depth, is_node=True)


def _choice_name(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """jr:choice-name(value, 'path'): the label of a choice of the question that the text names."""
    found: Value = yield emitter.emit(call.arguments[0], scope, Kind.TEXT)
    emitter.notes.taints.add(Taint.LANGUAGE)
    named = call.arguments[1]
    if not isinstance(named, Literal):
        raise BadExpression("jr:choice-name() takes the path of the question in quotation marks")
    place = scope.layout.places.get(_static_path(emitter, parse(named.value), scope))
    if place is None or not isinstance(place.node, Question) or place.node.itemset is None:
        raise BadExpression(f"jr:choice-name() names {named.value.strip()}, which offers no choices")
    itemset = emitter.program.keep(place.node.itemset)
    instance = scope.layout.definition.instances.get(place.node.itemset.instance)
    if instance is not None and instance.src:
        emitter.notes.lists.add(instance.id)
    tree = code.method(code.name("c"), "choice_label", itemset, emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.TEXT, scope, found)


_OWN: dict[str, Own] = {
    "string": _string,
    "concat": _concat,
    "join": _join,
    "string-length": _string_length,
    "normalize-space": _normalize_space,
    "contains": _contains,
    "uuid": _chance("uuid"),
    "pulldata": _pulldata,
    "extract-signed": _chance("nothing"),
    "if": _if,
    "coalesce": _coalesce,
    "once": _once,
    "true": _constant(True),
    "false": _constant(False),
    "boolean": _boolean,
    "not": _not,
    "regex": _regex,
    "checklist": _checklist,
    "weighted-checklist": _weighted_checklist,
    "number": _number,
    "random": _chance("random", Kind.NUMBER),
    "sum": _of_numbers("total"),
    "max": _of_numbers("greatest", "greatest_or_zero"),
    "min": _of_numbers("least"),
    "round": _round,
    "pi": _pi,
    "count": _count,
    "count-non-empty": _count_non_empty,
    "position": _position,
    "last": _chance("nothing_number", Kind.NUMBER),
    "instance": _instance,
    "current": _current,
    "randomize": _randomize,
    "indexed-repeat": _indexed_repeat,
    "today": _today,
    "now": _now,
    "date": _date,
    "date-time": _date_time,
    "format-date": _format_date,
    "format-date-time": _format_date,
    "decimal-date-time": _decimal_date_time,
    "jr:choice-name": _choice_name,
    "jr:itext": _chance("nothing"),
    "property": _chance("nothing"),
    "version": _version,
    "depend": _depend,
}
