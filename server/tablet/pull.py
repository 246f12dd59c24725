"""What changed since a device was here last."""

from __future__ import annotations

import threading
import time
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue

from schemas.sync import PageSchema, PullSchema
from server.auth import actor, device
from server.clock import now
from server.db import end_reading, session
from server.projects import project
from server.sender import require_reader
from server.tablet.blueprint import bp, shown
from sync import feed

LOOK_S = 1.0
"""Between two looks of somebody who waits."""
WAITING = threading.BoundedSemaphore(2)
"""Each who waits holds a thread of the server; who finds no place here is answered at once."""


@bp.get("/projects/<int:number>/sync/pull")
def pull(number: int) -> ResponseReturnValue:
    """With `wait` the answer comes as soon as there is news, or after so many seconds without."""
    require_reader(project(number))
    wanted = PullSchema().load(request.args.to_dict())
    page = _page(number, wanted)
    if wanted["wait"] and not _has_news(page) and WAITING.acquire(blocking=False):
        try:
            page = _news(number, wanted, page)
        finally:
            WAITING.release()
    return shown(PageSchema().dump(page))


def _news(number: int, wanted: dict[str, Any], page: feed.Page) -> feed.Page:
    until = time.monotonic() + wanted["wait"]
    while not _has_news(page) and (left := until - time.monotonic()) > 0:
        end_reading()
        time.sleep(min(LOOK_S, left))
        page = _page(number, wanted | {"cursor": page.cursor})
    return page


def _has_news(page: feed.Page) -> bool:
    return bool(page.records or page.drop)


def _page(number: int, wanted: dict[str, Any]) -> feed.Page:
    return feed.pull(
        session(),
        project(number),
        device=device(),
        actor=actor(),
        cursor=wanted["cursor"],
        limit=wanted["limit"],
        now=now(),
    )
