"""The database of this installation, ready to be used by a command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from config import Settings, from_env
from forms.errors import Kind, Problem
from server.clock import now
from server.services import blob_store
from sync import install
from sync.attach import BlobStore
from sync.engine import connect, reader, writer
from sync.models import Project
from sync.projects import by_number


class DatabaseUnreachable(Problem):
    """The database cannot be reached. Check LAPANGAN_DATABASE_URL, and whether the database server is running."""

    kind = Kind.UNAVAILABLE
    slug = "database/unreachable"


class NoSuchProjectNumber(Problem):
    """There is no project with this number. See which there are with: lapangan project list"""

    kind = Kind.NOT_FOUND
    slug = "project/no-such-number"


class NoProjectYet(Problem):
    """There is no project on this server yet. Make one with: lapangan project create. Or take over that of another
    server: lapangan peer add, or lapangan bundle import FILE --adopt FINGERPRINT"""

    kind = Kind.NOT_FOUND
    slug = "project/none-yet"


@dataclass(frozen=True, slots=True)
class Opened:
    """An installation as a command finds it."""

    settings: Settings
    engine: Engine

    @property
    def blobs(self) -> BlobStore:
        return blob_store(self.settings)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, committed at the end."""
        with writer(self.engine), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with Session(reader(self.engine), expire_on_commit=False) as session:
            yield session


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Opened]:
    """The installation of these settings, its tables up to date. Refuses DatabaseUnreachable."""
    settings = settings or from_env()
    engine = connect(settings.url)
    try:
        prepare(engine)
        _close_to_others(engine)
        yield Opened(settings, engine)
    finally:
        engine.dispose()


def prepare(engine: Engine) -> None:
    """The tables are those of this version of the program, and the server has its name."""
    try:
        install.upgrade(engine)
        install.ensure_installation(engine, now())
    except OperationalError as error:
        raise DatabaseUnreachable(str(error.orig).strip().splitlines()[0]) from error


def _close_to_others(engine: Engine) -> None:
    """The file holds what people said in confidence: it is its owner's, whatever the umask was."""
    if engine.dialect.name == "sqlite" and os.name == "posix" and engine.url.database:
        for suffix in ("", "-wal", "-shm"):
            file = Path(engine.url.database + suffix)
            if file.exists() and file.stat().st_uid == os.getuid():
                file.chmod(0o600)


def project(session: Session, number: int) -> Project:
    """Refuses NoSuchProjectNumber, NoProjectYet."""
    found = by_number(session, number)
    if found is None and session.scalar(select(Project.project_id).limit(1)) is None:
        raise NoProjectYet
    if found is None:
        raise NoSuchProjectNumber(str(number))
    return found
