"""A server of the simulation: the real WSGI application over its own SQLite file in memory; it dies and comes back."""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from config import Settings
from forms.errors import Problem
from server.app import create_app
from server.clock import now
from sync import author, backup, peers, receive, restore
from sync.backup import Manifest
from sync.device.link import Link
from sync.engine import in_transaction, reader, sqlite_driver
from tests.simulator.death import Died, Fuse, burn, burning_files

DATABASE = "lapangan.sqlite3"
SECRET = "k" * 64  # only ever used here


class Down(Exception):
    """Nobody listens there."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(slots=True)
class Node:
    """Its folder and its application live as long as the program: `reset` begins a new history."""

    name: str
    folder: Path
    app: Any = field(init=False)
    fuse: Fuse = field(default_factory=Fuse)
    is_up: bool = True
    backed_up: Manifest | None = None
    _reader: Any = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.app = create_app(Settings(data_dir=self.folder, secret_key=SECRET, log_level="CRITICAL"))
        burn(self.engine, self.fuse)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.app.extensions["lapangan"].engine
        return engine

    def reset(self, template: Path) -> None:
        """As the template has it, and up."""
        self._stop()
        shutil.rmtree(self.folder)
        shutil.copytree(template, self.folder)
        self.fuse.renew()
        self.is_up, self.backed_up = True, None

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """One request. Raises Down, also when it dies over it."""
        if not self.is_up:
            raise Down
        try:
            with burning_files(self.fuse):
                return self._call(method, url, headers, body)
        except Died:
            self._stop()
            raise Down from None

    def act(self, act: Callable[[Session], Any]) -> Any:
        """What a person does on its pages, in one transaction; None when it dies over it. Raises Down."""
        if not self.is_up:
            raise Down
        try:
            return in_transaction(self.engine, act)
        except Died:
            self._stop()
            return None

    def back_up(self) -> None:
        """What `lapangan backup` does, by the quick way: the whole folder as it is, noted as a backup is."""
        place = self.folder.with_name(f"{self.name}-backup")
        with reader(self.engine).connect() as connection:
            manifest = backup._manifest(connection, now(), is_inside=True)
        self.engine.dispose()
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.folder, place)
        self.act(lambda session: backup.keep(session, manifest, place / DATABASE, cause="person"))
        self.backed_up = manifest

    def restore(self) -> bool:
        """The folder is that of the latest backup, in a new epoch; False without one."""
        place = self.folder.with_name(f"{self.name}-backup")
        if self.backed_up is None:
            return False
        manifest = self.backed_up
        self._stop()
        shutil.rmtree(self.folder)
        shutil.copytree(place, self.folder)
        self.fuse.renew()
        self.is_up = True
        self.act(lambda session: restore._open(session, manifest, place / DATABASE, now()))
        self._sweep(timedelta(0))
        return True

    def meet(self, connect: Callable[..., Link]) -> int:
        """The job that exchanges operations with the servers above: how many it carried. It may die over it."""
        if not self.is_up:
            return 0
        blobs, carried = self.app.extensions["lapangan"].blobs, 0
        try:
            with burning_files(self.fuse):
                with Session(reader(self.engine), expire_on_commit=False) as session:
                    above = peers.listed(session)
                for peer in above:
                    told = peers.sync(self.engine, blobs, peer, secret_key=SECRET, connect=connect, clock=now)
                    carried += told.received + told.sent + told.files_received + told.files_sent
        except Died:
            self._stop()
        except (Problem, OperationalError):
            return 0  # the next one tries again
        return carried

    def sweep(self) -> None:
        """The job that runs every few minutes."""
        self._sweep(receive.LANDED_LONG_AGO)

    def start(self) -> None:
        """As `lapangan serve` does it."""
        if not self.is_up:
            self.fuse.renew()
            self.is_up = True
            self._sweep(timedelta(0))

    def rows(self, query: str, *values: object) -> list[Any]:
        """What is committed, read past the application."""
        if self._reader is None:
            self._reader = sqlite_driver().connect(str(self.folder / DATABASE), isolation_level=None)
        return list(self._reader.execute(query, values).fetchall())

    def _sweep(self, waited: timedelta) -> None:
        try:
            # What fails today is tried again by the next one: the job runner notes it, and so does the start.
            with suppress(OperationalError):
                receive.sweep(self.engine, now=now(), waited=waited)
        except Died:
            self._stop()

    def _stop(self) -> None:
        self.is_up = False
        self.engine.dispose()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        # A new process draws a new origin, and counts from 1.
        author._origin.cache_clear()
        author._numbers = itertools.count(1)

    def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        parts, told = urlsplit(url), {}

        def start_response(status: str, sent: list[tuple[str, str]], _error: Any = None) -> None:
            told["status"], told["headers"] = int(status.split()[0]), sent

        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": parts.hostname,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "10.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "CONTENT_LENGTH": str(len(body)),
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            if key == "CONTENT_TYPE":
                environ[key] = value
            elif key != "CONTENT_LENGTH":
                environ[f"HTTP_{key}"] = value
        response = self.app(environ, start_response)
        try:
            content = b"".join(response)
        finally:
            if hasattr(response, "close"):
                response.close()
        return Reply(told["status"], told["headers"], content)
