"""What an entity list asks of its entities: the type of each property, and how different values of it are merged.

An operation of kind "list" sets them by path ("type/age", "choices/role", "merge/age"); as folded they stand in
`EntityList.settings`. What nobody has declared is text, and different values are shown to a person."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from forms import lexical
from forms.definition import DataType
from forms.policy import POLICIES, Policy

TYPE, CHOICES, MERGE, FILTER = "type/", "choices/", "merge/", "filter/"
APPROVAL, OWNER_ONLY = "approval", "owner_only"
YES = "1"


class PropertyType(enum.Enum):
    """The types that a form's questions have, in the words of its author."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    SELECT_ONE = "select_one"
    SELECT_MULTIPLE = "select_multiple"
    GEOPOINT = "geopoint"
    GEOTRACE = "geotrace"
    GEOSHAPE = "geoshape"


TYPES = {one.value: one for one in PropertyType}

OF_ANSWERS: Mapping[DataType, PropertyType] = {
    DataType.INT: PropertyType.INTEGER,
    DataType.DECIMAL: PropertyType.DECIMAL,
    DataType.DATE: PropertyType.DATE,
    DataType.TIME: PropertyType.TIME,
    DataType.DATETIME: PropertyType.DATETIME,
    DataType.SELECT1: PropertyType.SELECT_ONE,
    DataType.SELECT: PropertyType.SELECT_MULTIPLE,
    DataType.GEOPOINT: PropertyType.GEOPOINT,
    DataType.GEOTRACE: PropertyType.GEOTRACE,
    DataType.GEOSHAPE: PropertyType.GEOSHAPE,
}
"""What the answers to a question are as a property; the others are text."""

_ANSWERS = {type_: data_type for data_type, type_ in OF_ANSWERS.items()}
_SELECTS = (PropertyType.SELECT_ONE, PropertyType.SELECT_MULTIPLE)
_ORDERED = frozenset(
    {PropertyType.INTEGER, PropertyType.DECIMAL, PropertyType.DATE, PropertyType.TIME, PropertyType.DATETIME}
)
_FITTING: Mapping[Policy, frozenset[PropertyType]] = {
    Policy.MAX: _ORDERED,
    Policy.MIN: _ORDERED,
    Policy.UNION: frozenset({PropertyType.SELECT_MULTIPLE}),
    Policy.APPEND: frozenset({PropertyType.TEXT}),
}
"""As for the questions of a form: see forms.policy."""

NO_CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class PropertyRule:
    """One property of a list. `choices` are the names that a select offers; () leaves them open."""

    type: PropertyType = PropertyType.TEXT
    choices: tuple[str, ...] = ()
    policy: Policy = Policy.FLAG

    @property
    def can_merge(self) -> bool:
        """Whether values of this type can be merged by the policy."""
        return self.type in _FITTING.get(self.policy, frozenset(PropertyType))

    def misfit(self, value: str) -> str:
        """Why a value does not fit: the name of the type, or NO_CHOICE; "" when it does. A blank always fits."""
        if not value or self.type is PropertyType.TEXT:
            return ""
        try:
            lexical.parse(_ANSWERS[self.type], value)
        except ValueError:
            return str(self.type.value)
        if self.type not in _SELECTS or not self.choices:
            return ""
        chosen = value.split() if self.type is PropertyType.SELECT_MULTIPLE else [value]
        return "" if set(chosen) <= set(self.choices) else NO_CHOICE


_UNDECLARED = PropertyRule()


@dataclass(frozen=True, slots=True)
class ListRules:
    """All that has been declared about a list."""

    properties: Mapping[str, PropertyRule] = field(default_factory=dict)
    needs_approval: bool = False
    """What a record registers is served to devices once the record is approved."""
    is_owner_only: bool = False
    """A device sees what it, or its person, has registered."""
    filters: Mapping[str, str] = field(default_factory=dict)
    """Property of the list -> property of a device: it sees the entities in which the two are equal."""

    def of(self, name: str) -> PropertyRule:
        return self.properties.get(name, _UNDECLARED)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """By property, those that decide."""
        return {name: one.policy for name, one in self.properties.items() if one.policy is not Policy.FLAG}


def read(settings: Mapping[str, Any]) -> ListRules:
    """The rules as they were declared; what this program does not know is passed over."""
    names = {path.partition("/")[2] for path in settings if path.startswith((TYPE, CHOICES, MERGE))}
    return ListRules(
        {name: _property(settings, name) for name in sorted(names)},
        needs_approval=bool(settings.get(APPROVAL)),
        is_owner_only=bool(settings.get(OWNER_ONLY)),
        filters={path.removeprefix(FILTER): str(key) for path, key in settings.items() if path.startswith(FILTER)},
    )


def merging(changes: Mapping[str, Any]) -> set[str]:
    """The properties of which an operation on a list says how they are merged."""
    return {path.removeprefix(MERGE) for path in changes if path.startswith(MERGE)}


def written(name: str, rule: PropertyRule) -> dict[str, str | None]:
    """The paths that declare the property so; None where nothing needs to be said."""
    return {
        TYPE + name: rule.type.value if rule.type is not PropertyType.TEXT else None,
        CHOICES + name: " ".join(rule.choices) or None,
        MERGE + name: rule.policy.value if rule.policy is not Policy.FLAG else None,
    }


def _property(settings: Mapping[str, Any], name: str) -> PropertyRule:
    return PropertyRule(
        type=TYPES.get(str(settings.get(TYPE + name)), PropertyType.TEXT),
        choices=tuple(dict.fromkeys(str(settings.get(CHOICES + name) or "").split())),
        policy=POLICIES.get(str(settings.get(MERGE + name)), Policy.FLAG),
    )
