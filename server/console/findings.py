"""What the server noticed, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask_babel import gettext, lazy_gettext

from forms.definition import Question, say
from forms.finding import Rule, undecided
from forms.output import unfilled
from server.console.answers import Reader
from server.console.blueprint import bp
from server.console.property_types import TYPES
from sync.models import SubmissionFinding

RULES: Mapping[str, str] = {
    "malformed": lazy_gettext("Unreadable record"),
    "unknown_node": lazy_gettext("Unknown question"),
    "duplicate_node": lazy_gettext("Question sent twice"),
    "type": lazy_gettext("Kind of answer"),
    "required": lazy_gettext("Required answer"),
    "constraint": lazy_gettext("Rule of the form"),
    "choice": lazy_gettext("Unknown choice"),
    "relevant": lazy_gettext("Question that was not to be asked"),
    "calculate": lazy_gettext("Calculation"),
    "readonly": lazy_gettext("Fixed value"),
    "range": lazy_gettext("Range"),
    "rank": lazy_gettext("Ranking"),
    "trigger": lazy_gettext("Confirmation"),
    "repeat_count": lazy_gettext("Number of repeats"),
    "attachment": lazy_gettext("Missing file"),
    "version": lazy_gettext("Form version"),
    "entity": lazy_gettext("Registry"),
    "clock": lazy_gettext("Clock of the device"),
    "merged": lazy_gettext("Merged by the form"),
    "undecidable": lazy_gettext("Not decidable"),
    "sealed": lazy_gettext("Sealed answers"),
}

SENTENCES: Mapping[str, str] = {
    "malformed": lazy_gettext("The record, or a part of it, cannot be read as its form describes it."),
    "unknown_node": lazy_gettext("This version of the form has no such question."),
    "duplicate_node": lazy_gettext("The same question was sent more than once; the first answer is shown."),
    "type": lazy_gettext("This answer is not of the kind that the question asks for."),
    "required": lazy_gettext("This question must be answered, but there is no answer."),
    "constraint": lazy_gettext("The answer breaks a rule of the form."),
    "choice": lazy_gettext("The answer is not one of the choices of this form version."),
    "relevant": lazy_gettext("By the other answers this question was not to be asked, yet it has an answer."),
    "calculate": lazy_gettext("The server calculates another value than the one that was sent."),
    "readonly": lazy_gettext("This value was fixed by the form, but was changed."),
    "range": lazy_gettext("The answer lies outside the range, or between its steps."),
    "rank": lazy_gettext("A ranking names every option exactly once; this one does not."),
    "trigger": lazy_gettext("A confirmation can only be “OK”."),
    "repeat_count": lazy_gettext("The number of repeats is not the one that the form calls for."),
    "attachment": lazy_gettext("The answer names a file that has not arrived."),
    "version": lazy_gettext("The record was made on another version of the form than the one in use."),
    "entity": lazy_gettext("What the record says about a registry could not be applied as it stands."),
    "clock": lazy_gettext("The times in this record cannot be right. Check the date and time of the device."),
    "merged": lazy_gettext("People wrote different answers without seeing each other; the form says what stands."),
    "undecidable": lazy_gettext("The server cannot decide this rule from the record alone. Please look at it."),
    "sealed": lazy_gettext(
        "The answers are sealed. They are kept as they came; only who has the private key can read them."
    ),
}

MERGED: Mapping[str, str] = {
    "latest": lazy_gettext("People wrote different answers without seeing each other; by the form the latest stands."),
    "max": lazy_gettext("People wrote different answers without seeing each other; by the form the largest stands."),
    "min": lazy_gettext("People wrote different answers without seeing each other; by the form the smallest stands."),
    "union": lazy_gettext("People made different choices without seeing each other; by the form all of them stand."),
    "append": lazy_gettext("People wrote different lines without seeing each other; by the form all of them stand."),
}


REGISTRY: Mapping[str, str] = {
    "id": lazy_gettext("The record names an entry by something that is no proper id. It was not taken into %(list)s."),
    "label": lazy_gettext("The record registers somebody without a name. It was not taken into %(list)s."),
    "twice": lazy_gettext("The record names one entry of %(list)s twice; what it says the second time was left out."),
    "base": lazy_gettext(
        "The record changes an entry of %(list)s and does not say which version it started from. Compare the two."
    ),
    "branch": lazy_gettext(
        "The record changes an entry of %(list)s after other changes that it does not name. Compare the two."
    ),
    "misfit": lazy_gettext("The column %(property)s of %(list)s holds another kind of value. This one was kept."),
}
"""What is wrong with what a record says about a registry."""


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as the page tells it."""

    row: SubmissionFinding
    question: str
    """The question's label, "" for the whole record."""
    title: str
    sentence: str
    """The form's own words where it has some, else ours."""
    rule: str
    """The rule as the form's author wrote it, "" when it is not one of the form."""
    expected: str
    answer: str
    """The answer in words, as it was checked."""
    written: tuple[str, ...] = ()
    """What people wrote, where the form has merged it."""

    @property
    def tone(self) -> str:
        return {"error": "bad", "warning": "warn"}.get(self.row.severity, "info")

    @property
    def is_open(self) -> bool:
        return self.row.state == "open"


def told(reader: Reader | None, rows: Sequence[SubmissionFinding], language: str) -> list[Told]:
    """The findings in sentences: open before dismissed, errors before warnings."""
    order = {"error": 0, "warning": 1, "info": 2}
    ordered = sorted(rows, key=lambda row: (row.state != "open", order.get(row.severity, 3)))
    return [_told(reader, row, language) for row in ordered]


def _told(reader: Reader | None, row: SubmissionFinding, language: str) -> Told:
    message = row.message or {}
    own = reader.filled(reader.say(message), row.path) if reader else unfilled(say(message, language))
    return Told(
        row=row,
        question=reader.question(row.path) if reader and row.path else row.path,
        title=rule_title(row.rule),
        sentence=own or _sentence(row),
        rule=_source(reader, row),
        expected=_expected(reader, row),
        answer=_in_words(reader, row, row.value),
        written=_written(reader, row),
    )


def _sentence(row: SubmissionFinding) -> str:
    params = {str(name): str(value) for name, value in (row.params or {}).items()}
    if row.rule == "entity" and params.get("reason") in REGISTRY:
        return str(REGISTRY[params["reason"]]) % {"list": "", "property": "", **params}
    if row.rule == Rule.UNDECIDABLE.value and (why := undecided(params, gettext)):
        return why
    return str(MERGED.get(params.get("policy", "")) or SENTENCES.get(row.rule, row.rule))


def _written(reader: Reader | None, row: SubmissionFinding) -> tuple[str, ...]:
    """What people had written, where the form has merged it."""
    written = str((row.params or {}).get("written", ""))
    return tuple(_in_words(reader, row, text) for text in written.split(" | ")) if written else ()


def _source(reader: Reader | None, row: SubmissionFinding) -> str:
    node = reader.node(row.path) if reader else None
    if not isinstance(node, Question):
        return ""
    sources = {
        "constraint": node.constraint,
        "required": "" if node.required.strip() == "true()" else node.required,
        "relevant": node.relevant,
        "calculate": node.calculate,
    }
    return sources.get(row.rule, "")


def _expected(reader: Reader | None, row: SubmissionFinding) -> str:
    params = row.params or {}
    if params.get("reason") == "misfit":
        return str(TYPES.get(str(params.get("type")), ""))
    return _in_words(reader, row, str(params.get("expected", "")))


def _in_words(reader: Reader | None, row: SubmissionFinding, raw: str) -> str:
    node = reader.node(row.path) if reader else None
    if reader is None or not isinstance(node, Question):
        return raw
    return reader.value(node, raw).text or raw


@bp.app_template_filter()
def rule_title(rule: str) -> str:
    """What a rule is called on pages."""
    return str(RULES.get(rule, rule))


@bp.app_template_filter()
def severity_title(severity: str) -> str:
    titles = {"error": gettext("Error"), "warning": gettext("Warning"), "info": gettext("Note")}
    return str(titles.get(severity, severity))
