"""What an author should know about a form, one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forms.definition import Path
from forms.fault import Fault, fault
from forms.finding import Severity
from forms.sentence import fill

SENTENCES: Mapping[str, str] = {
    "date-literal": "In {column}, '{literal}' is compared as text: write date('{literal}').",
    "date-text": "In {column}, a date is compared with a text; apps differ on that. Make the text a date with date().",
    "bare-path": "In {column}, an answer stands where a condition is expected; apps differ on what is true. Compare it,"
    " for example with != ''.",
    "several-nodes": "In {column}, a path finds several answers where one is expected; some apps refuse it.",
    "absolute-in-repeat": "In {column}, {path} is read from inside its own repeat; apps differ on whose answer is"
    " meant. Write ../ for the same occurrence.",
    "regex-not-anchored": "In {column}, some apps look for {pattern} anywhere in the answer: begin it with ^ and end it"
    " with $.",
    "numeric-predicate": "In {column}, [number] does not work in Collect: write [position() = ...].",
    "not-a-number": "In {column}, '{literal}' stands where a number is expected: the result is blank.",
    "no-such-choice": "In {column}, {question} is compared with '{literal}', which is none of its choices. It is never"
    " true.",
    "multiple-equals": "In {column}, {question} may have several answers, and = compares them all at once: write"
    " selected(${{{question}}}, '{literal}').",
    "optional-in-sum": "In {column}, {question} may be blank, and then the result is blank: write"
    " coalesce(${{{question}}}, 0).",
    "large-number": "In {column}, numbers above 2,147,483,647 are printed with an exponent by Collect.",
    "choice-space": "The choice '{choice}' has a space in its name: a question with several answers cannot tell it from"
    " two choices.",
    "choice-comma": "The choice '{choice}' has a comma or a space in its name: exports and other programs read it as"
    " two. Use letters, digits and _.",
    "choice-twice": "The choice '{choice}' is in the list {list} more than once.",
    "no-choices": "There is no choice in the list {list}.",
    "none-with-others": "'{choice}' can be chosen together with other answers: add not(selected(., '{choice}') and"
    " count-selected(.) > 1) as a constraint.",
    "long-number": "Collect takes nine digits in a whole number, and the constraint allows more: make it a decimal.",
    "money-without-bound": "Collect takes nine digits in a whole number: give the amount an upper bound, or make it a"
    " decimal if it may reach 1,000,000,000.",
    "before-consent": "This is recorded as soon as the form opens, before anyone could consent.",
    "count-without-bound": "The repeat is as long as {question} says, which has no constraint: a slip of the finger"
    " makes thousands.",
    "required-unseen": "It is required but never shown: nobody can fill it in.",
    "merge-unknown": "There is no way to merge called '{policy}': write flag, latest, max, min, union, append or key.",
    "merge-misfit": "Answers to a question of this kind ({type}) cannot be merged by {policy}.",
    "merge-key-alone": "A key tells the entries of a repeat apart: it belongs to a question inside a repeat.",
    "merge-key-twice": "This repeat has more than one key: leave one.",
    "merge-without-key": "A repeat without a key is merged as one answer, so {policy} has no effect here: make the"
    " question that tells its entries apart the key.",
    "no-label": "It is shown without a label.",
    "unknown-type": "No app knows the type '{type}': the answer is taken as text.",
    "bound-twice": "It has two sets of rules (binds), and apps differ on which one counts.",
    "bind-without-question": "The form has rules for '{path}', but no such question: they do nothing.",
    "unknown-element": "<{element}> in the body means nothing to this server, nor to most apps.",
    "asked-twice": "It is asked in two places with different choices: which of them were offered cannot be checked.",
    "choices-not-checked": "Its choices come from {nodeset}, which this server cannot look up: they are not checked.",
    "sealed": "Answers arrive sealed with the form's public key. They are kept, but nobody without the private key can"
    " read them: this server cannot check, show or count them, and only ODK Collect can fill the form in.",
    "sent-elsewhere": "Devices send the answers to {address}, wherever they got the form: remove submission_url from"
    " the settings if they should come here.",
    "no-client": "No app that speaks to this server can fill in a question of this kind ({type}).",
    "outside-app": "It is answered by another app ({app}), which must be on every device; our tablet app asks for it as"
    " plain text.",
    "unjudged-chance": "In {column}, the outcome depends on chance or on a moment that is gone (random, uuid, once):"
    " the server does not check this rule.",
    "unjudged-device": "In {column}, only the device knows the outcome: the server does not check this rule.",
    "unjudged-language": "In {column}, the outcome depends on the language that the device showed: the server does not"
    " check this rule.",
    "unjudged-history": "Nobody can tell afterwards whether it was locked while it was answered: the server does not"
    " check this rule.",
    "unjudged-bounds": "Its range is not made of numbers: the server does not check it.",
    "no-constraint-message": "It has a rule but no constraint_message: an enumerator reads only that the answer is"
    " wrong, not what would be right.",
    "pii-unmarked": "It seems to ask for personal data. Mark it in a column pii (name, contact, id, address,"
    " place or other), so that whoever exports knows.",
    "no-version": "The form has no version: corrected forms cannot be told apart. Write one in the settings sheet, for"
    " example 2026112501.",
    "version-format": "The version '{version}' is not of the form yyyymmddrr (2026112501): versions written so rise by"
    " themselves and say when they were made.",
    "no-instance-name": "The records will all be called by the form's title: write an instance_name in the settings"
    " sheet (a calculation, for example of a code and a date).",
    "no-clock": "The form does not record when it was begun and ended (questions of type start and end): dates are"
    " checked less strictly, and nobody can see how long an interview took.",
    "missing-translation": "{count} texts have no words in {language}, the first at {place}: people who read it see"
    " another language there.",
    "conversion": "{said}",
}
CONVERSION = "conversion"
"""The code of what the conversion of a workbook says in its own words."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know about one node; `code` is its name, `params` fill its sentence, `column` is the workbook's."""

    severity: Severity
    path: str
    code: str
    params: Mapping[str, str] = field(default_factory=dict)
    column: str = ""
    sheet: str = ""
    """"survey" is what a path means; "choices" and "settings" are said."""

    @property
    def message(self) -> str:
        return fill(SENTENCES[self.code], self.params)

    def as_fault(self) -> Fault:
        """As it goes over a wire; its row is not known yet."""
        return fault(
            SENTENCES[self.code],
            params=self.params,
            severity=self.severity,
            code=self.code,
            sheet=self.sheet,
            column=self.column,
            path=tuple(self.path.split("/")) if self.path else (),
        )


def notice(
    code: str,
    path: Path = (),
    severity: Severity = Severity.WARNING,
    *,
    column: str = "",
    sheet: str = "",
    params: Mapping[str, str] | None = None,
) -> Notice:
    """A notice; a sentence that names its column gets it."""
    filled = {**(params or {}), **({"column": column} if "{column}" in SENTENCES[code] else {})}
    return Notice(severity, "/".join(path), code, filled, column, sheet)
