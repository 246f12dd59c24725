"""The blueprint, and how its views answer."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
from flask import Blueprint, Response, request

bp = Blueprint("tablet", __name__, url_prefix="/v1")

SMALLEST_ZIPPED = 1024
"""Bytes; below, compression costs more than it saves."""


def shown(value: Any, status: int = 200) -> Response:
    """The value as JSON."""
    return Response(orjson.dumps(value, default=str), status, content_type="application/json")


@bp.after_request
def _compress(response: Response) -> Response:
    """A page of records is a tenth of its size as gzip, and the line to a village is slow."""
    if not request.accept_encodings.quality("gzip") or response.mimetype != "application/json":
        return response
    data = response.get_data()
    if len(data) >= SMALLEST_ZIPPED:
        response.set_data(gzip.compress(data, 6))
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    return response
