"""`lapangan peer`, as the managers of two servers type it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from server.cli import main
from server.commands import screen
from sync import peers
from sync.engine import connect
from tests.conftest import NewDatabase
from tests.e2e.offices import SECRET, Office
from tests.e2e.visits import new_id

Type = Callable[..., Result]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Type]:
    """Who types at which server: `at("field", url)("peer", "list")`."""
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setattr("sync.device.link.Link._pause", lambda *_arguments: None)
    for console in (screen.out, screen.err):
        monkeypatch.setattr(console, "_width", 220)

    def there(name: str, url: str, address: str = "", secret_key: str = SECRET) -> Type:
        def typed(*arguments: str) -> Result:
            monkeypatch.setenv("LAPANGAN_DATA_DIR", str(tmp_path / name))
            monkeypatch.setenv("LAPANGAN_DATABASE_URL", url)
            monkeypatch.setenv("LAPANGAN_SECRET_KEY", secret_key)
            monkeypatch.setenv("LAPANGAN_BASE_URL", address)
            runner = CliRunner()
            with runner.isolation():  # the console holds on to the streams that it was made with
                pass
            return runner.invoke(main, arguments)

        return typed

    return there


def url_of(office: Office) -> str:
    return office.engine.url.render_as_string(hide_password=False)


def test_two_servers_are_connected_listed_and_parted_by_hand(
    at: Callable[..., Type], centre: Office, another_database: NewDatabase
) -> None:
    centre.collect(new_id())
    url = another_database(is_empty=True)
    here, there = at("field", url), at("centre", url_of(centre), centre.address)

    nobody = here("peer", "sync")
    invited = there("peer", "invite", "--name", "Kantor Pakis")
    address = re.search(r"lapangan peer add (\S+)", invited.output)
    assert address is not None, invited.output
    added = here("peer", "add", address[1], "--name", "Surabaya")
    again = here("peer", "sync")
    listed, listed_there = here("peer", "list"), there("peer", "list")
    removed = here("peer", "remove", "Surabaya")

    assert "not connected to another one" in nobody.output
    assert (added.exit_code, again.exit_code, removed.exit_code) == (0, 0, 0), added.output
    assert re.search(r"Surabaya: sent 0 operations and 0 files, received [1-9]", added.output)
    assert "Surabaya: sent 0 operations and 0 files, received 0 and 0." in again.output
    assert re.search(r"Surabaya +http://\S+ +\d{4}-\S+ \S+ UTC +0 operations, 0 files \(0 B\)", listed.output)
    assert re.search(r"Kantor Pakis +enrolled here +\d{4}-\S+ \S+ UTC", listed_there.output)
    assert "Shut this server out there too" in removed.output
    assert "not connected to another one" in here("peer", "list").output


def test_what_goes_wrong_is_said_in_one_line(
    at: Callable[..., Type], centre: Office, another_database: NewDatabase
) -> None:
    here = at("field", another_database(is_empty=True))

    refusals = {
        "no other server of this name": here("peer", "sync", "Surabaya"),
        "other server of this name": here("peer", "remove", "Surabaya"),
        "neither an address nor a code": here("peer", "add", "AAAA"),
        "cannot be reached": here("peer", "add", "AAAA-AAAA", "--server", "http://127.0.0.1:9"),
        "has been used": here("peer", "add", "AAAA-AAAA", "--server", centre.address),
    }

    for words, refused in refusals.items():
        assert refused.exit_code == 1
        assert words in refused.output, refused.output
        assert "Traceback" not in refused.output


def test_the_access_to_another_server_is_of_no_use_without_the_secret_key(
    at: Callable[..., Type], centre: Office, another_database: NewDatabase
) -> None:
    url = another_database(is_empty=True)
    there = at("centre", url_of(centre), centre.address)
    at("field", url)("peer", "add", _invited(there), "--name", "Surabaya")
    engine = connect(url)
    with Session(engine) as session:
        kept = peers.named(session, "Surabaya").token
        token = peers.token_of(peers.named(session, "Surabaya"), SECRET)
    engine.dispose()

    other_key = at("field", url, secret_key="another-key" * 6)
    refused = other_key("peer", "sync")
    renewed = other_key("peer", "add", _invited(there), "--name", "Surabaya")
    works = other_key("peer", "sync")

    assert token not in kept
    assert (refused.exit_code, renewed.exit_code, works.exit_code) == (1, 0, 0)
    assert "kept under another secret key" in refused.output
    assert "ask it for a new code" in refused.output.lower()


def _invited(there: Type) -> str:
    found = re.search(r"lapangan peer add (\S+)", there("peer", "invite").output)
    assert found is not None
    return found[1]


def test_a_stick_between_two_servers_that_never_had_a_line(
    at: Callable[..., Type], centre: Office, another_database: NewDatabase, tmp_path: Path
) -> None:
    centre.collect(new_id(), centre.keep(b"a photo"), photo="rumah.jpg")
    here, there = at("village", another_database(is_empty=True)), at("centre", url_of(centre))
    stick = tmp_path / "stick"
    stick.mkdir()

    made = there("bundle", "export", str(stick))
    (file,) = stick.iterdir()
    refused = here("bundle", "import", str(file))
    command = re.search(r"lapangan bundle import FILE --adopt (\S+)", refused.output)
    assert command is not None, refused.output
    adopted = here("bundle", "import", str(file), "--adopt", command[1], "--name", "Surabaya")
    again = here("bundle", "import", str(file))

    back = tmp_path / "back.zip"
    returned = here("bundle", "export", str(back), "--peer", "Surabaya")
    unknown = there("bundle", "import", str(back))
    trusted = there("bundle", "trust", "Pakis", here("bundle", "key").output.split()[0])
    taken = there("bundle", "import", str(back))

    assert re.search(r"[1-9]\d* operations, 1 files", made.output)
    assert command[1] in there("bundle", "key").output
    assert (refused.exit_code, adopted.exit_code, again.exit_code) == (1, 0, 0)
    assert "Photos and files received: 1 (7 B)." in adopted.output
    assert re.search(r"From Surabaya: 0 new operations; [1-9]\d* were here already", again.output)
    assert "back.zip: 0 operations, 0 files" in returned.output
    assert (unknown.exit_code, trusted.exit_code, taken.exit_code) == (1, 0, 0), taken.output
    assert "lapangan bundle trust NAME s-" in unknown.output
    assert "From Pakis: 0 new operations; 0 were here already." in taken.output


def test_what_is_wrong_with_a_bundle_is_said_in_one_line(
    at: Callable[..., Type], centre: Office, tmp_path: Path
) -> None:
    there, file = at("centre", url_of(centre)), tmp_path / "b.zip"
    there("bundle", "export", str(file))
    twice = there("bundle", "export", str(file))
    nobody = there("bundle", "export", str(tmp_path / "c.zip"), "--peer", "Nobody")
    file.write_bytes(file.read_bytes()[:-40])
    cut = there("bundle", "import", str(file))
    no_key = there("bundle", "trust", "Pakis", "seven")

    for words, refused in {
        "a file of this name already": twice,
        "no other server of this name": nobody,
        "cut short on the way": cut,
        "not the key of a server": no_key,
    }.items():
        assert refused.exit_code == 1
        assert words in refused.output, refused.output
        assert "Traceback" not in refused.output
    assert not list(tmp_path.glob(".*partial"))
