"""The endpoints of tablets and field clients, byte by byte."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import requests
from flask import Flask
from PIL import Image
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from server import sender
from server.tablet import pull
from sync import announced, release
from sync.engine import in_transaction
from sync.identity import uuid7
from sync.models import Blob, Device, InboxItem, Submission, SubmissionAttachment
from tests.conftest import NOW, Team
from tests.e2e.conftest import Known
from tests.e2e.reader import Reader
from tests.e2e.visits import FORM_ID, VERSION, instance, new_id

HEADER = {"v": 1, "device": "d", "origin": "d~1", "waiting": 0}


@dataclass(slots=True)
class Tablet:
    """An author of operations and the door that takes them."""

    url: str
    token: str
    origin: str
    n: int = 0

    def operation(self, instance_id: str, xml: bytes | None = None, **changes: Any) -> dict[str, Any]:
        self.n += 1
        return {
            "op": uuid7(),
            "origin": self.origin,
            "n": self.n,
            "prev": 0,
            "kind": "submission",
            "record": instance_id,
            "context": {},
            "at": f"{self.n:012x}-0000",
            "form": FORM_ID,
            "version": VERSION,
            "xml": (xml or instance(instance_id)).decode(),
            "attachments": [],
        } | changes

    def push(self, items: Sequence[Any], header: Any = HEADER) -> requests.Response:
        lines = [orjson.dumps(header)] + [item if isinstance(item, bytes) else orjson.dumps(item) for item in items]
        return self.push_body(gzip.compress(b"\n".join(lines) + b"\n"))

    def push_body(self, body: bytes, *, digest: bytes | None = None, **headers: str) -> requests.Response:
        told = base64.b64encode(hashlib.sha256(body).digest() if digest is None else digest).decode()
        sent = {"Content-Encoding": "gzip", "Content-Digest": f"sha-256=:{told}:"} | headers
        return self.ask("POST", "push", data=body, headers=sent)

    def ask(self, method: str, path: str, **request: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | request.pop("headers", {})
        return requests.request(method, f"{self.url}/{path}", headers=headers, timeout=30, **request)


@pytest.fixture
def door(address: str, tablet: Known) -> Tablet:
    return Tablet(f"{address}/v1/projects/1/sync", tablet.token, f"{tablet.device_id}~1")


def count(engine: Engine, table: type) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_code_enrols_one_device_once(address: str, enrolment_code: str) -> None:
    first, again = (
        requests.post(f"{address}/v1/enrol", json={"code": enrolment_code.lower()}, timeout=10) for _time in range(2)
    )

    assert first.status_code == 201
    told = first.json()
    assert (told["project"]["id"], told["project"]["name"]) == (1, "P2KP Pakis")
    assert (told["device"]["name"], told["base"]) == ("Tablet 1", address)
    assert again.status_code == 403


def test_who_guesses_codes_has_to_wait(address: str, visits: Team) -> None:
    tries = [requests.post(f"{address}/v1/enrol", json={"code": "AAAA-AAAA"}, timeout=10) for _try in range(6)]

    assert [answer.status_code for answer in tries] == [403] * 5 + [429]
    assert int(tries[-1].headers["Retry-After"]) > 0


def test_every_item_has_its_line_in_the_receipt(door: Tablet, engine: Engine) -> None:
    first, second = door.operation(new_id()), door.operation(new_id(), instance(new_id(), age="130"))

    answer = door.push([first, b"{not json", second | {"record": second["record"]}, first])

    assert answer.status_code == 200
    receipt = answer.json()
    assert {"server", "epoch", "forks", "now", "head", "durable_seq", "items"} <= set(receipt)
    assert [item["safe"] for item in receipt["items"]] == [True] * 4
    assert receipt["items"][0]["verdict"] == "accepted"
    assert (receipt["items"][1]["verdict"], receipt["items"][1]["why"]) == ("quarantined", "invalid_json")
    assert receipt["items"][3]["verdict"] == "duplicate"
    assert receipt["items"][3]["seq"] == receipt["items"][0]["seq"]


def test_a_batch_sent_twice_is_kept_once(door: Tablet, engine: Engine) -> None:
    batch = [door.operation(new_id()) for _one in range(5)]

    first, again = door.push(batch).json(), door.push(batch).json()

    assert [item["verdict"] for item in first["items"]] == ["accepted"] * 5
    assert [(item["verdict"], item["first"]) for item in again["items"]] == [("duplicate", "accepted")] * 5
    assert [item["seq"] for item in again["items"]] == [item["seq"] for item in first["items"]]
    assert count(engine, Submission) == 5


def test_findings_come_with_the_verdict(door: Tablet) -> None:
    instance_id = new_id()

    (item,) = door.push([door.operation(instance_id, instance(instance_id, age="130"))]).json()["items"]

    assert (item["verdict"], item["errors"], item["record"], item["name"]) == ("accepted", 1, instance_id, "Bu Siti")


def test_the_device_tells_its_clock_and_what_still_waits(door: Tablet, engine: Engine, tablet: Known) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=2)).isoformat()

    door.push([], HEADER | {"sent_at": ahead, "waiting": 7})

    with Session(engine) as session:
        device = session.scalars(select(Device).where(Device.device_id == tablet.device_id)).one()
        assert device.waiting == 7
        assert device.skew_ms == pytest.approx(7_200_000, abs=60_000)
        assert device.last_seen_at is not None


def test_a_clock_that_is_decades_off_is_no_obstacle(door: Tablet) -> None:
    assert door.push([door.operation(new_id())], HEADER | {"sent_at": "1980-01-01T00:00:00Z"}).status_code == 200


BODY = gzip.compress(orjson.dumps(HEADER) + b'\n{"op": "1"}\n')


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (BODY[:-5], 400),
        (BODY[:20] + b"\x00" + BODY[21:], 400),
        (b"", 400),
        (b"plain text", 400),
        (gzip.compress(b"no header\n"), 400),
        (gzip.compress(b"[1, 2]\n"), 400),
        (gzip.compress(b'{"v": 2}\n'), 400),
        (gzip.compress(b'{"v": 1, "waiting": -1}\n'), 400),
        (gzip.compress(b'{"v": 1, "x": "' + os.urandom(20_000).hex().encode() + b'"}\n'), 400),
        (gzip.compress(orjson.dumps(HEADER) + b"\n" + b'{"op": "1"}\n' * 501), 413),
        (gzip.compress(bytes(100 * 2**20)), 413),
        (os.urandom(2**20 + 1), 413),
    ],
    ids=["cut", "flipped", "empty", "plain", "no-header", "list", "v2", "field", "huge-header", "501", "bomb", "large"],
)
def test_a_batch_that_is_not_right_changes_nothing(door: Tablet, engine: Engine, body: bytes, status: int) -> None:
    answer = door.push_body(body)

    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert count(engine, InboxItem) == 0


def test_a_wrong_digest_changes_nothing(door: Tablet, engine: Engine) -> None:
    assert door.push_body(BODY, digest=b"x" * 32).status_code == 400
    assert count(engine, InboxItem) == 0


def test_another_compression_is_refused_by_name(door: Tablet) -> None:
    answer = door.push_body(BODY, **{"Content-Encoding": "br"})

    assert (answer.status_code, answer.json()["accepted"]) == (415, ["gzip"])


def test_a_wrong_token_is_401_and_tells_nothing(door: Tablet, engine: Engine) -> None:
    stranger = Tablet(door.url, "x" * 43, "d~2")

    answer = stranger.push([stranger.operation(new_id())])

    assert answer.status_code == 401
    assert "Pakis" not in answer.text
    assert count(engine, InboxItem) == 0


def test_a_token_opens_no_other_project(door: Tablet, log_in: Callable[[str], requests.Session], address: str) -> None:
    made = log_in("administrator").post(f"{address}/v1/projects", json={"name": "Lain"}, timeout=10).json()
    elsewhere = Tablet(door.url.replace("/projects/1/", f"/projects/{made['id']}/"), door.token, door.origin)

    assert elsewhere.push([]).status_code == 401
    assert elsewhere.ask("GET", "pull").status_code == 401


def test_a_revoked_device_reads_nothing_but_loses_no_work(
    door: Tablet, tablet: Known, revoke: Callable[[Known], None], engine: Engine
) -> None:
    revoke(tablet)

    (item,) = door.push([door.operation(new_id())]).json()["items"]

    assert (item["verdict"], item["why"], item["safe"]) == ("quarantined", "revoked_device", True)
    assert door.ask("GET", "pull").status_code == 403
    assert count(engine, Submission) == 0


def test_there_is_an_end_to_what_a_revoked_device_may_leave_in_quarantine(
    door: Tablet, tablet: Known, revoke: Callable[[Known], None], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "MOST_ASIDE", 2)
    revoke(tablet)

    answers = [door.push([door.operation(new_id())]) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert answers[2].json()["type"] == "/problems/device/revoked"
    assert count(engine, InboxItem) == 2


def test_a_token_cannot_fill_the_disk_with_what_nobody_can_place(
    door: Tablet, engine: Engine, visits: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the device holds stays there, and goes on when somebody has looked."""
    monkeypatch.setattr(sender, "MOST_ASIDE_BYTES", 20_000)
    good = door.operation(new_id())

    answers = [door.push([b"x" * 15_000 + str(number).encode()]) for number in range(3)]
    refused = door.push([good])

    def discard(session: Session) -> None:
        for item in session.scalars(select(InboxItem)):
            release.discard(session, item, note="sampah", actor=visits.supervisor, now=NOW)

    in_transaction(engine, discard)
    (item,) = door.push([good]).json()["items"]

    assert [answer.status_code for answer in answers] == [200, 200, 507]
    assert (refused.status_code, refused.headers["Retry-After"]) == (507, "900")
    assert refused.json()["type"] == "/problems/device/too-much-aside"
    assert item["verdict"] == "accepted"
    assert count(engine, InboxItem) == 2


def with_photo(door: Tablet, photo: bytes, name: str = "rumah.jpg") -> dict[str, Any]:
    """An operation whose record names the photo."""
    instance_id = new_id()
    announced = [{"name": name, "sha256": _named(photo), "size": len(photo), "type": "image/jpeg"}]
    return door.operation(instance_id, instance(instance_id, photo=name), attachments=announced)


def lacks(door: Tablet, *photos: bytes) -> list[str]:
    """What the server says that it lacks of these."""
    asked = {"blobs": [{"sha256": _named(photo), "size": len(photo)} for photo in photos]}
    return [one["sha256"] for one in door.ask("POST", "blobs/have", json=asked).json()["missing"]]


def test_a_revoked_device_hands_over_the_files_that_its_own_work_names_and_no_others(
    door: Tablet, tablet: Known, revoke: Callable[[Known], None], engine: Engine
) -> None:
    before, after, large, foreign = os.urandom(2000), os.urandom(2000), os.urandom(300_000), os.urandom(2000)
    door.push([with_photo(door, before)])
    revoke(tablet)
    door.push([with_photo(door, after), with_photo(door, large)])
    uploads = f"uploads/{_named(large)}"

    asked = lacks(door, before, after, large, foreign)
    put = [door.ask("PUT", f"blobs/{_named(photo)}", data=photo) for photo in (before, after, foreign)]
    door.ask("PATCH", uploads, data=large, headers=PIECE | {"Upload-Offset": "0", "Upload-Length": str(len(large))})
    begun = door.ask("POST", f"uploads/{_named(foreign)}", headers=TUS | {"Upload-Length": "2000"})

    assert asked == [_named(photo) for photo in (before, after, large, foreign)]
    assert [answer.status_code for answer in put] == [201, 201, 403]
    assert put[2].json()["title"].startswith("This device's access was taken back, and none of its work here names")
    assert (begun.status_code, begun.json()["type"]) == (403, "/problems/device/file-not-named")
    assert door.ask("HEAD", uploads, headers=TUS).headers["Upload-Offset"] == "300000"
    assert lacks(door, before, after, large, foreign) == [_named(foreign)]
    assert count(engine, Blob) == 3


def test_a_revoked_device_does_not_learn_what_else_is_here(
    door: Tablet, tablet: Known, revoke: Callable[[Known], None]
) -> None:
    photo = os.urandom(2000)
    door.ask("PUT", f"blobs/{_named(photo)}", data=photo)
    assert lacks(door, photo) == []

    revoke(tablet)

    assert lacks(door, photo) == [_named(photo)]


def test_there_is_an_end_to_the_files_of_a_revoked_device(
    door: Tablet, tablet: Known, revoke: Callable[[Known], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced, "MOST_BYTES_ASIDE", 256 * 1024 + 2000)
    photos = [os.urandom(2000) for _ in range(3)]
    revoke(tablet)
    door.push([with_photo(door, photo) for photo in photos])

    answers = [door.ask("PUT", f"blobs/{_named(photo)}", data=photo) for photo in photos]
    again = door.ask("PUT", f"blobs/{_named(photos[0])}", data=photos[0])

    assert [answer.status_code for answer in answers] == [201, 201, 403]
    assert answers[2].json()["title"].endswith("its files fill their room here. Keep them; ask the supervisor.")
    assert again.status_code == 201


def test_a_viewer_may_not_push(
    log_in: Callable[[str], requests.Session], address: str, visits: Team, engine: Engine
) -> None:
    answer = log_in("viewer").post(f"{address}/v1/projects/1/sync/push", data=orjson.dumps(HEADER), timeout=10)

    assert answer.status_code == 403


def test_parallel_devices_lose_nothing(door: Tablet, engine: Engine) -> None:
    tablets = [Tablet(door.url, door.token, f"{door.origin}{number}") for number in range(6)]
    record = new_id()

    def work(one: Tablet) -> list[str]:
        batch = [one.operation(new_id()) for _item in range(10)]
        batch.append(one.operation(record, instance(record, name=one.origin[-1])))
        return [item["verdict"] for item in one.push(batch).json()["items"]]

    with ThreadPoolExecutor(6) as pool:
        verdicts = [verdict for batch in pool.map(work, tablets) for verdict in batch]

    assert set(verdicts) <= {"accepted", "merged", "conflict"}
    assert count(engine, Submission) == 61


def test_a_pull_goes_on_where_the_last_one_ended(door: Tablet) -> None:
    door.push([door.operation(new_id()) for _one in range(3)])

    page = door.ask("GET", "pull", params={"limit": 2}).json()
    kinds, cursors = [record["kind"] for record in page["records"]], {page["cursor"]}
    while page["records"]:
        page = door.ask("GET", "pull", params={"limit": 2, "cursor": page["cursor"]}).json()
        kinds += [record["kind"] for record in page["records"]]
        cursors.add(page["cursor"])

    assert kinds.count("submission") == 3
    assert kinds.count("form") == 1
    assert len(cursors) > 2
    assert {"epoch", "head", "durable_seq", "needs", "drop"} <= set(page)


def test_a_page_is_compressed_for_who_can_read_that(door: Tablet) -> None:
    door.push([door.operation(new_id()) for _one in range(10)])

    assert door.ask("GET", "pull", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in door.ask("GET", "pull", headers={"Accept-Encoding": "identity"}).headers


def _named(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_small_file_comes_in_one_request_and_ends_the_waiting(door: Tablet, engine: Engine) -> None:
    photo, instance_id = os.urandom(2000), new_id()
    announced = [{"name": "rumah.jpg", "sha256": _named(photo), "size": 2000, "type": "image/jpeg"}]
    xml = instance(instance_id, photo="rumah.jpg")
    (item,) = door.push([door.operation(instance_id, xml, attachments=announced)]).json()["items"]
    asked = {"blobs": [{"sha256": _named(photo), "size": 2000}]}

    before = door.ask("POST", "blobs/have", json=asked).json()
    put = door.ask("PUT", f"blobs/{_named(photo)}", data=photo, headers={"Content-Type": "image/jpeg"})
    after = door.ask("POST", "blobs/have", json=asked).json()

    assert item["missing"] == [_named(photo)]
    assert before == {"missing": [{"sha256": _named(photo), "size": 2000, "offset": 0}]}
    assert (put.status_code, after) == (201, {"missing": []})
    with Session(engine) as session:
        assert session.scalars(select(SubmissionAttachment)).one().arrived_at is not None


def a_photo(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "JPEG")
    return file.getvalue()


def bytes_at(reader: Reader, address: str) -> bytes:
    with reader.client.get(address) as answer:
        return answer.data


def test_two_photos_of_one_name_stand_side_by_side_until_somebody_chooses(
    door: Tablet, app: Flask, engine: Engine
) -> None:
    old, mine, yours = map(a_photo, ("red", "green", "blue"))
    made = with_photo(door, old)
    door.push([made])
    for number, photo in enumerate((mine, yours)):
        author = Tablet(door.url, door.token, f"{door.origin}{number}")
        announced = [{"name": "rumah.jpg", "sha256": _named(photo), "size": len(photo), "type": "image/jpeg"}]
        seen = {made["origin"]: made["n"]}
        again = author.operation(made["record"], set={}, context=seen, attachments=announced)
        author.push([{**again, "xml": None}])
        door.ask("PUT", f"blobs/{_named(photo)}", data=photo)
    supervisor = Reader(app.test_client()).log_in("supervisor")

    page = supervisor.get("/projects/1/conflicts")
    pictures = re.findall(r'src="(/projects/1/submissions/[^"]+/thumbnails/rumah.jpg)"', page)
    wholes = [bytes_at(supervisor, one.replace("/thumbnails/", "/attachments/")) for one in pictures]
    sides = dict(zip(wholes, re.findall(r'name="choice" value="([^"]+)"', page), strict=True))
    fields = {"kind": "submission", "record": made["record"], "path": "@rumah.jpg", "choice": sides[mine]}
    supervisor.follow(supervisor.send("/projects/1/conflicts", page="/projects/1/conflicts", **fields))

    assert "Two files with the name rumah.jpg" in page
    assert {supervisor.client.get(one).content_type for one in pictures} == {"image/jpeg"}
    record = f"/projects/1/submissions/{made['record']}"
    assert bytes_at(supervisor, f"{record}/attachments/rumah.jpg") == mine
    assert "No open conflict" in supervisor.get("/projects/1/conflicts")
    history = re.findall(r'href="([^"]+/versions/[^"]+/attachments/rumah.jpg)"', supervisor.get(record))
    assert {bytes_at(supervisor, one) for one in history} >= {mine, yours}


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("0" * 64, b"other bytes", 400),
        ("not-a-hash", b"abc", 400),
        (_named(bytes(300_000)), bytes(300_000), 413),
    ],
    ids=["other-bytes", "name", "too-large"],
)
def test_a_file_that_is_not_what_its_address_says_is_not_kept(
    door: Tablet, engine: Engine, name: str, content: bytes, status: int
) -> None:
    assert door.ask("PUT", f"blobs/{name}", data=content).status_code == status
    assert count(engine, Blob) == 0


TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


def test_a_large_file_comes_in_pieces_and_goes_on_after_a_break(door: Tablet, engine: Engine) -> None:
    film = os.urandom(700_000)
    path = f"uploads/{_named(film)}"

    assert door.ask("HEAD", path, headers=TUS).status_code == 404
    begun = door.ask("POST", path, headers=TUS | {"Upload-Length": "700000"})
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (201, "0")
    assert begun.headers["Location"].endswith(path)

    first = door.ask("PATCH", path, data=film[:300_000], headers=PIECE | {"Upload-Offset": "0"})
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "300000")
    assert door.ask("PATCH", path, data=film, headers=PIECE | {"Upload-Offset": "0"}).status_code == 409

    asked = {"blobs": [{"sha256": _named(film), "size": 700_000}]}
    assert door.ask("POST", "blobs/have", json=asked).json()["missing"][0]["offset"] == 300_000
    head = door.ask("HEAD", path, headers=TUS)
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("300000", "700000")

    last = door.ask("PATCH", path, data=film[300_000:], headers=PIECE | {"Upload-Offset": "300000"})
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, "700000")
    assert door.ask("HEAD", path, headers=TUS).headers["Upload-Offset"] == "700000"
    assert count(engine, Blob) == 1


def test_the_first_piece_may_come_with_the_beginning(door: Tablet, engine: Engine) -> None:
    film = os.urandom(5000)

    answer = door.ask("POST", f"uploads/{_named(film)}", data=film, headers=PIECE | {"Upload-Length": "5000"})

    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "5000")
    assert count(engine, Blob) == 1


def test_a_last_piece_whose_answer_was_lost_is_told_where_the_upload_stands(door: Tablet) -> None:
    film = os.urandom(5000)
    path = f"uploads/{_named(film)}"
    door.ask("POST", path, data=film, headers=PIECE | {"Upload-Length": "5000"})

    again = door.ask("PATCH", path, data=film, headers=PIECE | {"Upload-Offset": "0"})
    anew = door.ask("POST", path, headers=TUS | {"Upload-Length": "5000"})

    assert (again.status_code, again.json()["offset"]) == (409, 5000)
    assert anew.headers["Upload-Offset"] == "5000"


@pytest.mark.parametrize("is_settled", [False, True], ids=["before-its-name", "before-its-row"])
def test_a_file_whose_end_the_server_did_not_live_to_see_is_kept_when_somebody_asks(
    door: Tablet, engine: Engine, app: Flask, visits: Team, is_settled: bool
) -> None:
    film, blobs = os.urandom(5000), app.extensions["lapangan"].blobs
    path, asked = f"uploads/{_named(film)}", {"blobs": [{"sha256": _named(film), "size": 5000}]}
    door.ask("POST", path, headers=TUS | {"Upload-Length": "5000"})
    blobs.append(visits.project_id, _named(film), 0, [film], size=5000, limit=5000)
    if is_settled:
        blobs.finish(visits.project_id, _named(film))

    again = door.ask("PATCH", path, data=film[4000:], headers=PIECE | {"Upload-Offset": "4000"})
    head = door.ask("HEAD", path, headers=TUS)

    assert (again.status_code, head.headers["Upload-Offset"]) == (409, "5000")
    assert door.ask("POST", "blobs/have", json=asked).json() == {"missing": []}
    assert count(engine, Blob) == 1


def test_an_empty_file_is_complete_once_it_is_announced(door: Tablet, engine: Engine) -> None:
    answer = door.ask("POST", f"uploads/{_named(b'')}", headers=TUS | {"Upload-Length": "0"})

    assert answer.status_code == 201
    assert count(engine, Blob) == 1


def test_an_upload_with_other_bytes_than_its_hash_starts_again(door: Tablet, engine: Engine) -> None:
    path = f"uploads/{'0' * 64}"
    door.ask("POST", path, headers=TUS | {"Upload-Length": "5"})

    answer = door.ask("PATCH", path, data=b"wrong", headers=PIECE | {"Upload-Offset": "0"})

    assert answer.status_code == 400
    assert door.ask("HEAD", path, headers=TUS).headers["Upload-Offset"] == "0"
    assert count(engine, Blob) == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (TUS | {"Upload-Length": str(2**41)}, 413),
        (TUS | {"Upload-Length": "many"}, 400),
        (TUS, 400),
        ({"Tus-Resumable": "0.2.2", "Upload-Length": "5"}, 412),
    ],
)
def test_an_upload_that_cannot_be_is_refused_at_once(door: Tablet, headers: dict[str, str], status: int) -> None:
    refused = door.ask("POST", f"uploads/{'0' * 64}", headers=headers)

    assert refused.status_code == status
    assert refused.headers["Tus-Resumable"] == "1.0.0"
    assert ("Tus-Version" in refused.headers) == (status == 412)


def test_a_piece_beyond_the_end_is_refused(door: Tablet) -> None:
    path = f"uploads/{'0' * 64}"
    door.ask("POST", path, headers=TUS | {"Upload-Length": "5"})

    assert door.ask("PATCH", path, data=b"x" * 9, headers=PIECE | {"Upload-Offset": "0"}).status_code == 413


def test_the_protocol_is_told_to_whoever_asks(door: Tablet) -> None:
    answer = requests.options(f"{door.url}/uploads", timeout=10)

    assert answer.status_code == 204
    assert (answer.headers["Tus-Version"], answer.headers["Tus-Resumable"]) == ("1.0.0", "1.0.0")
    assert int(answer.headers["Tus-Max-Size"]) == 2**31


def read_all(door: Tablet, **query: str) -> dict[str, Any]:
    page: dict[str, Any] = door.ask("GET", "pull", params=query).json()
    return page


def test_who_waits_hears_of_news_when_there_are_some(door: Tablet) -> None:
    cursor = read_all(door)["cursor"]

    nothing = read_all(door, cursor=cursor, wait="1")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read_all, door, cursor=cursor, wait="20")
        door.push([door.operation(new_id())])
        page = waiting.result()

    assert nothing["records"] == []
    assert "submission" in [one["kind"] for one in page["records"]]


def test_only_a_few_may_wait_and_the_others_are_answered(door: Tablet, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = threading.BoundedSemaphore(1)
    taken.acquire()
    monkeypatch.setattr(pull, "WAITING", taken)
    cursor = read_all(door)["cursor"]

    page = read_all(door, cursor=cursor, wait="60")

    assert (page["records"], page["cursor"]) == ([], cursor)


def test_a_person_cannot_send_in_the_name_of_an_enrolled_device(
    address: str, tablet: Known, engine: Engine, log_in: Callable[[str], requests.Session]
) -> None:
    """What is judged later is judged by what its sender may do: another server's device may do much."""
    person = log_in("enumerator")
    door = Tablet(f"{address}/v1/projects/1/sync", str(person.headers["Authorization"])[7:], "p-ani~1")
    lines = [orjson.dumps(HEADER), orjson.dumps(door.operation(record := new_id()))]

    answer = door.ask("POST", f"push?deviceID={tablet.device_id}", data=b"\n".join(lines))

    assert answer.json()["items"][0]["verdict"] == "accepted"
    with Session(engine) as session:
        shown = session.scalars(select(Submission).where(Submission.instance_id == record)).one()
    assert (shown.device_id, shown.account_id is not None) == (None, True)


def test_a_file_of_an_impossible_size_is_refused_by_name(door: Tablet) -> None:
    answer = door.ask("POST", "blobs/have", json={"blobs": [{"sha256": "a" * 64, "size": 2**64}]})

    assert answer.status_code == 400
