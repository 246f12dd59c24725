"""`lapangan form compare`: what differs between two versions of a form, and what the new one would say to records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson
from rich.markup import escape

from forms.check import CompiledForm
from forms.definition import FormDefinition, say
from forms.fault import Fault, told
from forms.finding import Severity
from forms.versions import Change, compare, conflicts
from server.commands.database import opened, project
from server.commands.fault import STYLES
from server.commands.finding import question, sentence
from server.commands.named_form import named_form
from server.commands.screen import attention, done, language, out, table
from server.commands.screen import gettext as _
from sync.access import SYSTEM
from sync.outlook import Failing, outlook


@click.command(name="compare")
@click.argument("old")
@click.argument("new")
@click.option("--answers", "with_answers", is_flag=True, help="Also judge the project's records of the form by NEW.")
@click.option(
    "--project", "number", type=int, default=1, show_default=True, help="Of a published form, and of records."
)
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
def compare_forms(old: str, new: str, with_answers: bool, number: int, as_json: bool) -> None:
    """Say in plain words what differs between two versions of a form.

    OLD and NEW are workbooks, XForms, or the form ID of a published form. Ends with 0 when no answer that exists is
    touched, with 1 when some may be, and with 2 when NEW changes the type of a question so that it would be refused."""
    with named_form(old, number) as (before, _lists), named_form(new, number) as (after, _new_lists):
        refused = conflicts([before.definition], after.definition)
        changes = [*refused, *compare(before.definition, after.definition)]
    failing, total = _failing(after, number) if with_answers else ([], 0)
    if as_json:
        _print_json(changes, failing)
    else:
        _tell(changes)
        if with_answers:
            _tell_failing(after.definition, failing, total)
    raise SystemExit(_code(changes, failing))


def _code(changes: Sequence[Change], failing: Sequence[Failing]) -> int:
    severities = {change.severity for change in changes}
    if Severity.ERROR in severities:
        return 2
    return 1 if Severity.WARNING in severities or failing else 0


def _failing(new: CompiledForm, number: int) -> tuple[list[Failing], int]:
    """Every record that the new version finds something in, page by page."""
    with opened() as installation, installation.reading() as session:
        into = project(session, number)
        page = outlook(session, into, new, actor=SYSTEM)
        found = list(page.failing)
        while page.after:
            session.expunge_all()
            into = project(session, number)
            page = outlook(session, into, new, actor=SYSTEM, after=page.after)
            found += page.failing
        return found, page.total


def _tell(changes: Sequence[Change]) -> None:
    if not changes:
        done(_("Nothing differs."))
        return
    shown = table(_("Question"), _("What changes"))
    for change in changes:
        one = change.as_fault()
        shown.add_row(
            escape(_about(one)), escape(told(one, _)), style=STYLES[change.severity.value] if _touches(change) else ""
        )
    out.print(shown)


def _touches(change: Change) -> bool:
    return change.severity is not Severity.INFO


def _about(one: Fault) -> str:
    words = say(one["label"], language())
    return f"{words} ({one['path']})" if words else one["path"] or _("The whole form")


def _tell_failing(definition: FormDefinition, failing: Sequence[Failing], total: int) -> None:
    if not failing:
        done(_("All %(total)d records fit the new version.", total=total))
        return
    attention(_("%(count)d of %(total)d records would be noticed.", count=len(failing), total=total))
    shown = table(_("Record"), _("Question"), _("Answer"), _("What to look at"))
    for record in failing:
        for one in record.findings:
            row = (record.instance_name or record.instance_id, question(definition, one.path), one.value, sentence(one))
            shown.add_row(*map(escape, row))
    out.print(shown)


def _print_json(changes: Sequence[Change], failing: Sequence[Failing]) -> None:
    shape: Mapping[str, Any] = {
        "changes": [change.as_fault() for change in changes],
        "failing": [
            {
                "instance_id": record.instance_id,
                "version": record.version,
                "findings": [{"rule": one.rule.value, "path": one.path, "value": one.value} for one in record.findings],
            }
            for record in failing
        ],
    }
    click.echo(orjson.dumps(shape, option=orjson.OPT_INDENT_2))
