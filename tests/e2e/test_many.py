"""Many devices at once on the same households."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.conftest import Team
from tests.e2e import many
from tests.e2e.real_server import RealServer

DEVICES, OPERATIONS = 12, 20


@pytest.mark.slow
def test_devices_that_change_the_same_households_at_once_all_agree_at_the_end(
    database_url: str, engine: Engine, a_project: Team, tmp_path: Path
) -> None:
    server = RealServer(database_url, tmp_path)
    server.start()
    try:
        outcome = many.run(server.address, engine, a_project, count=DEVICES, operations=OPERATIONS)
    finally:
        server.kill()

    assert set(outcome.statuses) <= {200, 503}
    assert outcome.verdicts["accepted"] + outcome.verdicts["merged"] + outcome.verdicts["conflict"] == (
        many.HOUSEHOLDS + DEVICES * OPERATIONS
    )
    assert outcome.verdicts["conflict"] > 0
