"""The same act in several threads that begin together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Value = TypeVar("Value")


def at_once(count: int, act: Callable[[], Value]) -> list[Value]:
    """What each of them returned; what one of them raised is raised here."""
    gate = threading.Barrier(count)

    def run() -> Value:
        gate.wait()
        return act()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run) for _thread in range(count)]]
