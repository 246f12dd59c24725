"""`lapangan form pdf` and `lapangan form docx`: a form to print, for days without a tablet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from forms.definition import FormDefinition
from forms.errors import Kind, Problem
from forms.paper.words import languages_of
from server.commands.database import opened, project
from server.commands.named_form import named_form
from server.commands.screen import done, language
from server.commands.screen import gettext as _
from server.paper import language_of, printed


class OneFile(Problem):
    """This form speaks several languages, and one file holds one. Say which: --language id; or name a folder."""

    kind = Kind.INVALID
    slug = "form/one-file"


def _command(kind: str, about: str) -> Callable[[Callable[..., None]], click.Command]:
    """The options that both commands share."""

    def decorate(function: Callable[..., None]) -> click.Command:
        function = click.option(
            "--project", "number", type=int, default=1, show_default=True, help="Of a published form."
        )(function)
        function = click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            default=Path(),
            help="The file, or the folder for one file a language. Default: this folder.",
        )(function)
        function = click.option(
            "-l", "--language", "wanted", default="", help="One language only: its code (id, en) or its name."
        )(function)
        function = click.argument("form")(function)
        return click.command(name=kind, help=about)(function)

    return decorate


_ABOUT = """Make {file} of a form to print, with boxes, circles and lines for a pen: one in each of its languages.

FORM is a workbook, an XForm, or the form ID of a published form."""


@_command("pdf", _ABOUT.format(file="a PDF file"))
def pdf(form: str, wanted: str, output: Path, number: int) -> None:
    _make("pdf", form, wanted, output, number)


@_command("docx", _ABOUT.format(file="a Word document"))
def docx(form: str, wanted: str, output: Path, number: int) -> None:
    _make("docx", form, wanted, output, number)


def _make(kind: str, form: str, wanted: str, output: Path, number: int) -> None:
    with named_form(form, number) as (compiled, _lists):
        definition = compiled.definition
    languages = [language_of(definition, wanted, language())] if wanted else list(languages_of(definition))
    is_file = output.suffix.lower() == f".{kind}" and not output.is_dir()
    if is_file and len(languages) > 1:
        raise OneFile(", ".join(languages))
    study = "" if Path(form).is_file() else _study(number)
    for one in languages:
        _write(definition, kind, one, output, study, is_file=is_file)


def _write(definition: FormDefinition, kind: str, one: str, output: Path, study: str, *, is_file: bool) -> None:
    made = printed(definition, kind, one, reader=language(), study=study)
    file = output if is_file else output / made.name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(made.content)
    done(_("%(file)s is written: print it double-sided on A4.", file=str(file)))


def _study(number: int) -> str:
    with opened() as installation, installation.reading() as session:
        return project(session, number).name
