"""Text first: what waits in the outbox goes to the server in batches, and leaves when its receipt is stored."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sync.device.errors import ServerUnreachable
from sync.device.link import PROTOCOL, Answer, Link, TooMuch
from sync.device.outbox import LARGEST_BATCH, Outbox, Waiting
from sync.device.progress import Progress, Stage, Watch

PATIENCE = 5
"""How often in a row the server may answer without taking anything."""


@dataclass(slots=True)
class Pushed:
    """What the server said to what was sent just now."""

    items: list[Mapping[str, Any]]
    batches: int = 0

    def add(self, later: Pushed) -> None:
        self.items.extend(later.items)
        self.batches += later.batches

    def count(self, verdict: str) -> int:
        return sum(1 for item in self.items if item.get("verdict") == verdict)

    def flagged(self) -> int:
        """Records in which the server noticed something."""
        return sum(1 for item in self.items if item.get("errors") or item.get("warnings"))


def push(outbox: Outbox, link: Link, path: str, *, watch: Watch, clock: Callable[[], datetime]) -> Pushed:
    """Everything in the outbox has been answered, or the server cannot be reached (ServerUnreachable)."""
    pushed = Pushed([])
    device_id = outbox.store.setting("device_id")
    total, most, fruitless = outbox.waiting(), LARGEST_BATCH, 0
    while batch := outbox.batch(most):
        watch(Progress(Stage.PUSH, total - outbox.waiting(), total))
        try:
            answer = _send(link, path, batch, device_id=device_id, waiting=outbox.waiting(), now=clock())
        except TooMuch:
            most = _smaller(outbox, batch, clock())
            continue
        watch(Progress(Stage.PUSH_ANSWERED, total - outbox.waiting(), total))
        before = outbox.waiting()
        outbox.keep_receipts(answer.told, now=clock())
        pushed.items.extend(answer.told.get("items", ()))
        pushed.batches += 1
        watch(Progress(Stage.RECEIPTS_KEPT, total - outbox.waiting(), total))
        fruitless = 0 if outbox.waiting() < before else fruitless + 1
        if fruitless:
            _wait(link, watch, fruitless)
        most = min(LARGEST_BATCH, max(most, len(batch)) * 2)
    return pushed


def encode(
    batch: Sequence[Waiting], *, device_id: str, waiting: int, now: datetime, **more: Any
) -> tuple[bytes, dict[str, str]]:
    """A batch as it goes over the wire: one header line, then an operation a line; gzip; RFC 9530 digest."""
    header = {"v": PROTOCOL, "device": device_id, "sent_at": now.isoformat(), "waiting": waiting - len(batch), **more}
    lines = [orjson.dumps(header), *(one.body for one in batch)]
    body = gzip.compress(b"\n".join(lines) + b"\n", 6, mtime=0)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return body, {
        "Content-Type": "application/x-ndjson",
        "Content-Encoding": "gzip",
        "Content-Digest": f"sha-256=:{digest}:",
    }


def _send(link: Link, path: str, batch: Sequence[Waiting], *, device_id: str, waiting: int, now: datetime) -> Answer:
    body, headers = encode(batch, device_id=device_id, waiting=waiting, now=now)
    ask = link.ask_once if len(batch) > 1 else link.ask
    answer = ask("POST", path, expected=frozenset({413}), data=body, headers=headers)
    if answer.status == 413:
        raise TooMuch
    return answer


def _smaller(outbox: Outbox, batch: Sequence[Waiting], now: datetime) -> int:
    """Half as much next time. One record that is too large by itself is set aside: it must not block the others."""
    if len(batch) == 1:
        line = {"op": batch[0].op_id, "verdict": "rejected", "safe": False, "why": "too_large"}
        outbox.keep_receipts({"items": [line]}, now=now)
    return max(1, len(batch) // 2)


def _wait(link: Link, watch: Watch, fruitless: int) -> None:
    if fruitless >= PATIENCE:
        raise ServerUnreachable(f"{link.base} is too busy to take anything.", address=link.base)
    watch(Progress(Stage.WAIT, 0, 2**fruitless, link.base))
    link.sleep(2.0**fruitless)
