"""The page Servers: what is not upstairs yet, what went wrong, and how to connect again."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from server.clock import now
from sync import peers
from sync.bundles.key import fingerprint
from sync.device.errors import ServerUnreachable
from sync.engine import in_transaction
from sync.models import Peer
from tests.conftest import make_team
from tests.e2e.carried import key_of
from tests.e2e.offices import Office, agree, server_code
from tests.e2e.reader import Reader
from tests.e2e.visits import new_id


@pytest.fixture
def village(field_office: Office) -> Office:
    """The field office, with people who may log in."""

    field_office.team = in_transaction(field_office.engine, make_team)
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
    told = f"{ServerUnreachable.title()}\nhttp://centre"
    peers.note(village.engine, village.peer(), error=told, next_at=next_at, failures=3)

    page = reader.get("/projects/1/servers")
    in_indonesian = Reader(village.app.test_client(), language="id").log_in("administrator").get("/projects/1/servers")

    assert f'<p class="error">{ServerUnreachable.title()} http://centre</p>' in page
    assert "It is tried again" in page
    assert '<p class="error">Server tidak dapat dihubungi.' in in_indonesian


def test_a_field_office_that_was_shut_out_is_told_to_ask_for_a_new_code(
    centre: Office, village: Office, reader: Reader
) -> None:
    above = Reader(centre.app.test_client()).log_in("administrator")
    number = re.search(r"devices/(\d+)/revoke", above.get("/projects/1/servers"))
    assert number is not None

    gone = above.follow(above.send(f"/projects/1/devices/{number[1]}/revoke", "/projects/1/servers"))
    refused = reader.follow(reader.send(f"/projects/1/servers/{village.peer().peer_id}/sync", "/projects/1/servers"))

    assert "Field office is shut out." in gone
    assert refused.count("The other server no longer knows this one, or has shut it out.") == 2
    assert "device" not in refused[refused.index("Above this server") : refused.index("Connect to a server above")]


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


def test_a_bundle_is_downloaded_carried_and_uploaded(
    centre: Office, village: Office, reader: Reader, tmp_path: Path
) -> None:
    """Two servers that were connected by a code know each other's key."""
    village.collect(new_id(), village.keep(b"a photo"), photo="rumah.jpg")
    above = Reader(centre.app.test_client()).log_in("administrator")

    bundle = download(reader, peer=village.peer().peer_id)
    first, again = (above.follow(upload(above, bundle)) for _time in range(2))

    assert "From Field office: 2 new operations; 0 were here already." in first
    assert "From Field office: 0 new operations; 2 were here already." in again
    assert agree(centre, village)
    for office in (centre, village):
        assert list((office.app.extensions["lapangan"].settings.data_dir / "bundles").iterdir()) == []
    audit = above.get("/projects/1/audit")
    assert audit.count("Took a bundle") >= 2
    assert "Made a bundle" in reader.get("/projects/1/audit")


def test_a_stranger_is_shown_with_his_fingerprint_and_can_be_trusted(
    centre: Office, village: Office, reader: Reader
) -> None:
    village.collect(new_id())
    bundle = download(reader)
    in_transaction(centre.engine, lambda session: session.delete(peers.named(session, "Field office")))
    above = Reader(centre.app.test_client()).log_in("administrator")

    refused = upload(above, bundle)
    key = re.search(r'name="key" value="([^"]+)"', refused.text)
    assert key is not None
    trusted = above.send("/projects/1/servers/keys", "/projects/1/servers", name="Pakis", key=key[1])

    assert refused.status_code == 403
    assert fingerprint(key_of(village).public) in refused.text
    assert "Bundles of Pakis" in above.follow(trusted)
    assert "From Pakis: 2 new operations" in above.follow(upload(above, bundle))


def test_what_is_no_bundle_is_refused_in_words(centre: Office) -> None:
    above = Reader(centre.app.test_client()).log_in("administrator")

    page = above.follow(upload(above, b"a photo"))
    key = above.follow(above.send("/projects/1/servers/keys", "/projects/1/servers", name="Pakis", key="seven"))

    assert "This file is no bundle" in page
    assert "This is not the key of a server" in key


def test_a_manager_sees_no_bundles(centre: Office, village: Office, reader: Reader) -> None:
    bundle = download(reader)
    manager = Reader(centre.app.test_client()).log_in("manager")

    assert "bundle" not in manager.get("/projects/1/servers")
    assert upload(manager, bundle).status_code == 403
    assert manager.send("/projects/1/servers/bundles", "/projects/1/servers").status_code == 403
    assert manager.send("/projects/1/servers/keys", "/projects/1/servers", name="x", key="y").status_code != 200


def test_a_bundle_may_be_larger_than_a_submission(centre: Office, village: Office, reader: Reader) -> None:
    """As large as a file may be."""
    centre.app.config["MAX_CONTENT_LENGTH"] = 1000
    village.collect(new_id(), village.keep(b"x" * 100_000), photo="rumah.jpg")
    bundle = download(reader)
    above = Reader(centre.app.test_client()).log_in("administrator")

    assert "new operations" in above.follow(upload(above, bundle))


def download(reader: Reader, **fields: str) -> bytes:
    with reader.send("/projects/1/servers/bundles", "/projects/1/servers", **fields) as answer:
        assert answer.headers["Content-Type"] == "application/zip"
        assert "lapangan-" in answer.headers["Content-Disposition"]
        return answer.data


def upload(reader: Reader, bundle: bytes) -> TestResponse:
    file = (io.BytesIO(bundle), "lapangan.zip")
    return reader.send("/projects/1/servers/bundles/take", "/projects/1/servers", file=file)


def test_a_code_that_is_of_no_use_is_said_so(village: Office, reader: Reader) -> None:
    page = reader.follow(reader.send("/projects/1/servers/above", "/projects/1/servers", address="seven"))

    assert "neither an address nor a code" in page
