"""`lapangan quarantine`."""

from __future__ import annotations

import click

from server.clock import now
from server.commands.database import opened
from server.commands.database import project as project_of
from server.commands.screen import attention, done, out, table
from server.commands.screen import gettext as _
from sync import find, release
from sync.access import SYSTEM
from sync.verdict import Why

NUMBER = click.option("--project", "number", type=int, default=1, show_default=True, help="The project's number.")


@click.group()
def quarantine() -> None:
    """What arrived but could not be placed."""


@quarantine.command("list")
@NUMBER
def list_(number: int) -> None:
    """The reasons, and how many items were put aside for each."""
    with opened() as installation, installation.reading() as session:
        reasons = find.quarantine_reasons(session, project_of(session, number))
    if not reasons:
        done(_("Nothing is in quarantine."))
        return
    shown = table(_("Reason"), _("Items"), numbers=frozenset({1}))
    for why, count in reasons.items():
        shown.add_row(why, str(count))
    out.print(shown)


@quarantine.command()
@click.argument("why", type=click.Choice([why.value for why in Why if why is not Why.NONE]))
@NUMBER
def replay(why: str, number: int) -> None:
    """Judge again all that was put aside for this reason: after a form was published, for example."""
    with opened() as installation:
        with installation.reading() as session:
            project_id = project_of(session, number).project_id
        found = release.replay(installation.engine, project_id, Why(why), actor=SYSTEM, now=now())
    done(_("Released: %(count)d.", count=found.released))
    if found.stayed:
        attention(_("Still in quarantine, since the reason is still there: %(count)d.", count=found.stayed))
