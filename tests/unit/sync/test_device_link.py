"""The way to the server: patient with bad lines, plain about refusals."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
from requests.adapters import BaseAdapter
from requests.exceptions import SSLError

from sync.device.errors import AccessEnded, NewerServer, ServerRefused, ServerUnreachable, UntrustedServer
from sync.device.link import Link, TooMuch
from sync.device.outbox import Waiting
from sync.device.push import encode


class Server(BaseAdapter):
    """A server that answers from a script: a status, (status, headers, JSON), or an exception to raise."""

    def __init__(self, *script: Any) -> None:
        super().__init__()
        self.script = list(script)
        self.seen: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.seen.append(request)
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        status, headers, body = step if isinstance(step, tuple) else (step, {}, {})
        response = requests.Response()
        response.status_code, response.request = status, request
        response.headers.update({"Content-Type": "application/json", **headers})
        response._content = orjson.dumps(body)
        return response

    def close(self) -> None:
        pass


Reach = Callable[..., tuple[Link, Server, list[float]]]


@pytest.fixture
def reach() -> Reach:
    def reach(*script: Any) -> tuple[Link, Server, list[float]]:
        server, pauses = Server(*script), list[float]()
        link = Link("http://server", token="t-1", sleep=pauses.append)
        link.session.mount("http://", server)
        return link, server, pauses

    return reach


def test_a_broken_line_is_tried_again(reach: Reach) -> None:
    link, server, pauses = reach(requests.ConnectionError(), 503, 200)

    assert link.ask("GET", "/x").status == 200
    assert len(server.seen) == 3
    assert pauses[1] > pauses[0] > 0


def test_the_server_says_how_long_to_wait(reach: Reach) -> None:
    link, _server, pauses = reach((429, {"Retry-After": "30"}, {}), 200)

    link.ask("GET", "/x")

    assert 30 <= pauses[0] <= 45


@pytest.mark.parametrize("zone", ["GMT", "+0000"])
def test_the_server_says_until_when_to_wait_by_its_own_clock(reach: Reach, zone: str) -> None:
    """It stands in 1999, and so may this device's."""
    told = {"Date": "Fri, 31 Dec 1999 23:59:50 GMT", "Retry-After": f"Sat, 01 Jan 2000 00:00:20 {zone}"}
    link, _server, pauses = reach((503, told, {}), 200)

    link.ask("GET", "/x")

    assert 30 <= pauses[0] <= 45


@pytest.mark.parametrize(
    "told",
    [
        {"Retry-After": "Sat, 01 Jan 2000 00:00:20 GMT"},
        {"Retry-After": "Sat, 01 Jan 2000 00:00:20 GMT", "Date": "Sat, 01 Jan 2000 00:01:00 GMT"},
        {"Retry-After": "tomorrow", "Date": "Sat, 01 Jan 2000 00:01:00 GMT"},
        {"Retry-After": "-5"},
        {"Retry-After": ""},
    ],
)
def test_who_is_not_told_how_long_waits_as_after_a_broken_line(reach: Reach, told: dict[str, str]) -> None:
    link, _server, pauses = reach((503, told, {}), 200)

    link.ask("GET", "/x")

    assert 0.5 <= pauses[0] <= 1.0


@pytest.mark.parametrize("version", [2, "1.1", None])
def test_what_a_newer_server_means_nobody_here_can_know(reach: Reach, version: Any) -> None:
    link, _server, _pauses = reach((200, {}, {"v": version, "items": []}))

    with pytest.raises(NewerServer, match="http://server"):
        _ = link.ask("GET", "/x").told


def test_nobody_waits_for_hours(reach: Reach) -> None:
    link, _server, pauses = reach((503, {"Retry-After": "86400"}, {}), 200)

    link.ask("GET", "/x")

    assert pauses == [120.0]


def test_a_server_that_stays_away_is_named(reach: Reach) -> None:
    link, _server, _pauses = reach(*[requests.ConnectionError()] * 4)

    with pytest.raises(ServerUnreachable, match="http://server"):
        link.ask("GET", "/x")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_a_log_in_page_in_the_servers_place_is_no_answer(reach: Reach, method: str) -> None:
    link, _server, _pauses = reach((200, {"Content-Type": "text/html; charset=utf-8"}, {}))

    with pytest.raises(ServerUnreachable, match="not as this server does"):
        link.ask(method, "/x")


def test_an_answer_that_holds_no_object_is_not_this_servers(reach: Reach) -> None:
    link, _server, _pauses = reach((200, {}, ["x"]))

    with pytest.raises(ServerUnreachable, match="not as this server does"):
        _ = link.ask("GET", "/x").told


def test_an_unknown_token_is_not_tried_again(reach: Reach) -> None:
    link, server, _pauses = reach(401)

    with pytest.raises(AccessEnded):
        link.ask("GET", "/x")
    assert len(server.seen) == 1
    assert server.seen[0].headers["Authorization"] == "Bearer t-1"


def test_a_refusal_is_told_in_the_servers_words(reach: Reach) -> None:
    problem = {"title": "This form is closed.", "detail": "wawancara"}
    link, _server, _pauses = reach((403, {"Content-Type": "application/problem+json"}, problem))

    with pytest.raises(ServerRefused, match=r"This form is closed\. wawancara"):
        link.ask("GET", "/x")


@pytest.mark.parametrize("answer", [413, requests.Timeout()])
def test_what_is_too_much_is_to_be_sent_in_smaller_pieces(reach: Reach, answer: Any) -> None:
    link, _server, _pauses = reach(answer)

    with pytest.raises(TooMuch):
        link.ask_once("POST", "/x")


def test_a_batch_is_a_header_and_a_line_for_each_operation() -> None:
    batch = [Waiting("1", b'{"op":"1"}'), Waiting("2", b'{"op":"2"}')]
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    body, headers = encode(batch, device_id="d-1", waiting=5, now=now)

    header, *lines = gzip.decompress(body).splitlines()
    told = {"v": 1, "device": "d-1", "sent_at": "2026-11-23T12:00:00+00:00", "waiting": 3}
    assert orjson.loads(header) == told
    assert lines == [b'{"op":"1"}', b'{"op":"2"}']
    assert headers["Content-Digest"] == f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def test_a_server_whose_certificate_does_not_hold_is_told_apart_from_a_line_that_is_down(reach: Reach) -> None:
    forged = SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired")
    link, server, pauses = reach(forged)

    with pytest.raises(UntrustedServer):
        link.ask("GET", "/v1/x")

    assert (len(server.seen), pauses) == (1, [])


def test_a_line_that_breaks_while_the_two_greet_each_other_is_tried_again(reach: Reach) -> None:
    link, _server, pauses = reach(SSLError("[SSL: UNEXPECTED_EOF_WHILE_READING]"), 200)

    assert link.ask("GET", "/v1/x").status == 200
    assert len(pauses) == 1
