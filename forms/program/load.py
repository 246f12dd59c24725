"""Answers -> slots, and back."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from forms import lexical
from forms.definition import Answers, DataType, Group, Node, Path, Question, Repeat
from forms.expression import code
from forms.expression.code import Tree
from forms.expression.dates import civil_days
from forms.program.build import Builder
from forms.program.layout import PREFIX, Frame, Layout, Place, blank
from forms.program.run import Slots

_NUMBERS: Mapping[DataType, Callable[[str], float]] = {
    DataType.INT: lexical.whole_number,
    DataType.DECIMAL: lexical.any_number,
    DataType.DATE: civil_days,
}
"""The number in a text of the type; ValueError when it is not of the type."""


def loaders(builder: Builder) -> list[ast.stmt]:
    """For each frame, a function that fills it: load0(answers, prefix), load1 ...

    They take answers in which nothing is odd. AttributeError, KeyError, TypeError or ValueError: one is not of its
    question's type, is no text, or stands under a name that the form does not know."""
    return [_loader(builder, frame) for frame in builder.layout.frames.values()]


def _loader(builder: Builder, frame: Frame) -> ast.stmt:
    template = builder.program.keep(blank(builder.layout, frame))
    body: list[ast.stmt] = [
        code.assign(code.target("f"), code.method(template, "copy")),
        code.assign(code.item_target(code.name("f"), PREFIX), code.name("p")),
        *_group(builder, builder.layout.children[frame.path], frame, "a0", 0),
        code.give(code.name("f")),
    ]
    return code.function(f"load{frame.index}", ["a0", "p"], body)


def _group(builder: Builder, nodes: tuple[Node, ...], frame: Frame, answers: str, depth: int) -> list[ast.stmt]:
    """Every child that is answered, under the variable that holds their answers."""
    get = f"g{depth}"
    names = builder.program.keep(frozenset(node.name for node in nodes))
    is_known = code.compare("<=", code.method(code.name(answers), "keys"), names)
    body: list[ast.stmt] = [
        code.when(code.no(is_known), [code.refuse("KeyError")]),
        code.assign(code.target(get), code.attribute(code.name(answers), "get")),
    ]
    for node in nodes:
        holder = f"a{depth + 1}" if isinstance(node, Group) else "t"
        body.append(code.assign(code.target(holder), code.call(get, code.constant(node.name))))
        body.append(_read(builder, node, frame, holder, depth))
    return body


def _read(builder: Builder, node: Node, frame: Frame, holder: str, depth: int) -> ast.stmt:
    """What is there and of its kind is kept; what is there and is not, is odd."""
    value = code.name(holder)
    if isinstance(node, Group):
        kind, filled = "dict", [code.when(value, _group(builder, node.children, frame, holder, depth + 1))]
    elif isinstance(node, Repeat):
        kind, filled = "list", [_repeat(builder, node)]
    else:
        kind, filled = "str", _leaf(builder, node)
    return code.when(code.is_of(value, kind), filled, [code.when(code.is_there(value), _ODD)])


_ODD = [code.refuse("TypeError")]


def _leaf(builder: Builder, node: Question) -> list[ast.stmt]:
    place = builder.layout.places[node.path]
    text = code.name("t")
    keep = code.assign(code.item_target(code.name("f"), place.slot), text)
    if node.type in _NUMBERS:
        return [code.when(text, [keep, _number(place, code.call(builder.program.keep(_NUMBERS[node.type]), text))])]
    if lexical.PARSERS[node.type] not in _ANY_TEXT:
        return [code.when(text, [code.do(code.call(builder.program.keep(lexical.PARSERS[node.type]), text)), keep])]
    return [keep, _number(place, code.call("stored_number", text))] if place.has_number else [keep]


def _number(place: Place, value: Tree) -> ast.stmt:
    return code.assign(code.item_target(code.name("f"), place.number), value)


_ANY_TEXT = (lexical.text_of, lexical.names_of)


def _repeat(builder: Builder, node: Repeat) -> ast.stmt:
    """Positions are those of the record as it was sent."""
    place, inner = builder.layout.places[node.path], builder.layout.frames[node.path]
    before = code.constant(f"{'/'.join(node.path[len(place.frame.path) :])}[")
    position = code.call("str", code.name("n"))
    prefix = code.method(code.constant(""), "join", code.listed(code.name("p"), before, position, code.constant("]/")))
    frames = code.each(
        code.call(f"load{inner.index}", code.name("x"), prefix),
        [(code.pair_target("n", "x"), code.numbered(code.name("t")), [])],
    )
    return code.assign(code.item_target(code.name("f"), place.slot), frames)


def put_back(layout: Layout, slots: Slots, path: str, text: str) -> None:
    """An answer that is not of its question's type stands in its slot, as it was given.

    Not where a calculation decides, nor where the logic, which has run, found its question to be irrelevant."""
    frame, steps = slots, path.split("/")
    for depth, step in enumerate(steps, 1):
        if step.endswith("]"):
            place = layout.places[_plain(steps[:depth])]
            here = "/".join([*steps[:depth], ""])
            found = next((one for one in frame[place.slot] if one[PREFIX] == here), None)
            if found is None:
                return
            frame = found
    place = layout.places[_plain(steps)]
    flag = layout.flag_of(place.node.path)
    is_calculated = isinstance(place.node, Question) and bool(place.node.calculate)
    if not is_calculated and (not flag or frame[flag]):
        frame[place.slot] = text


def _plain(steps: Sequence[str]) -> Path:
    return tuple(step.partition("[")[0] for step in steps)


def unload(layout: Layout, frame: Slots, path: Path = ()) -> Answers:
    """The answers in a frame; blanks, and groups without an answer, are left out."""
    answers: Answers = {}
    for child in layout.children[path]:
        place = layout.places[child.path]
        found: Any
        if isinstance(child, Group):
            found = unload(layout, frame, child.path)
        elif isinstance(child, Repeat):
            found = [unload(layout, inner, child.path) for inner in frame[place.slot]]
        else:
            found = frame[place.slot]
        if found:
            answers[child.name] = found
    return answers
