"""Take a bundle: what is in it goes the way of a push, item by item; what is here already is passed over.

All of it is checked before anything is changed. It may be taken twice, after a newer one, or again after the power
failed in the middle: the end is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync import access, attach, operations, parcel, peers, receive
from sync.access import Actor
from sync.attach import BlobStore
from sync.bundles.errors import BundleDamaged, OtherFingerprint, OtherProject, ShutOut, UnknownProject, UnknownSigner
from sync.bundles.key import fingerprint, word
from sync.bundles.manifest import FORMS, OPERATIONS, Manifest
from sync.bundles.opened import Opened, Watch, opened
from sync.bundles.standing import has_gap, learned
from sync.device.outbox import LARGEST_BATCH, LARGEST_BATCH_BYTES
from sync.engine import in_transaction, reader
from sync.epochs import standing
from sync.models import Installation, Peer, Project
from sync.projects import adopt_project
from sync.record import record
from sync.verdict import Line, Outcome, Sender

USER_AGENT = "Lapangan bundle"
MOST_SHOWN = 20
SAID = (Outcome.QUARANTINED, Outcome.HELD, Outcome.CONFLICT, Outcome.REJECTED)
"""What a person may want to look at."""


@dataclass(slots=True)
class Taken:
    """What became of a bundle."""

    manifest: Manifest
    name: str
    """What its maker is called here."""
    project_number: int
    verdicts: Counter[str] = field(default_factory=Counter)
    """How many operations came out how; "duplicate" were here already."""
    lines: list[Line] = field(default_factory=list)
    """Some of those that did not simply become part of their records."""
    refused_forms: list[tuple[str, str]] = field(default_factory=list)
    """(form and version, why it could not be taken)."""
    clashing: list[str] = field(default_factory=list)
    """Form versions that both servers have, with different content: each keeps its own, and nothing waits for people
    to agree."""
    files: int = 0
    files_size: int = 0
    has_gap: bool = False
    """An earlier bundle of the same server is missing here."""

    @property
    def new(self) -> int:
        return self.verdicts.total() - self.verdicts[Outcome.DUPLICATE.value]

    @property
    def is_whole(self) -> bool:
        """All that is in it is kept here."""
        return not self.verdicts[Outcome.REJECTED.value] and not self.refused_forms


def take(
    engine: Engine,
    blobs: BlobStore,
    file: Path,
    *,
    project_id: str = "",
    adopt: str = "",
    name: str = "",
    own_key: str = "",
    watch: Watch = lambda _what, _done, _total: None,
    actor: Actor,
    now: datetime,
) -> Taken:
    """Everything in the bundle is here, each operation with its verdict.

    `project_id` says of which project it must be, if any; `adopt` is the fingerprint of a signer that is trusted from
    now on, whose project is taken over if it is not here; `own_key` is the public key of this server, which may have
    lost what it once gave away. Refuses NotABundle, NewerBundle, BundleDamaged,
    UnknownSigner, UnknownProject, OtherFingerprint, StorageFull; but for the last, nothing is changed then."""
    with opened(file) as bundle:
        manifest = bundle.manifest
        access.require(actor, "bundle.carry", manifest.project)
        peer, is_new = _signer(engine, manifest, adopt, own_key)
        if project_id and manifest.project != project_id:
            raise OtherProject(manifest.project_name)
        bundle.verify(watch)
        if is_new:
            peer = in_transaction(engine, lambda session: _adopt(session, manifest, name, actor=actor, now=now))
        with Session(reader(engine)) as session:
            taken = _begun(session, manifest, peer)
        _Take(engine, blobs, bundle, peer, taken, watch, now).run()
    in_transaction(engine, lambda session: _note(session, taken, peer, file, actor=actor, now=now))
    return taken


def _signer(engine: Engine, manifest: Manifest, adopt: str, own_key: str) -> tuple[Peer | None, bool]:
    """The server that made it, None for this one; and whether it is to be trusted from now on."""
    shown = fingerprint(manifest.key)
    if adopt and adopt.strip().lower() != shown:
        raise OtherFingerprint(shown)
    with Session(reader(engine), expire_on_commit=False) as session:
        project = session.get(Project, manifest.project)
        peer = session.get(Peer, (manifest.project, manifest.server))
        if peer is not None and peers.is_shut_out(session, peer):
            raise ShutOut(peer.name)
        is_own = session.scalars(select(Installation.server_id)).one() == manifest.server
    if project is None and not adopt:
        told = f"{manifest.project_name}: lapangan bundle import FILE --adopt {shown}"
        raise UnknownProject(told, fingerprint=shown)
    if (peer is not None and peer.public_key == manifest.key) or (is_own and own_key == manifest.key):
        return peer, False
    if adopt and not is_own:
        return None, True
    told = f"{shown}: lapangan bundle trust NAME {word(manifest.server, manifest.key)}"
    raise UnknownSigner(told, fingerprint=shown, key=word(manifest.server, manifest.key))


def _adopt(session: Session, manifest: Manifest, name: str, *, actor: Actor, now: datetime) -> Peer:
    if session.get(Project, manifest.project) is None:
        access.require(actor, "project.create")
        adopt_project(session, manifest.project, name=manifest.project_name, actor=actor, now=now)
    called = name.strip() or f"Server {fingerprint(manifest.key)[:9]}"
    told = peers.Told(manifest.server, 0, manifest.key)
    return peers.trust(session, manifest.project, called, told, actor=actor, now=now)


def _begun(session: Session, manifest: Manifest, peer: Peer | None) -> Taken:
    number = session.get_one(Project, manifest.project).number
    own = standing(session, manifest.project)
    gap = peer is not None and has_gap(peer, manifest, own)
    return Taken(manifest, peer.name if peer is not None else "", number, has_gap=gap)


@dataclass(slots=True)
class _Take:
    """One bundle that is being taken; all of it has been checked."""

    engine: Engine
    blobs: BlobStore
    bundle: Opened
    peer: Peer | None
    taken: Taken
    watch: Watch
    now: datetime

    @property
    def project_id(self) -> str:
        return self.bundle.manifest.project

    def run(self) -> None:
        """Form versions go ahead of what tells of them, attachments come last."""
        self._take_forms()
        done, total = 0, self.bundle.manifest.operations
        for batch, names in self._batches():
            self._receive(batch, names)
            done += len(batch)
            self.watch("records", done, total)
        self._take_files()
        in_transaction(self.engine, self._give_up)

    def _take_forms(self) -> None:
        inside = {sha256: (size, media_type) for sha256, size, media_type in self.bundle.files()}
        for line in self.bundle.lines(FORMS):
            packed = _object(line)
            for sha256 in parcel.files_of(packed):
                if sha256 in inside:
                    self._take_file(sha256, *inside[sha256])
            named = f"{packed.get('form')} {packed.get('version')}".strip()
            try:
                in_transaction(self.engine, partial(self._take_form, packed=packed))
            except parcel.OtherContent:
                self.taken.clashing.append(named)
            except Problem as problem:  # what is in its records comes all the same, and waits for it
                self.taken.refused_forms.append((named, f"{problem.title()} {problem.detail}".strip()))

    def _take_form(self, session: Session, packed: Mapping[str, Any]) -> None:
        parcel.take(session, self.blobs, self.project_id, packed, now=self.now)

    def _batches(self) -> Iterator[tuple[list[bytes], dict[str, str]]]:
        batch: list[bytes] = []
        names: dict[str, str] = {}
        size = 0
        for line in self.bundle.lines(OPERATIONS):
            if line.startswith(b'{"names"'):
                names |= {str(id_): str(name) for id_, name in _object(line)["names"].items()}
                continue
            if batch and (len(batch) == LARGEST_BATCH or size + len(line) > LARGEST_BATCH_BYTES):
                yield batch, names
                batch, names, size = [], {}, 0
            batch.append(line)
            size += len(line)
        if batch or names:
            yield batch, names

    def _receive(self, lines: list[bytes], names: Mapping[str, str]) -> None:
        """By the same door as a push of this server; each item has its verdict."""
        in_transaction(self.engine, lambda session: operations.keep_names(session, self.project_id, names))
        receipt = receive.receive(self.engine, self._sender(), lines, size=sum(map(len, lines)), now=self.now)
        for line in receipt.lines:
            self.taken.verdicts[line.outcome.value] += 1
            if line.outcome in SAID and len(self.taken.lines) < MOST_SHOWN:
                self.taken.lines.append(line)

    def _sender(self) -> Sender:
        peer, manifest = self.peer, self.bundle.manifest
        way = (peer.here_id or peer.peer_id) if peer is not None else manifest.server
        actor = Actor("server", id=way, name=self.taken.name, serves=self.project_id)
        return Sender(self.project_id, actor, "server", user_agent=USER_AGENT)

    def _take_files(self) -> None:
        done, total = 0, self.bundle.manifest.files_size
        for sha256, size, media_type in self.bundle.files():
            self._take_file(sha256, size, media_type)
            done += size
            self.watch("files", done, total)

    def _give_up(self, session: Session) -> None:
        """What the maker has deleted on purpose, and is not here, nobody waits for any more."""
        for sha256 in self.bundle.manifest.removed:
            attach.give_up(session, self.project_id, sha256, now=self.now)

    def _take_file(self, sha256: str, size: int, media_type: str) -> None:
        with Session(reader(self.engine)) as session:
            if not attach.missing(session, self.project_id, [(sha256, size)]):
                return
        stored = self.blobs.write(self.project_id, self.bundle.chunks(sha256), limit=size, expected_sha256=sha256)
        kept = partial(attach.keep, media_type=media_type, now=self.now)
        in_transaction(self.engine, lambda session: kept(session, self.project_id, stored))
        self.taken.files += 1
        self.taken.files_size += size


def _note(session: Session, taken: Taken, peer: Peer | None, file: Path, *, actor: Actor, now: datetime) -> None:
    manifest = taken.manifest
    row = session.get(Peer, (peer.project_id, peer.peer_id)) if peer is not None else None
    if row is not None:
        told = learned(row, manifest, standing(session, manifest.project)) if taken.is_whole else {}
        for name, value in {**told, "imported_at": now}.items():
            setattr(row, name, value)
    if taken.clashing and peer is not None:
        peers.note_clashes(session, peer, taken.clashing, now=now)
    detail = {"name": taken.name, "file": file.name, "new": taken.new, "files": taken.files}
    target = ("bundle", manifest.bundle_id)
    record(session, "bundle.import", actor=actor, at=now, project_id=manifest.project, target=target, detail=detail)


def _object(line: bytes) -> dict[str, Any]:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BundleDamaged(str(error)) from error
    if not isinstance(told, dict):
        raise BundleDamaged("a line that is no object")
    return told
