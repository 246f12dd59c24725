"""The ground that other tests stand on."""

from __future__ import annotations

from sqlalchemy import Engine, text

from tests.conftest import Team


def test_each_test_gets_a_migrated_database_of_its_own(engine: Engine, a_project: Team) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM project")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM membership")).scalar() == 4
