"""The statements of relevance and calculation, in dependency order."""

from __future__ import annotations

import ast

from forms.definition import Path, Question, Repeat
from forms.expression import code
from forms.expression.code import Tree
from forms.expression.scope import Taint
from forms.expression.steady import is_steady
from forms.finding import Rule
from forms.program.build import Builder, Variants
from forms.program.layout import Frame, Place, blank
from forms.program.order import Task, Unit
from forms.program.source import is_always
from forms.program.spec import Spec, suffix


def logic(builder: Builder) -> list[ast.stmt]:
    """Everything that decides what the record says, before it is judged. Neighbours in one repeat share its loop."""
    body = _defaults(builder)
    waiting: list[ast.stmt] = []
    frame = builder.layout.root
    written: set[Path] = set()
    for unit in builder.order.sequence:
        here = _frame(builder, unit)
        if here is not frame or _looks_around(builder, unit, written):
            body += in_loops(builder, frame, waiting)
            waiting, frame, written = [], here, set()
        waiting += _unit(builder, unit)
        written.add(unit[0])
    return [*body, *in_loops(builder, frame, waiting)]


def _frame(builder: Builder, unit: Unit) -> Frame:
    """The frame that a unit runs in; a repeat's relevance runs around it, and filters its list."""
    return builder.layout.places[unit[0]].frame


def _looks_around(builder: Builder, unit: Unit, written: set[Path]) -> bool:
    """Whether a unit reads other occurrences of what the same loop works out."""
    around = [read.path for read in builder.order.notes[unit].reads if not read.is_bound]
    return any(_overlap(path, read) for path in written for read in around)


def _overlap(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]


def in_loops(builder: Builder, frame: Frame, body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements for every occurrence of every repeat around them."""
    if not body:
        return []
    for inner in reversed(frame.chain()[1:]):
        place = builder.layout.places[inner.path]
        source = code.numbered(code.item(code.name(place.frame.name), place.slot))
        body = [code.loop(code.pair_target(inner.position, inner.name), source, body)]
    return body


def _unit(builder: Builder, unit: Unit) -> list[ast.stmt]:
    path, task = unit
    place = builder.layout.places[path]
    if task is Task.CALCULATION:
        variants = builder.variants[path, "calculate"]
        body = _calculation(builder, place, variants)
        flag = builder.layout.flag_of(path)
        body = [code.when(code.item(code.name(place.frame.name), flag), body)] if flag else body
        return guarded(variants, body)
    variants = builder.variants[path, "relevant"]
    if isinstance(place.node, Repeat):
        return guarded(variants, _repeat_relevance(builder, place, variants))
    around = _flag_around(builder, place)
    kept = code.assign(code.item_target(code.name(place.frame.name), place.flag), around)
    if variants.is_hidden:
        return [kept]
    return guarded(variants, _relevance(builder, place, variants, around), [kept])


def guarded(variants: Variants, body: list[ast.stmt], otherwise: list[ast.stmt] | None = None) -> list[ast.stmt]:
    """Without the external list that it needs, a rule cannot be judged. A doubt that came up ends with its rule."""
    ends: list[ast.stmt] = []
    if variants.notes.is_lenient:
        ends = [code.assign(code.attribute_target(code.name("c"), "is_doubtful"), code.constant(False))]
    if not variants.notes.lists:
        return [*body, *ends]
    said = code.method(code.name("c"), "without", *map(code.constant, sorted(variants.notes.lists)))
    return [code.attempt(body, "NoList", [*(otherwise or []), code.do(said)]), *ends]


def _flag_around(builder: Builder, place: Place) -> Tree:
    flag = builder.layout.flag_of(place.node.path[:-1])
    return code.item(code.name(place.frame.name), flag) if flag else code.constant(True)


def passes(variants: Variants) -> Tree:
    """True in any reading at any time: then nothing can be held against it."""
    return code.either(*variants.ever())


def _passes_or_doubtful(variants: Variants, answered: Tree) -> Tree:
    """Answers under a condition on which engines differ are those of an engine for which it holds."""
    if not variants.notes.is_lenient:
        return passes(variants)
    return code.either(passes(variants), code.both(code.attribute(code.name("c"), "is_doubtful"), answered))


def _relevance(builder: Builder, place: Place, variants: Variants, around: Tree) -> list[ast.stmt]:
    frame = code.name(place.frame.name)
    template = blank(builder.layout, place.frame)[place.slot : place.end]
    empty = builder.program.keep(template)
    spec = builder.program.keep(_spec(builder, place, Rule.RELEVANT, variants))
    drop = code.do(code.method(code.name("c"), "drop", spec, frame, code.constant(place.slot), empty))
    answered = code.compare("!=", code.part(frame, place.slot, place.end), empty)
    flag = code.item(frame, place.flag)
    return [
        code.assign(code.item_target(frame, place.flag), code.both(around, _passes_or_doubtful(variants, answered))),
        code.when(code.both(code.no(flag), answered), [drop]),
    ]


def _repeat_relevance(builder: Builder, place: Place, variants: Variants) -> list[ast.stmt]:
    if variants.is_hidden:
        return []
    inner = builder.layout.frames[place.node.path]
    holder = code.name(place.frame.name)
    spec = builder.program.keep(_spec(builder, place, Rule.RELEVANT, variants))
    keep = code.do(code.method(code.name("kept"), "append", code.name(inner.name)))
    drop = code.do(code.method(code.name("c"), "drop_frame", spec, code.name(inner.name)))
    source = code.numbered(code.item(holder, place.slot))
    is_kept = _passes_or_doubtful(variants, code.constant(True))
    return [
        code.assign(code.target("kept"), code.listed()),
        code.loop(code.pair_target(inner.position, inner.name), source, [code.when(is_kept, [keep], [drop])]),
        code.assign(code.item_target(holder, place.slot), code.name("kept")),
    ]


def _calculation(builder: Builder, place: Place, variants: Variants) -> list[ast.stmt]:
    frame, found = code.name(place.frame.name), code.name("x")
    text = code.item(frame, place.slot)
    spec = builder.program.keep(_calculation_spec(builder, place, variants))
    trees = [tree for clocks in variants.trees for tree in clocks]
    settle = code.do(code.method(code.name("c"), "settle", spec, frame, found, *trees[1:]))
    if variants.is_hidden:
        is_due = code.both(code.attribute(code.name("c"), "is_filling"), code.compare("=", text, code.constant("")))
        return [code.when(is_due, [code.assign(code.target("x"), trees[0]), settle])]
    differs = code.compare("!=", found, text)
    if builder.is_number(place.node.path):
        is_something = code.either(code.compare("=", found, found), code.compare("!=", text, code.constant("")))
        differs = code.both(code.compare("!=", found, code.item(frame, place.number)), is_something)
    return [code.assign(code.target("x"), trees[0]), code.when(differs, [settle])]


def _calculation_spec(builder: Builder, place: Place, variants: Variants) -> Spec:
    node = place.node
    is_editable = isinstance(node, Question) and bool(node.control) and not is_always(node.readonly)
    is_set = isinstance(node, Question) and node.is_set_by_action
    source = builder.sources.parsed[node.path, "calculate"]
    is_known = not variants.is_timed or is_steady(source)
    return _spec(builder, place, Rule.CALCULATE, variants, is_certain=is_known and not is_editable and not is_set)


def _spec(builder: Builder, place: Place, rule: Rule, variants: Variants, *, is_certain: bool = True) -> Spec:
    doubt = builder.order.doubt_about(variants.notes, place.node.path)
    return Spec(
        rule,
        place,
        suffix(place.node.path, place.frame.path),
        certain=is_certain and not _inherits_doubt(builder, place, rule, variants),
        readings=len(variants.trees),
        lists=doubt.lists,
        reads=doubt.reads,
        around=doubt.around,
        is_timed=variants.is_timed,
        tolerance=variants.notes.tolerance,
    )


def _inherits_doubt(builder: Builder, place: Place, rule: Rule, variants: Variants) -> bool:
    """A verdict on relevance or calculation: the node's own unit is what is judged, all others are what it reads."""
    units = [*builder.order.relevances(place.node.path[:-1])]
    if rule is Rule.CALCULATE:
        units = [*builder.order.relevances(place.node.path)]
    for read in variants.notes.reads:
        if read.path != place.node.path:
            units += builder.order.units_of(read.path)
    own = (place.node.path, Task.RELEVANCE if rule is Rule.RELEVANT else Task.CALCULATION)
    inherited = any(builder.order.doubts[unit].is_doubtful for unit in units if unit != own)
    return inherited or bool(variants.notes.taints - {Taint.TIME})


def _defaults(builder: Builder) -> list[ast.stmt]:
    """What an action sets when the form or a repeat begins, for a client that fills the form in."""
    body: list[ast.stmt] = []
    for (path, attribute), variants in builder.variants.items():
        place = builder.layout.places.get(path)
        if attribute != "dynamic_default" or place is None or not isinstance(place.node, Question):
            continue
        frame = code.name(place.frame.name)
        spec = builder.program.keep(Spec(Rule.CALCULATE, place, suffix(path, place.frame.path)))
        is_due = code.compare("=", code.item(frame, place.slot), code.constant(""))
        settle = code.do(code.method(code.name("c"), "settle", spec, frame, variants.trees[0][0]))
        body += guarded(variants, in_loops(builder, place.frame, [code.when(is_due, [settle])]))
    return [code.when(code.attribute(code.name("c"), "is_beginning"), body)] if body else []
