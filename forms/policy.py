"""What becomes of different answers to one question by people who had not seen each other, as the form declares it.

An XLSForm says it in its column `merge`; an XForm in the bind attribute `merge` of the namespace urn:lapangan:forms."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

from forms.definition import DataType, FormDefinition, Group, Node, Question, Repeat
from forms.derived import Derived

KEY = "key"
"""In the column `merge` of a question in a repeat: its answer says which entry of the repeat this is."""


class Policy(enum.Enum):
    """FLAG, which nobody needs to declare, shows a person every answer; the others decide."""

    FLAG = "flag"
    LATEST = "latest"
    """The one that would be shown meanwhile: a supervisor's before an enumerator's, then the latest."""
    MAX = "max"
    MIN = "min"
    UNION = "union"
    """All choices that anybody made."""
    APPEND = "append"
    """Every line that anybody wrote, once."""


_ORDERED = frozenset({DataType.INT, DataType.DECIMAL, DataType.DATE, DataType.TIME, DataType.DATETIME})
_FITTING: Mapping[Policy, frozenset[DataType]] = {
    Policy.MAX: _ORDERED,
    Policy.MIN: _ORDERED,
    Policy.UNION: frozenset({DataType.SELECT}),
    Policy.APPEND: frozenset({DataType.STRING}),
}

POLICIES = {policy.value: policy for policy in Policy}


def fits(node: Node, policy: Policy) -> bool:
    """Whether answers of this kind can be merged so."""
    if policy is Policy.FLAG:
        return True
    if isinstance(node, Question):
        return bool(node.control) and node.type in _FITTING.get(policy, frozenset(DataType))
    return policy is Policy.LATEST and isinstance(node, Repeat)


def keys_of(repeat: Repeat) -> list[Question]:
    """The questions by which the entries of the repeat are told apart; a sound form has one or none."""
    return [question for question in _own_questions(repeat) if question.merge == KEY]


def _own_questions(parent: Group | Repeat) -> Iterator[Question]:
    """Those of each entry itself, not of a repeat inside it."""
    for child in parent.children:
        if isinstance(child, Question):
            yield child
        elif isinstance(child, Group):
            yield from _own_questions(child)


def _policies(definition: FormDefinition) -> Mapping[str, Policy]:
    declared = ((node, POLICIES.get(node.merge, Policy.FLAG)) for node in definition.walk())
    return {
        "/".join(node.path): policy for node, policy in declared if policy is not Policy.FLAG and fits(node, policy)
    }


policies = Derived(_policies)
"""The policy of each path that has another than FLAG."""
