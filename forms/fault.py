"""What is wrong with a form, and where: the entries of a BrokenForm's `faults`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from forms.definition import Path
from forms.errors import BrokenForm

Fault: TypeAlias = dict[str, Any]
"""sheet, row, column, question, path, message: JSON values; "" or None for what is not known."""


def fault(
    message: str,
    *,
    sheet: str = "",
    row: int | None = None,
    column: str = "",
    question: str = "",
    path: Path = (),
) -> Fault:
    return {
        "sheet": sheet,
        "row": row,
        "column": column,
        "question": question or (path[-1] if path else ""),
        "path": "/".join(path),
        "message": message,
    }


def broken(faults: Sequence[Mapping[str, Any]]) -> BrokenForm:
    """The refusal of a form with these faults (one at least); its own members name the first one's place."""
    complete = [fault("") | dict(one) for one in faults]
    first = complete[0]
    return BrokenForm(
        first["message"],
        sheet=first["sheet"],
        row=first["row"],
        column=first["column"],
        question=first["question"],
        faults=complete,
    )
