"""Who sends this request: by session cookie, bearer token, basic credentials, or the token of an app user in the path.

It is settled before the view runs, by the request's reading session. A password is checked in a session of its own,
and never hashed while a transaction is open that writes. A wrong token is refused without saying what was wrong."""

from __future__ import annotations

import enum
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from server.clock import now
from server.db import SAFE_METHODS, reading, session, writing
from server.services import services
from sync import accounts, devices
from sync.access import NOBODY, Actor
from sync.models import Account, Device, Project
from sync.record import record

BASIC_TTL_S = 300
BASIC_CACHE_SIZE = 1000


class Unauthenticated(Problem):
    """Log in first."""

    kind = Kind.UNAUTHENTICATED
    slug = "login/required"


class WrongCredentials(Problem):
    """The e-mail address or the password is not right. Check both and try again."""

    kind = Kind.UNAUTHENTICATED
    slug = "login/wrong-credentials"


class InsecureBasic(Problem):
    """A password may only be sent over https. Use the https address of this server, or an app user's address."""

    kind = Kind.UNAUTHENTICATED
    slug = "login/insecure"


class AppUserUnknown(Problem):
    """This address is no longer valid. Ask the project's manager for a new QR code."""

    kind = Kind.FORBIDDEN
    slug = "app-user/unknown"


class StalePage(Problem):
    """This page is out of date. Go back, load it again and repeat what you did; nothing was changed."""

    kind = Kind.FORBIDDEN
    slug = "request/stale-page"


class CrossSite(Problem):
    """This request came from another website and was refused. Open this server's own page and try there."""

    kind = Kind.FORBIDDEN
    slug = "request/cross-site"


class Way(enum.Enum):
    """How the caller showed who he is."""

    NONE = "none"
    COOKIE = "cookie"
    BEARER = "bearer"
    BASIC = "basic"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Person:
    """What pages and the REST API may say about the account that is logged in."""

    id: str
    number: int
    email: str
    name: str
    language: str
    is_administrator: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """The answer to "who sends this request?"."""

    way: Way = Way.NONE
    actor: Actor = NOBODY
    person: Person | None = None
    device: Device | None = None
    home: Project | None = None
    """The project of the device."""
    token: str = ""
    csrf: str = ""


STRANGER = Identity()


def install(app: Flask) -> None:
    """Settle who acts before each view, and let templates know."""
    app.before_request(_settle)
    app.context_processor(lambda: {"actor": actor(), "account": account()})
    app.jinja_env.globals["csrf_token"] = csrf_token


def identity() -> Identity:
    return cast(Identity, g.get("identity", STRANGER))


def actor() -> Actor:
    """Who acts in this request; NOBODY when nobody has logged in."""
    return identity().actor


def account() -> Person | None:
    """The account that is logged in, None for devices and strangers."""
    return identity().person


def device() -> Device | None:
    """The device whose token this is, also a revoked one (whose actor may do nothing)."""
    return identity().device


def csrf_token() -> str:
    """For the form field `csrf` or the header X-CSRF-Token of unsafe requests; "" when nobody has logged in."""
    return identity().csrf


def require_login() -> None:
    """Refuse with Unauthenticated when nobody has logged in."""
    if identity().way is Way.NONE:
        raise Unauthenticated


def log_in(email: str, password: str) -> accounts.OpenLogin:
    """A new session. Refuses WrongCredentials and TooManyAttempts. Runs its own transactions."""
    found = _verified(email, password)
    with writing() as session:
        accounts.forget_failures(session, email)
        opened = accounts.open_login(session, found, ttl_s=services().settings.session_ttl_s, now=now())
        who = accounts.actor_for(session, found)
        record(session, "login", actor=who, at=now(), target=("account", found.account_id))
    return opened


def remember(response: Response, opened: accounts.OpenLogin) -> Response:
    """Keep the session in the browser's cookie."""
    response.set_cookie(
        cookie_name(),
        opened.token,
        max_age=services().settings.session_ttl_s,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )
    return response


def log_out(session: Session) -> None:
    """This request's session is over."""
    accounts.close_login(session, identity().token)


def forget(response: Response) -> Response:
    """Take the cookie out of the browser."""
    response.delete_cookie(cookie_name(), secure=request.is_secure, httponly=True, samesite="Lax", path="/")
    return response


def cookie_name() -> str:
    # Browsers take the prefix __Host- only from https, and then only without a Domain: nobody else can set it.
    return "__Host-lapangan" if request.is_secure else "lapangan"


def _settle() -> None:
    g.identity = STRANGER
    if (request.endpoint or "").endswith(".static"):
        return
    g.identity = _identify()
    if request.method not in SAFE_METHODS and request.routing_exception is None:
        _refuse_forgery(g.identity)


def _identify() -> Identity:
    if request.routing_exception is not None:
        return _by_cookie()
    arguments = request.view_args or {}
    if "token" in arguments and request.path.startswith("/v1/key/"):
        return _by_key(arguments["token"], arguments.get("number"))
    credentials = request.authorization
    if credentials is None:
        return _by_cookie()
    if credentials.type == "basic":
        return _by_basic(credentials.username or "", credentials.password or "")
    if credentials.type == "bearer" and credentials.token:
        return _by_bearer(credentials.token, arguments.get("number"))
    raise Unauthenticated


def _by_cookie() -> Identity:
    token = request.cookies.get(cookie_name(), "")
    if not token:
        return STRANGER
    return _by_login(session(), token, Way.COOKIE) or STRANGER


def _by_bearer(token: str, number: int | None) -> Identity:
    if request.blueprint == "tablet":
        found = _by_device(session(), token, number, Way.BEARER) or _by_login(session(), token, Way.BEARER)
    else:
        found = _by_login(session(), token, Way.BEARER) or _by_device(session(), token, number, Way.BEARER)
    if found is None:
        raise Unauthenticated
    return found


def _by_key(token: str, number: int | None) -> Identity:
    # 403, not 401: ODK Collect answers a 401 by asking for a password that does not exist.
    found = _by_device(session(), token, number, Way.KEY)
    if found is None:
        raise AppUserUnknown
    return found


def _by_login(session: Session, token: str, way: Way) -> Identity | None:
    found = accounts.find_login(session, token, now=now())
    if found is None:
        return None
    login, person = found
    return Identity(way, accounts.actor_for(session, person), _person(person), token=token, csrf=login.csrf)


def _by_device(session: Session, token: str, number: int | None, way: Way) -> Identity | None:
    found = devices.by_token(session, number, token) if number is not None else None
    if found is None:
        return None
    own, home = found
    session.expunge(own)
    return Identity(way, devices.actor_for(own), device=own, home=home, token=token)


def _by_basic(email: str, password: str) -> Identity:
    if not request.is_secure and request.remote_addr not in ("127.0.0.1", "::1"):
        raise InsecureBasic
    verified = _verified_lately(email, password)
    with reading() as session:
        person = session.get(Account, verified.account_id)
        if person is None or not person.is_active or person.password_hash != verified.password_hash:
            raise WrongCredentials
        return Identity(Way.BASIC, accounts.actor_for(session, person), _person(person))


def _verified(email: str, password: str) -> Account:
    """The account. A wrong password is counted in a transaction of its own."""
    address = request.remote_addr or ""
    with reading() as session:
        accounts.check_throttle(session, email, address, now=now())
        found = accounts.authenticate(session, email, password)
    if found is not None:
        return found
    with writing() as session:
        accounts.note_failure(session, email, address, now=now())
        record(session, "login.fail", actor=NOBODY, at=now(), detail={"address": address})
    raise WrongCredentials


@dataclass(frozen=True, slots=True)
class _Verified:
    account_id: str
    password_hash: str
    until: float


_basic_key = secrets.token_bytes(32)
_basic_verified: dict[bytes, _Verified] = {}


def _verified_lately(email: str, password: str) -> _Verified:
    """Hashed at most once in five minutes: a client that sends Basic credentials sends them with each request."""
    key = hmac.digest(_basic_key, f"{services().engine.url}\0{email}\0{password}".encode(), "sha256")
    known = _basic_verified.get(key)
    if known is not None and known.until > time.monotonic():
        return known
    found = _verified(email, password)
    if len(_basic_verified) >= BASIC_CACHE_SIZE:
        _basic_verified.clear()
    fresh = _Verified(found.account_id, found.password_hash, time.monotonic() + BASIC_TTL_S)
    _basic_verified[key] = fresh
    return fresh


def _person(person: Account) -> Person:
    return Person(
        person.account_id,
        person.number,
        person.email,
        person.name,
        person.language,
        person.is_administrator,
        person.created_at,
    )


def _refuse_forgery(found: Identity) -> None:
    """What a browser adds by itself (a cookie, remembered Basic credentials) proves no intent of the person."""
    if found.way in (Way.BEARER, Way.KEY):
        return
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") or not _is_own_origin():
        raise CrossSite
    if found.way is Way.COOKIE and not _has_csrf_token(found.csrf):
        raise StalePage


def _is_own_origin() -> bool:
    origin = request.headers.get("Origin")
    own = {request.host, urlsplit(services().settings.base_url).netloc}
    return origin is None or urlsplit(origin).netloc in own - {""}


def _has_csrf_token(csrf: str) -> bool:
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    return hmac.compare_digest(sent.encode(), csrf.encode())
