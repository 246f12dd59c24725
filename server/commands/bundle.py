"""`lapangan bundle`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from server.clock import now
from server.commands.database import Opened, opened
from server.commands.database import project as project_of
from server.commands.device_words import REASONS
from server.commands.screen import attention, done, out, progress, size, table
from server.commands.screen import gettext as _
from server.services import signing_key
from sync import peers
from sync.access import SYSTEM
from sync.bundles.key import fingerprint, read_word, word
from sync.bundles.manifest import Manifest
from sync.bundles.opened import Watch
from sync.bundles.pack import export as pack
from sync.bundles.take import Taken, take
from sync.parcel import OtherContent
from sync.verdict import Line, Outcome

NUMBER = click.option("--project", "number", type=int, default=1, show_default=True, help="The project's number.")


def _stages() -> Mapping[str, str]:
    return {"check": _("Checking the bundle"), "records": _("Records"), "files": _("Photos and files")}


def _outcomes() -> Mapping[str, str]:
    """In words, what a person may want to look at."""
    return {
        "quarantined": _("put aside; a supervisor must look at it"),
        "held": _("waits for what it builds on"),
        "conflict": _("somebody else changed the same thing"),
        "rejected": _("not taken: it is too large"),
    }


@click.group()
def bundle() -> None:
    """Where there is no line: what two servers exchange, in one signed file that somebody carries."""


@bundle.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@NUMBER
@click.option("--peer", "name", default="", help="The server that gets it: only what that one is not known to have.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only what came here on this day or later.")
def export_(file: Path, number: int, name: str, since: datetime | None) -> None:
    """Make a bundle: FILE, or a new file in the folder FILE (a USB stick).

    It is signed, not encrypted: keep the stick as you would keep the questionnaires."""
    with opened() as installation:
        with installation.reading() as session:
            project = project_of(session, number)
            peer = peers.named(session, name, project.project_id) if name else None
        place = file / f"lapangan-{now():%Y%m%d-%H%M%S}.zip" if file.is_dir() else file
        with _bar() as watch:
            made = pack(
                installation.engine,
                installation.blobs,
                place,
                project.project_id,
                key=signing_key(installation.settings),
                peer=peer,
                since=_day(installation, since),
                watch=watch,
                actor=SYSTEM,
                now=now(),
            )
    _tell_made(place, made)


@bundle.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--adopt", default="", metavar="FINGERPRINT", help="Trust its signer, and take its project over.")
@click.option("--name", default="", help="With --adopt: what its signer is called here.")
def import_(file: Path, adopt: str, name: str) -> None:
    """Take the bundle in FILE. What is here already is counted once; after an interruption simply run it again."""
    with opened() as installation, _bar() as watch:
        taken = take(
            installation.engine,
            installation.blobs,
            file,
            adopt=adopt,
            name=name,
            own_key=signing_key(installation.settings).public,
            watch=watch,
            actor=SYSTEM,
            now=now(),
        )
    _tell_taken(taken)
    raise SystemExit(int(not taken.is_whole))


@bundle.command()
def key() -> None:
    """The key of this server: give the line to the other one, and compare the fingerprint by telephone."""
    with opened() as installation, installation.reading() as session:
        public = signing_key(installation.settings).public
        server_id = peers.own_id(session)
    out.print(word(server_id, public), markup=False, soft_wrap=True)
    done(_("Fingerprint: %(fingerprint)s", fingerprint=fingerprint(public)))


@bundle.command()
@click.argument("name")
@click.argument("key")
@NUMBER
def trust(name: str, key: str, number: int) -> None:
    """Take bundles of the server with this KEY from now on; NAME is what it is called here."""
    told = read_word(key)
    with opened() as installation, installation.writing() as session:
        found = project_of(session, number)
        trusted = peers.trust(session, found.project_id, name, told, actor=SYSTEM, now=now())
    shown = fingerprint(told.public_key)
    done(_("Bundles of %(name)s (%(fingerprint)s) are taken from now on.", name=trusted.name, fingerprint=shown))


def _day(installation: Opened, day: datetime | None) -> datetime | None:
    """The first instant of the day where the fieldwork is."""
    if day is None:
        return None
    return day.replace(tzinfo=ZoneInfo(installation.settings.timezone)).astimezone(UTC)


@contextmanager
def _bar() -> Iterator[Watch]:
    with progress() as bar:
        task = bar.add_task("", total=None, about="")

        def watch(what: str, done_: int, total: int) -> None:
            about = f"{done_} / {total}" if total else str(done_)
            if what != "records":
                about = f"{size(done_)} / {size(total)}"
            bar.update(task, description=_stages()[what], completed=done_, total=total or None, about=about)

        yield watch


def _tell_made(file: Path, made: Manifest) -> None:
    told = {"file": file, "operations": made.operations, "files": made.files, "size": size(file.stat().st_size)}
    done(_("%(file)s: %(operations)d operations, %(files)d files, %(size)s.", **told))
    if not made.is_all:
        attention(
            _("There is more. Once it is imported there, bring a bundle of that server here, then make the next.")
        )
    done(_("On the other server, run: lapangan bundle import %(file)s", file=file.name))


def _tell_taken(taken: Taken) -> None:
    counts = {"new": taken.new, "known": taken.verdicts[Outcome.DUPLICATE.value]}
    words = _("From %(name)s: %(new)d new operations; %(known)d were here already.", name=_name(taken), **counts)
    done(words)
    if taken.files:
        done(_("Photos and files received: %(count)d (%(size)s).", count=taken.files, size=size(taken.files_size)))
    for outcome, about in _outcomes().items():
        if taken.verdicts[outcome]:
            attention(f"{taken.verdicts[outcome]}: {about}")
    if taken.lines:
        shown = table(_("Record"), _("What became of it"), _("Reason"))
        for line in taken.lines:
            shown.add_row(*_row(line))
        out.print(shown)
    _tell_forms(taken)
    if taken.has_gap:
        attention(
            _("An earlier bundle of that server is missing here. Import it, or bring that server a bundle from here.")
        )


def _tell_forms(taken: Taken) -> None:
    if taken.clashing:
        attention(f"{_(OtherContent.title())} {', '.join(taken.clashing)}")
    for named, why in taken.refused_forms:
        attention(_("The form %(form)s could not be taken. %(why)s", form=named, why=why))


def _name(taken: Taken) -> str:
    return taken.name or _("this server")


def _row(line: Line) -> tuple[str, str, str]:
    why = _(REASONS.get(line.why.value, line.why.value)) if line.why.value else ""
    what = _outcomes().get(line.outcome.value, line.outcome.value)
    return line.instance_name or line.instance_id or line.op_id, what, f"{why} {line.detail}".strip()
