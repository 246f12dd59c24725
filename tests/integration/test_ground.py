"""The ground that other tests stand on."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from sync.engine import connect
from tests.conftest import Team


def test_each_test_gets_a_migrated_database_of_its_own(engine: Engine, a_project: Team) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM project")).scalar() == 1
        assert connection.execute(text("SELECT count(*) FROM membership")).scalar() == 4


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_commit_is_on_disk_before_it_is_acknowledged_whatever_the_server_is_set_to(database_url: str) -> None:
    first = connect(database_url)
    with first.begin() as connection:
        connection.execute(text(f'ALTER DATABASE "{first.url.database}" SET synchronous_commit = off'))
    first.dispose()

    second = connect(database_url)
    with second.connect() as connection:
        assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
    second.dispose()


def test_an_error_of_the_database_says_nothing_that_people_answered(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(SQLAlchemyError) as refused:
        connection.execute(text("SELECT :answer FROM nowhere"), {"answer": "Bu Siti owes 450000"})

    assert "Bu Siti" not in str(refused.value)
