"""One connection is enough for a file in pieces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests
from flask import Flask, request

from config import Settings
from server.serving import Serving

PIECE = 100_000
TUS = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def server(settings: Settings, app: Flask) -> Iterator[str]:
    """The address of the server as it is in use."""
    server = Serving(replace(settings, run_jobs=False), app)
    server.start()
    yield server.url
    server.stop()
    server.join()


@pytest.fixture
def session(server: str, enrolment_code: str) -> Iterator[requests.Session]:
    """A device's: it keeps its connections as long as it can."""
    told = requests.post(f"{server}/v1/enrol", json={"code": enrolment_code}, timeout=30).json()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {told['token']}"
        yield session


@pytest.fixture
def ports(app: Flask) -> list[str]:
    """Where each request came from: a new connection is a new port."""
    seen: list[str] = []
    app.before_request(lambda: seen.append(request.environ["REMOTE_PORT"]))
    return seen


def test_all_pieces_of_a_file_come_over_one_connection(
    ports: list[str], server: str, session: requests.Session
) -> None:
    film = os.urandom(6 * PIECE)
    upload = f"{server}/v1/projects/1/sync/uploads/{hashlib.sha256(film).hexdigest()}"

    ports.clear()
    session.post(upload, headers=TUS | {"Upload-Length": str(len(film))}, timeout=30)
    answers = [
        session.patch(upload, data=film[at : at + PIECE], headers=TUS | {"Upload-Offset": str(at)}, timeout=30)
        for at in range(0, len(film), PIECE)
    ]

    assert [answer.status_code for answer in answers] == [204] * 6
    assert answers[-1].headers["Upload-Offset"] == str(len(film))
    assert (len(ports), len(set(ports))) == (7, 1)


def test_who_wants_no_more_is_let_go(server: str, session: requests.Session) -> None:
    answer = session.options(f"{server}/v1/projects/1/sync/uploads", headers={"Connection": "close"}, timeout=30)

    assert (answer.status_code, answer.headers["Connection"]) == (204, "close")
