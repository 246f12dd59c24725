"""Which other servers there are: those that this one is enrolled at, those enrolled here, those known by their key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync import access, operations
from sync.access import Actor
from sync.device.enrolment import enrolment
from sync.device.link import Link
from sync.engine import in_transaction, reader
from sync.epochs import standing
from sync.models import Device, Installation, Peer
from sync.peers.errors import NameTaken, NoSuchPeer, NotAServerCode, Overtaken, OwnServer, TokenUnreadable
from sync.projects import adopt_project
from sync.record import record
from sync.seal import CannotUnseal, is_sealed, seal, unseal

USER_AGENT = "Lapangan server"


@dataclass(frozen=True, slots=True)
class Told:
    """What a server says of itself when two of them meet: its id, its epoch, and its public key as 64 hex digits."""

    server_id: str
    epoch: int
    public_key: str


def add(
    engine: Engine,
    url_or_code: str,
    server: str = "",
    *,
    name: str = "",
    public_key: str = "",
    secret_key: str,
    connect: Callable[..., Link] = Link,
    actor: Actor,
    now: datetime,
) -> Peer:
    """This server is enrolled at the other one, and has the project of the code from now on, if it had not.

    A server that is known already is connected anew: what was exchanged with it is not exchanged again.
    Refuses NotAnEnrolment, NotAServerCode, OwnServer and what the other server refuses."""
    access.require(actor, "project.create")
    wanted = enrolment(url_or_code, server)
    own = _own(engine, public_key)
    asked: dict[str, Any] = {"code": wanted.code, "kind": "server", "user_agent": USER_AGENT}
    asked |= {"server": own.server_id, "epoch": own.epoch, "key": own.public_key}
    link = connect(wanted.base)
    try:
        told = link.ask("POST", "/v1/enrol", json=asked).json
    finally:
        link.close()
    if not isinstance(told, dict) or not told.get("project", {}).get("uid"):
        raise NotAServerCode
    values = {
        "base": wanted.base,
        "number": int(told["project"]["id"]),
        "device_id": str(told["device"]["id"]),
        "token": str(told["token"]),
    }
    key = str(told.get("key") or "")

    def act(session: Session) -> Peer:
        return _add(session, told, values, name, key, secret_key=secret_key, actor=actor, now=now)

    added: Peer = in_transaction(engine, act)
    return added


def own_id(session: Session) -> str:
    """Of this server."""
    return session.scalars(select(Installation.server_id)).one()


def _own(engine: Engine, public_key: str) -> Told:
    with Session(reader(engine)) as session:
        installation = session.scalars(select(Installation)).one()
        return Told(installation.server_id, installation.epoch, public_key)


def _add(
    session: Session,
    told: Mapping[str, Any],
    values: Mapping[str, Any],
    name: str,
    public_key: str,
    *,
    secret_key: str,
    actor: Actor,
    now: datetime,
) -> Peer:
    peer_id, project_id, base = str(told["server"]), str(told["project"]["uid"]), str(values["base"])
    _refuse_own(session, peer_id, base)
    adopt_project(session, project_id, name=str(told["project"]["name"]), actor=actor, now=now)
    wanted = (name or base.partition("://")[2])[:255]
    known = session.get(Peer, (project_id, peer_id))
    peer = known or _new(session, project_id, peer_id, wanted, now)
    if name and not _is_taken(session, project_id, wanted):
        peer.name = wanted
    for column, value in values.items():
        setattr(peer, column, value)
    peer.token = seal(secret_key, owner(peer), str(values["token"]))
    peer.public_key = public_key or peer.public_key
    peer.next_at, peer.failures, peer.error = None, 0, ""
    session.flush()
    detail = {"to": base, "again": known is not None}
    record(session, "peer.add", actor=actor, at=now, project_id=project_id, target=("peer", peer_id), detail=detail)
    return peer


def meet_below(session: Session, device: Device, told: Told, *, now: datetime) -> Peer | None:
    """The server that has just enrolled here as this device: it is known by its id and its key from now on.

    Who comes with the id of a known server and another key is not taken for it: a person trusts a new key."""
    if not told.server_id:
        return None
    _refuse_own(session, told.server_id, device.name)
    known = session.get(Peer, (device.project_id, told.server_id))
    if known is not None and known.public_key not in ("", told.public_key):
        return None
    peer = known or _new(session, device.project_id, told.server_id, device.name, now)
    peer.here_id = device.device_id
    peer.epoch = max(peer.epoch, told.epoch)
    peer.public_key = told.public_key or peer.public_key
    session.flush()
    return peer


def note_read(session: Session, device: Device, cursor: str) -> None:
    """The server that is this device here has read our operations up to this cursor."""
    found = select(Peer).where(Peer.project_id == device.project_id, Peer.here_id == device.device_id)
    peer = session.scalars(found).first()
    if peer is None:
        return
    try:
        read = operations.since(cursor, standing(session, device.project_id))
    except Problem:
        return  # of a life of this server that is over: it reads from the start
    peer.sent_seq = max(peer.sent_seq, read)


def trust(session: Session, project_id: str, name: str, told: Told, *, actor: Actor, now: datetime) -> Peer:
    """Bundles that this server signs for this project are taken from now on. Refuses OwnServer, NameTaken."""
    access.require(actor, "peer.trust", project_id)
    _refuse_own(session, told.server_id, name)
    known = session.get(Peer, (project_id, told.server_id))
    if known is None and _is_taken(session, project_id, name[:255]):
        raise NameTaken(name)
    peer = known or _new(session, project_id, told.server_id, name[:255], now)
    if is_shut_out(session, peer):
        peer.here_id = None  # its line stays cut
    peer.public_key = told.public_key
    session.flush()
    detail = {"name": peer.name, "key": told.public_key}
    target = ("peer", peer.peer_id)
    record(session, "peer.trust", actor=actor, at=now, project_id=project_id, target=target, detail=detail)
    return peer


def is_shut_out(session: Session, peer: Peer) -> bool:
    """Whether it was enrolled here, and its access was taken back."""
    device = session.get(Device, (peer.project_id, peer.here_id)) if peer.here_id else None
    return device is not None and device.revoked_at is not None


def remove(session: Session, peer: Peer, *, actor: Actor, now: datetime) -> None:
    """Nothing is exchanged with it any more; all that came from it stays."""
    access.require(actor, "peer.manage", peer.project_id)
    target = ("peer", peer.peer_id)
    detail = {"name": peer.name}
    record(session, "peer.remove", actor=actor, at=now, project_id=peer.project_id, target=target, detail=detail)
    session.delete(peer)
    session.flush()


def met_at(session: Session, peer: Peer) -> datetime | None:
    """When something came from it last, by whichever way; None when never."""
    below = session.get(Device, (peer.project_id, peer.here_id)) if peer.here_id else None
    ways = (peer.synced_at, peer.imported_at, below.last_seen_at if below is not None else None)
    return max((at for at in ways if at is not None), default=None)


def known(session: Session, project_id: str = "") -> list[Peer]:
    """All other servers, by name."""
    found = select(Peer).order_by(Peer.name)
    return list(session.scalars(found.where(Peer.project_id == project_id) if project_id else found))


def listed(session: Session, project_id: str = "") -> list[Peer]:
    """The servers that this one is enrolled at, by name."""
    return [peer for peer in known(session, project_id) if peer.base]


def named(session: Session, name: str, project_id: str = "") -> Peer:
    """Refuses NoSuchPeer."""
    same = (Peer.name == name) | (Peer.base == name) | (Peer.peer_id == name)
    found = select(Peer).where(same).order_by(Peer.base.desc()).limit(1)
    here = found.where(Peer.project_id == project_id) if project_id else found
    peer = session.scalars(here).first() if name else None
    if peer is None:
        raise NoSuchPeer(name)
    return peer


def token_of(peer: Peer, secret_key: str) -> str:
    """What opens the other server. Refuses TokenUnreadable."""
    if not is_sealed(peer.token):
        return peer.token
    try:
        return unseal(secret_key, owner(peer), peer.token)
    except CannotUnseal:
        raise TokenUnreadable(peer.name) from None


def seal_all(session: Session, secret_key: str) -> int:
    """No token lies in clear, as an earlier version of the program kept them; how many did."""
    clear = [peer for peer in session.scalars(select(Peer)) if peer.token and not is_sealed(peer.token)]
    for peer in clear:
        peer.token = seal(secret_key, owner(peer), peer.token)
    return len(clear)


def owner(peer: Peer) -> str:
    """Whose token it is, as it is sealed in."""
    return f"peer {peer.project_id} {peer.peer_id}"


def note(engine: Engine, peer: Peer, *, met_in: int | None = None, **columns: Any) -> None:
    """These are so from now on, in a transaction of its own. Refuses Overtaken where another exchange has met the peer
    in another epoch than `met_in` since."""

    def act(session: Session) -> None:
        row = session.get(Peer, (peer.project_id, peer.peer_id), with_for_update=True)
        if row is None:
            return
        if met_in not in (None, row.epoch):
            raise Overtaken(peer.name)
        for name, value in columns.items():
            setattr(row, name, value)

    in_transaction(engine, act)


def _new(session: Session, project_id: str, peer_id: str, name: str, now: datetime) -> Peer:
    free = name if not _is_taken(session, project_id, name) else f"{name[:200]} {peer_id[-8:]}"
    peer = Peer(project_id=project_id, peer_id=peer_id, name=free, base="", number=0, device_id="", token="")
    peer.added_at = now
    session.add(peer)
    session.flush()  # the columns have their defaults from here on
    return peer


def _is_taken(session: Session, project_id: str, name: str) -> bool:
    same = select(Peer.peer_id).where(Peer.project_id == project_id, Peer.name == name)
    return session.scalars(same.limit(1)).first() is not None


def _refuse_own(session: Session, peer_id: str, told: str) -> None:
    if own_id(session) == peer_id:
        raise OwnServer(told)
