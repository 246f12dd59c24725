"""The network between field clients and servers: an adapter below the real `requests`, with a fate for each request."""

from __future__ import annotations

import contextlib
import enum
import io
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from sync.device.link import Link
from tests.simulator.node import Down, Node, Reply


class Fate(enum.Enum):
    """What becomes of one request."""

    WELL = "well"
    LOST = "lost"
    """It never arrives."""
    UNANSWERED = "unanswered"
    """It arrives; its answer does not."""
    TWICE = "twice"
    LATER = "later"
    """It arrives when its sender has long given up."""
    CUT = "cut"
    """A part of it arrives, as if it were the whole."""
    FALSIFIED = "falsified"
    CUT_ANSWER = "cut_answer"
    LOGIN_PAGE = "login_page"
    """A proxy answers in the server's place, with 200."""


WEIGHTS: Mapping[Fate, int] = {
    Fate.WELL: 50,
    Fate.LOST: 6,
    Fate.UNANSWERED: 12,
    Fate.TWICE: 8,
    Fate.LATER: 6,
    Fate.CUT: 4,
    Fate.FALSIFIED: 3,
    Fate.CUT_ANSWER: 5,
    Fate.LOGIN_PAGE: 4,
}
"""Of a line on which anything goes wrong at all."""

UPLOAD_STEPS = 30
"""Of a server over one piece of a file, about: it may die at each of them."""

LOGIN = b"<!DOCTYPE html><html><body><form action='/login'>Selamat datang. Silakan masuk.</form></body></html>"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request on its way."""

    node: Node
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_push(self) -> bool:
        return self.url.endswith("/sync/push")

    @property
    def token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    @property
    def is_piece(self) -> bool:
        """A part of a large file."""
        return self.method == "PATCH" and "/sync/uploads/" in self.url

    @property
    def is_digested(self) -> bool:
        """Whether its receiver can tell that it did not arrive as it was sent."""
        return self.is_push or ("/sync/blobs/" in self.url and self.method == "PUT")


class Witness(Protocol):
    """Who sees what the servers really answered, also when the answer gets lost."""

    def answered(self, sent: Sent, reply: Reply) -> None: ...

    def was_damaged(self, sent: Sent, deliver: Callable[[], Reply]) -> Reply: ...


class Network:
    """All lines of a simulation. `rng` None is a line on which nothing goes wrong."""

    def __init__(self, nodes: Mapping[str, Node], witness: Witness) -> None:
        self.nodes, self.witness = nodes, witness
        self.rng: random.Random | None = None
        self.struck: random.Random | None = None
        """Set where the power fails while large files are sent."""
        self.delayed: list[Sent] = []

    def session(self) -> requests.Session:
        """For a client's Link."""
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", _Line(self))
        return session

    def at(self, url: str) -> Node:
        """The server at this address."""
        return self.nodes[urlsplit(url).hostname or ""]

    def link(self, base: str, **told: Any) -> Link:
        """For a client that is not patient."""
        return Link(base, attempts=2, sleep=lambda _pause: None, session=self.session(), **told)

    def deliver(self, sent: Sent) -> Reply:
        """The request arrives. Raises Down."""
        if self.struck is not None and sent.is_piece:
            sent.node.fuse.left = self.struck.randrange(UPLOAD_STEPS)
        reply = sent.node.answer(sent.method, sent.url, sent.headers, sent.body)
        self.witness.answered(sent, reply)
        return reply

    def deliver_late(self, rng: random.Random) -> None:
        """One request of those that are still on their way arrives; nobody waits for its answer."""
        if self.delayed:
            sent = self.delayed.pop(rng.randrange(len(self.delayed)))
            with contextlib.suppress(Down):
                self.deliver(sent)

    def carry(self, sent: Sent) -> Reply:
        """What its sender gets to see. Raises what `requests` raises."""
        fate = self._fate()
        is_damaged = fate in (Fate.CUT, Fate.FALSIFIED)
        if fate is Fate.LOST or (is_damaged and not sent.is_digested):
            # A body without a digest is as long as its header says, or does not get past any server's door.
            raise requests.ConnectTimeout
        if fate is Fate.LATER:
            self.delayed.append(sent)
            raise requests.ReadTimeout
        if fate is Fate.LOGIN_PAGE:
            return Reply(200, [("Content-Type", "text/html; charset=utf-8")], LOGIN)
        try:
            if is_damaged and sent.body:
                damaged = Sent(sent.node, sent.method, sent.url, sent.headers, self._damaged(sent.body, fate))
                return self.witness.was_damaged(damaged, lambda: self.deliver(damaged))
            reply = self.deliver(sent)
            if fate is Fate.TWICE:
                reply = self.deliver(sent)
        except Down:
            raise requests.ConnectionError("connection refused") from None
        if fate is Fate.UNANSWERED:
            raise requests.ReadTimeout
        return self._cut(reply) if fate is Fate.CUT_ANSWER else reply

    def _fate(self) -> Fate:
        if self.rng is None:
            return Fate.WELL
        return self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    def _damaged(self, body: bytes, fate: Fate) -> bytes:
        at = self._place(len(body))
        return body[:at] if fate is Fate.CUT else body[:at] + bytes([body[at] ^ 0x20]) + body[at + 1 :]

    def _cut(self, reply: Reply) -> Reply:
        headers = [(name, value) for name, value in reply.headers if name != "Content-Encoding"]
        return Reply(reply.status, headers, reply.body[: self._place(len(reply.body))])

    def _place(self, size: int) -> int:
        return self.rng.randrange(size) if self.rng is not None and size else 0


class _Line(HTTPAdapter):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self._network = network

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        url = str(request.url)
        body = request.body or b""
        sent = Sent(
            self._network.at(url),
            str(request.method),
            url,
            dict(request.headers),
            body.encode() if isinstance(body, str) else bytes(body),
        )
        reply = self._network.carry(sent)
        return self.build_response(
            request,
            HTTPResponse(
                io.BytesIO(b"" if sent.method == "HEAD" else reply.body),
                headers=dict(reply.headers),
                status=reply.status,
                preload_content=False,
                request_method=sent.method,
            ),
        )
