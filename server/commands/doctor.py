"""`lapangan doctor`."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from config import Settings, from_env
from server.clock import now
from server.commands.database import NoSuchProjectNumber, opened
from server.commands.screen import attention, done, out, table
from server.commands.screen import gettext as _
from sync import backup, install, retention, tripwire
from sync.bucket import open_bucket
from sync.engine import connect, reader, sqlite_driver, writer
from sync.errors import BucketUnreachable
from sync.models import Form, Project
from sync.rebuild import Rebuilt
from sync.rebuild import rebuild as rebuild_

SAFE_SQLITE = (3, 51, 3)
"""Before it a WAL reset can corrupt the file (sqlite.org, "WAL-reset bug")."""
SMALLEST_FREE = 500 * 10**6
LARGEST_SKEW_S = 60
MOST_NAMED = 5
"""Rows of a table that are named."""
LATE_BACKUP_DAYS = 3
COPIES_DAYS = 30
LATE_REMOVAL_DAYS = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was looked at; `cure` says what to do, "" when all is well."""

    what: str
    cure: str = ""


@click.command()
@click.option("--rebuild", is_flag=True, help="Make records, findings, conflicts and entities again from what arrived.")
@click.option("--check", is_flag=True, help="With --rebuild: only say what would become different.")
@click.option("--project", "number", type=int, help="With --rebuild: only this project.")
def doctor(*, rebuild: bool, check: bool, number: int | None) -> None:
    """See whether all is well. Says what to do where it is not, and ends with 1 then."""
    if rebuild:
        with opened() as installation:
            raise SystemExit(int(_rebuild_all(installation.engine, number, is_check=check)))
    settings = from_env()
    engine = connect(settings.url)
    looks: tuple[Callable[[Settings, Engine], Iterator[Seen]], ...] = (
        _database,
        _storage,
        _permissions,
        _disk,
        _backups,
        _copies,
        _retention,
        _sqlite,
        _zone,
    )
    ill = False
    try:
        for look in looks:
            for seen in look(settings, engine):
                (attention if seen.cure else done)(f"{seen.what} {seen.cure}".strip())
                ill = ill or bool(seen.cure)
    finally:
        engine.dispose()
    raise SystemExit(int(ill))


def _rebuild_all(engine: Engine, number: int | None, *, is_check: bool) -> bool:
    """Whether something was, or would be, different."""
    with Session(reader(engine)) as session:
        wanted = select(Project).order_by(Project.number)
        projects = session.scalars(wanted if number is None else wanted.where(Project.number == number)).all()
    if number is not None and not projects:
        raise NoSuchProjectNumber(str(number))
    found = [(project, _rebuild_one(engine, project.project_id, is_check=is_check)) for project in projects]
    for project, rebuilt in found:
        _tell(project, rebuilt, is_check=is_check)
    return not all(rebuilt.is_same for _, rebuilt in found)


def _rebuild_one(engine: Engine, project_id: str, *, is_check: bool) -> Rebuilt:
    with writer(engine), Session(engine) as session:
        rebuilt = rebuild_(session, project_id, now=now())
        session.rollback() if is_check else session.commit()
    return rebuilt


def _tell(project: Project, rebuilt: Rebuilt, *, is_check: bool) -> None:
    counted = {"number": project.number, "operations": rebuilt.operations, "rows": sum(rebuilt.rows.values())}
    if rebuilt.is_same:
        done(_("Project %(number)d: %(operations)d operations make the same %(rows)d rows again.", **counted))
        return
    shown = table(_("Table"), _("Rows"), _("Different"), _("Which"))
    for name, keys in ((name, keys) for name, keys in rebuilt.changed.items() if keys):
        few = "\n".join(keys[:MOST_NAMED]) + ("\n…" if len(keys) > MOST_NAMED else "")
        shown.add_row(name, str(rebuilt.rows[name]), str(len(keys)), few)
    out.print(shown)
    words = (
        _(
            "Project %(number)d: some rows would be different. Run it without --check to correct them.",
            **counted,
        )
        if is_check
        else _("Project %(number)d: some rows were different. They are corrected.", **counted)
    )
    attention(words)


def _database(settings: Settings, engine: Engine) -> Iterator[Seen]:
    name = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            theirs = _clock_of(connection.scalar(text("SELECT CURRENT_TIMESTAMP")))
            takes_changes = _takes_changes(connection)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        yield Seen(_("Database: %(name)s cannot be reached.", name=name), reason)
        return
    yield Seen(_("Database: %(name)s answers.", name=name))
    if not takes_changes:
        told = _("Give LAPANGAN_DATABASE_URL the server that takes changes, or turn default_transaction_read_only off.")
        yield Seen(_("Database: it takes no changes."), told)
    yield _migrations(engine)
    skew = abs((datetime.now(UTC) - theirs).total_seconds())
    cure = _("Set the clocks of both machines by NTP.") if skew > LARGEST_SKEW_S else ""
    yield Seen(_("Clock: %(now)s UTC, the database agrees within %(skew)d s.", now=_utc(), skew=max(skew, 1)), cure)


def _takes_changes(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.scalar(text("SHOW transaction_read_only")) == "off")


def _migrations(engine: Engine) -> Seen:
    current, newest = install.current_revision(engine), install.newest_revision()
    if current == newest:
        return Seen(_("Tables: up to date (%(revision)s).", revision=current))
    return Seen(
        _("Tables: %(current)s, this program needs %(newest)s.", current=current or _("none yet"), newest=newest),
        _("Run: lapangan serve (it upgrades first)."),
    )


def _clock_of(told: object) -> datetime:
    at = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _storage(settings: Settings, _engine: Engine) -> Iterator[Seen]:
    for folder in (settings.data_dir, settings.data_dir / "blobs", settings.data_dir / "exports"):
        if folder.exists():
            cure = "" if _is_writable(folder) else _("Give this program permission to write there.")
            yield Seen(_("Storage: %(folder)s.", folder=folder), cure)
    if settings.blob_url:
        yield _bucket(settings.blob_url)


def _bucket(url: str) -> Seen:
    try:
        open_bucket(url).probe()
    except BucketUnreachable as error:
        return Seen(
            _("Storage: %(url)s cannot be used (%(reason)s).", url=url, reason=error.detail),
            _("Set the credentials and the address of the bucket in the environment."),
        )
    return Seen(_("Storage: %(url)s can be written and read.", url=url))


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _permissions(settings: Settings, _engine: Engine) -> Iterator[Seen]:
    for name in ("secret-key", "signing-key", "lapangan.sqlite3"):
        file = settings.data_dir / name
        if file.exists() and os.name == "posix":
            is_open = bool(stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXO if name != "secret-key" else 0o077))
            cure = _("Others on this machine can read it. Run: chmod 600 %(file)s", file=file) if is_open else ""
            yield Seen(_("Permissions of %(name)s.", name=name), cure)


def _disk(settings: Settings, _engine: Engine) -> Iterator[Seen]:
    free = shutil.disk_usage(settings.data_dir).free
    cure = _("Make room: on a full disk nothing can be received.") if free < SMALLEST_FREE else ""
    yield Seen(_("Disk: %(free).1f GB free.", free=free / 10**9), cure)


def _backups(settings: Settings, engine: Engine) -> Iterator[Seen]:
    if settings.durable_by == "database" or install.current_revision(engine) != install.newest_revision():
        return
    with Session(reader(engine)) as session:
        latest = backup.latest(session)
        made_at, error = (latest.made_at, latest.drill_error) if latest is not None else (None, "")
        has_something = session.scalar(select(Project.project_id).where(Project.head > 0).limit(1)) is not None
    if made_at is None:
        yield Seen(_("Backup: there is none yet."), _("Run: lapangan backup") if has_something else "")
        return
    days = (datetime.now(UTC) - made_at).days
    cure = _("Run: lapangan backup, and look why the daily one does not run.") if days >= LATE_BACKUP_DAYS else ""
    yield Seen(_("Backup: the latest is %(days)d days old.", days=days), cure)
    if error:
        yield Seen(_("Backup: the latest cannot be restored."), error)


def _copies(_settings: Settings, engine: Engine) -> Iterator[Seen]:
    """Devices that held something else than they had been told: it is repaired, and should never have been."""
    if install.current_revision(engine) != install.newest_revision():
        return
    with Session(reader(engine)) as session:
        count = tripwire.noted(session, since=datetime.now(UTC) - timedelta(days=COPIES_DAYS))
    cure = _("See in the audit log which ones: their storage may be failing.") if count else ""
    words = _(
        "Devices: copies that had become different in the last %(days)d days: %(count)d.", days=COPIES_DAYS, count=count
    )
    yield Seen(words, cure)


def _retention(settings: Settings, engine: Engine) -> Iterator[Seen]:
    """A term for something that is not there would keep for ever what somebody believes to be deleted."""
    if install.current_revision(engine) != install.newest_revision():
        return
    if not any(settings.retention.values()):
        yield Seen(_("Retention: attachments are kept for ever."))
        return
    with Session(reader(engine)) as session:
        left = retention.left_behind(session, before=datetime.now(UTC) - timedelta(days=LATE_REMOVAL_DAYS))
        unknown = ", ".join(_unknown(session, settings))
    cure = _("LAPANGAN_RETENTION names what is not here: %(names)s. Correct it.", names=unknown) if unknown else ""
    yield Seen(_("Retention: attachments are deleted when their time is over."), cure)
    if left:
        yield Seen(
            _("Retention: %(count)d files that were to be deleted may still lie on the disk.", count=left),
            _("Run: lapangan jobs once retention, and look at what it says."),
        )


def _unknown(session: Session, settings: Settings) -> list[str]:
    """The projects and forms of which the setting speaks and that are not here."""
    projects = set(session.scalars(select(Project.number))) | {0}
    forms = select(Project.number, Form.form_id).join(Form, Form.project_id == Project.project_id)
    known = {*((number, form_id) for number, form_id in session.execute(forms)), *((number, "") for number in projects)}
    named = {(number, form_id) for number, form_id, _rule in settings.retention}
    return [f"{number}/{form_id}".rstrip("/") for number, form_id in sorted(named - known)]


def _sqlite(_settings: Settings, engine: Engine) -> Iterator[Seen]:
    if engine.dialect.name != "sqlite":
        return
    driver = sqlite_driver()
    version = tuple(int(part) for part in driver.sqlite_version.split("."))
    cure = _("Install the package pysqlite3: older ones can damage the file.") if version < SAFE_SQLITE else ""
    yield Seen(_("SQLite %(version)s.", version=driver.sqlite_version), cure)


def _zone(settings: Settings, _engine: Engine) -> Iterator[Seen]:
    yield Seen(_("Time zone of the jobs: %(zone)s.", zone=settings.timezone))


def _utc() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
