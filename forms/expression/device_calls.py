"""Functions on dates, on lists, and on what only the device knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from forms.definition import Question
from forms.expression import code, dates, lists
from forms.expression.arguments import Own, each_argument
from forms.expression.deep import Deep
from forms.expression.node_calls import static_path
from forms.expression.parser import parse
from forms.expression.reach import Walk
from forms.expression.scope import Kind, Scope, Taint
from forms.expression.syntax import BadExpression, Call, Literal
from forms.expression.value import Value

if TYPE_CHECKING:
    from forms.expression.emit import Emitter


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
    (found,) = yield each_argument(emitter, call, scope)
    if _is_number(found):
        tree = code.call("day_of_number", emitter.to(found, Kind.NUMBER, scope))
    else:
        literal = found.literal
        if literal is not None:
            day = dates.day_text(literal)
            return Value(code.constant(day), Kind.DATE, number=code.constant(dates.days(day)))
        tree = code.call("day_text", emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.DATE, scope, found)


def _date_time(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope)
    if _is_number(found):
        emitter.notes.taints.add(Taint.ZONE)
        tree = code.call("moment_of_number", emitter.to(found, Kind.NUMBER, scope))
    else:
        tree = code.call("moment_text", emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.MOMENT, scope, found)


def _format_date(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    found, layout = yield each_argument(emitter, call, scope)
    literal = layout.literal
    if literal is None or "%b" in literal or "%a" in literal:
        emitter.notes.taints.add(Taint.LANGUAGE)
    elif not dates.is_known_layout(literal):
        emitter.notes.taints.add(Taint.DEVICE)
    runs, kind = ("formatted_number", Kind.NUMBER) if _is_number(found) else ("formatted", Kind.TEXT)
    language = code.attribute(code.name("c"), "language")
    tree = code.call(runs, emitter.to(found, kind, scope), emitter.to(layout, Kind.TEXT, scope), language)
    return emitter.made(tree, Kind.TEXT, scope, found, layout)


def _decimal_date_time(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    (found,) = yield each_argument(emitter, call, scope)
    emitter.notes.taints.add(Taint.ZONE)
    offset = code.attribute(code.name("c"), "offset_minutes")
    tree = code.call("decimal_days", emitter.to(found, Kind.TEXT, scope), offset)
    return emitter.made(tree, Kind.NUMBER, scope, found)


def _unknown(default: str, kind: Kind = Kind.TEXT, taint: Taint = Taint.CHANCE) -> Own:
    """What the record alone does not say."""

    def emit(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
        values: list[Value] = yield each_argument(emitter, call, scope)
        emitter.notes.taints.add(taint)
        return emitter.made(code.method(code.name("c"), default), kind, scope, *values)

    return emit


def _once(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The value that is there, else a new one."""
    (found,) = yield each_argument(emitter, call, scope, Kind.TEXT)
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
    values: list[Value] = yield each_argument(emitter, call, scope)
    return values[0]


def _pulldata(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """pulldata(list, column, key column, key): the cell of the first row with that key."""
    list_name, column, key_column, key = yield each_argument(emitter, call, scope, Kind.TEXT)
    if list_name.literal is None:
        raise BadExpression("pulldata() takes the name of a list in quotation marks")
    table = lists.table(list_name.literal.removesuffix(".csv"), scope, emitter.notes, is_declared=False)
    rows = code.method(table, "where", *(emitter.to(one, Kind.TEXT, scope) for one in (key_column, key)))
    tree = code.call("cell", rows, emitter.to(column, Kind.TEXT, scope))
    found = emitter.made(tree, Kind.TEXT, scope, list_name, column, key_column, key, levels=4)
    return replace(found, is_node=True)


def _choice_name(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """jr:choice-name(value, 'path'): the label of a choice of the question that the text names."""
    found: Value = yield emitter.emit(call.arguments[0], scope, Kind.TEXT)
    emitter.notes.taints.add(Taint.LANGUAGE)
    named = call.arguments[1]
    if not isinstance(named, Literal):
        raise BadExpression("jr:choice-name() takes the path of the question in quotation marks")
    place = scope.layout.places.get(static_path(emitter, parse(named.value), scope))
    if place is None or not isinstance(place.node, Question) or place.node.itemset is None:
        raise BadExpression("jr:choice-name() names {path}, which offers no choices", path=named.value.strip())
    itemset = emitter.program.keep(place.node.itemset)
    instance = scope.layout.definition.instances.get(place.node.itemset.instance)
    if instance is not None and instance.src:
        emitter.notes.lists.add(instance.id)
    tree = code.method(code.name("c"), "choice_label", itemset, emitter.to(found, Kind.TEXT, scope))
    return emitter.made(tree, Kind.TEXT, scope, found)


DEVICE_CALLS: Mapping[str, Own] = {
    "uuid": _unknown("uuid"),
    "pulldata": _pulldata,
    "extract-signed": _unknown("nothing", taint=Taint.DEVICE),
    "once": _once,
    "random": _unknown("random", Kind.NUMBER),
    "today": _today,
    "now": _now,
    "date": _date,
    "date-time": _date_time,
    "format-date": _format_date,
    "format-date-time": _format_date,
    "decimal-date-time": _decimal_date_time,
    "jr:choice-name": _choice_name,
    "jr:itext": _unknown("nothing", taint=Taint.LANGUAGE),
    "property": _unknown("nothing", taint=Taint.DEVICE),
    "version": _version,
    "depend": _depend,
}
