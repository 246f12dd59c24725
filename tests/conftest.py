"""What most tests start from: a migrated database of each kind, a project with its people, the study's forms."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from config import Settings
from forms.form_file import FormFile, read_form_file
from forms.library import STUDY
from server.app import create_app
from sync import accounts, install, projects, publish
from sync.access import SYSTEM, Actor, Role
from sync.engine import connect, in_transaction
from sync.models import Account, Project
from tests import bucket, postgres

NewDatabase = Callable[..., str]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "tempe-goreng-hangat"  # only ever used here


# How long an example takes says more about the machine than about the program.
hypothesis.settings.register_profile("short", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("short"), max_examples=20_000)
hypothesis.settings.load_profile("short")


def missing(what: str) -> None:
    """Skip for want of `what`; on a continuous-integration machine that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    try:
        with postgres.cluster() as url:
            yield url
    except postgres.NoPostgres as error:
        missing(str(error))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: URL) -> Iterator[str]:
    name = f"template_{uuid.uuid4().hex}"
    _upgrade(postgres.make_database(postgres_server, name))
    yield name
    postgres.drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "template.sqlite3"
    _upgrade(f"sqlite:///{file}")
    return file


def _upgrade(url: URL | str) -> None:
    engine = connect(url if isinstance(url, str) else url.render_as_string(hide_password=False))
    try:
        install.upgrade(engine)
        install.ensure_installation(engine, now=NOW)
    finally:
        engine.dispose()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    with bucket.s3_server() as address:
        yield address


@pytest.fixture
def bucket_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place of its own in a bucket, for this test alone."""
    for name, value in bucket.environment(s3_server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket.NAME}/{uuid.uuid4().hex}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of each kind, for this test alone."""
    if request.param == "sqlite":
        file = tmp_path / "lapangan.sqlite3"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
    name = f"test_{uuid.uuid4().hex}"
    yield postgres.make_database(server, name, template).render_as_string(hide_password=False)
    postgres.drop_database(server, name)


@pytest.fixture
def another_database(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewDatabase]:
    """More databases of the same kind: migrated ones, or empty ones."""
    made: list[str] = []

    def make(*, is_empty: bool = False) -> str:
        name = f"test_{uuid.uuid4().hex}"
        if database_url.startswith("sqlite"):
            if not is_empty:
                shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / f"{name}.sqlite3")
            return f"sqlite:///{tmp_path / name}.sqlite3"
        made.append(name)
        template = "template0" if is_empty else request.getfixturevalue("postgres_template")
        url = postgres.make_database(request.getfixturevalue("postgres_server"), name, template)
        return url.render_as_string(hide_password=False)

    yield make
    for name in made:
        postgres.drop_database(request.getfixturevalue("postgres_server"), name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, secret_key="k" * 64, database_url=database_url, port=0, log_level="WARNING")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    app.extensions["lapangan"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@dataclass(frozen=True, slots=True)
class Team:
    """A project (number 1) and its people; they log in as manager@example.org, and so on, with PASSWORD."""

    project_id: str
    number: int
    administrator: Actor
    manager: Actor
    supervisor: Actor
    enumerator: Actor
    viewer: Actor


@cache
def _password_hash() -> str:
    return accounts.hashed(PASSWORD)


@pytest.fixture
def a_project(engine: Engine) -> Team:
    return in_transaction(engine, make_team)  # type: ignore[no-any-return]


def make_team(session: Session) -> Team:
    project = projects.create_project(session, name="P2KP Pakis", is_synthetic=True, actor=SYSTEM, now=NOW)
    people = {role.value: _person(session, role.value, project, role) for role in Role}
    boss = _person(session, "administrator", None, None)
    return Team(project.project_id, project.number, boss, **people)


def _person(session: Session, name: str, project: Project | None, role: Role | None) -> Actor:
    account: Account = accounts.create_account(
        session,
        email=f"{name}@example.org",
        name=name.capitalize(),
        password_hash=_password_hash(),
        is_administrator=project is None,
        actor=SYSTEM,
        now=NOW,
    )
    if project is not None:
        projects.set_role(session, project, account, role, actor=SYSTEM, now=NOW)
    return accounts.actor_for(session, account)


@cache
def study_files() -> tuple[FormFile, ...]:
    """The study's workbooks, converted once in a test process; every version, the oldest first."""
    return tuple(read_form_file(content, name) for form in STUDY for name, content in form.workbooks())


@pytest.fixture
def study(engine: Engine, a_project: Team) -> Team:
    """The project with every version of the study's forms published."""

    def publish_all(session: Session) -> None:
        for file in study_files():
            publish.save_draft(
                session,
                a_project.project_id,
                file.xform,
                workbook=file.workbook,
                workbook_name=file.workbook_name,
                notices=file.notices,
                actor=a_project.manager,
                now=NOW,
            )
            publish.publish(session, a_project.project_id, file.definition.form_id, actor=a_project.manager, now=NOW)

    in_transaction(engine, publish_all)
    return a_project
