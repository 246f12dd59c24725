"""Answers -> slots, and back."""

from __future__ import annotations

import ast
from typing import Any

from forms.definition import Answers, DataType, Group, Node, Path, Question, Repeat
from forms.expression import code
from forms.program.build import Builder
from forms.program.layout import PREFIX, Frame, Layout, blank
from forms.program.run import Slots

_READERS = {DataType.INT: "float", DataType.DECIMAL: "float", DataType.DATE: "days"}


def loaders(builder: Builder) -> list[ast.stmt]:
    """For each frame, a function that fills it: load0(answers, prefix), load1 ..."""
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
    body: list[ast.stmt] = [code.assign(code.target(get), code.attribute(code.name(answers), "get"))]
    for node in nodes:
        holder = f"a{depth + 1}" if isinstance(node, Group) else "t"
        body.append(code.assign(code.target(holder), code.call(get, code.constant(node.name))))
        if isinstance(node, Group):
            filled = _group(builder, node.children, frame, holder, depth + 1)
        elif isinstance(node, Repeat):
            filled = [_repeat(builder, node)]
        else:
            filled = _leaf(builder, node)
        body.append(code.when(code.name(holder), filled))
    return body


def _leaf(builder: Builder, node: Question) -> list[ast.stmt]:
    place = builder.layout.places[node.path]
    filled = [code.assign(code.item_target(code.name("f"), place.slot), code.name("t"))]
    if place.has_number:
        number = code.call(_READERS.get(node.type, "stored_number"), code.name("t"))
        filled.append(code.assign(code.item_target(code.name("f"), place.number), number))
    return filled


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
