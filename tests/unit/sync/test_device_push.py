"""Batches get smaller when they are too much, wait when nobody takes them, and never block one another."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from requests.adapters import BaseAdapter

from sync.device.errors import ServerUnreachable
from sync.device.link import Link
from sync.device.outbox import LARGEST_BATCH, Draft, Outbox
from sync.device.progress import unwatched
from sync.device.push import Pushed, push
from sync.device.store import Store

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Door(BaseAdapter):
    """A server that takes at most `most` operations at once, and none of those that are too large by themselves."""

    def __init__(self, most: int = LARGEST_BATCH, verdict: str = "accepted", huge: str = "") -> None:
        super().__init__()
        self.most, self.verdict, self.huge = most, verdict, huge
        self.batches: list[int] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert isinstance(request.body, bytes)
        lines = [orjson.loads(line) for line in gzip.decompress(request.body).splitlines()[1:]]
        self.batches.append(len(lines))
        is_too_much = len(lines) > self.most or any(line["record"] == self.huge for line in lines)
        response = requests.Response()
        response.status_code, response.request = 413 if is_too_much else 200, request
        response.headers["Content-Type"] = "application/json"
        response._content = orjson.dumps(
            {"epoch": 1, "items": [self._item(line["op"]) for line in lines if self.verdict]}
        )
        return response

    def _item(self, op_id: str) -> dict[str, Any]:
        return {"op": op_id, "verdict": self.verdict, "safe": True, "seq": 1}

    def close(self) -> None:
        pass


Send = Callable[[Door, int], tuple[Pushed, Outbox]]


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Send]:
    store = Store(tmp_path)

    def send(door: Door, records: int) -> tuple[Pushed, Outbox]:
        outbox = Outbox(store)
        for number in range(records):
            draft = Draft("submission", f"uuid:{number}", "f", "1", f"uuid:{number}", "", {}, "<d/>")
            outbox.add(draft, origin="d-1~a", user="", now=NOW)
        link = Link("http://server", sleep=lambda _pause: None)
        link.session.mount("http://", door)
        return push(outbox, link, "/push", watch=unwatched, clock=lambda: NOW), outbox

    yield send
    store.close()


def test_a_large_outbox_goes_in_batches_of_a_hundred(send: Send) -> None:
    door = Door()

    pushed, outbox = send(door, 250)

    assert door.batches == [100, 100, 50]
    assert (pushed.count("accepted"), outbox.waiting()) == (250, 0)


def test_what_is_too_much_at_once_goes_in_halves_and_grows_again(send: Send) -> None:
    door = Door(most=30)

    _pushed, outbox = send(door, 100)

    assert door.batches[:3] == [100, 50, 25]
    assert max(door.batches[3:]) > 25
    assert outbox.waiting() == 0


def test_one_record_that_is_too_large_does_not_hold_up_the_others(send: Send) -> None:
    _pushed, outbox = send(Door(huge="uuid:3"), 10)

    (refused,) = (record for record in outbox.records() if record.state == "refused")
    assert (refused.instance_id, refused.why) == ("uuid:3", "too_large")
    assert outbox.status().kept == 9


def test_a_server_that_takes_nothing_is_left_alone_for_a_while(send: Send) -> None:
    door = Door(verdict="")

    with pytest.raises(ServerUnreachable, match="too busy"):
        send(door, 3)

    assert len(door.batches) == 5
