"""What the server does when more comes than it can answer: it says so at once, and when to come back.

Requests wait for a thread in one queue. When that is too long, those whose turn it is are answered without any work
until it is short again: whoever waits longer than a client's patience costs the others time and gets nothing for it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from flask import Flask, request

from server.problems import Busy

WAITING_PER_THREAD = 16
RETRY_AFTER_S = (5, 20)
"""Not everybody at the same moment."""
MARK = "lapangan.is_overloaded"
ALWAYS = frozenset({"health.health"})
"""Endpoints that are answered all the same."""


def install(app: Flask) -> None:
    """Refuse before anything else is done."""
    app.before_request(_refuse)


def marking(app: Callable[..., Any], waiting: Callable[[], int], most: int) -> Callable[..., Any]:
    """The WSGI application, told when more than `most` requests wait."""

    def marked(environ: dict[str, Any], start_response: Any) -> Any:
        environ[MARK] = waiting() > most
        return app(environ, start_response)

    return marked


def _refuse() -> None:
    if request.environ.get(MARK) and request.endpoint not in ALWAYS:
        raise Busy(retry_after_s=random.randint(*RETRY_AFTER_S))
