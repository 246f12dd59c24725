"""Function calls: the plain ones by their signature, the others each by an emitter of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forms.expression import code, value
from forms.expression.arguments import Own
from forms.expression.deep import Deep
from forms.expression.device_calls import DEVICE_CALLS
from forms.expression.functions import SIGNATURES, Signature
from forms.expression.names import nearest
from forms.expression.node_calls import NODE_CALLS
from forms.expression.scope import Kind, Scope
from forms.expression.syntax import BadExpression, Call
from forms.expression.text_calls import TEXT_CALLS
from forms.expression.value import Value

if TYPE_CHECKING:
    from forms.expression.emit import Emitter


_OWN: Mapping[str, Own] = {**TEXT_CALLS, **NODE_CALLS, **DEVICE_CALLS}


def emit_call(emitter: Emitter, call: Call, scope: Scope, want: Kind | None) -> Deep[Value]:
    """A function call as a value. BadExpression for an unknown function or a wrong number of arguments."""
    signature = SIGNATURES.get(call.name)
    if signature is None:
        raise BadExpression(
            "there is no function {function}()", function=call.name, meant=nearest(call.name, SIGNATURES)
        )
    _check_number_of_arguments(call, signature)
    own = _OWN.get(call.name)
    step = _plain(emitter, call, scope, signature) if own is None else own(emitter, call, scope, want)
    found: Value = yield step
    return found


def _check_number_of_arguments(call: Call, signature: Signature) -> None:
    given = len(call.arguments)
    if signature.least <= given <= signature.most:
        return
    least, most = signature.least, signature.most
    params = {"function": call.name, "least": str(least), "most": str(most), "given": str(given)}
    if most > 100:
        raise BadExpression("{function}() takes {least} or more arguments, not {given}", **params)
    if least != most:
        raise BadExpression("{function}() takes {least} to {most} arguments, not {given}", **params)
    if least == 1:
        raise BadExpression("{function}() takes 1 argument, not {given}", **params)
    raise BadExpression("{function}() takes {least} arguments, not {given}", **params)


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
