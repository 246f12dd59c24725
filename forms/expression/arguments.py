"""The arguments of a call, compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from forms.expression.deep import Deep
from forms.expression.reach import Walk
from forms.expression.scope import Kind, Scope
from forms.expression.syntax import Call
from forms.expression.value import Value

if TYPE_CHECKING:
    from forms.expression.emit import Emitter


Own = Callable[["Emitter", Call, Scope, Kind | None], Deep[Value]]


def each_argument(emitter: Emitter, call: Call, scope: Scope, want: Kind | None = None) -> Deep[list[Value]]:
    values: list[Value] = []
    for argument in call.arguments:
        values.append((yield emitter.emit(argument, scope, want)))
    return values


def only_argument(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """The one argument, or the context node."""
    if call.arguments:
        found: Value = yield emitter.emit(call.arguments[0], scope, want)
        return found
    walk = Walk(scope, emitter.notes, emitter.program.counter)
    walk.start_here(scope)
    return walk.value()
