"""`lapangan backup`."""

from __future__ import annotations

from pathlib import Path

import click

from server import scheduler
from server.clock import now
from server.commands.database import opened
from server.commands.screen import attention, done, progress, size
from server.commands.screen import gettext as _
from sync.backup import back_up


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path | None) -> None:
    """Save everything in one FILE while the server goes on working.

    Without FILE it goes to the folder of the daily backups, where attachments are kept once for all of them."""
    with opened() as installation, progress() as bar:
        settings, at = installation.settings, now()
        task = bar.add_task(_("Backing up"), total=None, about="")
        made = back_up(
            installation.engine,
            installation.blobs,
            file or settings.backups / f"lapangan-{at:%Y%m%d-%H%M%S}.zip",
            keys=scheduler.keys(settings),
            is_inside=file is not None,
            told=lambda what, count: bar.update(task, about=f"{what} {count}".strip()),
            now=at,
        )
    counts = {"file": made.file, "rows": made.rows, "files": made.files, "size": size(made.size)}
    done(_("%(file)s: %(rows)d rows, %(files)d attachments, %(size)s.", **counts))
    if made.files_missing:
        attention(
            _("Attachments that should be here are not: %(count)d. Run: lapangan doctor", count=made.files_missing)
        )
    done(_("Keep it on another disk. Try it with: lapangan restore --drill %(file)s", file=made.file))
