"""Migrations run up and down on both databases and end at what the models say."""

from __future__ import annotations

from datetime import datetime

import pytest
from alembic import op
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from sync import install
from sync.engine import in_transaction
from sync.models import Account, Base, Installation, Login
from tests.integration.store.races import at_once


def test_after_an_upgrade_the_tables_are_what_the_models_say(engine: Engine) -> None:
    install.upgrade(engine)

    assert install.differences(engine) == []
    assert install.current_revision(engine) == install.newest_revision()
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_every_migration_has_a_way_back(engine: Engine) -> None:
    install.downgrade(engine, "base")
    left = inspect(engine).get_table_names()

    install.upgrade(engine)

    assert left == ["alembic_version"]
    assert install.differences(engine) == []


def test_upgrading_again_keeps_every_row(engine: Engine, now: datetime) -> None:
    add_account_with_login(engine, now)

    install.upgrade(engine)

    with Session(engine) as session:
        assert session.scalar(select(Login.account_id)) == "a-1"


def test_a_missing_column_shows_as_a_difference(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE comment DROP COLUMN body"))

    assert any("body" in difference for difference in install.differences(engine))


def test_a_rebuilt_table_keeps_what_refers_to_it(engine: Engine, now: datetime) -> None:
    """SQLite rebuilds a table by dropping it: with foreign keys on, that would take the log-ins along or fail."""
    add_account_with_login(engine, now)

    with (
        install.migrating(engine) as connection,
        Operations.context(MigrationContext.configure(connection)),
        op.batch_alter_table("account", recreate="always" if is_sqlite(engine) else "never") as batch,
    ):
        batch.alter_column("name", new_column_name="full_name")

    with engine.connect() as connection:
        assert connection.execute(text("SELECT full_name FROM account")).scalars().all() == ["Siti"]
        assert connection.execute(text("SELECT account_id FROM login")).scalars().all() == ["a-1"]


def test_foreign_keys_are_on_again_after_a_migration(engine: Engine) -> None:
    install.upgrade(engine)

    if is_sqlite(engine):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_migration_that_leaves_rows_pointing_nowhere_is_undone(engine: Engine, now: datetime) -> None:
    add_account_with_login(engine, now)

    with pytest.raises((install.BrokenReferences, IntegrityError)), install.migrating(engine) as connection:
        connection.execute(text("DELETE FROM account"))

    with Session(engine) as session:
        assert session.scalar(select(Account.name)) == "Siti"


def test_a_database_of_a_newer_program_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '20991231_later'"))

    with pytest.raises(install.NewerDatabase):
        install.upgrade(engine)

    assert install.current_revision(engine) == "20991231_later"


def test_servers_that_start_together_agree_on_who_they_are(engine: Engine, now: datetime) -> None:
    install.downgrade(engine, "base")

    def start() -> str:
        install.upgrade(engine)
        return install.ensure_installation(engine, now).server_id

    names = at_once(4, start)

    assert len(set(names)) == 1


def test_an_empty_database_is_not_installed(engine: Engine) -> None:
    was_installed = install.is_installed(engine)

    install.downgrade(engine, "base")

    assert was_installed
    assert not install.is_installed(engine)
    with engine.connect() as connection:
        assert not inspect(connection).has_table(Installation.__tablename__)


def add_account_with_login(engine: Engine, now: datetime) -> None:
    def add(session: Session) -> None:
        session.add(Account(account_id="a-1", number=1, email="siti@example.org", name="Siti", created_at=now))
        session.flush()
        session.add(Login(token_sha256="t", account_id="a-1", csrf="c", created_at=now, expires_at=now))

    in_transaction(engine, add)


def is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"
