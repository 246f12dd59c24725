"""A real PostgreSQL for the tests: the one of LAPANGAN_TEST_DATABASE_URL, else a throw-away cluster of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

DEBIAN_BINARIES = Path("/usr/lib/postgresql")


class NoPostgres(Exception):
    """There is no PostgreSQL to test with."""


@contextmanager
def cluster() -> Iterator[URL]:
    """The address of a server on which databases may be made. Raises NoPostgres, which says what to install."""
    given = os.environ.get("LAPANGAN_TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return
    with own_cluster() as made:
        yield made.url


def make_database(server: URL, name: str, template: str = "template0") -> URL:
    """A fresh database, a copy of `template`."""
    execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server.set(database=name)


def drop_database(server: URL, name: str) -> None:
    execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def execute(server: URL, statement: str) -> None:
    address = server.set(drivername="postgresql", database=server.database or "postgres")
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]  # names of our own, no user's text


def shown(server: URL, setting: str) -> str:
    """What new connections find it set to."""
    address = server.set(drivername="postgresql", database=server.database or "postgres")
    with psycopg.connect(address.render_as_string(hide_password=False)) as connection:
        found = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(setting))).fetchone()
    return str(found[0]) if found else ""


def _binaries() -> Path:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(DEBIAN_BINARIES.glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    if not found:
        raise NoPostgres("needs PostgreSQL: install the package postgresql, or set LAPANGAN_TEST_DATABASE_URL")
    return found[-1].parent


@dataclass(frozen=True, slots=True)
class Cluster:
    """A PostgreSQL of our own, which may be stopped and started."""

    url: URL
    control: Sequence[str]
    settings: str

    def start(self) -> None:
        _run([*self.control, "-l", str(self._log), "-o", self.settings, "start"])

    @property
    def _log(self) -> Path:
        return Path(str(self.url.query["host"])) / "log"

    def crash(self) -> None:
        """As the power does it, whether or not it is still running; it is running again afterwards."""
        _run([*self.control, "-m", "immediate", "-l", str(self._log), "-o", self.settings, "restart"])

    def stand_by(self, *, is_standby: bool) -> None:
        """From now on it follows another server, as after a failover, and takes no changes; or it leads again."""
        self.stop()
        mark = self._log.parent / "data" / "standby.signal"
        mark.touch() if is_standby else mark.unlink()
        self.start()

    def stop(self) -> None:
        """As the power does it."""
        _run([*self.control, "-m", "immediate", "stop"])


@contextmanager
def own_cluster(*, wal: Path | None = None) -> Iterator[Cluster]:
    """A cluster for one test alone; its write-ahead log in an empty folder of its own, if one is given. Raises
    NoPostgres."""
    folder = Path(tempfile.mkdtemp(prefix="lapangan-pg-"))
    try:
        made = _make_cluster(_binaries(), folder, wal)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_cluster(binaries: Path, folder: Path, wal: Path | None) -> Cluster:
    data = folder / "data"
    as_user = unprivileged(folder)
    initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "lapangan", "-A", "trust", "-E", "UTF8", "-N"]
    if wal is not None:
        unprivileged(wal)
        initdb += ["--waldir", str(wal), "--wal-segsize", "1"]
    _run([*as_user, *initdb])
    settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    url = URL.create("postgresql+psycopg", "lapangan", database="postgres", query={"host": str(folder)})
    return Cluster(url, control, settings)


def unprivileged(folder: Path) -> list[str]:
    """How to run it on this folder. PostgreSQL refuses to run as root; its package brings a user of its own."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres", "postgres")
    folder.chmod(0o755)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
