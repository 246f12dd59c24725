"""Functions on texts, and on truths, that need more than their arguments' values."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from forms.expression import code, patterns, texts, value
from forms.expression.arguments import Own, each_argument, only_argument
from forms.expression.code import Tree
from forms.expression.deep import Deep
from forms.expression.scope import Kind, Reading, Scope
from forms.expression.syntax import BadExpression, Call
from forms.expression.value import Value

if TYPE_CHECKING:
    from forms.expression.emit import Emitter


def _string(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield only_argument(emitter, call, scope, Kind.TEXT)
    return emitter.made(emitter.to(found, Kind.TEXT, scope), Kind.TEXT, scope, found, levels=2)


def _string_length(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield only_argument(emitter, call, scope, Kind.TEXT)
    return emitter.made(code.call("length", emitter.to(found, Kind.TEXT, scope)), Kind.NUMBER, scope, found)


def _normalize_space(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found: Value = yield only_argument(emitter, call, scope, Kind.TEXT)
    return emitter.made(code.call("normalized", emitter.to(found, Kind.TEXT, scope)), Kind.TEXT, scope, found)


def _contains(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    text, part = yield each_argument(emitter, call, scope, Kind.TEXT)
    tree = code.compare("in", emitter.to(part, Kind.TEXT, scope), emitter.to(text, Kind.TEXT, scope))
    return emitter.made(tree, Kind.TRUTH, scope, text, part)


def _selected(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """Of a blank answer, the blank name is selected: so it is in JavaRosa, Web Forms and Enketo."""
    answer, name = yield each_argument(emitter, call, scope, Kind.TEXT)
    chosen, literal = code.method(emitter.to(answer, Kind.TEXT, scope), "split"), name.literal
    wanted = code.constant(literal.strip()) if literal is not None else None
    if literal is None or not literal.strip():
        chosen = code.either(chosen, code.listed(code.constant("")))
    tree = code.compare("in", wanted or code.method(emitter.to(name, Kind.TEXT, scope), "strip"), chosen)
    return emitter.made(tree, Kind.TRUTH, scope, answer, name, levels=4)


def _spread(values: list[Value]) -> Tree:
    """All arguments as one list of texts: node-sets give every node."""
    return code.joined_lists([value.as_nodes(one) for one in values])


def _concat(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield each_argument(emitter, call, scope)
    if len(values) == 1 or any(one.kind is Kind.NODES for one in values):
        return emitter.made(
            code.method(code.constant(""), "join", _spread(values)), Kind.TEXT, scope, *values, levels=5
        )
    tree = code.method(code.constant(""), "join", code.listed(*(value.as_text(one) for one in values)))
    return emitter.made(tree, Kind.TEXT, scope, *values, levels=5)


def _join(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    mark, *values = yield each_argument(emitter, call, scope)
    inner = _spread(values) if values else code.listed()
    return emitter.made(
        code.method(emitter.to(mark, Kind.TEXT, scope), "join", inner), Kind.TEXT, scope, mark, *values, levels=5
    )


def _regex(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """JavaRosa matches the whole text, Web Forms anywhere in it."""
    text, pattern = yield each_argument(emitter, call, scope, Kind.TEXT)
    subject, literal = emitter.to(text, Kind.TEXT, scope), pattern.literal
    is_whole = scope.reading is Reading.ADOPTED
    if literal is None:
        emitter.notes.diverges = True
        tree = code.call("matches" if is_whole else "is_inside", subject, emitter.to(pattern, Kind.TEXT, scope))
        return emitter.made(tree, Kind.TRUTH, scope, text, pattern)
    try:
        found = patterns.compiled(literal)
    except patterns.BadPattern as refusal:
        raise BadExpression("the pattern of regex() cannot be read: {reason}", reason=str(refusal)) from refusal
    is_anchored = literal.startswith("^") and literal.endswith("$") and not literal.endswith(r"\$")
    if not is_anchored:
        emitter.notes.notice("regex-not-anchored", pattern=literal)
    emitter.notes.diverges |= not is_anchored or "|" in literal
    run = emitter.program.keep(found.is_whole if is_whole else found.is_inside)
    return emitter.made(code.call(run, subject), Kind.TRUTH, scope, text)


def _constant(result: bool) -> Own:
    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        yield from ()
        return Value(code.constant(result), Kind.TRUTH)

    return emit


def _boolean(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope, Kind.TRUTH)
    return emitter.made(emitter.to(found, Kind.TRUTH, scope), Kind.TRUTH, scope, found, levels=2)


def _not(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope, Kind.TRUTH)
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
    values: list[Value] = yield each_argument(emitter, call, scope)
    if want is Kind.NUMBER and all(one.is_node and one.number is not None for one in values[:-1]):
        tree = emitter.to(values[-1], Kind.NUMBER, scope)
        for one in reversed(values[:-1]):
            is_filled = code.compare("!=", value.as_text(one), code.constant(""))
            tree = code.choose(is_filled, emitter.to(one, Kind.NUMBER, scope), tree)
        return emitter.made(tree, Kind.NUMBER, scope, *values, levels=3 * len(values))
    trees = [_unless_blank(emitter, one, scope) for one in values]
    kinds = {one.kind for one in values}
    kind = kinds.pop() if len(kinds) == 1 and kinds <= {Kind.DATE, Kind.MOMENT} else Kind.TEXT
    return emitter.made(code.call("coalesced", *trees), kind, scope, *values)


def _unless_blank(emitter: Emitter, found: Value, scope: Scope) -> Tree:
    """The text of one argument of coalesce(): what is no number is blank for JavaRosa, and "NaN" for Web Forms."""
    if found.kind is not Kind.NUMBER or isinstance(found.tree, ast.Constant):
        return emitter.to(found, Kind.TEXT, scope)
    emitter.notes.diverges = True
    return code.call("stored_text" if scope.reading is Reading.ADOPTED else "number_text", found.tree)


def _checklist(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield each_argument(emitter, call, scope)
    least, most, *answers = values
    bounds = [emitter.to(one, Kind.NUMBER, scope) for one in (least, most)]
    truths = code.joined_lists([_truths(emitter, one, scope) for one in answers])
    return emitter.made(code.call("checklist", *bounds, truths), Kind.TRUTH, scope, *values, levels=4)


def _weighted_checklist(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield each_argument(emitter, call, scope)
    least, most, *pairs = values
    if len(pairs) % 2:
        raise BadExpression("weighted-checklist() takes a weight after every answer")
    bounds = [emitter.to(one, Kind.NUMBER, scope) for one in (least, most)]
    truths = code.joined_lists([_truths(emitter, one, scope) for one in pairs[::2]])
    weights = code.joined_lists([value.as_numbers(one, scope.reading, emitter.notes) for one in pairs[1::2]])
    emitter.notes.diverges = True  # at most -1: no bound for Web Forms, out of reach for JavaRosa
    runs = "weighted_checklist" if scope.reading is Reading.ADOPTED else "bounded_checklist"
    tree = code.call(runs, *bounds, truths, weights)
    return emitter.made(tree, Kind.TRUTH, scope, *values, levels=4)


def _truths(emitter: Emitter, found: Value, scope: Scope) -> Tree:
    """A list of truths, one for each node. Of a node with a number, JavaRosa asks for the number, Web Forms only
    whether it is answered."""
    if found.kind is not Kind.NODES and not found.is_node:
        return code.listed(emitter.to(found, Kind.TRUTH, scope))
    emitter.notes.diverges |= found.number is not None
    if found.number is None or scope.reading is Reading.OTHER:
        return code.call("is_answered", value.as_nodes(found))
    numbers = value.as_numbers(found, scope.reading, emitter.notes)
    return code.each(code.call("is_true", code.name("one")), [(code.target("one"), numbers, [])])


def _boolean_from_string(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope, Kind.TEXT)
    emitter.notes.diverges = True  # TRUE
    runs = "is_said_true" if scope.reading is Reading.ADOPTED else "is_written_true"
    return emitter.made(code.call(runs, emitter.to(found, Kind.TEXT, scope)), Kind.TRUTH, scope, found)


def _digest(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    values: list[Value] = yield each_argument(emitter, call, scope, Kind.TEXT)
    for given, known in zip(values[1:], (texts.DIGESTS, frozenset({"hex", "base64"})), strict=False):
        named = re.sub(r"[^a-z0-9]", "", (given.literal or "").lower())
        if given.literal is not None and named not in known:
            names = ", ".join(sorted(known))
            raise BadExpression("digest() does not know {name}; it knows {names}", name=given.literal, names=names)
    trees = [emitter.to(one, Kind.TEXT, scope) for one in values]
    return emitter.made(code.call("digest", *trees), Kind.TEXT, scope, *values)


TEXT_CALLS: Mapping[str, Own] = {
    "string": _string,
    "concat": _concat,
    "join": _join,
    "string-length": _string_length,
    "normalize-space": _normalize_space,
    "contains": _contains,
    "selected": _selected,
    "is-selected": _selected,
    "if": _if,
    "coalesce": _coalesce,
    "true": _constant(True),
    "false": _constant(False),
    "boolean": _boolean,
    "boolean-from-string": _boolean_from_string,
    "digest": _digest,
    "not": _not,
    "regex": _regex,
    "checklist": _checklist,
    "weighted-checklist": _weighted_checklist,
}
