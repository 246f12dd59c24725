"""The server process: waitress around the application, with the scheduler beside it, and a clean end."""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from types import FrameType
from typing import Any

from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from waitress import create_server

from config import Settings
from forms.errors import Kind, Problem
from server import overload, scheduler
from server.app import create_app
from server.clock import now
from server.keep_alive import Channel
from server.log import log
from server.services import services
from sync import receive

STOPS = (signal.SIGTERM, signal.SIGINT)
DRAIN_S = 5.0
"""How long requests that are being answered may still take at the end."""
LOOP_S = 1.0
SLACK = 2**20


class PortTaken(Problem):
    """This address is in use already. Stop the other program, or choose another port with --port."""

    kind = Kind.CONFLICT
    slug = "server/port-taken"


class Serving:
    """A server that listens from the moment it is made. `run` answers until `stop` is called, from any thread."""

    def __init__(self, settings: Settings, app: Flask | None = None) -> None:
        self.settings = settings
        self._socket = _listen(settings)
        self.app = app or create_app(settings)
        self._server: Any = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host, port = self._socket.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{shown}:{port}"

    def run(self) -> None:
        """Answer requests and run the jobs that are due, until `stop`; what is being answered is finished."""
        own = services(self.app)
        # Made here and not before: it starts threads, and another worker may have been forked meanwhile.
        marked = overload.marking(self.app, self._waiting, overload.WAITING_PER_THREAD * self.settings.threads)
        self._server = create_server(marked, sockets=[self._socket], **_options(self.settings))
        self._server.channel_class = Channel
        _judge_landed(own.engine)
        jobs = scheduler.start(self.settings, own.engine, own.blobs) if self.settings.run_jobs else None
        try:
            while not self._stopping.is_set():
                self._turn(LOOP_S)
        finally:
            self._drain()
            if jobs is not None:
                jobs.stop()
            own.engine.dispose()

    def stop(self) -> None:
        """Safe in a signal handler, and to repeat."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        if self._server is not None:
            with suppress(OSError):  # it may have been awake already, and have closed it by now
                self._server.pull_trigger()

    def start(self) -> None:
        """`run` in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="server", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Return when the server has ended; an interrupt of this thread is noticed meanwhile."""
        while self._thread is not None and self._thread.is_alive():
            self._thread.join(0.5)

    def stop_on_signals(self) -> None:
        """SIGTERM and Ctrl-C end it cleanly."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        for number in STOPS:
            signal.signal(number, handle)

    def _waiting(self) -> int:
        """Requests that no thread has taken up yet."""
        return len(self._server.task_dispatcher.queue)

    def _turn(self, timeout_s: float) -> None:
        server = self._server
        server.asyncore.loop(timeout=timeout_s, map=server._map, use_poll=server.adj.asyncore_use_poll, count=1)

    def _drain(self) -> None:
        """No new connections; requests in the workers are finished and their answers sent."""
        self._server.accepting = False
        deadline = time.monotonic() + DRAIN_S
        while self._is_busy() and time.monotonic() < deadline:
            self._turn(0.1)
        self._server.task_dispatcher.shutdown(timeout=1)
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        self._server.close()

    def _is_busy(self) -> bool:
        channels = self._server.active_channels.values()
        return any(channel.requests or channel.total_outbufs_len for channel in list(channels))


def _judge_landed(engine: Engine) -> None:
    """Judge what had landed when this server was last killed, before anybody sends something new.

    A SQLite file has one server: all that waits there is of the dead one. Beside other servers on PostgreSQL, only
    what has waited for a while is nobody's."""
    alone = {"waited": timedelta(0)} if engine.dialect.name == "sqlite" else {}
    try:
        judged = receive.sweep(engine, now=now(), **alone)
    except (OperationalError, Problem) as error:  # the scheduled sweep tries again in a few minutes
        log.warning("could not judge what had landed", error=str(error))
        return
    if judged:
        log.info("judged what had landed", items=judged)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise PortTaken(f"{settings.host}:{settings.port}: {error.strerror}") from error


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "threads": settings.threads,
        "ident": "Lapangan",
        "max_request_body_size": max(settings.max_blob_bytes, settings.max_submission_bytes) + SLACK,
        # A tablet on a bad line is silent for a while in the middle of a photo.
        "channel_timeout": 300,
        "connection_limit": 1000,
        # Flask's ProxyFix reads the headers of the proxies that are trusted; waitress would take them away first.
        "clear_untrusted_proxy_headers": settings.trusted_proxies == 0,
        "asyncore_use_poll": True,
    }
