"""`lapangan project`."""

from __future__ import annotations

import click

from server.clock import now
from server.commands.database import opened
from server.commands.screen import done, out, table
from server.commands.screen import gettext as _
from sync import projects
from sync.access import SYSTEM


@click.group()
def project() -> None:
    """The studies on this server."""


@project.command()
@click.argument("name")
@click.option("--description", default="")
def create(name: str, description: str) -> None:
    """Begin a study."""
    with opened() as installation, installation.writing() as session:
        made = projects.create_project(session, name=name, description=description, actor=SYSTEM, now=now())
    done(_("Project %(number)s: %(name)s", number=made.number, name=made.name))


@project.command("list")
def list_() -> None:
    """The studies and their numbers."""
    with opened() as installation, installation.reading() as session:
        shown = table(_("Number"), _("Project"), _("Note"), numbers=frozenset({0}))
        for found in projects.visible(session, SYSTEM):
            shown.add_row(str(found.number), found.name, _("synthetic data") if found.is_synthetic else "")
    out.print(shown)
