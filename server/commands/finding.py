"""What the form's rules say to answers, in words for the person who filled it in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from forms.definition import FormDefinition, say
from forms.finding import Finding, Rule, Severity, undecided
from forms.output import unfilled
from server.commands.screen import gettext as _
from server.commands.screen import language, out, table

SENTENCES: Mapping[str, str] = {
    "malformed": "The record, or a part of it, cannot be read as its form describes it.",
    "unknown_node": "This version of the form has no such question.",
    "duplicate_node": "The same question was sent more than once; the first answer is shown.",
    "type": "This answer is not of the kind that the question asks for.",
    "required": "This question must be answered, but there is no answer.",
    "constraint": "The answer breaks a rule of the form.",
    "choice": "The answer is not one of the choices of this form version.",
    "relevant": "By the other answers this question was not to be asked, yet it has an answer.",
    "calculate": "The server calculates another value than the one that was sent.",
    "readonly": "This value was fixed by the form, but was changed.",
    "range": "The answer lies outside the range, or between its steps.",
    "rank": "A ranking names every option exactly once; this one does not.",
    "trigger": "A confirmation can only be “OK”.",
    "repeat_count": "The number of repeats is not the one that the form calls for.",
    "attachment": "The answer names a file that has not arrived.",
    "version": "The record was made on another version of the form than the one in use.",
    "entity": "What the record says about a registry could not be applied as it stands.",
    "clock": "The times in this record cannot be right. Check the date and time of the device.",
    "merged": "People wrote different answers without seeing each other; the form says what stands.",
    "undecidable": "The server cannot decide this rule from the record alone. Please look at it.",
    "sealed": "The answers are sealed. They are kept as they came; only who has the private key can read them.",
}
"""As the console says them, so that both share their translations."""


def show(definition: FormDefinition, findings: Sequence[Finding]) -> None:
    """A table: which question, which answer, what is wrong."""
    shown = table(_("Question"), _("Answer"), _("What to look at"))
    for finding in findings:
        style = "red" if finding.severity is Severity.ERROR else "yellow"
        shown.add_row(question(definition, finding.path), finding.value, sentence(finding), style=style)
    out.print(shown)


def sentence(finding: Finding) -> str:
    """The form's own words where it has some, else ours."""
    own = unfilled(say(finding.message, language()))
    why = undecided(finding.params, _) if finding.rule is Rule.UNDECIDABLE else ""
    return own or why or _(SENTENCES[finding.rule.value])


def question(definition: FormDefinition, path: str) -> str:
    """The label of a question, with its place where it is repeated: "Harga (product[2]/price)"."""
    if not path:
        return _("The whole record")
    node = definition.at(tuple(re.sub(r"\[\d+\]", "", path).split("/")))
    label = unfilled(say(node.label, language())) if node is not None else ""
    words = re.sub(r"<[^>]*>|\s+", " ", label).strip()
    return f"{words} ({path})" if words else path
