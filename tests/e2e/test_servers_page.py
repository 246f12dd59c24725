"""The page Servers: what is not upstairs yet, what went wrong, and how to connect again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from server.clock import now
from sync import peers
from sync.engine import in_transaction
from sync.models import Peer
from tests.conftest import make_team
from tests.e2e.offices import Office, server_code
from tests.e2e.reader import Reader
from tests.e2e.visits import new_id


@pytest.fixture
def village(field_office: Office) -> Office:
    """The field office, with people who may log in."""

    def people(session: Session) -> None:
        team = make_team(session)  # a second project; its administrator may see both
        assert team.number == 2

    in_transaction(field_office.engine, people)
    return field_office


@pytest.fixture
def reader(village: Office) -> Reader:
    client: FlaskClient = village.app.test_client()
    return Reader(client).log_in("administrator")


def test_what_is_not_upstairs_is_counted_in_operations_files_and_bytes(village: Office, reader: Reader) -> None:
    assert "nothing" in reader.get("/projects/1/servers")
    village.collect(new_id(), village.keep(b"x" * 1_400_000), photo="rumah.jpg")  # and an entry of the registry

    before = reader.get("/projects/1/servers")
    after = reader.follow(reader.send(f"/projects/1/servers/{village.peer().peer_id}/sync", "/projects/1/servers"))

    assert "2 operations<br>1 file · 1.4\xa0MB" in before
    assert "Sent 2 operations, received 0." in after
    assert "operations<br>" not in after


def test_what_came_from_the_other_server_is_not_waiting_for_it(centre: Office, village: Office, reader: Reader) -> None:
    centre.collect(new_id(), centre.keep(b"from the centre"), photo="rumah.jpg")
    village.sync()

    with Session(village.engine) as session:
        waiting = peers.lag(session, village.peer())

    assert (waiting.operations, waiting.files, waiting.size) == (0, 0, 0)


def test_the_last_failure_and_the_next_attempt_are_on_the_page(village: Office, reader: Reader) -> None:
    next_at = now() + timedelta(hours=1)
    peers.note(village.engine, village.peer(), error="The server cannot be reached.", next_at=next_at, failures=3)

    page = reader.get("/projects/1/servers")

    assert '<p class="error">The server cannot be reached.</p>' in page
    assert "Tried again" in page


def test_after_a_restore_with_another_key_the_page_asks_for_a_new_code(
    centre: Office, village: Office, reader: Reader
) -> None:
    peer = village.peer()
    peers.note(village.engine, peer, token="sealed1:AAAA")
    cursor = peer.cursor

    asked = reader.get("/projects/1/servers")
    code = f"{centre.address}/enrol#{server_code(centre)}"
    connected = reader.follow(reader.send("/projects/1/servers/above", "/projects/1/servers", address=code))
    village.sync()

    assert "kept under another secret key" in asked
    assert "Connected to" in connected
    assert "kept under another secret key" not in connected
    with Session(village.engine) as session:
        known = session.get_one(Peer, (village.project_id, peer.peer_id))
        assert (known.cursor, known.error) == (cursor, "")


def test_a_code_that_is_of_no_use_is_said_so(village: Office, reader: Reader) -> None:
    page = reader.follow(reader.send("/projects/1/servers/above", "/projects/1/servers", address="seven"))

    assert "neither an address nor a code" in page
