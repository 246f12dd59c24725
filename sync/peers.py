"""Server to server, by the very protocol that a device speaks: a field office is a client of its centre.

First the centre's operations are read, then ours are sent, unchanged; what one of them has already dies by its op_id.
Form versions go ahead of the operations that tell of them, attachments come last. Wherever it stops, it goes on from
there: cursors move only after what they passed is durable on the other side."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import access, attach, operations, parcel, receive
from sync.access import Actor
from sync.attach import BlobStore
from sync.device.enrolment import enrolment
from sync.device.errors import AccessEnded, ServerRefused, ServerUnreachable
from sync.device.link import Link
from sync.device.media import Kept
from sync.device.outbox import LARGEST_BATCH, LARGEST_BATCH_BYTES, Waiting
from sync.device.push import encode
from sync.device.upload import Uploader
from sync.engine import in_transaction
from sync.models import Blob, FeedRow, Installation, Operation, Peer, Project, SubmissionAttachment
from sync.operations import Sent
from sync.projects import adopt_project
from sync.record import record
from sync.verdict import Sender

USER_AGENT = "Lapangan server"
PAGE = 200
MOST_MARKS = 200
OVERLAP = timedelta(minutes=10)
"""An attachment's row says when its request came, and is committed later."""
PIECE = 4 * 2**20
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
FILES_AT_ONCE = 100


class NoSuchPeer(Problem):
    """There is no other server of this name. See which there are with: lapangan peer list"""

    kind = Kind.NOT_FOUND
    slug = "peer/not-found"


class PeerKnown(Problem):
    """This server is connected there already. To renew the connection, remove the other server first."""

    kind = Kind.CONFLICT
    slug = "peer/known"


class OwnServer(Problem):
    """This is the address of this very server. Give the address that the other server shows."""

    kind = Kind.CONFLICT
    slug = "peer/own-server"


class NotAServerCode(Problem):
    """The other server is older, or this is not a code for servers. Ask its manager for one on the page Servers."""

    slug = "peer/not-a-server-code"


@dataclass(slots=True)
class Carried:
    """What one synchronisation did."""

    received: int = 0
    sent: int = 0
    files_received: int = 0
    files_sent: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Lag:
    """What is not upstairs yet."""

    operations: int
    files: int


@dataclass(slots=True)
class Exchange:
    """One run with one peer. `link` is closed by whoever made it."""

    engine: Engine
    blobs: BlobStore
    peer: Peer
    link: Link
    clock: Callable[[], datetime]
    carried: Carried = field(default_factory=Carried)

    @property
    def project_id(self) -> str:
        return self.peer.project_id

    @property
    def path(self) -> str:
        return f"/v1/projects/{self.peer.number}/sync"

    def run(self) -> Carried:
        """Both servers hold the same operations, and the attachments that one of them had. Refuses ServerUnreachable,
        AccessEnded, ServerRefused."""
        self._pull()
        self._push()
        self._send_files()
        self._fetch_files()
        return self.carried

    # Down: what the other server has.

    def _pull(self) -> None:
        own_epoch = self._reading(lambda session: session.scalars(select(Installation.epoch)).one())
        is_whole = own_epoch != self.peer.own_epoch
        if is_whole and self.peer.own_epoch:
            # We came back from a backup: what it has of ours may be lost here.
            self._keep(cursor="")
        while self._page(is_whole=is_whole):
            pass
        if is_whole:
            self._keep(own_epoch=own_epoch)

    def _page(self, *, is_whole: bool) -> bool:
        query = {"cursor": self.peer.cursor, "limit": PAGE, "whole": int(is_whole)}
        answer = self.link.ask("GET", f"{self.path}/operations", expected=frozenset({404, 410}), params=query)
        if answer.status == 404:
            raise NotAServerCode
        if answer.status == 410:
            self._keep(cursor="")
            return True
        page = self._json(answer.json)
        self._meet(page)
        lines = [orjson.dumps(line) for line in page["operations"]]
        self._fetch_forms(page["operations"])
        if lines:
            self._receive(lines, page.get("names") or {})
        before = self.peer.cursor
        self._keep(cursor=str(page["cursor"]), head=int(page["head"]))
        return self.peer.cursor != before

    def _meet(self, page: Mapping[str, Any]) -> None:
        """After a restore over there, what was sent after the fork is sent again, and what came from there too."""
        epoch = int(page["epoch"])
        if epoch == self.peer.epoch:
            return
        if self.peer.epoch:
            forks = {int(fork["epoch"]): int(fork["seq"]) for fork in page.get("forks") or ()}
            covered = [mark for mark in self.peer.marks if mark[1] <= forks.get(mark[0], -1)]
            self._keep(
                sent_seq=max((mark[2] for mark in covered), default=0),
                echo_seq=self._own_head(),
                marks=covered,
                files_until_at=None,
            )
        self._keep(epoch=epoch)

    def _receive(self, lines: Sequence[bytes], names: Mapping[str, str]) -> None:
        in_transaction(self.engine, lambda session: operations.keep_names(session, self.project_id, names))
        actor = Actor("server", id=self.peer.peer_id, name=self.peer.name, serves=self.project_id)
        sender = Sender(self.project_id, actor, "server", user_agent=USER_AGENT)
        receipt = receive.receive(self.engine, sender, lines, size=sum(map(len, lines)), now=self.clock())
        if not all(line.safe for line in receipt.lines):
            raise ServerRefused(next(line.detail or line.why.value for line in receipt.lines if not line.safe))
        self.carried.received += sum(1 for line in receipt.lines if line.first is None)

    def _fetch_forms(self, lines: Iterable[Mapping[str, Any]]) -> None:
        for form_id, version in _versions(lines):
            packed = self._json(self.link.ask("GET", self._form_path(form_id, version)).json)
            for sha256 in parcel.files_of(packed):
                self._fetch_file(sha256)
            self._take_form(packed)

    def _take_form(self, packed: Mapping[str, Any]) -> None:
        at = self.clock()
        in_transaction(self.engine, lambda session: parcel.take(session, self.blobs, self.project_id, packed, now=at))

    # Up: what we have.

    def _push(self) -> None:
        while True:
            sent, names = self._reading(self._next)
            if sent.until == self.peer.sent_seq:
                return
            lines = [orjson.loads(line) for line in sent.lines()]
            self._send_forms(lines)
            for batch in _batches(sent):
                self._send(batch, names)
            marks = [*self.peer.marks, [self.peer.epoch, self.peer.head, sent.until]]
            self._keep(sent_seq=sent.until, marks=_thinned(marks))

    def _next(self, session: Session) -> tuple[Sent, dict[str, str]]:
        sent = operations.after(
            session,
            self.project_id,
            self.peer.sent_seq,
            limit=LARGEST_BATCH,
            beside=self.peer.peer_id,
            echo=self.peer.echo_seq,
        )
        return sent, operations.names_of(session, self.project_id, sent.operations)

    def _send(self, batch: Sequence[Waiting], names: Mapping[str, str]) -> None:
        waiting = self._waiting() + len(batch)
        device_id, at = self.peer.device_id, self.clock()
        body, headers = encode(batch, device_id=device_id, waiting=waiting, now=at, names=dict(names))
        receipt = self._json(self.link.ask("POST", f"{self.path}/push", data=body, headers=headers).json)
        items = receipt.get("items") or ()
        if any(item.get("verdict") == "retry" for item in items):
            raise ServerUnreachable(f"{self.peer.base} is too busy to take anything.")
        self._keep(head=max(self.peer.head, int(receipt.get("head") or 0)))
        refused = sum(1 for item in items if item.get("verdict") in ("quarantined", "rejected"))
        self.carried.quarantined += refused
        self._keep(quarantined=self.peer.quarantined + refused)
        self.carried.sent += sum(1 for item in items if not item.get("first"))

    def _send_forms(self, lines: Iterable[Mapping[str, Any]]) -> None:
        for form_id, version in _versions(lines):
            packed = self._reading(partial(self._pack, form_id=form_id, version=version))
            self._upload(self._reading(partial(self._kept, hashes=parcel.files_of(packed))))
            self.link.ask("PUT", self._form_path(form_id, version), json=packed)

    def _pack(self, session: Session, form_id: str, version: str) -> dict[str, Any]:
        return parcel.pack(session, self.project_id, form_id, version)

    def _form_path(self, form_id: str, version: str) -> str:
        return f"{self.path}/forms/{quote(form_id, safe='')}/{quote(version or '___', safe='')}"

    # Attachments, both ways.

    def _send_files(self) -> None:
        began = self.clock()
        found = select(Blob.sha256, Blob.size, Blob.media_type).where(Blob.project_id == self.project_id)
        if self.peer.files_until_at is not None:
            found = found.where(Blob.created_at >= self.peer.files_until_at - OVERLAP)
        rows = self._reading(lambda session: session.execute(found.order_by(Blob.size, Blob.sha256)).all())
        self._upload([Kept(row.sha256, row.sha256, row.size, row.media_type) for row in rows])
        self._name_late_files([row.sha256 for row in rows])
        self._keep(files_until_at=began)

    def _name_late_files(self, hashes: Sequence[str]) -> None:
        """Collect sends files after their record: the operation that names them is told once more."""
        since = self.peer.files_until_at
        if since is None or not hashes:
            return
        named = (
            select(Operation)
            .join(
                SubmissionAttachment,
                (SubmissionAttachment.project_id == Operation.project_id)
                & (SubmissionAttachment.instance_id == Operation.record_id),
            )
            .where(Operation.project_id == self.project_id, Operation.state == "ready", Operation.origin.like("x~%"))
            .where(SubmissionAttachment.sha256.in_(hashes), Operation.received_at < since)
        )
        late = self._reading(lambda session: Sent(session.scalars(named.distinct()).all(), 0).lines())
        for start in range(0, len(late), LARGEST_BATCH):
            self._send([Waiting("", line) for line in late[start : start + LARGEST_BATCH]], {})

    def _upload(self, files: Sequence[Kept]) -> None:
        shelf = _Shelf(self.blobs, self.project_id, list(files))
        uploaded = Uploader(shelf, shelf, self.link, self.path, lambda _progress: None).run()
        self.carried.files_sent += uploaded.files

    def _kept(self, session: Session, hashes: Sequence[str]) -> list[Kept]:
        rows = session.scalars(select(Blob).where(Blob.project_id == self.project_id, Blob.sha256.in_(hashes)))
        return [Kept(one.sha256, one.sha256, one.size, one.media_type) for one in rows]

    def _fetch_files(self) -> None:
        wanted = select(SubmissionAttachment.sha256, SubmissionAttachment.media_type).where(
            SubmissionAttachment.project_id == self.project_id,
            SubmissionAttachment.sha256.is_not(None),
            SubmissionAttachment.arrived_at.is_(None),
        )
        for sha256, media_type in self._reading(lambda session: session.execute(wanted.distinct()).all()):
            self._fetch_file(str(sha256), media_type)

    def _fetch_file(self, sha256: str, media_type: str = "") -> None:
        """The file is here, unless the other server lacks it too; a broken line costs no more than a piece."""
        if self._reading(lambda session: attach.blob(session, self.project_id, sha256)) is not None:
            return
        path, missing = f"{self.path}/blobs/{sha256}", frozenset({404, 416})
        while True:
            offset = self.blobs.offset(self.project_id, sha256)
            wanted = {"Range": f"bytes={offset}-{offset + PIECE - 1}"}
            answer = self.link.ask("GET", path, expected=missing, headers=wanted)
            if answer.status == 404:
                return
            size = int(answer.headers.get("Content-Range", "").rpartition("/")[2] or len(answer.body))
            if answer.status != 416 and answer.body:
                told = {"size": size, "limit": size}
                offset = self.blobs.append(self.project_id, sha256, offset, [answer.body], **told)
            if offset >= size:
                break
        stored = self.blobs.finish(self.project_id, sha256)
        at = self.clock()
        in_transaction(
            self.engine,
            lambda session: attach.keep(session, self.project_id, stored, media_type=media_type, now=at),
        )
        self.carried.files_received += 1

    # What is noted.

    def _reading(self, act: Callable[[Session], Any]) -> Any:
        with Session(self.engine.execution_options(is_reading=True), expire_on_commit=False) as session:
            return act(session)

    def _keep(self, **columns: Any) -> None:
        for name, value in columns.items():
            setattr(self.peer, name, value)
        note(self.engine, self.peer, **columns)

    def _own_head(self) -> int:
        head: int = self._reading(
            lambda session: session.scalars(select(Project.head).where(Project.project_id == self.project_id)).one()
        )
        return head

    def _waiting(self) -> int:
        waiting: int = self._reading(lambda session: lag(session, self.peer).operations)
        return waiting

    def _json(self, told: Any) -> Any:
        """A proxy may answer 200 with a log-in page: that is no answer."""
        if not isinstance(told, dict):
            raise ServerUnreachable(f"{self.peer.base} answered, but not as this program does.", address=self.peer.base)
        return told


@dataclass(slots=True)
class _Shelf:
    """Stored attachments as an uploader asks for them."""

    blobs: BlobStore
    project_id: str
    waiting: list[Kept]

    def files(self) -> list[Kept]:
        return self.waiting

    def file_sent(self, sha256: str) -> None:
        """The other server tells what it has whenever it is asked."""

    def path(self, sha256: str) -> Path:
        return self.blobs.local(self.project_id, sha256) or Path(sha256)


def add(
    engine: Engine,
    url_or_code: str,
    server: str = "",
    *,
    name: str = "",
    connect: Callable[..., Link] = Link,
    actor: Actor,
    now: datetime,
) -> Peer:
    """This server is enrolled at the other one, and has the project of the code from now on, if it had not.

    Refuses NotAnEnrolment, NotAServerCode, OwnServer, PeerKnown and what the other server refuses."""
    wanted = enrolment(url_or_code, server)
    link = connect(wanted.base)
    try:
        told = link.ask(
            "POST", "/v1/enrol", json={"code": wanted.code, "kind": "server", "user_agent": USER_AGENT}
        ).json
    finally:
        link.close()
    if not isinstance(told, dict) or not told.get("project", {}).get("uid"):
        raise NotAServerCode
    added: Peer = in_transaction(engine, lambda session: _add(session, wanted.base, told, name, actor=actor, now=now))
    return added


def _add(session: Session, base: str, told: Mapping[str, Any], name: str, *, actor: Actor, now: datetime) -> Peer:
    peer_id, project_id = str(told["server"]), str(told["project"]["uid"])
    if session.scalars(select(Installation.server_id)).one() == peer_id:
        raise OwnServer(base)
    access.require(actor, "project.create")
    adopt_project(session, project_id, name=str(told["project"]["name"]), actor=actor, now=now)
    if session.get(Peer, (project_id, peer_id)) is not None:
        raise PeerKnown(base)
    peer = Peer(
        project_id=project_id,
        peer_id=peer_id,
        name=(name or base.partition("://")[2])[:255],
        base=base,
        number=int(told["project"]["id"]),
        device_id=str(told["device"]["id"]),
        token=str(told["token"]),
        added_at=now,
    )
    session.add(peer)
    session.flush()
    record(
        session, "peer.add", actor=actor, at=now, project_id=project_id, target=("peer", peer_id), detail={"to": base}
    )
    return peer


def remove(session: Session, peer: Peer, *, actor: Actor, now: datetime) -> None:
    """Nothing is exchanged with it any more; all that came from it stays."""
    access.require(actor, "peer.manage", peer.project_id)
    target = ("peer", peer.peer_id)
    record(session, "peer.remove", actor=actor, at=now, project_id=peer.project_id, target=target)
    session.delete(peer)
    session.flush()


def listed(session: Session, project_id: str = "") -> list[Peer]:
    """The servers that this one is enrolled at, by name."""
    found = select(Peer).order_by(Peer.name)
    return list(session.scalars(found.where(Peer.project_id == project_id) if project_id else found))


def named(session: Session, name: str) -> Peer:
    """Refuses NoSuchPeer."""
    found = session.scalars(select(Peer).where((Peer.name == name) | (Peer.base == name)).limit(1)).first()
    if found is None:
        raise NoSuchPeer(name)
    return found


def lag(session: Session, peer: Peer) -> Lag:
    """What this peer has not got from us."""
    seqs = (
        select(func.count())
        .select_from(FeedRow)
        .join(Operation, (Operation.project_id == FeedRow.project_id) & (Operation.op_id == FeedRow.op_id))
    )
    is_ours = (Operation.via.is_(None)) | (Operation.via != peer.peer_id) | (FeedRow.seq <= peer.echo_seq)
    of_peer = seqs.where(FeedRow.project_id == peer.project_id, FeedRow.seq > peer.sent_seq, is_ours)
    files = select(func.count()).select_from(Blob).where(Blob.project_id == peer.project_id)
    if peer.files_until_at is not None:
        files = files.where(Blob.created_at > peer.files_until_at)
    return Lag(session.scalar(of_peer) or 0, session.scalar(files) or 0)


def sync(
    engine: Engine,
    blobs: BlobStore,
    peer: Peer,
    *,
    connect: Callable[..., Link] = Link,
    clock: Callable[[], datetime],
) -> Carried:
    """Exchange everything with this peer, and note how it went. Refuses what `Exchange.run` refuses."""
    link = connect(peer.base, token=peer.token)
    began = clock()
    try:
        carried = Exchange(engine, blobs, peer, link, clock).run()
    except Problem as problem:
        failures = peer.failures + 1
        told = f"{problem.title()} {problem.detail}".strip()
        next_at = began + _pause(failures)
        note(engine, peer, tried_at=began, next_at=next_at, failures=failures, error=told[:2000])
        raise
    finally:
        link.close()
    note(engine, peer, tried_at=began, synced_at=clock(), next_at=None, failures=0, error="")
    return carried


def sync_due(
    engine: Engine, blobs: BlobStore, *, connect: Callable[..., Link] = Link, clock: Callable[[], datetime]
) -> dict[str, Any]:
    """Every peer whose time has come; the trouble of one costs the others nothing. What happened, in numbers."""
    with Session(engine.execution_options(is_reading=True), expire_on_commit=False) as session:
        due = [peer for peer in listed(session) if peer.next_at is None or peer.next_at <= clock()]
    summary = {"peers": len(due), "failed": 0, "sent": 0, "received": 0}
    for peer in due:
        try:
            carried = sync(engine, blobs, peer, connect=connect, clock=clock)
        except (ServerUnreachable, ServerRefused, AccessEnded, Problem):
            summary["failed"] += 1
            continue
        summary["sent"] += carried.sent
        summary["received"] += carried.received
    return summary


def note(engine: Engine, peer: Peer, **columns: Any) -> None:
    """These are so from now on, in a transaction of its own."""

    def act(session: Session) -> None:
        row = session.get(Peer, (peer.project_id, peer.peer_id))
        if row is not None:
            for name, value in columns.items():
                setattr(row, name, value)

    in_transaction(engine, act)


def _pause(failures: int) -> timedelta:
    """Longer each time, never all servers at once."""
    doublings = min(failures - 1, 10)
    return min(FIRST_PAUSE * int(2**doublings), LONGEST_PAUSE) * random.uniform(0.75, 1.25)


def _versions(lines: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The form versions that these operations tell of, each once."""
    told = (
        (str(line["form"]), str(line["version"])) for line in lines if line["kind"] == "form" and not line.get("void")
    )
    return list(dict.fromkeys(told))


def _batches(sent: Sent) -> Iterable[list[Waiting]]:
    batch: list[Waiting] = []
    size = 0
    for operation, line in zip(sent.operations, sent.lines(), strict=True):
        if batch and (size + len(line) > LARGEST_BATCH_BYTES or len(batch) == LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(Waiting(operation.op_id, line))
        size += len(line) + 1
    if batch:
        yield batch


def _thinned(marks: list[list[int]]) -> list[list[int]]:
    """Of many marks every second old one goes: then a little more is sent again than had to be."""
    return marks if len(marks) <= MOST_MARKS else [*marks[: -MOST_MARKS // 2 : 2], *marks[-MOST_MARKS // 2 :]]
