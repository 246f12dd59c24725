"""Two real servers (a centre on PostgreSQL, a village on SQLite) and three field clients, each a process of its own;
the network is cut in turns.

In the end both servers hold the same operations, show the same records and have the same files; once a stick was
carried instead of a line (I3, I19)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import accounts, devices
from sync.access import SYSTEM
from sync.device import FieldDevice
from sync.engine import in_transaction
from sync.models import Blob, Project, Submission
from tests.conftest import PASSWORD, NewDatabase, make_team
from tests.e2e.offices import Office, agree, rename
from tests.e2e.proxy import BadNetwork, bad_network
from tests.e2e.real_server import RealServer
from tests.e2e.visits import FORM_ID, instance


@dataclass
class Place:
    """A server as a process, and a look into what it keeps."""

    office: Office
    server: RealServer

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command, as its manager types it."""
        command = [sys.executable, "-m", "server.cli", *arguments]
        environ = self.server.environ() | {"LANGUAGE": "en"}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def edit(self, instance_id: str, later_id: str, age: str) -> None:
        """A supervisor corrects a record on a page of this server."""
        path = f"/v1/projects/1/forms/{FORM_ID}/submissions/{instance_id}"
        xml = instance(later_id, name="Bu Siti", age=age, corrects=instance_id)
        told = requests.put(
            self.server.address + path,
            data=xml,
            headers={"Content-Type": "application/xml"},
            auth=("administrator@example.org", PASSWORD),
            timeout=30,
        )
        assert told.status_code == 200, told.text

    def files(self) -> dict[str, bool]:
        """Each attachment, and whether its bytes are here."""
        with Session(self.office.engine) as session:
            rows = session.scalars(select(Blob.sha256)).all()
        return {sha256: self.office.blobs.has(self.office.project_id, sha256) for sha256 in rows}


@dataclass
class Client:
    """A field client and the line to its server."""

    folder: Path
    line: BadNetwork
    made: dict[str, str] = field(default_factory=dict)

    def begin(self, *names: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.e2e.field_round", str(self.folder), *names]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, _err = process.communicate(timeout=120)
        told: dict[str, Any] = json.loads(out)
        self.made |= told["made"]
        return told


def cut(line: BadNetwork) -> None:
    line.reset_after = lambda: 0


def mend(line: BadNetwork) -> None:
    line.reset_after = None


@dataclass
class Field:
    centre: Place
    village: Place
    between: BadNetwork
    clients: list[Client]

    def day(self, name: str) -> list[dict[str, Any]]:
        """All clients work and synchronise, at once."""
        begun = [one.begin(f"{name} {number}") for number, one in enumerate(self.clients)]
        return [one.end(process) for one, process in zip(self.clients, begun, strict=True)]

    def equal(self) -> bool:
        here, there = self.centre, self.village
        assert here.files() == there.files()
        assert all(here.files().values())
        return agree(here.office, there.office)


@pytest.fixture
def fieldwork(
    office: Callable[..., Office], another_database: NewDatabase, sqlite_template: Path, tmp_path: Path
) -> Iterator[Field]:
    with ExitStack() as stack:
        centre = _place(stack, office, "centre", another_database(), tmp_path)
        in_transaction(centre.office.engine, make_team)
        with Session(centre.office.engine) as session:
            centre.office.project_id = session.scalars(select(Project.project_id)).one()
        centre.office.publish()
        shutil.copyfile(sqlite_template, tmp_path / "village.sqlite3")
        village = _place(stack, office, "village", f"sqlite:///{tmp_path}/village.sqlite3", tmp_path)
        in_transaction(village.office.engine, lambda session: rename(session, "s-village"))
        in_transaction(village.office.engine, _administrator)
        for place in (centre, village):
            place.server.start()
        between_address, between = stack.enter_context(bad_network(centre.server.address))
        added = village.run(
            "peer", "add", f"{between_address}/enrol#{_code(centre, is_server=True)}", "--name", "Centre"
        )
        assert added.returncode == 0, added.stderr
        village.office.project_id = centre.office.project_id
        clients = [
            _client(stack, place, tmp_path / f"client-{n}") for n, place in enumerate((centre, village, village))
        ]
        yield Field(centre, village, between, clients)


def _place(stack: ExitStack, office: Callable[..., Office], name: str, url: str, tmp_path: Path) -> Place:
    (tmp_path / name).mkdir()
    place = Place(office(name, url), RealServer(url, tmp_path / name))
    stack.callback(place.server.kill)
    return place


def _administrator(session: Session) -> None:
    hashed = accounts.hashed(PASSWORD)
    told = {"name": "Administrator", "password_hash": hashed, "is_administrator": True, "actor": SYSTEM, "now": now()}
    accounts.create_account(session, email="administrator@example.org", **told)


def _code(place: Place, *, is_server: bool = False) -> str:
    def create(session: Session) -> str:
        project = session.get_one(Project, place.office.project_id)
        told = {"name": "Village" if is_server else "Tablet", "is_server": is_server, "actor": SYSTEM, "now": now()}
        return devices.create_enrolment(session, project, **told).code

    code: str = in_transaction(place.office.engine, create)
    return code


def _client(stack: ExitStack, place: Place, folder: Path) -> Client:
    address, line = stack.enter_context(bad_network(place.server.address))
    with FieldDevice(folder, user="rina") as device:
        device.enrol(_code(place), address)
        device.pull()
    return Client(folder, line)


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_all_are_equal_in_the_end_whichever_line_was_cut(fieldwork: Field, tmp_path: Path) -> None:
    centre, village, clients = fieldwork.centre, fieldwork.village, fieldwork.clients

    # The line between the servers is cut; the same record is corrected on both sides meanwhile.
    fieldwork.day("Monday")
    assert village.run("peer", "sync").returncode == 0
    record = next(iter(clients[1].made))
    cut(fieldwork.between)
    told = fieldwork.day("Tuesday")
    centre.edit(record, "uuid:from-the-centre", "51")
    village.edit(record, "uuid:from-the-village", "52")
    assert all(one["is_reached"] for one in told)
    apart = village.run("peer", "sync")
    assert apart.returncode == 1
    assert "cannot be reached" in apart.stderr
    assert centre.office.operations().keys() != village.office.operations().keys()

    # It is mended, and the lines of two clients are cut.
    mend(fieldwork.between)
    for client in clients[:2]:
        cut(client.line)
    told = fieldwork.day("Wednesday")
    assert [(one["is_reached"], one["waiting"]) for one in told] == [(False, 1), (False, 1), (True, 0)]
    assert village.run("peer", "sync").returncode == 0
    assert fieldwork.equal()
    assert len(centre.office.shown()["clashes"]) == 1

    # No line at all between the servers: a stick goes to the centre and another one comes back.
    cut(fieldwork.between)
    for client in clients[:2]:
        mend(client.line)
    fieldwork.day("Thursday")
    for maker, taker, name in ((village, centre, "Centre"), (centre, village, "Village")):
        file = str(tmp_path / f"for-{name}.zip")
        made = maker.run("bundle", "export", file, "--peer", name)
        assert made.returncode == 0, made.stderr
        taken = taker.run("bundle", "import", file)
        assert taken.returncode == 0, taken.stderr
    assert fieldwork.equal()

    # The village's server dies and comes back; the line is there again.
    village.server.kill()
    village.server.start()
    mend(fieldwork.between)
    fieldwork.day("Friday")
    for _time in range(2):
        again = village.run("peer", "sync")
        assert again.returncode == 0, again.stderr

    assert "sent 0 operations and 0 files, received 0 and 0" in again.stdout
    assert fieldwork.equal()
    names = sorted(name for client in clients for name in client.made.values())
    with Session(centre.office.engine) as session:
        shown = sorted(session.scalars(select(Submission.instance_name).where(Submission.instance_id != record)))
    assert len(names) == 3 * 5
    assert shown == sorted(set(names) - {clients[1].made[record]})
