"""What is to be said about a form, in a table: where it is in the workbook, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape

from forms.errors import BrokenForm
from forms.fault import Fault, broken, told
from server.commands.screen import gettext as _
from server.commands.screen import out, table

STYLES: Mapping[str, str] = {"error": "red", "warning": "yellow", "info": "cyan"}


def show(faults: Iterable[Fault]) -> None:
    """Errors first, then warnings, then suggestions; each by sheet, row and column."""
    titles = {"error": _("error"), "warning": _("warning"), "info": _("suggestion")}
    shown = table("", _("Sheet"), _("Row"), _("Column"), _("Question"), _("What to look at"))
    for one in sorted(faults, key=lambda one: list(titles).index(one["severity"])):
        mark = f"[{STYLES[one['severity']]}]{titles[one['severity']]}[/]"
        place = (str(one.get(name) or "") for name in ("sheet", "row", "column", "question"))
        shown.add_row(mark, *map(escape, (*place, told(one, _))))
    out.print(shown)


def faults_of(refusal: BrokenForm) -> list[Fault]:
    """What the refusal lists, at least itself."""
    found: list[dict[str, Any]] = (
        refusal.members.get("faults") or broken([{"message": refusal.detail or refusal.title()}]).members["faults"]
    )
    return found
