"""Structured logs: one line for each request, with the id that error pages show. Tokens never reach the log."""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request

from config import Settings
from sync.identity import uuid7

log: structlog.stdlib.BoundLogger = structlog.get_logger("lapangan")

SENT_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def configure(settings: Settings) -> None:
    """Send our own lines and those of the libraries to stderr, in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_ending(settings.log_format))
    )
    handler.set_name("lapangan")
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if kept.get_name() != "lapangan"] + [handler]
    root.setLevel(settings.log_level)
    # That a request waits for a thread is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)


def install(app: Flask) -> None:
    """Give each request an id and log it when it has been answered."""
    app.before_request(_begin)
    app.after_request(_end)


def request_id() -> str:
    """The id of this request, in the log, on error pages and in the header X-Request-Id."""
    return str(g.get("request_id", ""))


def loggable(path: str) -> str:
    """The path without the token that app users of ODK Collect, and sessions to be closed, carry in it."""
    return re.sub(r"^/v1/(key|test|sessions)/(?!current$)[^/]+", r"/v1/\1/-", path)


def _begin() -> None:
    sent = request.headers.get("X-Request-Id", "")
    g.request_id = sent if SENT_ID.fullmatch(sent) else uuid7()
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(response: Response) -> Response:
    if "request_id" not in g:
        return response
    response.headers["X-Request-Id"] = g.request_id
    log.info(
        "request",
        method=request.method,
        path=loggable(request.path),
        status=response.status_code,
        ms=round((time.perf_counter() - g.began) * 1000, 1),
    )
    return response


def _ending(form: str) -> list[Any]:
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if form == "json":
        return [
            clean,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda line, **_: orjson.dumps(line, default=str).decode()),
        ]
    # Plain tracebacks: the rich ones print local variables, and with them passwords and tokens.
    plain = structlog.dev.plain_traceback
    return [clean, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
