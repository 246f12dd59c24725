"""What most tests start from: a migrated database of each kind, a project with its people, the study's forms."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from config import Settings
from forms.form_file import FormFile, read_form_file
from forms.library import STUDY
from server.app import create_app
from sync import accounts, install, projects, publish
from sync.access import SYSTEM, Actor, Role
from sync.engine import connect, in_transaction
from sync.models import Account, Form, Project
from tests import bucket, postgres

NewDatabase = Callable[..., str]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PASSWORD = "tempe-goreng-hangat"  # only ever used here


# Every test that goes through a door has an application of its own, and a third of its time went into compiling the
# same two hundred addresses. What is compiled depends on the rule alone: it is handed the rule with each call.
_compile_builder, _builders = Rule._compile_builder, dict[tuple[str, str, bool], Any]()


def _compile_once(rule: Rule, append_unknown: bool = True) -> Any:
    key = (rule.rule, repr((rule.subdomain, rule.defaults)), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


Rule._compile_builder = _compile_once  # type: ignore[method-assign]

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


@dataclass(frozen=True, slots=True)
class Templates:
    """Databases to copy from, each made when the first test wants it: `empty`, with the people of a project, or with
    the forms of the study too."""

    url_of: Callable[[str], str]
    """The address of a new database of this name."""
    ready: dict[str, str] = field(default_factory=dict)
    teams: list[Team] = field(default_factory=list)

    def name(self, holds: str) -> str:
        if holds not in self.ready:
            name = f"{holds}_{uuid.uuid4().hex}"
            engine = connect(self.url_of(name))
            try:
                self._grow(engine, holds)
            finally:
                engine.dispose()
            self.ready[holds] = name
        return self.ready[holds]

    def team_in(self, engine: Engine) -> Team | None:
        """The one that is there because the database is a copy."""
        with Session(engine) as session:
            return next((team for team in self.teams if session.get(Project, team.project_id) is not None), None)

    def _grow(self, engine: Engine, holds: str) -> None:
        install.upgrade(engine)
        install.ensure_installation(engine, now=NOW)
        if holds != "empty":
            team: Team = in_transaction(engine, make_team)
            self.teams.append(team)
            if holds == "study":
                in_transaction(engine, lambda session: publish_study(session, team))


def _held(request: pytest.FixtureRequest) -> str:
    """What the test wants to have in its database."""
    return next((name for name in ("study", "a_project") if name in request.fixturenames), "empty")


@pytest.fixture(scope="session")
def postgres_templates(postgres_server: URL) -> Iterator[Templates]:
    def url_of(name: str) -> str:
        return postgres.make_database(postgres_server, name).render_as_string(hide_password=False)

    templates = Templates(url_of)
    yield templates
    for name in templates.ready.values():
        postgres.drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def sqlite_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(scope="session")
def sqlite_templates(sqlite_folder: Path) -> Templates:
    return Templates(lambda name: f"sqlite:///{sqlite_folder / name}.sqlite3")


@pytest.fixture(scope="session")
def sqlite_template(sqlite_folder: Path, sqlite_templates: Templates) -> Path:
    """The empty one."""
    return sqlite_folder / f"{sqlite_templates.name('empty')}.sqlite3"


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
        _copy_sqlite(request, _held(request), file)
        yield f"sqlite:///{file}"
        return
    url = _copy_postgres(request, _held(request))
    yield url.render_as_string(hide_password=False)
    postgres.drop_database(request.getfixturevalue("postgres_server"), str(url.database))


def _copy_sqlite(request: pytest.FixtureRequest, holds: str, file: Path) -> None:
    templates: Templates = request.getfixturevalue("sqlite_templates")
    shutil.copyfile(request.getfixturevalue("sqlite_folder") / f"{templates.name(holds)}.sqlite3", file)


def _copy_postgres(request: pytest.FixtureRequest, holds: str) -> URL:
    templates: Templates = request.getfixturevalue("postgres_templates")
    server, name = request.getfixturevalue("postgres_server"), f"test_{uuid.uuid4().hex}"
    return postgres.make_database(server, name, templates.name(holds))


@pytest.fixture
def another_database(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewDatabase]:
    """More databases of the same kind: migrated ones, or empty ones."""
    made: list[str] = []

    def make(*, is_empty: bool = False) -> str:
        if database_url.startswith("sqlite"):
            file = tmp_path / f"test_{uuid.uuid4().hex}.sqlite3"
            if not is_empty:
                _copy_sqlite(request, "empty", file)
            return f"sqlite:///{file}"
        server = request.getfixturevalue("postgres_server")
        url = (
            postgres.make_database(server, f"test_{uuid.uuid4().hex}") if is_empty else _copy_postgres(request, "empty")
        )
        made.append(str(url.database))
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
def a_project(engine: Engine, request: pytest.FixtureRequest) -> Team:
    kind = "sqlite_templates" if engine.dialect.name == "sqlite" else "postgres_templates"
    templates: Templates = request.getfixturevalue(kind)
    return templates.team_in(engine) or in_transaction(engine, make_team)


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

    def publish_missing(session: Session) -> None:
        if session.scalar(select(Form).limit(1)) is None:
            publish_study(session, a_project)

    in_transaction(engine, publish_missing)
    return a_project


def publish_study(session: Session, team: Team) -> None:
    for file in study_files():
        publish.save_draft(
            session,
            team.project_id,
            file.xform,
            workbook=file.workbook,
            workbook_name=file.workbook_name,
            notices=file.notices,
            actor=team.manager,
            now=NOW,
        )
        publish.publish(session, team.project_id, file.definition.form_id, actor=team.manager, now=NOW)
