"""How a fresh device folder comes to belong to a project."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, unquote, urlsplit

from sync.device.errors import AccessEnded, NotAnEnrolment, NotEnrolled, OtherProject, OtherServer
from sync.device.link import USER_AGENT, Link
from sync.device.store import Store

CODE = re.compile(r"[0-9A-Za-z]{4}-?[0-9A-Za-z]{4}")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a supervisor hands out: the server's address and a code that works once."""

    base: str
    code: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Where this device belongs."""

    base: str
    project_number: int
    project_name: str
    device_id: str
    device_name: str


def enrolment(url_or_code: str, server: str = "") -> Enrolment:
    """The address and the code in what somebody typed or scanned. Refuses NotAnEnrolment.

    Either a code and `server`, or one address that ends in the code: https://host/enrol#7KQM-X2RD, .../enrol/7KQM-X2RD
    or .../enrol?code=7KQM-X2RD."""
    told = url_or_code.strip()
    if "://" not in told:
        return Enrolment(_base(server), _code(told))
    parts = urlsplit(told)
    last = unquote(parts.path).rstrip("/").rpartition("/")[2]
    candidates = [parts.fragment, *parse_qs(parts.query).get("code", ()), last]
    code = next((text for text in candidates if CODE.fullmatch(text)), "")
    return Enrolment(_base(server or f"{parts.scheme}://{parts.netloc}"), _code(code))


def membership(store: Store) -> Membership | None:
    """Where the folder belongs, None before it is enrolled."""
    if not store.setting("token"):
        return None
    return Membership(
        store.setting("base"),
        int(store.setting("project_number")),
        store.setting("project_name"),
        store.setting("device_id"),
        store.setting("device_name"),
    )


def enrol(store: Store, wanted: Enrolment, link: Link) -> Membership:
    """The server knows this device from now on, and the folder keeps its token. Refuses OtherProject when the folder
    belongs to one already."""
    told = link.ask("POST", "/v1/enrol", json={"code": wanted.code, "kind": "client", "user_agent": USER_AGENT}).told
    known = store.setting("project_uid")
    if known and told["project"]["uid"] != known:
        raise OtherProject(told["project"]["name"])
    kept = {
        "token": told["token"],
        # The address that worked for us, not the one the server believes in: it may stand behind a tunnel.
        "base": wanted.base,
        "server_id": told["server"],
        "project_uid": told["project"]["uid"],
        "project_number": str(told["project"]["id"]),
        "project_name": told["project"]["name"],
        "device_id": told["device"]["id"],
        "device_name": told["device"]["name"],
    }
    with store.transaction():
        for name, value in kept.items():
            store.keep_setting(name, value)
    found = membership(store)
    if found is None:
        raise NotAnEnrolment
    return found


def move(store: Store, address: str, connect: Callable[..., Link]) -> Membership:
    """The server is at this address from now on. Refuses NotEnrolled, NotAnEnrolment, OtherServer and what the server
    refuses; then it is where it was."""
    found = membership(store)
    if found is None:
        raise NotEnrolled
    base = _base(address.partition("/enrol")[0])
    link = connect(base, token=store.setting("token"))
    try:
        told = link.ask("GET", f"/v1/projects/{found.project_number}/sync/pull", params={"limit": 1}).told
    except AccessEnded as stranger:
        raise OtherServer(base) from stranger
    finally:
        link.close()
    if told.get("server") != store.setting("server_id"):
        raise OtherServer(base)
    store.keep_setting("base", base)
    return replace(found, base=base)


def _base(server: str) -> str:
    parts = urlsplit(server.strip() if "://" in server else f"http://{server.strip()}")
    if not parts.netloc or parts.scheme not in ("http", "https"):
        raise NotAnEnrolment("Add the server's address: --server https://...")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _code(text: str) -> str:
    if not CODE.fullmatch(text.strip()):
        raise NotAnEnrolment(text)
    return text.strip().upper()
