"""What the tests over HTTP start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from config import Settings
from server.app import create_app
from server.clock import now
from sync import devices, peers, publish
from sync.access import SYSTEM
from sync.bundles import key
from sync.engine import in_transaction
from sync.models import Project
from tests.conftest import PASSWORD, NewDatabase, Team, make_team
from tests.e2e.carried import CENTRE, VILLAGE, adopt, key_of
from tests.e2e.offices import SECRET, Office, rename, server_code
from tests.e2e.serving import serving
from tests.e2e.visits import FORM_ID, xform


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Of a real server over this test's database."""
    with serving(app) as address:
        yield address


@pytest.fixture
def visits(engine: Engine, a_project: Team) -> Team:
    """The project, with one small form published in it."""

    def act(session: Session) -> None:
        publish.save_draft(session, a_project.project_id, xform(), actor=a_project.manager, now=now())
        publish.publish(session, a_project.project_id, FORM_ID, actor=a_project.manager, now=now())

    in_transaction(engine, act)
    return a_project


@dataclass(frozen=True, slots=True)
class Known:
    """A device that the server knows."""

    device_id: str
    number: int
    token: str


@pytest.fixture
def app_user(visits: Team, engine: Engine, app: Flask) -> Known:
    """Somebody with ODK Collect."""
    secret = app.extensions["lapangan"].settings.secret_key

    def create(session: Session) -> Known:
        made = devices.create_app_user(
            session,
            session.get_one(Project, visits.project_id),
            name="Ani",
            account_id=visits.enumerator.id,
            actor=visits.manager,
            now=now(),
            secret_key=secret,
        )
        return Known(made.device_id, made.number, devices.app_user_token(made, secret))

    known: Known = in_transaction(engine, create)
    return known


@pytest.fixture
def enrolment_code(visits: Team, engine: Engine) -> str:
    def create(session: Session) -> str:
        project = session.get_one(Project, visits.project_id)
        return devices.create_enrolment(session, project, name="Tablet 1", actor=visits.manager, now=now()).code

    code: str = in_transaction(engine, create)
    return code


@pytest.fixture
def tablet(enrolment_code: str, address: str) -> Known:
    """A device that has enrolled itself."""
    told = requests.post(f"{address}/v1/enrol", json={"code": enrolment_code}, timeout=10).json()
    return Known(told["device"]["id"], 1, told["token"])


@pytest.fixture
def revoke(visits: Team, engine: Engine) -> Callable[[Known], None]:
    def act(known: Known) -> None:
        def revoke_it(session: Session) -> None:
            project = session.get_one(Project, visits.project_id)
            device = devices.by_number(session, project, known.number)
            devices.revoke(session, device, actor=visits.manager, now=now())

        in_transaction(engine, revoke_it)

    return act


@pytest.fixture
def log_in(address: str) -> Iterator[Callable[[str], requests.Session]]:
    """A person by role, as a script logs in."""
    opened: list[requests.Session] = []

    def act(role: str) -> requests.Session:
        credentials = {"email": f"{role}@example.org", "password": PASSWORD}
        told = requests.post(f"{address}/v1/sessions", json=credentials, timeout=10).json()
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {told['token']}"
        opened.append(session)
        return session

    yield act
    for session in opened:
        session.close()


@pytest.fixture
def office(another_database: NewDatabase, tmp_path: Path) -> Iterator[Callable[..., Office]]:
    opened: list[Flask] = []

    def make(name: str, url: str = "", *, is_empty: bool = False) -> Office:
        url = url or another_database(is_empty=is_empty)
        settings = Settings(data_dir=tmp_path / name, secret_key=SECRET, database_url=url, log_level="WARNING")
        opened.append(create_app(settings))
        return Office(opened[-1], None)

    yield make
    for app in opened:
        app.extensions["lapangan"].engine.dispose()


@pytest.fixture
def centre(office: Callable[..., Office]) -> Iterator[Office]:
    made = office("centre")
    made.team = in_transaction(made.engine, make_team)
    made.project_id = made.team.project_id
    made.publish()
    with serving(made.app) as address:
        made.address = address
        yield made


@pytest.fixture
def field_office(centre: Office, office: Callable[..., Office]) -> Office:
    made = office("field", is_empty=False)
    in_transaction(made.engine, rename)
    code = server_code(centre)
    told = {"public_key": key_of(made).public, "secret_key": SECRET, "actor": SYSTEM, "now": now()}
    added = peers.add(made.engine, code, centre.address, **told)
    made.project_id = added.project_id
    made.sync()
    return made


@pytest.fixture
def village(centre: Office, office: Callable[..., Office], tmp_path: Path) -> Office:
    """A server that has never had a line to the centre; each trusts the other's key."""
    made = office("village")
    in_transaction(made.engine, partial(rename, to="s-village"))
    adopt(made, centre, tmp_path, CENTRE)
    told = key.read_word(key.word("s-village", key_of(made).public))
    in_transaction(
        centre.engine,
        lambda session: peers.trust(session, centre.project_id, VILLAGE, told, actor=SYSTEM, now=now()),
    )
    return made
