"""Set up a database: its tables by migration, and the row that says which server this is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync.engine import in_transaction, writer
from sync.epochs import FIRST_EPOCH
from sync.identity import uuid7
from sync.models import Base, Installation

MIGRATIONS = Path(__file__).parent / "migrations"

UPGRADE_LOCK = 0x6C617061
"""PostgreSQL's advisory lock that makes two servers that start together upgrade one after the other."""


class BrokenReferences(Problem):
    """A migration would have left rows that point nowhere. Nothing was changed; restore a backup or report this."""

    kind = Kind.CONFLICT
    slug = "database/broken-references"


class NewerDatabase(Problem):
    """This database was made by a newer version of the program. Nothing was changed; install that version."""

    kind = Kind.CONFLICT
    slug = "database/newer"


def upgrade(engine: Engine, revision: str = "head") -> None:
    """The tables are those of `revision`. Safe to repeat, and from several processes at once. Refuses NewerDatabase."""
    with migrating(engine) as connection:
        _refuse_newer(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """The tables are those of an earlier `revision`; "base" is the empty database."""
    with migrating(engine) as connection:
        command.downgrade(_config(connection), revision)


def current_revision(engine: Engine) -> str | None:
    """The revision of this database; None before the first upgrade."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """The revision that this version of the program needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


def revisions() -> set[str]:
    """All that this version of the program knows."""
    return {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def differences(engine: Engine) -> list[str]:
    """How the database differs from what the program expects; none after an upgrade."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"target_metadata": Base.metadata})
        return [str(difference) for difference in compare_metadata(context, Base.metadata)]


def ensure_installation(engine: Engine, now: datetime) -> Installation:
    """The row that names this server, made on first use. Two processes that start together agree on one."""
    found: Installation = in_transaction(engine, lambda session: _installation(session, now))
    return found


def is_installed(engine: Engine) -> bool:
    """Whether the tables are there and the server has its name."""
    if not inspect(engine).has_table(Installation.__tablename__):
        return False
    with Session(engine) as session:
        return session.scalar(select(Installation.server_id)) is not None


def draft(engine: Engine, message: str, *, now: datetime) -> Path:
    """The file of a new migration, for developers: what separates this database from the models."""
    words = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")
    with migrating(engine) as connection:
        made = command.revision(_config(connection), message, autogenerate=True, rev_id=f"{now:%Y%m%d}_{words}"[:32])
    if made is None or isinstance(made, list):
        raise ValueError("there is nothing to migrate")
    return Path(made.path)


def _installation(session: Session, now: datetime) -> Installation:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL lock_timeout = 0"))
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
    found = session.scalar(select(Installation))
    if found is None:
        found = Installation(server_id=f"s-{uuid7()}", epoch=FIRST_EPOCH, created_at=now)
        session.add(found)
        session.flush()
    return found


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(rev)s")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _refuse_newer(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in revisions():
        raise NewerDatabase(current)


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """One transaction for all steps: they stand together or not at all."""
    with writer(engine), engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            with _unenforced(connection), connection.begin():
                yield connection
                _check_references(connection)
        else:
            with connection.begin():
                # Another server may be at it for as long as its tables are large.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
                yield connection


@contextmanager
def _unenforced(connection: Connection) -> Iterator[None]:
    # SQLite changes a table by building it anew and dropping the old one; with foreign keys on, that drop deletes
    # every row that cascades from it. The pragma does nothing inside a transaction (sqlite.org, lang_altertable, 7),
    # so it goes to the driver's connection, before SQLAlchemy begins.
    execute: Callable[[str], object] = connection.connection.cursor().execute
    execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        execute("PRAGMA foreign_keys=ON")


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise BrokenReferences(f"{len(broken)} rows, the first in {broken[0][0]}")
