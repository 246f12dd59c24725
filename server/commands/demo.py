"""`lapangan demo`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.markup import escape
from rich.progress import Progress, TaskID

from config import Settings, from_env
from forms.library.sample import fieldwork_day
from server import scheduler
from server.commands.database import Opened, opened
from server.commands.screen import attention, done, out, progress, size, table
from server.commands.screen import gettext as _
from server.demo import desk, people, study
from server.demo.desk import Clash, Reviewed
from server.demo.fieldwork import Play, Tablet, tablets, unenrolled
from server.demo.people import LogIn
from server.serving import PortTaken, Serving
from sync.access import Role
from sync.models import Project

OTHER_STEPS = 23
"""Of the progress bar: publishing, enrolling, reviewing, consolidating."""


@click.command()
@click.option("--host", help="The address to listen on. Else LAPANGAN_HOST, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Else LAPANGAN_PORT, 8080.")
@click.option("--once", "--no-serve", "once", is_flag=True, help="End after the day has been played.")
def demo(host: str | None, port: int | None, once: bool) -> None:
    """Show everything on synthetic data. Loads the shipped study, plays a fieldwork day through the real door of three
    devices, and leaves the server running.

    A second run keeps all data. It draws new passwords for the log-ins of the demonstration, unless you have set
    your own: passwords are never stored in a form that could be shown again."""
    settings = from_env()
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    settings = replace(settings, log_level="WARNING")
    with opened(settings) as installation:
        log_ins = people.ensure_people(installation)
        server = _server(settings, any_port=port is None)
        server.start()
        try:
            _play(installation, server)
            _tell_log_ins(server, log_ins)
            if not once:
                server.stop_on_signals()
                server.join()
        except KeyboardInterrupt:
            attention(_("Interrupted. Run the same command again: it goes on where it stopped."))
            raise SystemExit(130) from None
        finally:
            server.stop()
            server.join()
    done(_("Stopped. Everything that was received is kept."))


def _server(settings: Settings, *, any_port: bool) -> Serving:
    """On the wanted port, or on a free one when nobody has asked for that one by name."""
    try:
        return Serving(settings)
    except PortTaken:
        if not any_port:
            raise
        attention(_("Port %(port)s is in use; another one is taken.", port=settings.port))
        return Serving(replace(settings, port=0))


def _play(installation: Opened, server: Serving) -> None:
    project = study.ensure_project(installation)
    folder = installation.settings.data_dir / "demo"
    played = folder / "played"
    if played.exists():
        for tablet in tablets(folder):
            tablet.move(server.url)
        done(_("The demonstration is here already; its data are kept as they are."))
        return
    out.print(f"[bold]{escape(project.name)}[/] – {escape(_('a synthetic fieldwork day'))}")
    out.print(_("Nothing in it was said or measured by anyone."), style="dim")
    told = _fieldwork(installation, server, project, folder)
    played.write_text(f"{told.day}\n")
    _tell_day(installation, project, told)


@dataclass(frozen=True, slots=True)
class _Told:
    day: str
    tablets: Sequence[Tablet]
    reviewed: Reviewed
    consolidated: bool


class _Steps:
    """The progress bar over the whole day."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task: TaskID = bar.add_task(_("Preparing"), total=total, about="")

    def __call__(self, about: str, count: int) -> None:
        self._bar.update(self._task, advance=count, about=about)

    def begin(self, words: str) -> None:
        self._bar.update(self._task, description=words, about="")


def _fieldwork(installation: Opened, server: Serving, project: Project, folder: Path) -> _Told:
    yesterday = datetime.now(ZoneInfo(installation.settings.timezone)).date() - timedelta(days=1)
    day = fieldwork_day(day=yesterday)
    with progress() as bar:
        steps = _Steps(bar, 2 * len(day.visits) + OTHER_STEPS)
        play = Play(day, tablets(folder), server.url, steps)
        _publish(installation, project, steps, newest=False)
        steps.begin(_("Enrolling three devices"))
        play.enrol(_codes(installation, project, play.tablets))
        steps("", 3)
        steps.begin(_("Morning: registering informants"))
        play.morning()
        _publish(installation, project, steps, newest=True)
        steps.begin(_("Assigning the visits"))
        desk.assign_day(installation, project, day, yesterday, dict(enumerate(_enumerators())))
        steps("", 1)
        steps.begin(_("Offline: interviews, observations, documents"))
        play.afternoon()
        steps.begin(_("Evening: sending"))
        play.evening()
        steps.begin(_("The supervisor reviews"))
        reviewed = desk.review_day(installation, project)
        steps("", 5)
        play.night()
        steps("", 3)
        steps.begin(_("Consolidating"))
        run = scheduler.run_once(installation.settings, installation.engine, installation.blobs, "consolidate")
        steps("", 5)
    return _Told(str(yesterday), play.tablets, reviewed, run.outcome == "done")


def _publish(installation: Opened, project: Project, steps: _Steps, *, newest: bool) -> None:
    for form_id, name, content in study.workbooks(newest=newest):
        steps.begin(_("Publishing forms"))
        steps(form_id, 1)
        study.publish_workbook(installation, project, name, content)


def _enumerators() -> list[str]:
    """Their e-mail addresses, by device."""
    return [part.email for part in people.PARTS if part.role is Role.ENUMERATOR]


def _codes(installation: Opened, project: Project, found: Sequence[Tablet]) -> dict[int, str]:
    emails = _enumerators()
    wanted = {tablet.index: (f"Tablet {tablet.index + 1}", emails[tablet.index]) for tablet in unenrolled(found)}
    return desk.invite(installation, project, wanted)


def _tell_day(installation: Opened, project: Project, told: _Told) -> None:
    shown = table(
        *(_("Device"), _("Sent"), _("Accepted"), _("Sent twice"), _("Flagged"), _("Conflicts"), _("Photos")),
        numbers=frozenset(range(1, 7)),
    )
    clashes = desk.clashes(installation, project)
    for tablet in told.tablets:
        shown.add_row(*_line(tablet, clashes))
    out.print()
    out.print(shown)
    for clash in clashes:
        words = _("Two devices changed %(what)s of %(who)s without seeing each other: both values are kept.")
        attention(words % {"what": clash.path, "who": clash.label} + f" ({' / '.join(clash.values)})")
    if told.reviewed.returned:
        attention(_("Records that break a rule of their form and went back: %(count)d.", count=told.reviewed.returned))
    done(_("Records that the supervisor approved: %(count)d.", count=told.reviewed.approved))
    _tell_finding(installation, project)


def _line(tablet: Tablet, clashes: Sequence[Clash]) -> tuple[str, ...]:
    receipts, device_id = tablet.receipts(), tablet.device_id()
    return (
        tablet.enumerator,
        str(len(receipts) + tablet.duplicates),
        str(sum(one.verdict in ("accepted", "merged", "conflict") for one in receipts)),
        str(tablet.duplicates),
        str(sum(bool(one.errors or one.warnings) for one in receipts)),
        str(sum(device_id in clash.device_ids for clash in clashes)),
        f"{sum(one.files_sent for one in receipts)} ({size(tablet.photo_bytes)})",
    )


def _tell_finding(installation: Opened, project: Project) -> None:
    found = desk.finding_of_the_study(installation, project)
    if found is not None and found.mean is not None:
        words = _("Computed from %(n)d approved interviews: income changed by %(mean).1f %% on average.")
        done(words % {"n": found.n, "mean": found.mean})


def _tell_log_ins(server: Serving, log_ins: Sequence[LogIn]) -> None:
    shown = table(_("Log in as"), _("Password"), _("Who"))
    for log_in in log_ins:
        part = log_in.part
        who = f"{part.name}, {_(part.role.value)}" if part.role and part.role.value not in part.email else part.name
        shown.add_row(part.email, log_in.password or _("the one that you set"), who)
    out.print()
    out.print(shown)
    out.print()
    url = server.settings.base_url or server.url
    out.print(f"[bold green]{escape(_('Lapangan is running at %(url)s', url=url))}[/]", soft_wrap=True)
    out.print(_("Stop it with Ctrl-C. Run the same command again to go on; the data stay."), style="dim")
