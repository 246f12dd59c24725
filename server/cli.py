"""The command `lapangan`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click
from sqlalchemy.exc import OperationalError

from config import BadSetting
from forms.errors import Problem
from server.commands import demo, device, doctor, form, jobs, project, screen, serve, user
from server.commands.database import DatabaseUnreachable


class Lapangan(click.Group):
    """Commands whose refusals are one clear line and what to do, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (Problem, BadSetting) as problem:
            screen.refuse(problem)
        except OperationalError as error:
            screen.refuse(DatabaseUnreachable(str(error.orig).strip().splitlines()[0]))
        raise click.exceptions.Exit(1)


@click.group(cls=Lapangan, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("lapangan"), message="Lapangan %(version)s")
def main() -> None:
    """Lapangan: forms for fieldwork without network, checked and merged on a server of your own."""


for command in (
    demo.demo,
    serve.serve,
    jobs.jobs,
    doctor.doctor,
    user.user,
    project.project,
    form.form,
    device.device,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
