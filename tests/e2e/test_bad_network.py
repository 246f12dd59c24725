"""A field client behind a slow line that breaks again and again: everything arrives, and little is sent twice.

At 64 kbit/s 200 MB take seven hours: the large file crosses a line that only breaks, small ones a slow one as well."""

from __future__ import annotations

import hashlib
import random
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync.device import FieldDevice
from sync.device.link import Link
from sync.models import Blob, Operation, Submission
from tests.conftest import Team
from tests.e2e.fieldwork import code
from tests.e2e.proxy import KBIT_S, bad_network
from tests.e2e.visits import FORM_ID

MB = 1_000_000
PATIENT = partial(Link, attempts=12, sleep=lambda _pause: None)


def large_file(place: Path, size: int) -> str:
    """Bytes that nothing can compress; their SHA-256."""
    digest, rng = hashlib.sha256(), random.Random(2026)
    with place.open("wb") as file:
        for _chunk in range(size // MB):
            chunk = rng.randbytes(MB)
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_200_mb_arrive_whole_over_a_line_that_breaks_again_and_again(
    address: str, app: Flask, engine: Engine, visits: Team, tmp_path: Path
) -> None:
    rng, size = random.Random(2026), 200 * MB
    sha256 = large_file(tmp_path / "film.mp4", size)
    with (
        bad_network(address) as (way, network),
        FieldDevice(tmp_path / "tablet", user="rina", connect=PATIENT) as device,
    ):
        device.enrol(code(engine, visits), way)
        device.pull()
        device.add(FORM_ID, {"nama": "Siti", "foto": "film.mp4"}, {"film.mp4": tmp_path / "film.mp4"})
        network.reset_after = lambda: rng.randint(1, 4 * MB)
        network.sent = 0
        device.sync()
        status = device.status()

    assert (status.waiting, status.files_waiting) == (0, 0)
    kept = app.extensions["lapangan"].blobs.local(visits.project_id, sha256)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == sha256
    assert network.resets > 30
    assert size < network.sent <= 1.15 * size


@pytest.mark.slow
def test_a_day_arrives_at_64_kbit_a_second_over_a_line_that_breaks(
    address: str, engine: Engine, visits: Team, tmp_path: Path
) -> None:
    rng = random.Random(7)
    with (
        bad_network(address) as (way, network),
        FieldDevice(tmp_path / "tablet", user="rina", connect=PATIENT) as device,
    ):
        device.enrol(code(engine, visits), way)
        device.pull()
        for number in range(4):
            photo = {"foto.jpg": rng.randbytes(3000)}
            device.add(FORM_ID, {"nama": f"Siti {number}", "foto": "foto.jpg"}, photo)
        network.latency_s, network.bytes_per_s = 0.2, 64 * KBIT_S
        network.reset_after = lambda: rng.randint(1000, 12_000)
        device.sync()
        status = device.status()

    assert (status.waiting, status.files_waiting) == (0, 0)
    assert network.resets > 1
    with Session(engine) as session:
        assert len(session.scalars(select(Blob)).all()) == 4
        assert [one.attachments_missing for one in session.scalars(select(Submission))] == [0] * 4
        assert len(session.scalars(select(Operation).where(Operation.kind == "submission")).all()) == 4
