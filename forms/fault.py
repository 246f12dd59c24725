"""What is to be said about a form, and where: a BrokenForm's `faults`, and the notices that stop nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from forms.definition import Path
from forms.errors import BrokenForm
from forms.finding import Severity
from forms.sentence import fill

Fault: TypeAlias = dict[str, Any]
"""severity, code, sheet, row, column, question, path, message, words, params: JSON values; "" or None for what is not
known. `message` is English; `words` and `params` are what `told` says it with in another language."""


def fault(
    words: str,
    *,
    params: Mapping[str, str] | None = None,
    severity: Severity = Severity.ERROR,
    code: str = "",
    sheet: str = "",
    row: int | None = None,
    column: str = "",
    question: str = "",
    path: Path = (),
) -> Fault:
    return {
        "severity": severity.value,
        "code": code,
        "sheet": sheet,
        "row": row,
        "column": column,
        "question": question or (path[-1] if path else ""),
        "path": "/".join(path),
        "message": fill(words, params or {}),
        "words": words,
        "params": dict(params or {}),
    }


def told(one: Mapping[str, Any], translate: Callable[[str], str] = str) -> str:
    """What is said, in the language of `translate`."""
    words = one.get("words")
    return fill(words, one.get("params") or {}, translate) if words else str(one.get("message") or "")


def as_kept(notices: Iterable[Any]) -> list[Fault]:
    """The notices that were kept with a form version; the first versions kept only sentences."""
    return [fault(one, severity=Severity.WARNING) if isinstance(one, str) else one for one in notices]


def warnings_among(notices: Iterable[Fault]) -> list[Fault]:
    """Those that must be confirmed before a form is published."""
    return [one for one in notices if one["severity"] == Severity.WARNING.value]


def broken(faults: Sequence[Mapping[str, Any]]) -> BrokenForm:
    """The refusal of a form with these faults (one at least); its own members name the first one's place."""
    complete = [fault(str(one.get("message") or "")) | dict(one) for one in faults]
    first = complete[0]
    return BrokenForm(
        first["message"],
        sheet=first["sheet"],
        row=first["row"],
        column=first["column"],
        question=first["question"],
        faults=complete,
    )
