"""How a refusal leaves the building: the only place that knows which kind of refusal is which HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from jinja2 import Template
from marshmallow import ValidationError
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from forms.errors import Kind, Problem
from schemas import openrosa
from schemas.problem import ProblemSchema
from server.log import log, request_id
from sync.engine import AWAY, READ_ONLY_RETRY_AFTER_S, is_read_only
from sync.errors import TakesNoChanges
from sync.room import is_full

STATUS: Mapping[Kind, int] = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.GONE: 410,
    Kind.TOO_LARGE: 413,
    Kind.UNSUPPORTED: 415,
    Kind.BUSY: 429,
    Kind.UNAVAILABLE: 503,
    Kind.FULL: 507,
}

CENTRAL_CODES: Mapping[str, float] = {
    "login/required": 401.2,
    "login/wrong-credentials": 401.2,
    "login/insecure": 401.3,
    "request/invalid": 400.11,
    "account/email-taken": 409.3,
    "form/warnings": 400.16,
    "form/field-type-conflict": 400.17,
    "form/version-taken": 409.6,
    "form/closed": 409.2,
    "entity/list-taken": 409.3,
    "entity/property-taken": 409.3,
    "entity/taken": 409.3,
    "entity/stale": 409.15,
    "entity/no-base-version": 409.15,
    "submission/instance-id-taken": 409.1,
    "submission/stale-base": 409.9,
    "submission/unknown-base": 404.5,
    "submission/unknown-version": 404.6,
}
"""Where ODK Central has a number of its own for the case; else it is the status and .1 (its lib/util/problem.js)."""

bp = Blueprint("problems", __name__)


class Broken(Problem):
    """Something went wrong on the server. It has been logged; try again, and tell us the number below if it stays."""

    kind = Kind.UNAVAILABLE
    slug = "server/broken"


class Collision(Problem):
    """Somebody changed the same thing at the same moment. Load it again and repeat what you did."""

    kind = Kind.CONFLICT
    slug = "request/collision"


class Busy(Problem):
    """The server is busy. Nothing was changed; try again in a minute."""

    kind = Kind.UNAVAILABLE
    slug = "server/busy"


class DiskFull(Problem):
    """The server's disk is full. Nothing was changed; keep your data and tell the administrator."""

    kind = Kind.FULL
    slug = "server/disk-full"


class InvalidRequest(Problem):
    """Something in this request is missing or wrong. Correct what is listed and send it again."""

    slug = "request/invalid"


class NoSuchPage(Problem):
    """There is nothing at this address. Check it, or go back to the start."""

    kind = Kind.NOT_FOUND
    slug = "request/not-found"


class NoSuchMethod(Problem):
    """This address cannot be used in this way. Check the method of the request."""

    slug = "request/method"


class TooLarge(Problem):
    """This is larger than the server accepts. Send it in smaller pieces, or ask the administrator."""

    kind = Kind.TOO_LARGE
    slug = "request/too-large"


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal, ready to be shown in any of the three shapes."""

    status: int
    slug: str
    title: str
    detail: str
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return f"{self.title} {self.detail}".strip()


def install(app: Flask) -> None:
    """Answer every refusal and every failure in the shape of the door that it came through."""
    app.register_error_handler(Problem, _refuse)
    app.register_error_handler(ValidationError, _refuse_validation)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(IntegrityError, _refuse_integrity)
    for away in AWAY:
        app.register_error_handler(away, _refuse_operational)
    app.register_error_handler(OSError, _refuse_os)
    for kind in (DataError, OverflowError, UnicodeEncodeError):
        app.register_error_handler(kind, _refuse_value)
    app.register_error_handler(Exception, _fail)
    app.register_blueprint(bp)


@bp.get("/problems/<path:slug>")
def explain(slug: str) -> ResponseReturnValue:
    """What the `type` of a problem means."""
    for kind in Problem.family():
        if kind.slug == slug:
            return _page(Fault(STATUS[kind.kind], slug, gettext(kind.title()), "")), 200
    raise NoSuchPage


def fault_of(problem: Problem) -> Fault:
    """The problem with its status and in the reader's language."""
    status = STATUS[problem.kind]
    members = problem.members
    headers = {}
    if "retry_after_s" in members:
        headers["Retry-After"] = str(members["retry_after_s"])
    return Fault(status, problem.slug, gettext(problem.title()), problem.detail, members, headers)


def answer(fault: Fault) -> Response:
    """The fault as the caller of this address expects it."""
    door = _door()
    if door == "console" and fault.slug == "login/required" and request.method == "GET":
        return _to_login()
    response = {"json": _json, "xml": _xml}.get(door, _html)(fault)
    response.status_code = fault.status
    response.headers.extend(dict(fault.headers))
    return response


def _door() -> str:
    """The blueprint decides; where no route was found, the beginning of the path."""
    blueprint = (request.blueprint or "").partition(".")[0]
    by_name = {"api": "json", "tablet": "json", "health": "json", "openrosa": "xml", "console": "console"}
    if blueprint in by_name:
        return by_name[blueprint]
    if request.path.startswith(("/v1/key/", "/v1/test/")):
        return "xml"
    return "json" if request.path.startswith("/v1/") else "html"


def _json(fault: Fault) -> Response:
    body = ProblemSchema().dump(
        {
            "type": f"/problems/{fault.slug}",
            "title": fault.title,
            "status": fault.status,
            "detail": fault.detail,
            "instance": f"urn:uuid:{request_id()}",
            "code": CENTRAL_CODES.get(fault.slug, float(f"{fault.status}.1")),
            "message": fault.message,
            "details": dict(fault.members),
        }
    )
    # In a list it is by number that a wrong field is named.
    content = orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    response = Response(content, content_type="application/problem+json")
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Lapangan"'
    return response


def _xml(fault: Fault) -> Response:
    body = openrosa.response(fault.message, nature="error")
    response = Response(body, content_type="text/xml; charset=utf-8", headers={"X-OpenRosa-Version": "1.0"})
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Lapangan", charset="UTF-8"'
    return response


def _html(fault: Fault) -> Response:
    return Response(_page(fault), content_type="text/html; charset=utf-8")


def _page(fault: Fault) -> str:
    # A failure gets the page that needs neither the console's layout nor the database: those may be what failed.
    names: list[str | Template] = ["problem.html"] if fault.status == 500 else ["console/problem.html", "problem.html"]
    return render_template(names, problem=fault, request_id=request_id())


def _to_login() -> Response:
    there = url_for("console.log_in", next=request.full_path.rstrip("?"))
    return Response(redirect(there).get_data(), 303, {"Location": there, "Content-Type": "text/html; charset=utf-8"})


def _refuse(problem: Problem) -> Response:
    return answer(fault_of(problem))


def _refuse_validation(error: ValidationError) -> Response:
    fields = error.messages if isinstance(error.messages, dict) else {"": error.messages}
    detail = "; ".join(f"{name}: {_first(words)}" for name, words in fields.items())
    return answer(fault_of(InvalidRequest(detail, fields=fields)))


def _first(words: Any) -> str:
    while isinstance(words, (dict, list)):
        words = next(iter(words.values() if isinstance(words, dict) else words), "")
    return str(words)


def _refuse_http(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    if status >= 500:
        return _fail(error)
    kinds: dict[int, type[Problem]] = {404: NoSuchPage, 405: NoSuchMethod, 413: TooLarge}
    kind = kinds.get(status, InvalidRequest)
    detail = "" if status in kinds else (error.description or "")
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return answer(Fault(status, kind.slug, gettext(kind.title()), detail, headers=headers))


def _refuse_integrity(error: IntegrityError) -> Response:
    log.warning("collision", error=str(error.orig))
    return answer(fault_of(Collision()))


def _refuse_operational(error: SQLAlchemyError) -> Response:
    cause = getattr(error, "orig", None)
    log.error("database", error=str(cause or error))
    if is_full(cause):
        return answer(fault_of(DiskFull()))
    if is_read_only(cause):
        return answer(fault_of(TakesNoChanges(retry_after_s=READ_ONLY_RETRY_AFTER_S)))
    return answer(fault_of(Busy(retry_after_s=60)))


def _refuse_value(error: Exception) -> Response:
    """No column can hold it: a number of thirty digits, a text with a NUL or half a character in it."""
    log.warning("value", error=str(error)[:200])
    return answer(fault_of(InvalidRequest()))


def _refuse_os(error: OSError) -> Response:
    if is_full(error):
        log.error("disk full", error=str(error))
        return answer(fault_of(DiskFull()))
    return _fail(error)


def _fail(error: Exception) -> Response:
    log.exception("failed", exc_info=error)
    number = request_id()
    return answer(Fault(500, Broken.slug, gettext(Broken.title()), number, {"request_id": number}))
