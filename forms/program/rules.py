"""The statements that judge: required, constraint, choices, ranges, attachments, repeat counts."""

from __future__ import annotations

import ast
from decimal import Decimal, InvalidOperation

from forms.definition import DataType, Question, Repeat, Text
from forms.expression import code
from forms.expression.code import Tree
from forms.expression.scope import Notes
from forms.finding import Rule
from forms.program.build import Builder, Variants
from forms.program.choices import SEARCH, choice_rules, names_in
from forms.program.layout import Frame, Place
from forms.program.logic import guarded, in_loops
from forms.program.source import is_always
from forms.program.spec import Spec, suffix


def rules(builder: Builder) -> list[ast.stmt]:
    """Every rule, in the order of the form; neighbours under one relevance, or in one repeat, share its test."""
    return _rules_below(builder, builder.layout.root)


def _rules_below(builder: Builder, root: Frame) -> list[ast.stmt]:
    body: list[ast.stmt] = []
    waiting: list[ast.stmt] = []
    frame, flag = root, 0
    for place in builder.layout.places.values():
        statements = _rules_about(builder, place)
        here = _flag(builder, place)
        if (place.frame, here) != (frame, flag):
            body += in_loops(builder, frame, _flagged(frame, flag, waiting))
            waiting, frame, flag = [], place.frame, here
        waiting += statements
    return [*body, *in_loops(builder, frame, _flagged(frame, flag, waiting))]


def _flag(builder: Builder, place: Place) -> int:
    """The relevance under which a node's rules stand; a repeat's is that of what is around it."""
    path = place.node.path
    return builder.layout.flag_of(path[:-1] if isinstance(place.node, Repeat) else path)


def _flagged(frame: Frame, flag: int, body: list[ast.stmt]) -> list[ast.stmt]:
    return [code.when(code.item(code.name(frame.name), flag), body)] if flag and body else body


def _rules_about(builder: Builder, place: Place) -> list[ast.stmt]:
    if isinstance(place.node, Repeat):
        return _count(builder, place, place.node)
    return _question(builder, place, place.node) if isinstance(place.node, Question) else []


def _question(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    when_blank = _required(builder, place, question) if question.control else []
    when_filled = [
        *_readonly(builder, place, question),
        *(_constraint(builder, place, question) if question.control else []),
        *choice_rules(builder, place, question),
        *_fixed(builder, place, question),
    ]
    is_blank = code.compare("=", code.item(code.name(place.frame.name), place.slot), code.constant(""))
    if when_blank:
        return [code.when(is_blank, when_blank, when_filled)]
    return [code.when(code.no(is_blank), when_filled)] if when_filled else []


def _report(builder: Builder, spec: Spec, *failed: Tree) -> ast.stmt:
    frame = code.name(spec.place.frame.name)
    return code.do(code.method(code.name("c"), "report", builder.program.keep(spec), frame, *failed))


def _spec(builder: Builder, place: Place, rule: Rule, variants: Variants, message: Text) -> Spec:
    doubt = builder.order.doubt_about(variants.notes, place.node.path)
    return Spec(
        rule,
        place,
        suffix(place.node.path, place.frame.path),
        certain=not doubt.is_doubtful,
        message=message,
        readings=len(variants.trees),
        lists=doubt.lists,
        reads=doubt.reads,
        around=doubt.around,
    )


def _judged(builder: Builder, spec: Spec, variants: Variants, failures: list[Tree]) -> list[ast.stmt]:
    if variants.is_hidden:
        return []
    if len(failures) == 1:
        only = failures[0]
        report = _report(builder, spec)
        body = [report] if isinstance(only, ast.Constant) and only.value else [code.when(only, [report])]
        return guarded(variants, body)
    failed = code.operate("+", *(code.choose(one, code.constant(1), code.constant(0)) for one in failures))
    return guarded(variants, [code.when(code.either(*failures), [_report(builder, spec, failed)])])


def _required(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    variants = builder.variants.get((question.path, "required"))
    if variants is None:
        return []
    spec = _spec(builder, place, Rule.REQUIRED, variants, question.required_message)
    return _judged(builder, spec, variants, variants.always())


def _constraint(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    variants = builder.variants.get((question.path, "constraint"))
    if variants is None:
        return []
    spec = _spec(builder, place, Rule.CONSTRAINT, variants, question.constraint_message)
    return _judged(builder, spec, variants, [code.no(passes) for passes in variants.ever()])


def _readonly(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    """A value that nobody and nothing may set stays the default."""
    is_set = question.calculate or question.is_set_by_action or question.preload
    if (question.path, "readonly") in builder.variants and not is_always(question.readonly):
        # Whether it was open while it was answered, nobody can tell afterwards.
        builder.unjudged[question.path, "readonly"] = ("history",)
    if not is_always(question.readonly) or is_set or question.control == "trigger":
        return []
    spec = _bare(place, Rule.READONLY, expected=question.default)
    differs = code.compare("!=", code.item(code.name(place.frame.name), place.slot), code.constant(question.default))
    return [code.when(differs, [_report(builder, spec)])]


def _bare(place: Place, rule: Rule, **params: str) -> Spec:
    path = place.node.path
    return Spec(rule, place, suffix(path, place.frame.path), reads=frozenset({path}), is_bare=True, params=params)


def _fixed(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    """Rules of the control itself, which no author writes."""
    text = code.item(code.name(place.frame.name), place.slot)
    if question.control == "trigger":
        differs = code.compare("!=", text, code.constant("OK"))
        return [code.when(differs, [_report(builder, _bare(place, Rule.TRIGGER))])]
    if question.range is not None and not _is_range(question.range):
        builder.unjudged[question.path, "range"] = ("bounds",)
    elif question.range is not None:
        bounds = builder.program.keep(tuple(Decimal(bound) for bound in question.range))
        start, end, step = question.range
        spec = _bare(place, Rule.RANGE, start=start, end=end, step=step)
        is_on = code.method(code.name("c"), "is_on_scale", text, bounds)
        return [code.when(code.no(is_on), [_report(builder, spec)])]
    if question.type is DataType.RANK:
        return _rank(builder, place, question)
    if question.type is DataType.BINARY and (question.control or question.is_set_by_action):
        kept = builder.program.keep(_bare(place, Rule.ATTACHMENT))
        return [code.do(code.method(code.name("c"), "expect_attachment", kept, code.name(place.frame.name)))]
    return []


def _is_range(bounds: tuple[str, str, str]) -> bool:
    try:
        numbers = [Decimal(bound) for bound in bounds]
    except InvalidOperation:
        return False
    return all(number.is_finite() for number in numbers) and numbers[2] != 0


def _rank(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    """Every option once; of a filtered list only that none comes twice is certain."""
    itemset = question.itemset
    is_known = itemset is not None and SEARCH not in question.appearance
    names = names_in(builder, itemset) if itemset is not None and is_known else None
    text = code.item(code.name(place.frame.name), place.slot)
    is_ranked = code.method(code.name("c"), "is_ranked", text, builder.program.keep(names))
    return [code.when(code.no(is_ranked), [_report(builder, _bare(place, Rule.RANK))])]


def _count(builder: Builder, place: Place, repeat: Repeat) -> list[ast.stmt]:
    """As many occurrences as jr:count says, when the repeat is relevant; nothing is ever made from the number."""
    variants = builder.variants.get((repeat.path, "count"))
    if variants is None or variants.is_hidden:
        return []
    doubt = builder.order.doubt_about(variants.notes, repeat.path)
    spec = Spec(
        Rule.REPEAT_COUNT,
        place,
        suffix(repeat.path, place.frame.path),
        certain=not doubt.is_doubtful and not variants.is_timed and not variants.notes.diverges,
        lists=doubt.lists,
        reads=doubt.reads,
        around=doubt.around,
    )
    frame = code.name(place.frame.name)
    tree = variants.trees[0][0]
    count = code.do(code.method(code.name("c"), "compare_count", builder.program.keep(spec), frame, tree))
    relevant = _relevance_outside(builder, repeat)
    if relevant is None:
        return guarded(variants, [count])
    if relevant.is_hidden:
        return []
    both = Variants(relevant.trees, _merged(relevant.notes, variants.notes))
    return guarded(both, [code.when(code.both(*relevant.always()), [count])])


def _relevance_outside(builder: Builder, repeat: Repeat) -> Variants | None:
    expression = builder.sources.get(repeat, "relevant")
    if expression is None:
        return None
    want = builder.want(repeat.path, "relevant")
    return builder.expression(repeat.path, "relevant", expression, builder.outside(repeat.path), want)


def _merged(one: Notes, other: Notes) -> Notes:
    is_lenient = one.is_lenient or other.is_lenient
    return Notes(one.reads | other.reads, one.taints | other.taints, one.lists | other.lists, is_lenient=is_lenient)
