"""The command `lapangan`."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Any

import click
from sqlalchemy.exc import OperationalError

from config import BadSetting
from forms.errors import Problem
from server.commands import screen
from server.commands.database import DatabaseUnreachable

COMMANDS: tuple[str, ...] = ("demo", "serve", "jobs", "doctor", "user", "project", "form", "device", "quarantine")
COMMANDS += ("backup", "restore", "retention", "peer", "bundle")
"""Each is the function of its name in the module of its name."""


class Lapangan(click.Group):
    """Commands whose refusals are one clear line and what to do, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        # Imported only when called: `lapangan device` on a small laptop needs neither the web server nor the jobs.
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"server.commands.{cmd_name}"), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Problem, BadSetting) as problem:
            screen.refuse(problem)
        except OperationalError as error:
            screen.refuse(DatabaseUnreachable(str(error.orig).strip().splitlines()[0]))
        except KeyboardInterrupt:
            screen.attention(screen.gettext("Interrupted. Nothing is lost; run it again to go on."))
        raise click.exceptions.Exit(1)


@click.group(cls=Lapangan, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("lapangan"), message="Lapangan %(version)s")
def main() -> None:
    """Lapangan: forms for fieldwork without network, checked and merged on a server of your own."""


if __name__ == "__main__":
    main()
