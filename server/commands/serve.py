"""`lapangan serve`."""

from __future__ import annotations

import gc
import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from types import FrameType

import click

from config import Settings, from_env
from server.commands.database import opened
from server.commands.screen import attention, done
from server.commands.screen import gettext as _
from server.log import log
from server.serving import STOPS, Serving
from sync import epochs

RESPITE_S = 1.0
"""Before a worker is replaced, so that one that cannot start does not take the whole machine."""


@click.command()
@click.option("--host", help="The address to listen on; 0.0.0.0 for all. Else LAPANGAN_HOST, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Else LAPANGAN_PORT, 8080.")
def serve(host: str | None, port: int | None) -> None:
    """Run the server until Ctrl-C. The database is upgraded first."""
    settings = from_env()
    settings = replace(settings, host=host or settings.host, port=settings.port if port is None else port)
    with opened(settings) as installation, installation.writing() as session:  # upgraded before anybody is let in
        epochs.declare(session, settings.durable_by)
    _serve(settings)


def _serve(settings: Settings) -> None:
    server = Serving(settings)
    server.stop_on_signals()
    workers = _workers(settings)
    done(_("Lapangan is running at %(url)s", url=settings.base_url or server.url))
    done(_("Its data are in %(folder)s. Stop it with Ctrl-C.", folder=settings.data_dir))
    # What there is by now stays: the collector need not walk through it, and workers go on sharing it.
    gc.collect()
    gc.freeze()
    if workers == 1:
        server.run()
    else:
        _supervise(server, workers)
    done(_("Stopped. Everything that was received is kept."))


def _supervise(server: Serving, workers: int) -> None:
    """Keep so many processes on one socket until this one is told to stop; one that dies is replaced.

    This process has no thread and no connection, so it may fork at any time."""
    children: set[int] = set()

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    for number in STOPS:
        signal.signal(number, stop)
    while not server.is_stopping:
        children.add(_fork(server))
        if len(children) == workers:
            children.discard(os.wait()[0])
            if not server.is_stopping:
                log.warning("a worker ended by itself and is replaced")
                time.sleep(RESPITE_S)
    stop(signal.SIGTERM, None)  # the one that was forked last may not have heard it
    while children:
        children.discard(os.wait()[0])


def _workers(settings: Settings) -> int:
    if settings.workers > 1 and settings.url.startswith("sqlite"):
        attention(_("SQLite has one writer: LAPANGAN_WORKERS is 1. Use PostgreSQL for more."))
        return 1
    return settings.workers


def _fork(server: Serving) -> int:
    """Another process on the same socket, before any thread or connection exists that could not be shared."""
    child = os.fork()
    if child == 0:
        try:
            server.stop_on_signals()
            server.run()
        finally:
            os._exit(0)
    return child
