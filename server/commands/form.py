"""`lapangan form`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from forms.errors import BrokenForm, MalformedXml, Problem, UnreadableWorkbook, UnsafeXml, WorkbookTooLarge
from forms.fault import Fault
from forms.form_file import FormFile, read_form_file
from server.clock import now
from server.commands import fault
from server.commands.database import opened, project
from server.commands.form_answers import answers
from server.commands.form_compare import compare_forms
from server.commands.form_paper import docx, pdf
from server.commands.screen import attention, done, refuse
from server.commands.screen import gettext as _
from sync import publish as publishing
from sync.access import SYSTEM

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def form() -> None:
    """Forms: look for mistakes, try out, print, publish."""


form.add_command(answers)
form.add_command(compare_forms)
form.add_command(pdf)
form.add_command(docx)


@form.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="For machines: one JSON object.")
def check(file: Path, as_json: bool) -> None:
    """Look for mistakes in an XLSForm or XForm. Needs no server.

    Ends with 0 when there is nothing to confirm (suggestions may be shown), with 1 when there are warnings, and with 2
    when it cannot be published."""
    found, refusal = _read(file)
    faults = _faults(found, refusal)
    code = 2 if found is None else 1 if found.warnings else 0
    if as_json:
        about = _about(found) if found is not None else {}
        _print_json({**about, "ok": found is not None, "faults": faults})
        raise SystemExit(code)
    if refusal is not None:
        refuse(BrokenForm() if isinstance(refusal, BrokenForm) else refusal)
    if faults:
        fault.show(faults)
    if found is not None:
        tell = attention if found.warnings else done
        tell(_("%(form)s, version %(version)s: it can be published.", **_names(found)))
    raise SystemExit(code)


@form.command()
@click.argument("file", type=FILE)
@click.option("--project", "number", type=int, default=1, show_default=True, help="The project's number.")
@click.option("--ignore-warnings", is_flag=True, help="Publish although there are warnings, without asking.")
@click.option("--media", type=FOLDER, help="The folder with the form's files: lists (CSV), pictures, sound.")
def publish(file: Path, number: int, ignore_warnings: bool, media: Path | None) -> None:
    """Publish an XLSForm or XForm: devices use this version from now on. Earlier versions are kept."""
    found, refusal = _read(file)
    if refusal is not None:
        refuse(BrokenForm() if isinstance(refusal, BrokenForm) else refusal)
        fault.show(_faults(found, refusal))
    if found is None:
        raise SystemExit(1)
    if found.warnings:
        fault.show(found.warnings)
        _confirm(ignore_warnings)
    with opened() as installation, installation.writing() as session:
        into = project(session, number)
        given, form_id = _found_in(media, found), found.definition.form_id
        row = publishing.save_file(
            session, installation.blobs, into.project_id, found, media=given, actor=SYSTEM, now=now()
        )
        publishing.publish(session, into.project_id, form_id, actor=SYSTEM, now=now())
        named = publishing.form_attachments(session, into.project_id, form_id, row.version)
    done(_("%(form)s, version %(version)s, is published in %(project)s.", project=into.name, **_names(found)))
    missing = [one.name for one in named if not one.is_filled]
    if missing:
        attention(
            _("Files of the form are still missing: %(names)s. Publish it with --media.", names=", ".join(missing))
        )


def _confirm(ignores_warnings: bool) -> None:
    """Warnings are a person's to judge: asked for at a terminal, an option elsewhere."""
    if ignores_warnings:
        return
    if not sys.stdin.isatty():
        attention(_("Nothing was published. Correct the form, or publish it with --ignore-warnings."))
        raise SystemExit(1)
    click.confirm(_("Publish it although there are warnings?"), abort=True)


def _read(file: Path) -> tuple[FormFile | None, Problem | None]:
    try:
        return read_form_file(file.read_bytes(), file.name), None
    except (BrokenForm, UnreadableWorkbook, WorkbookTooLarge, UnsafeXml, MalformedXml) as refusal:
        return None, refusal


def _faults(found: FormFile | None, refusal: Problem | None) -> list[Fault]:
    if found is not None:
        return list(found.notices)
    return fault.faults_of(refusal) if isinstance(refusal, BrokenForm) else []


def _found_in(folder: Path | None, found: FormFile) -> dict[str, Path]:
    """Those files of the folder that the form names."""
    if folder is None:
        return {}
    return {name: file for name in found.definition.media if (file := folder / name).is_file()}


def _names(found: FormFile) -> dict[str, str]:
    return {"form": found.definition.form_id, "version": found.definition.version}


def _about(found: FormFile) -> dict[str, Any]:
    return {**_names(found), "title": found.definition.title}


def _print_json(value: Mapping[str, Any]) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
