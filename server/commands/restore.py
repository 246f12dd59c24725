"""`lapangan restore`."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from config import Settings, from_env
from server.clock import now
from server.commands.database import DatabaseUnreachable, opened
from server.commands.screen import attention, done, out, table
from server.commands.screen import gettext as _
from server.services import blob_store
from sync import epochs, install
from sync.access import SYSTEM
from sync.backup import Manifest
from sync.engine import connect
from sync.restore import drill as try_backup
from sync.restore import restore as restore_backup


@click.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--drill", is_flag=True, help="Only try it, in a temporary place, and compare every count and hash.")
@click.option("--here", is_flag=True, help="The database was put back by other means: tell the devices so.")
def restore(file: Path | None, drill: bool, here: bool) -> None:
    """Restore a backup FILE into an empty data folder and database.

    Devices push again what the server had acknowledged after that backup; nothing is doubled by it."""
    if here:
        _open_epoch()
        return
    if file is None:
        raise click.UsageError(_("Which backup? Give its file."))
    if drill:
        _drill(file.resolve())
    else:
        _restore(from_env(), file.resolve())


def _restore(settings: Settings, file: Path) -> None:
    engine = connect(settings.url)
    try:
        restored = restore_backup(engine, blob_store(settings), file, key_folder=settings.data_dir, now=now())
    except OperationalError as error:
        raise DatabaseUnreachable(str(error.orig).strip().splitlines()[0]) from error
    finally:
        engine.dispose()
    _show(restored.manifest)
    when = f"{restored.manifest.made_at:%Y-%m-%d %H:%M} UTC"
    done(_("Restored to the state of %(when)s. Start the server: lapangan serve", when=when))
    attention(
        _("What came later comes back when the devices synchronise. Devices shut out since then are known again.")
    )


def _drill(file: Path) -> None:
    settings = from_env()
    engine = connect(settings.url)
    try:
        drilled = try_backup(file, engine=engine if _knows_backups(engine) else None, now=now())
    finally:
        engine.dispose()
    _show(drilled.manifest)
    done(_("This backup can be restored: every row and every file is as it was."))


def _open_epoch() -> None:
    at = now()
    with opened() as installation, installation.writing() as session:
        epoch = epochs.open_epoch(session, source="", state_at=None, now=at)
        epochs.note_epoch(session, epoch, actor=SYSTEM, now=at)
    done(_("Epoch %(epoch)d has begun: devices send again what this database does not have.", epoch=epoch))


def _knows_backups(engine: Engine) -> bool:
    try:
        return install.current_revision(engine) == install.newest_revision()
    except OperationalError:
        return False


def _show(manifest: Manifest) -> None:
    shown = table(_("What"), _("Rows"), numbers=frozenset({1}))
    for name, counted in manifest.tables.items():
        if counted.rows:
            shown.add_row(str(name), str(counted.rows))
    shown.add_row(_("attachments"), str(manifest.files))
    out.print(shown)
