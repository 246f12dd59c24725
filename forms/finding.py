"""What the server noticed about one submission. A finding never refuses a record."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from forms.definition import Text
from forms.sentence import fill


class Severity(enum.Enum):
    """ERROR is certain: no engine of the field would have let it pass. WARNING needs a person's eye."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Rule(enum.Enum):
    """The rule of the form, or of the server, that the submission does not meet."""

    MALFORMED = "malformed"
    UNKNOWN_NODE = "unknown_node"
    DUPLICATE_NODE = "duplicate_node"
    TYPE = "type"
    REQUIRED = "required"
    CONSTRAINT = "constraint"
    CHOICE = "choice"
    RELEVANT = "relevant"
    CALCULATE = "calculate"
    READONLY = "readonly"
    RANGE = "range"
    RANK = "rank"
    TRIGGER = "trigger"
    REPEAT_COUNT = "repeat_count"
    ATTACHMENT = "attachment"
    VERSION = "version"
    ENTITY = "entity"
    CLOCK = "clock"
    MERGED = "merged"
    """No fault: people wrote different answers, and the form said how to merge them."""
    UNDECIDABLE = "undecidable"
    SEALED = "sealed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that one answer does not meet."""

    severity: Severity
    rule: Rule
    path: str
    """Slash path below the root, repeats with their position from 1: "business[2]/cost"; "" for the whole record."""
    value: str = ""
    """The answer as it was sent, cut to 1,000 characters."""
    message: Text = field(default_factory=dict)
    """The form's own words (constraint_message, required_message), by language; may be empty."""
    certain: bool = True
    params: Mapping[str, str] = field(default_factory=dict)
    """For the general sentence about the rule: "expected", "type", "list", "count" ..."""


UNDECIDED: Mapping[str, str] = {
    "list": "The list {list} is not at hand, so nothing that is looked up in it is checked. Attach it to the form.",
    "rows": "The rules of the form would look through more than {rows} rows for this record: not all are checked.",
}
"""Why a whole record could not be decided, by the param that says it."""


def undecided(params: Mapping[str, str], translate: Callable[[str], str] = str) -> str:
    """Why, in words; "" when the finding names no such reason."""
    return next((fill(words, params, translate) for name, words in UNDECIDED.items() if params.get(name)), "")
