"""What stands between a real server and its devices and changes what passes: a newer server, a busy one, a bad line."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from flask import Flask
from werkzeug import Request, Response

Before = Callable[[Request], Response | None]
After = Callable[[dict[str, Any]], None]


class Meddler:
    """WSGI middleware. `before` may answer in the server's place; `after` changes the JSON of a push or a pull."""

    def __init__(self, app: Flask) -> None:
        self._inner = app.wsgi_app
        self.before: Before | None = None
        self.after: dict[str, After] = {}
        """By the last word of the path."""
        app.wsgi_app = self  # type: ignore[method-assign]  # as Flask's documentation does it

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        environ["wsgi.input"] = io.BytesIO(request.get_data())
        said = self.before(request) if self.before is not None else None
        response = said or Response.from_app(self._inner, environ, buffered=True)
        change = self.after.get(request.path.rpartition("/")[2])
        if change is not None and said is None and response.status_code == 200:
            _change(response, change)
        return response(environ, start_response)


def _change(response: Response, change: After) -> None:
    data = response.get_data()
    told = orjson.loads(gzip.decompress(data) if response.headers.get("Content-Encoding") == "gzip" else data)
    change(told)
    response.headers.pop("Content-Encoding", None)
    response.set_data(orjson.dumps(told))
