"""`lapangan device`: the field client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from forms.definition import Answers
from server.commands import finding
from server.commands.device_words import (
    Bar,
    show_assignments,
    show_ended,
    show_inbox,
    show_receipts,
    show_status,
    show_synced,
)
from server.commands.screen import attention, done, out, refuse, table
from server.commands.screen import gettext as _
from sync.device import FieldDevice, Watch, Work, read_answers_file
from sync.device.errors import BreaksRules, NotEnrolled, UnreadableAnswers
from sync.device.progress import unwatched
from sync.device.store import FILE_NAME

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which device folder, and who uses it."""

    folder: Path
    user: str


@click.group()
@click.option("--folder", type=FOLDER, default="lapangan-device", show_default=True, help="Where it keeps everything.")
@click.option("--user", default="", help="Who collects; written into new records.")
@click.pass_context
def device(context: click.Context, folder: Path, user: str) -> None:
    """Collect on this computer without network, and send when there is some."""
    context.obj = Chosen(folder, user)


@device.command()
@click.argument("url_or_code")
@click.option("--server", default="", help="The server's address, when only a code was given.")
@click.option("--again", is_flag=True, help="Renew the access of a folder that the server no longer knows.")
@click.pass_obj
def enrol(chosen: Chosen, url_or_code: str, server: str, again: bool) -> None:
    """Connect this folder to a project. Give the address or the code that the supervisor shows."""
    with FieldDevice(chosen.folder) as opened:
        member = opened.enrol(url_or_code, server, again=again)
        done(_("This device is %(device)s in %(project)s.", device=member.device_name, project=member.project_name))
    _pull(chosen)


@device.command()
@click.argument("address")
@click.pass_obj
def move(chosen: Chosen, address: str) -> None:
    """Tell this folder that the server has another ADDRESS now. What waits here goes there."""
    with _opened(chosen) as opened:
        member = opened.move(address)
        done(_("%(project)s is at %(address)s now.", project=member.project_name, address=member.base))


@device.command()
@click.pass_obj
def pull(chosen: Chosen) -> None:
    """Get forms, lists and returned records. Nothing is sent."""
    _pull(chosen)


@device.command()
@click.pass_obj
def forms(chosen: Chosen) -> None:
    """The forms that can be filled in on this device."""
    with _opened(chosen) as opened:
        shown = table(_("Form"), _("Title"), _("Version"), _("Use"))
        for form in opened.forms():
            use = _("closed") if not form.is_open else "" if form.is_current else _("earlier version")
            shown.add_row(form.form_id, form.title, form.version, use, style="" if form.is_current else "dim")
    out.print(shown)


@device.command()
@click.argument("form_id")
@click.option("--answers", "file", type=FILE, required=True, help=".json, .csv or .xlsx, one record a line.")
@click.option("--media", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of the photos.")
@click.option("--version", "version_", default="", help="An earlier version of the form.")
@click.option("--as-is", is_flag=True, help="Keep answers that break rules; the supervisor will see that.")
@click.option("--assignment", default="", help="For this one: whom it is about is filled in where nothing is answered.")
@click.pass_obj
def add(
    chosen: Chosen, form_id: str, file: Path, media: Path | None, version_: str, as_is: bool, assignment: str
) -> None:
    """Keep new records on this device. They are checked by the form's own rules; no network is needed."""
    with _opened(chosen) as opened:
        definition = opened.library.compiled(form_id, version_).definition
        records = read_answers_file(file, definition)
        if assignment:
            records = [opened.answers_for(assignment, form_id, answers, version_) for answers in records]
        work = Work(version=version_, as_is=as_is)
        kept = sum(_add_one(opened, form_id, answers, media, work) for answers in records)
    if kept < len(records):
        attention(_("Records kept: %(kept)d of %(all)d.", kept=kept, all=len(records)))
        if kept:
            attention(_("Before you try again, take those out of the file: they would be kept twice."))
        raise SystemExit(1)


@device.command()
@click.argument("instance_id")
@click.option("--answers", "file", type=FILE, required=True, help="The answers that change.")
@click.option("--media", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder of new photos.")
@click.option("--as-is", is_flag=True, help="Keep answers that break rules; the supervisor will see that.")
@click.pass_obj
def correct(chosen: Chosen, instance_id: str, file: Path, media: Path | None, as_is: bool) -> None:
    """Correct a record that came back. No network is needed."""
    with _opened(chosen) as opened:
        received = opened.received(instance_id)
        definition = opened.library.compiled(received.form_id, received.version).definition
        (answers, *more) = read_answers_file(file, definition)
        if more:
            raise UnreadableAnswers(_("One record is corrected at a time."))
        try:
            added = opened.correct(received.instance_id, answers, _files(media), Work(as_is=as_is))
        except BreaksRules as broken:
            finding.show(definition, broken.findings)
            raise
        done(_("Corrected: %(name)s. It waits to be sent.", name=added.instance_name or added.instance_id))


@device.command()
@click.pass_obj
def assignments(chosen: Chosen) -> None:
    """Who is to be visited, with which form, by when. Records that wait on this device count as done."""
    with _opened(chosen) as opened:
        show_assignments(opened.assignments())


@device.command()
@click.pass_obj
def status(chosen: Chosen) -> None:
    """What waits, what is safe, what needs attention."""
    with _opened(chosen) as opened:
        show_status(opened.membership(), opened.status())


@device.command()
@click.pass_obj
def sync(chosen: Chosen) -> None:
    """Send what waits, then get what is new. Interrupt it at any time: the next run goes on from there."""
    with Bar() as bar, _opened(chosen, bar.watch) as opened:
        synced = opened.sync()
    show_synced(synced)


@device.command()
@click.pass_obj
def receipts(chosen: Chosen) -> None:
    """What became of each record. Everything that this device has made, and the server's words about it."""
    with _opened(chosen) as opened:
        show_receipts(opened.receipts())


@device.command()
@click.pass_obj
def inbox(chosen: Chosen) -> None:
    """What came back to be corrected. Each record is shown with the supervisor's remarks."""
    with _opened(chosen) as opened:
        show_inbox(opened)
        opened.inbox.mark_seen()


@contextmanager
def _opened(chosen: Chosen, watch: Watch = unwatched) -> Iterator[FieldDevice]:
    if not (chosen.folder / FILE_NAME).exists():
        raise NotEnrolled(str(chosen.folder))
    with FieldDevice(chosen.folder, watch=watch, user=chosen.user) as opened:
        yield opened


def _pull(chosen: Chosen) -> None:
    with Bar() as bar, _opened(chosen, bar.watch) as opened:
        pulled = opened.pull()
    for form in pulled.forms:
        done(_("New form: %(form)s, version %(version)s", form=form.form_id, version=form.version))
    show_ended(pulled)
    done(_("Up to date. Changes received: %(records)d.", records=pulled.records))


def _add_one(opened: FieldDevice, form_id: str, answers: Answers, media: Path | None, work: Work) -> bool:
    try:
        added = opened.add(form_id, answers, _files(media), work)
    except BreaksRules as broken:
        refuse(broken)
        finding.show(opened.library.compiled(form_id, work.version).definition, broken.findings)
        return False
    done(_("Kept: %(name)s. It waits to be sent.", name=added.instance_name or added.instance_id))
    if added.findings:
        finding.show(opened.library.compiled(form_id, work.version).definition, added.findings)
    return True


def _files(folder: Path | None) -> dict[str, bytes | Path]:
    return {file.name: file for file in sorted(folder.iterdir()) if file.is_file()} if folder else {}
