"""`lapangan jobs`."""

from __future__ import annotations

import signal
import threading

import click
from sqlalchemy import select

from server import scheduler
from server.clock import now
from server.commands.database import Opened, opened
from server.commands.screen import attention, done, out, table
from server.commands.screen import gettext as _
from sync.consolidate import JOBS
from sync.models import JobRun


@click.group(invoke_without_command=True)
@click.pass_context
def jobs(context: click.Context) -> None:
    """The scheduled jobs. Without a command, run them in this process until Ctrl-C."""
    if context.invoked_subcommand is None:
        _lead()


@jobs.command("list")
def list_() -> None:
    """The jobs, and when each is due."""
    with opened() as installation:
        shown = table(_("Job"), _("What it does"), _("Next run"), _("Last run"))
        for name, job in JOBS.items():
            due = scheduler.next_slot(job, installation.settings, now())
            shown.add_row(
                name,
                _titles().get(name, job.title),
                f"{due:%Y-%m-%d %H:%M %Z}" if due else "–",
                _last(installation, name),
            )
    out.print(shown)


@jobs.command()
@click.argument("name", type=click.Choice(sorted(JOBS)))
def once(name: str) -> None:
    """Run one job now, and wait for it."""
    with opened() as installation:
        run = scheduler.run_once(installation.settings, installation.engine, installation.blobs, name)
    if run.outcome != "done":
        attention(_("%(job)s failed: %(error)s", job=name, error=run.error))
        raise SystemExit(1)
    done(_("%(job)s is done.", job=name))
    for file in run.files:
        out.print(f"  {installation.settings.data_dir / 'exports' / file['name']}", markup=False, soft_wrap=True)


def _lead() -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    with opened() as installation:
        running = scheduler.start(installation.settings, installation.engine, installation.blobs)
        done(_("The jobs run in this process. Stop it with Ctrl-C."))
        try:
            while not stopping.wait(0.5):
                pass
        finally:
            running.stop()
    done(_("Stopped."))


def _titles() -> dict[str, str]:
    """As sync.consolidate.JOBS has them; written out here, where the translations are gathered."""
    return {
        "consolidate": _("Consolidate the approved records"),
        "sweep": _("Judge what arrived during an interruption"),
        "replay": _("Judge again what came before its form"),
        "backup": _("Back up the database and the attachments"),
        "peers": _("Exchange with other servers"),
        "forget": _("Forget what was deleted long ago"),
        "retention": _("Delete attachments whose time is over"),
        "cleanup": _("Delete expired sessions, codes and uploads"),
    }


def _last(installation: Opened, name: str) -> str:
    with installation.reading() as session:
        latest = select(JobRun).where(JobRun.name == name).order_by(JobRun.started_at.desc()).limit(1)
        run = session.scalar(latest)
        if run is None:
            return _("never")
        return f"{run.started_at:%Y-%m-%d %H:%M} UTC, {_(run.outcome)}"
