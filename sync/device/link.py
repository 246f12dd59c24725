"""The way to the server: one request at a time, tried again with patience, answered in plain words."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from sync.device.errors import AccessEnded, NewerServer, ServerRefused, ServerUnreachable, ShutOut, UntrustedServer
from sync.device.progress import Progress, Stage, Watch, unwatched
from sync.errors import AccessTakenBack

USER_AGENT = "Lapangan field client"
TIMEOUT_S = (10, 60)
"""To connect; between two bytes of an answer."""
LONGEST_PAUSE_S = 120.0


GARBLED = "/problems/batch/broken"
"""What the server says to a body that the line has cut or changed."""
PROTOCOL = 1
"""The version of the sync protocol that this client speaks."""


class TooMuch(Exception):
    """The server or the line cannot take that much at once: send less."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    address: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any = None

    @property
    def told(self) -> Mapping[str, Any]:
        """The JSON object in it. Refuses ServerUnreachable when there is none: somebody else has answered; and
        NewerServer when it may mean something that nobody here can know."""
        if not isinstance(self.json, dict):
            raise _somebody_else(self.address)
        version = self.json.get("v", PROTOCOL)
        if not isinstance(version, int) or version > PROTOCOL:
            raise NewerServer(self.address)
        return self.json

    def is_about(self, slug: str) -> bool:
        """Whether it refuses with this problem."""
        return isinstance(self.json, dict) and str(self.json.get("type", "")).endswith(f"/problems/{slug}")


@dataclass(slots=True)
class Link:
    """An address and the token that opens it."""

    base: str
    token: str = field(default="", repr=False)
    watch: Watch = unwatched
    attempts: int = 4
    sleep: Callable[[float], None] = time.sleep
    session: requests.Session = field(default_factory=requests.Session, repr=False)

    def close(self) -> None:
        self.session.close()

    def ask(self, method: str, path: str, *, expected: frozenset[int] = frozenset(), **request: Any) -> Answer:
        """The answer, of 2xx or of an `expected` status.

        Busy servers and broken lines are tried again, after Retry-After where the server says it. Refuses
        UntrustedServer at once, ServerUnreachable at last, AccessEnded for a token that is not known, ShutOut for one
        that was revoked, ServerRefused for all else."""
        for attempt in range(self.attempts):
            answer = self._once(method, path, request)
            if answer is not None and not _is_passing(answer):
                return self._settled(answer, expected)
            if attempt + 1 < self.attempts:
                self._pause(attempt, answer)
        raise ServerUnreachable(f"{self.base} {words(answer) if answer else ''}".strip(), address=self.base)

    def ask_once(self, method: str, path: str, *, expected: frozenset[int] = frozenset(), **request: Any) -> Answer:
        """As `ask`, for what should be sent in smaller pieces next time. Raises TooMuch on a timeout or 413."""
        try:
            answer = self._send(method, path, request)
        except requests.Timeout as error:
            raise TooMuch from error
        except requests.RequestException:
            return self.ask(method, path, expected=expected, **request)
        if answer.status == 413:
            raise TooMuch
        if _is_passing(answer):
            self._pause(0, answer)
            return self.ask(method, path, expected=expected, **request)
        return self._settled(answer, expected)

    def _once(self, method: str, path: str, request: Mapping[str, Any]) -> Answer | None:
        try:
            return self._send(method, path, request)
        except requests.RequestException:
            return None

    def _send(self, method: str, path: str, request: Mapping[str, Any]) -> Answer:
        headers = {"User-Agent": USER_AGENT, **request.get("headers", {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        rest = {name: value for name, value in request.items() if name != "headers"}
        try:
            response = self.session.request(method, self.base + path, headers=headers, timeout=TIMEOUT_S, **rest)
        except requests.exceptions.SSLError as error:
            # Trying again does not help, and a line that breaks while the two greet each other is none of these.
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise UntrustedServer(self.base, address=self.base) from error
            raise
        return Answer(self.base, response.status_code, response.headers, response.content, _json(response))

    def _settled(self, answer: Answer, expected: frozenset[int]) -> Answer:
        if answer.status < 300 and answer.body and "html" in answer.headers.get("Content-Type", ""):
            # The log-in page of a hotel or a mobile operator: with it, nothing has been taken.
            raise _somebody_else(self.base)
        if answer.status < 300 or answer.status in expected:
            return answer
        if answer.status == 401:
            raise AccessEnded(self.base)
        if answer.is_about(AccessTakenBack.slug):
            raise ShutOut
        raise ServerRefused(words(answer), status=answer.status)

    def _pause(self, attempt: int, answer: Answer | None) -> None:
        pause = min(2.0**attempt * random.uniform(0.5, 1.0), LONGEST_PAUSE_S)
        if answer is not None:
            # Those who were sent away together do not come back together.
            pause = max(pause, min(_retry_after_s(answer) * random.uniform(1.0, 1.5), LONGEST_PAUSE_S))
        self.watch(Progress(Stage.WAIT, 0, round(pause), self.base))
        self.sleep(pause)


def _somebody_else(address: str) -> ServerUnreachable:
    return ServerUnreachable(f"{address} answered, but not as this server does.", address=address)


def words(answer: Answer) -> str:
    """What the server said, as its problem body puts it."""
    if isinstance(answer.json, dict) and answer.json.get("title"):
        return f"{answer.json['title']} {answer.json.get('detail') or ''}".strip()
    return f"(HTTP {answer.status})"


def _is_passing(answer: Answer) -> bool:
    """A state of the server, or of the line, that may be over in a while."""
    return answer.status in (408, 425, 429, 507) or answer.status >= 500 or _is_garbled(answer)


def _is_garbled(answer: Answer) -> bool:
    return answer.status == 400 and isinstance(answer.json, dict) and answer.json.get("type") == GARBLED


def _retry_after_s(answer: Answer) -> float:
    """Seconds, or an instant (RFC 9110, 10.2.3): by the server's clock, since this device's may be wrong by years."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    at, told_at = _instant(text), _instant(answer.headers.get("Date", ""))
    return max(0.0, (at - told_at).total_seconds()) if at and told_at else 0.0


def _instant(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC)  # HTTP dates are in GMT
    except ValueError:
        return None


def _json(response: requests.Response) -> Any:
    if "json" not in response.headers.get("Content-Type", ""):
        return None
    try:
        return response.json()
    except ValueError:
        return None
