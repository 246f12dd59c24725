"""For each misfortune: what the enumerator reads, what the supervisor reads, and where the bytes are."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from server.clock import now
from server.commands.device_words import receipt_lines
from sync import author, devices, epochs, form_list, hybrid_clock, release
from sync.device import FieldDevice, Work
from sync.device.errors import ServerRefused, ServerUnreachable
from sync.device.link import Link
from sync.device.push import encode
from sync.engine import in_transaction
from sync.models import (
    Batch,
    Blob,
    Conflict,
    Form,
    InboxItem,
    Installation,
    Operation,
    Project,
    Submission,
    SubmissionAttachment,
)
from sync.verdict import Why
from tests.conftest import Team
from tests.e2e.collect import Collect
from tests.e2e.conftest import Known
from tests.e2e.fieldwork import add, visits
from tests.e2e.luck.conftest import Enrol
from tests.e2e.reader import Reader

QUARANTINE, RECORDS = "/projects/1/quarantine", "/projects/1/submissions"
NOTHING_YET = "Nothing has been sent yet"


@pytest.fixture(autouse=True)
def _in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


@pytest.fixture
def supervisor(app: Flask, study: Team) -> Reader:
    return Reader(app.test_client()).log_in("supervisor")


def says(device: FieldDevice) -> list[str]:
    """What the device tells of its last record."""
    return receipt_lines(device.receipts()[0])


def put_aside(engine: Engine) -> list[bytes]:
    with Session(engine) as session:
        return list(session.scalars(select(InboxItem.raw).where(InboxItem.state == "quarantined")))


def waiting(device: FieldDevice) -> list[bytes]:
    """The lines that the device will send."""
    rows = device.store.rows("SELECT body FROM operation WHERE state = 'waiting' ORDER BY number")
    return [bytes(row[0]) for row in rows]


def revoke_first(engine: Engine, study: Team) -> None:
    def revoke(session: Session) -> None:
        project = session.get_one(Project, study.project_id)
        devices.revoke(session, devices.by_number(session, project, 1), actor=study.manager, now=now())

    in_transaction(engine, revoke)


def set_state(engine: Engine, study: Team, form_id: str, state: str) -> None:
    def act(session: Session) -> None:
        form = session.get_one(Form, (study.project_id, form_id))
        form_list.set_state(session, form, state, actor=study.manager, now=now())

    in_transaction(engine, act)


def links(page: str, address: str) -> list[str]:
    """Where the page leads to: addresses in the project that end so."""
    return re.findall(f'href="(/projects/1{address})"', page)


class _WithoutFiles(Link):
    """The line breaks when the text is through."""

    def ask(self, method: str, path: str, **request: Any) -> Any:
        if "/blobs/" in path:
            raise ServerUnreachable("gone", address=self.base)
        return super().ask(method, path, **request)


def count(engine: Engine, table: Any) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_cloned_tablet(enrol: Enrol, engine: Engine, supervisor: Reader, tmp_path: Path) -> None:
    """Its folder is copied with a record that waits, and both go on. Only the image of a running program, which no
    device folder is, could use a number twice."""
    device = enrol()
    both = add(device, visits("pendaftaran")[0])
    device.store.run("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(tmp_path / "tablet-1", tmp_path / "copy")
    with FieldDevice(tmp_path / "copy", user="rina") as copy:
        own, its = add(device, visits("pendaftaran")[1]), add(copy, visits("pendaftaran")[2])
        first, second = device.sync(), copy.sync()
        assert [item["verdict"] for item in first.pushed.items] == ["accepted", "accepted"]
        assert [item["verdict"] for item in second.pushed.items] == ["duplicate", "accepted"]

        # The image of a running program: it counts on under the same origin.
        copy._origin = device._origin
        reused = add(copy, visits("pendaftaran")[3])
        raw = waiting(copy)[-1]
        copy.sync()
        words = says(copy)
        assert copy.status().waiting == 0

    assert words == [
        "Safe, but the supervisor must look at it",
        "It looks like a copy of this folder is in use elsewhere.",
    ]
    page = supervisor.get(QUARANTINE)
    assert "Number used twice" in page
    assert "Release this one if it is real, and connect the copy with a code of its own." in page
    assert "tablet-1" in page
    assert raw in put_aside(engine)
    with Session(engine) as session:
        shown = set(session.scalars(select(Submission.instance_id)))
    assert shown == {both, own, its}
    assert reused not in shown


def test_a_revoked_tablet(enrol: Enrol, engine: Engine, study: Team, supervisor: Reader) -> None:
    device = enrol()
    record = add(device, visits("dokumentasi", "")[0])

    revoke_first(engine, study)
    lines = waiting(device)
    with pytest.raises(ServerRefused) as refused:
        device.sync()

    assert str(refused.value).startswith("This device's access was taken back. What it has sent is safe")
    assert str(refused.value).endswith("lapangan device enrol --again CODE")
    assert says(device) == [
        "Safe, but the supervisor must look at it",
        "This device's access was taken back.",
    ]
    assert device.status().files_waiting == 0
    page = supervisor.get(QUARANTINE)
    assert "Release it if the work is real." in page
    assert put_aside(engine) == lines

    item, photo = links(page, r"/quarantine/[0-9a-f-]{36}")[0], device.outbox.store.rows("SELECT * FROM attachment")[0]
    shown = supervisor.get(item)
    assert photo["name"] in shown
    assert "Not here yet" not in shown
    with supervisor.client.get(f"{item}/attachments/{photo['name']}") as whole:
        assert hashlib.sha256(whole.data).hexdigest() == photo["sha256"]
    with supervisor.client.get(f"{item}/thumbnails/{photo['name']}") as small:
        assert small.content_type == "image/jpeg"
    assert supervisor.client.get(f"{item}/attachments/other.jpg").status_code == 404

    supervisor.send(f"{item}/release", page=item)
    with Session(engine) as session:
        attachments = session.scalars(select(SubmissionAttachment).where(SubmissionAttachment.instance_id == record))
        assert [one.arrived_at is not None for one in attachments] == [True]
        assert session.get_one(Submission, (study.project_id, record)).attachments_missing == 0


def test_a_file_of_a_revoked_tablet_whose_item_was_discarded_keeps_no_other_back(
    enrol: Enrol, engine: Engine, study: Team
) -> None:
    """It stays on the tablet, which says so; the other photo arrives."""
    device = enrol()
    first, second = visits("dokumentasi", "")[:2]
    add(device, first)
    device.connect = _WithoutFiles
    revoke_first(engine, study)
    with pytest.raises(ServerUnreachable):
        device.sync()

    def discard(session: Session) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.discard(session, item, note="twice", actor=study.supervisor, now=now())

    in_transaction(engine, discard)
    device.connect = Link
    add(device, second)
    with pytest.raises(ServerRefused) as refused:
        device.sync()

    assert "none of its work here names this file" in str(refused.value)
    assert device.status().files_waiting == 1
    assert count(engine, Blob) == 1


def test_a_tablet_whose_form_was_closed_hands_over_its_photos_too(
    enrol: Enrol, engine: Engine, study: Team, supervisor: Reader
) -> None:
    device = enrol()
    record = add(device, visits("dokumentasi", "")[0])
    set_state(engine, study, "dokumentasi", "closed")

    device.sync()

    assert (device.receipts()[0].why, device.status().files_waiting) == ("form_closed", 0)
    item = links(supervisor.get(QUARANTINE), r"/quarantine/[0-9a-f-]{36}")[0]
    assert "Not here yet" not in supervisor.get(item)
    set_state(engine, study, "dokumentasi", "open")
    supervisor.send(f"{item}/release", page=item)
    with Session(engine) as session:
        assert session.get_one(Submission, (study.project_id, record)).attachments_missing == 0


@pytest.mark.parametrize("years", [-20, 20])
def test_a_clock_that_is_off_by_years(enrol: Enrol, engine: Engine, supervisor: Reader, years: int) -> None:
    device = enrol()
    device.clock = lambda: now() + timedelta(days=365 * years)
    add(device, visits("pendaftaran")[0])
    xml = orjson.loads(waiting(device)[0])["xml"]

    synced = device.sync()

    assert [item["verdict"] for item in synced.pushed.items] == ["accepted"]
    assert says(device)[0] == "Safe on the server"
    assert f"more than 24 days {'behind' if years < 0 else 'ahead'}" in supervisor.get("/projects/1/devices")
    assert "The clock of tablet-1 is wrong: set its date and time" in supervisor.get("/projects/1/day")
    with Session(engine) as session:
        assert session.scalars(select(Operation.xml).where(Operation.kind == "submission")).one() == xml


@pytest.mark.parametrize(
    ("ahead", "is_followed"),
    [(timedelta(minutes=30), True), (timedelta(days=365), False), (timedelta(days=7300), False)],
)
def test_who_goes_on_from_a_change_writes_later_unless_its_clock_is_off_by_years(
    enrol: Enrol, engine: Engine, study: Team, ahead: timedelta, is_followed: bool
) -> None:
    """Another tablet, and the server itself. A clock that is off by years drags none of them along."""
    wrong, right = enrol("tablet-1"), enrol("tablet-2")
    wrong.clock = lambda: now() + ahead
    record = add(wrong, visits("pendaftaran")[0])
    wrong.sync()

    right.pull()
    right.correct(record, {"address": {"phone": "0812"}}, work=Work(as_is=True))
    right.sync()

    def edit(session: Session) -> None:
        project = session.get_one(Project, study.project_id)
        shown = session.get_one(Submission, (study.project_id, record))
        words = {"kind": "submission", "record_id": record, "form_id": shown.form_id, "version": shown.version}
        author.write(session, project, **words, changes={"address/phone": "0813"}, actor=study.supervisor, now=now())

    in_transaction(engine, edit)
    with Session(engine) as session:
        found = select(Operation).where(Operation.kind == "submission").order_by(Operation.seq)
        first, second, third = [one.at for one in session.scalars(found)]
        assert session.get_one(Submission, (study.project_id, record)).conflicts == 0
    assert second < third
    assert (first < second) is is_followed
    assert (third <= hybrid_clock.latest_credible(now())) is True


def test_a_form_version_that_the_server_has_never_seen(enrol: Enrol, engine: Engine, supervisor: Reader) -> None:
    device = enrol()
    add(device, visits("pendaftaran")[0])
    body = orjson.loads(waiting(device)[0])
    newer = {**body, "version": "2099010101", "xml": body["xml"].replace(body["version"], "2099010101")}
    device.store.run("UPDATE operation SET body = ?", orjson.dumps(newer))

    device.sync()

    assert says(device) == [
        "Safe; shown as soon as what it waits for arrives",
        "It waits for its form version.",
    ]
    page = supervisor.get(QUARANTINE)
    assert "Publish it, and the record is shown." in page
    assert "pendaftaran 2099010101" in page
    with Session(engine) as session:
        kept = session.scalars(select(Operation).where(Operation.state == "held")).one()
        assert (kept.xml, kept.version) == (newer["xml"], "2099010101")


@pytest.mark.parametrize("how", ["closed", "never there"])
def test_a_form_that_is_gone_meanwhile(enrol: Enrol, engine: Engine, study: Team, supervisor: Reader, how: str) -> None:
    """A form is never deleted, only closed; a server that was set up anew does not have it."""
    device = enrol()
    add(device, visits("pendaftaran")[0])

    if how == "closed":
        set_state(engine, study, "pendaftaran", "closed")
    else:
        body = orjson.loads(waiting(device)[0])
        other = {**body, "form": "sensus", "xml": body["xml"].replace("pendaftaran", "sensus")}
        device.store.run("UPDATE operation SET body = ?", orjson.dumps(other))
    lines = waiting(device)
    device.sync()

    told = {"closed": "The form is closed.", "never there": "The server has no such form."}
    asked = {"closed": "Open it again, then release the item", "never there": "Publish it, then release the item."}
    assert says(device) == ["Safe, but the supervisor must look at it", told[how]]
    assert asked[how] in supervisor.get(QUARANTINE)
    assert put_aside(engine) == lines


def test_what_the_supervisor_let_in_needs_nobody_any_more(enrol: Enrol, engine: Engine, study: Team) -> None:
    device = enrol()
    add(device, visits("pendaftaran")[0])
    set_state(engine, study, "pendaftaran", "closed")
    device.sync()
    before = (says(device)[0], device.status().attention)

    set_state(engine, study, "pendaftaran", "open")
    release.replay(engine, study.project_id, Why.FORM_CLOSED, actor=study.supervisor, now=now())
    device.sync()

    assert before == ("Safe, but the supervisor must look at it", 1)
    assert (says(device), device.status().attention) == (["Safe on the server, and shown there by now"], 0)


def push(device: FieldDevice, body: bytes, headers: dict[str, str]) -> requests.Response:
    told = {"Authorization": f"Bearer {device.store.setting('token')}", **headers}
    address = f"{device.membership().base}/v1/projects/1/sync/push"
    return requests.post(address, data=body, headers=told, timeout=30)


def test_a_tablet_with_an_old_program(enrol: Enrol, engine: Engine, supervisor: Reader) -> None:
    """It leaves out what was invented later, and knows fewer words of the receipt: `safe` is all that it looks at."""
    device = enrol()
    record = add(device, visits("pendaftaran")[0])
    body = orjson.loads(waiting(device)[0])
    old = {name: body[name] for name in ("op", "origin", "n", "kind", "record", "xml")}

    answer = push(device, b'{"v": 0}\n' + orjson.dumps(old), {})

    assert answer.status_code == 200
    assert [(item["verdict"], item["safe"]) for item in answer.json()["items"]] == [("accepted", True)]
    with Session(engine) as session:
        shown = session.scalars(select(Submission)).one()
        assert (shown.instance_id, shown.form_id, shown.version) == (record, "pendaftaran", body["version"])
        assert session.scalars(select(Operation.xml).where(Operation.kind == "submission")).one() == body["xml"]
    assert record in supervisor.get(RECORDS)


def test_a_tablet_with_a_program_that_is_newer_than_the_server(
    enrol: Enrol, engine: Engine, supervisor: Reader
) -> None:
    """Fields that nobody here knows are passed over; kinds are kept for a newer server; a newer protocol is refused."""
    device = enrol()
    add(device, visits("pendaftaran")[0])
    body = orjson.loads(waiting(device)[0])
    more, kind = {**body, "mood": "good"}, {**body, "op": "o-new", "kind": "hologram", "n": 99}

    taken = push(device, b'{"v": 1, "mood": "good"}\n%s\n%s' % (orjson.dumps(more), orjson.dumps(kind)), {})
    refused = push(device, b'{"v": 2}\n' + orjson.dumps(body), {})

    assert [(item["verdict"], item["safe"]) for item in taken.json()["items"]] == [
        ("accepted", True),
        ("quarantined", True),
    ]
    assert "Update the server, then judge it again." in supervisor.get(QUARANTINE)
    assert put_aside(engine) == [orjson.dumps(kind)]
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/batch/newer-protocol")
    assert refused.json()["title"].startswith("The program on this device is newer than the server.")


def test_a_field_client_of_a_newer_protocol_keeps_everything(
    enrol: Enrol, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = enrol()
    add(device, visits("pendaftaran")[0])
    monkeypatch.setattr("sync.device.push.PROTOCOL", 2)

    with pytest.raises(ServerRefused, match="Keep your data, and ask for the server to be updated"):
        device.sync()

    assert says(device) == ["Waits to be sent"]
    assert (device.status().waiting, count(engine, Submission)) == (1, 0)


def test_a_batch_that_is_cut_at_any_byte(enrol: Enrol, engine: Engine, supervisor: Reader) -> None:
    """By a line or a proxy that shortens it; what arrives changes nothing, with and without a digest."""
    device = enrol()
    for visit in visits("pendaftaran")[:2]:
        add(device, visit)
    body, headers = encode(device.outbox.batch(100), device_id="x", waiting=2, now=now())
    places = [*range(24), *range(24, len(body) - 24, max(1, len(body) // 24)), *range(len(body) - 24, len(body))]
    bare = {name: value for name, value in headers.items() if name != "Content-Digest"}
    before = count(engine, Batch)

    with requests.Session() as line:
        line.headers["Authorization"] = f"Bearer {device.store.setting('token')}"
        address = f"{device.membership().base}/v1/projects/1/sync/push"
        codes = {
            line.post(address, data=body[:place], headers=told, timeout=30).status_code
            for place in places
            for told in (headers, bare)
        }

    assert gzip.decompress(body)
    assert codes == {400}
    assert says(device) == ["Waits to be sent"]
    assert NOTHING_YET in supervisor.get(RECORDS)
    assert (count(engine, Batch), count(engine, Submission), device.status().waiting) == (before, 0, 2)
    device.sync()
    assert (count(engine, Submission), device.status().waiting) == (2, 0)
    assert all(one.instance_id in supervisor.get(RECORDS) for one in device.receipts())


def test_the_same_record_by_two_doors_at_once(
    enrol: Enrol, engine: Engine, app_user: Known, address: str, supervisor: Reader
) -> None:
    """A file that was copied to a phone is sent by ODK Collect in the very moment in which its tablet sends it."""
    device = enrol()
    collect = Collect(f"{address}/v1/key/{app_user.token}/projects/1")
    records = [add(device, visit) for visit in visits("pendaftaran")[:6]]
    sent = [orjson.loads(line)["xml"].encode() for line in waiting(device)]
    together = threading.Barrier(2)

    def by_collect() -> list[str]:
        together.wait()
        return [collect.send(xml) for xml in sent]

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(by_collect)
        together.wait()
        device.sync()
        shown = other.result()
    words = {tuple(receipt_lines(one)) for one in device.receipts()}

    assert set(shown) == {"Success"}
    assert words <= {
        ("Safe on the server",),
        ("Safe on the server", "It had come by another way too, and is counted once."),
    }
    page = supervisor.get(RECORDS)
    assert [len(re.findall(f'class="row-link" href="[^"]*{record}[?"]', page)) for record in records] == [1] * 6
    with Session(engine) as session:
        assert sorted(session.scalars(select(Submission.instance_id))) == sorted(records)
        assert session.scalars(select(Conflict.path)).all() == []
        kept = session.scalars(select(Operation.xml).where(Operation.kind == "submission", Operation.xml.is_not(None)))
        assert {str(xml).encode() for xml in kept} == set(sent)


@contextmanager
def _portal() -> Iterator[str]:
    """The log-in page of a hotel: it answers everything with 200."""

    class Portal(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            page = b"<html><form>Wi-Fi: your room number?</form></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_GET = do_POST = answer  # noqa: N815  # http.server asks for these names

        def log_message(self, *_told: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_log_in_page_instead_of_the_server(enrol: Enrol, engine: Engine, supervisor: Reader) -> None:
    device = enrol()
    add(device, visits("pendaftaran")[0])
    own = device.membership().base
    with _portal() as portal:
        device.store.keep_setting("base", portal)
        with pytest.raises(ServerUnreachable, match="answered, but not as this server does"):
            device.sync()
        count_, words = device.status().waiting, says(device)
        device.store.keep_setting("base", own)

    assert (count_, words) == (1, ["Waits to be sent"])
    assert count(engine, Submission) == 0
    assert NOTHING_YET in supervisor.get(RECORDS)
    device.sync()
    assert device.receipts()[0].instance_id in supervisor.get(RECORDS)
    assert (count(engine, Submission), device.status().waiting) == (1, 0)


def test_a_server_restored_from_a_backup_without_its_own_last_word(
    enrol: Enrol, engine: Engine, supervisor: Reader
) -> None:
    """A device has gone on from a change that only the server had: nobody can send that again, and the supervisor
    need not wait for it."""
    device = enrol()
    record = add(device, visits("pendaftaran")[0])
    device.sync()

    def restore(session: Session) -> str:
        epochs.open_epoch(session, source="backup.zip", state_at=now(), now=now())
        return session.scalars(select(Installation.server_id)).one()

    lost = f"{in_transaction(engine, restore)}~0123456789"
    edit = {"op": "o-edit", "origin": "d-edit~1", "n": 1, "prev": 0, "kind": "submission", "record": record}
    edit |= {"context": {**device.received(record).vector, lost: 3}, "set": {"phone": "0812"}, "at": "1"}

    answer = push(device, b'{"v": 1}\n' + orjson.dumps(edit), {})
    page = supervisor.get(QUARANTINE)
    supervisor.send("/projects/1/held/o-edit/apply", QUARANTINE)

    (told,) = answer.json()["items"]
    assert (told["verdict"], told["why"], told["safe"]) == ("held", "waits_for_base", True)
    assert "Nobody can send that again: apply it without." in page
    assert "lost in the restore" in page
    with Session(engine) as session:
        kept = session.scalars(select(Operation).where(Operation.cause_id == "o-edit")).one()
        assert (kept.state, kept.changes) == ("ready", {"phone": "0812"})


def _refuse(*_told: object, **_more: object) -> Link:
    raise AssertionError("nobody asks the network")


def test_without_any_network_everything_waits_and_says_so(enrol: Enrol, engine: Engine) -> None:
    device = enrol()
    device.connect = _refuse
    add(device, visits("pendaftaran")[0])

    assert says(device) == ["Waits to be sent"]
    assert count(engine, Submission) == 0
