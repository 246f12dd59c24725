"""The blueprint, and how its views read and write JSON."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from server.problems import InvalidRequest

bp = Blueprint("api", __name__, url_prefix="/v1")

LONGEST_JSON = 250_000
"""Bytes, as in ODK Central."""


def body(schema: Schema) -> Any:
    """The JSON body, loaded. A missing or wrong field is refused by name; something that is no JSON object too, and
    half a character, which no database takes."""
    request.max_content_length = LONGEST_JSON
    try:
        told = orjson.loads(request.get_data() or b"{}")
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"JSON: {error}") from error
    return schema.load(told or {})


def query(schema: Schema) -> Any:
    """The query string, loaded."""
    return schema.load(request.args.to_dict())


def shown(schema: Schema, value: Any, *, many: bool = False) -> Response:
    """The value or the list as JSON."""
    return jsonify(schema.dump(value, many=many))


def done() -> ResponseReturnValue:
    """What ODK Central answers when there is nothing to show."""
    return {"success": True}
