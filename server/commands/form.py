"""`lapangan form`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import orjson

from forms.errors import BrokenForm
from forms.form_file import FormFile, read_form_file
from server.clock import now
from server.commands.database import opened, project
from server.commands.form_answers import answers
from server.commands.screen import attention, done, out, refuse, table
from server.commands.screen import gettext as _
from sync import publish as publishing
from sync.access import SYSTEM

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def form() -> None:
    """Forms: look for mistakes, try out, publish."""


form.add_command(answers)


@form.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
def check(file: Path, as_json: bool) -> None:
    """Look for mistakes in an XLSForm or XForm. Ends with 1 when it cannot be published."""
    try:
        found = read_form_file(file.read_bytes(), file.name)
    except BrokenForm as broken:
        _tell_broken(broken, as_json=as_json)
        raise SystemExit(1) from None
    if as_json:
        _print_json(_about(found) | {"ok": True, "faults": []})
        return
    _tell_warnings(found)
    done(_("%(form)s, version %(version)s: it can be published.", **_names(found)))


@form.command()
@click.argument("file", type=FILE)
@click.option("--project", "number", type=int, default=1, show_default=True, help="The project's number.")
def publish(file: Path, number: int) -> None:
    """Publish an XLSForm or XForm: devices use this version from now on. Earlier versions are kept."""
    try:
        found = read_form_file(file.read_bytes(), file.name)
    except BrokenForm as broken:
        _tell_broken(broken, as_json=False)
        raise SystemExit(1) from None
    with opened() as installation, installation.writing() as session:
        into = project(session, number)
        publish_file(session, into.project_id, found)
    _tell_warnings(found)
    done(_("%(form)s, version %(version)s, is published in %(project)s.", project=into.name, **_names(found)))


def publish_file(session: Any, project_id: str, found: FormFile) -> None:
    """The form is published in the caller's transaction."""
    publishing.save_draft(
        session,
        project_id,
        found.xform,
        workbook=found.workbook,
        workbook_name=found.workbook_name,
        warnings=found.warnings,
        actor=SYSTEM,
        now=now(),
    )
    publishing.publish(session, project_id, found.definition.form_id, actor=SYSTEM, now=now())


def _tell_broken(broken: BrokenForm, *, as_json: bool) -> None:
    faults: Sequence[Mapping[str, Any]] = broken.members.get("faults") or [
        {**broken.members, "message": broken.detail or broken.title()}
    ]
    if as_json:
        _print_json({"ok": False, "faults": list(faults)})
        return
    shown = table(_("Sheet"), _("Row"), _("Column"), _("Question"), _("What is wrong"))
    for fault in faults:
        place = (str(fault.get(name) or "") for name in ("sheet", "row", "column", "question"))
        shown.add_row(*place, str(fault.get("message") or ""))
    refuse(BrokenForm())
    out.print(shown)


def _tell_warnings(found: FormFile) -> None:
    for warning in found.warnings:
        attention(warning)


def _names(found: FormFile) -> dict[str, str]:
    return {"form": found.definition.form_id, "version": found.definition.version}


def _about(found: FormFile) -> dict[str, Any]:
    return {**_names(found), "title": found.definition.title, "warnings": list(found.warnings)}


def _print_json(value: Mapping[str, Any]) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
