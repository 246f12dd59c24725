"""Several processes on one socket, for PostgreSQL."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import requests

from tests.conftest import Team
from tests.e2e.real_server import START_S, RealServer


def test_a_worker_that_dies_is_replaced_and_all_end_together(
    database_url: str, a_project: Team, tmp_path: Path
) -> None:
    server = RealServer(database_url, tmp_path, workers=2)
    server.start()
    try:
        if database_url.startswith("sqlite"):
            assert server.children() == set()
            assert "SQLite has one writer" in server.log()
        else:
            first = until_there_are_two(server, set())
            for worker in first:
                os.kill(worker, signal.SIGKILL)
            second = until_there_are_two(server, first)
            assert requests.get(f"{server.address}/health", timeout=START_S).ok
            assert not first & second
        children = server.children()
    finally:
        code = server.stop()

    assert code == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def until_there_are_two(server: RealServer, dead: set[int]) -> set[int]:
    deadline = time.monotonic() + START_S
    while len(server.children() - dead) < 2:
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
    return server.children() - dead
