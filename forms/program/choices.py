"""Which choices a select accepts: those of its list that its filter leaves."""

from __future__ import annotations

import ast
from dataclasses import replace

from forms.definition import DataType, Itemset, Question
from forms.expression import code, lists, steady
from forms.expression.code import Tree
from forms.expression.deep import Deep, run
from forms.expression.emit import Emitter
from forms.expression.parser import parse
from forms.expression.scope import HIDDEN, Kind, Notes, Reading, Scope, Taint, scope_at
from forms.expression.syntax import BadExpression, Expression, Path, Step
from forms.finding import Rule
from forms.program.build import Builder, Variants
from forms.program.layout import Place
from forms.program.logic import guarded
from forms.program.spec import Spec, suffix

_MANY = (DataType.SELECT, DataType.RANK)
_ROW = "row"
SEARCH = "search("
"""An appearance that takes the choices from a file on the device: what the form lists are its columns."""


def choice_rules(builder: Builder, place: Place, question: Question) -> list[ast.stmt]:
    """Report every chosen name that the list does not offer."""
    itemset = question.itemset
    if itemset is None:
        return []
    if itemset.instance == lists.LAST_SAVED or SEARCH in question.appearance:
        builder.unjudged[question.path, "choice"] = (Taint.DEVICE.value,)
        return []
    try:
        return _rules(builder, place, question, itemset)
    except BadExpression as refusal:
        builder.sources.fault(question.path, "choice_filter" if itemset.predicate else "type", refusal)
        return []


def _rules(builder: Builder, place: Place, question: Question, itemset: Itemset) -> list[ast.stmt]:
    notes = Notes()
    text = code.item(code.name(place.frame.name), place.slot)
    chosen = code.method(text, "split") if question.type in _MANY else code.listed(text)
    names = names_in(builder, itemset)
    if names is not None:
        return _against_names(builder, place, question, names, chosen)
    accepted = _accepted(builder, question, itemset, notes)
    unknown = code.each(code.name("v"), [(code.target("v"), chosen, [code.no(accepted)])])
    variants = Variants([[unknown]], notes)
    if variants.is_hidden:
        builder.unjudged[question.path, "choice"] = tuple(sorted(taint.value for taint in notes.taints & HIDDEN))
        return []
    spec = builder.program.keep(_spec(builder, place, question, variants))
    if question.type not in _MANY:
        report = _report(spec, place, code.listed(text))
        return guarded(variants, [code.assign(code.target("v"), text), code.when(code.no(accepted), [report])])
    found = code.assign(code.target("x"), unknown)
    return guarded(variants, [found, code.when(code.name("x"), [_report(spec, place, code.name("x"))])])


def names_in(builder: Builder, itemset: Itemset) -> frozenset[str] | None:
    """All that a question may be answered with, when the form itself says so: no filter, no list outside."""
    if not itemset.instance:
        return frozenset(choice.name for choice in itemset.choices)
    instance = builder.definition.instances.get(itemset.instance)
    if instance is None or instance.src or itemset.predicate:
        return None
    column = itemset.value_column
    return frozenset(choice.name if column == "name" else choice.columns.get(column, "") for choice in instance.choices)


def _against_names(
    builder: Builder, place: Place, question: Question, names: frozenset[str], chosen: Tree
) -> list[ast.stmt]:
    spec = builder.program.keep(_spec(builder, place, question, Variants([[]], Notes())))
    known = builder.program.keep(names)
    unknown = code.each(
        code.name("v"), [(code.target("v"), chosen, [code.no(code.compare("in", code.name("v"), known))])]
    )
    report = _report(spec, place, unknown)
    if question.type in _MANY:
        return [code.when(code.no(code.method(known, "issuperset", chosen)), [report])]
    text = code.item(code.name(place.frame.name), place.slot)
    return [code.when(code.no(code.compare("in", text, known)), [report])]


def _report(spec: Tree, place: Place, unknown: Tree) -> ast.stmt:
    return code.do(code.method(code.name("c"), "report_choices", spec, code.name(place.frame.name), unknown))


def _spec(builder: Builder, place: Place, question: Question, variants: Variants) -> Spec:
    doubt = builder.order.doubt_about(variants.notes, question.path)
    is_steady = Taint.TIME not in variants.notes.taints or _is_steady(question)
    return Spec(
        Rule.CHOICE,
        place,
        suffix(question.path, place.frame.path),
        certain=is_steady and not doubt.is_doubtful,
        lists=doubt.lists,
        reads=doubt.reads,
        around=doubt.around,
        is_bare=not variants.notes.reads and not doubt.lists,
        params={"list": question.itemset.instance if question.itemset else ""},
    )


def _is_steady(question: Question) -> bool:
    return question.itemset is None or steady.is_steady(parse(question.itemset.predicate))


def _accepted(builder: Builder, question: Question, itemset: Itemset, notes: Notes) -> Tree:
    """Whether the choice in the variable `v` is offered."""
    scope = scope_at(builder.layout, question.path)
    scope = replace(scope, names=(*scope.names, "v"))
    predicate = parse(itemset.predicate) if itemset.predicate else None
    if "/" in itemset.instance or itemset.instance.startswith("."):
        return code.compare("in", code.name("v"), _from_repeat(builder, itemset, predicate, scope, notes))
    emitter = Emitter(builder.program, notes)
    table = lists.table(itemset.instance, scope, notes)
    if predicate is not None and lists.asks(predicate, "position", "last"):
        notes.taints.add(Taint.DEVICE)
    rows = code.method(table, "where", code.constant(itemset.value_column), code.name("v"))
    if predicate is None:
        return rows
    conditions = [run(_condition(emitter, predicate, scope))]
    if notes.diverges:
        conditions.append(run(_condition(emitter, predicate, replace(scope, reading=Reading.OTHER))))
    if Taint.TIME in notes.taints:
        conditions.append(run(_condition(emitter, predicate, replace(scope, clock="high"))))
    return code.each(code.constant(""), [(code.target(_ROW), rows, [code.either(*conditions)])])


def _condition(emitter: Emitter, predicate: Expression, scope: Scope) -> Deep[Tree]:
    inner = replace(scope.inside_row(_ROW, "v"), position="")
    found = yield emitter.emit(predicate, inner, Kind.TRUTH)
    return emitter.to(found, Kind.TRUTH, inner)


def _from_repeat(builder: Builder, itemset: Itemset, predicate: Expression | None, scope: Scope, notes: Notes) -> Tree:
    """Choices made from the answers in a repeat: /data/person[...]/name."""
    nodes = parse(itemset.instance)
    if not isinstance(nodes, Path) or not nodes.steps:
        raise BadExpression("{path} is no path to a repeat", path=itemset.instance)
    last = nodes.steps[-1]
    narrowed = Step(last.axis, last.name, (*last.predicates, *([predicate] if predicate else [])))
    value = parse(itemset.value_column)
    below = value.steps if isinstance(value, Path) else ()
    whole = Path(nodes.start, (*nodes.steps[:-1], narrowed, *below), nodes.predicates)
    return Emitter(builder.program, notes).compiled(whole, scope, Kind.NODES)
