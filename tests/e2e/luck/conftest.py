"""Devices of the study, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sync.device import FieldDevice
from tests.conftest import Team
from tests.e2e.fieldwork import code, enrolled

Enrol = Callable[..., FieldDevice]


@pytest.fixture
def enrol(address: str, engine: Engine, study: Team, tmp_path: Path) -> Iterator[Enrol]:
    opened: list[FieldDevice] = []

    def enrol(name: str = "tablet-1") -> FieldDevice:
        device = enrolled(tmp_path / name, code(engine, study, name), address)
        opened.append(device)
        return device

    yield enrol
    for device in opened:
        device.close()
