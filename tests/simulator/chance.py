"""Time and chance as arguments: while a schedule runs, everything that asks for them is answered from its seed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from types import SimpleNamespace
from unittest.mock import patch

import server.clock
import sync.identity
from tests.conftest import NOW


@dataclass(slots=True)
class Clock:
    """Virtual time. It moves by a millisecond each time that somebody looks, so that no two instants are equal."""

    at: datetime = NOW + timedelta(days=1)

    def now(self, _zone: tzinfo | None = None) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def time_ns(self) -> int:
        return int(self.now().timestamp() * 1000) * 1_000_000


@contextmanager
def seeded(seed: int) -> Iterator[Clock]:
    """Ids, tokens and instants come from this seed."""
    clock, entropy = Clock(), random.Random(seed)
    with (
        patch.object(os, "urandom", entropy.randbytes),
        patch.object(random, "_urandom", entropy.randbytes),
        patch.object(sync.identity, "time", SimpleNamespace(time_ns=clock.time_ns)),
        patch.object(server.clock, "datetime", SimpleNamespace(now=clock.now)),
    ):
        yield clock
