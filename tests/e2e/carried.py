"""Bundles between the servers of a test, and hands that spoil them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.clock import now
from sync import peers
from sync.access import SYSTEM
from sync.bundles.key import SigningKey, fingerprint, own_key
from sync.bundles.manifest import MANIFEST, SIGNATURE, SIGNED, Manifest
from sync.bundles.pack import export
from sync.bundles.take import Taken, take
from sync.identity import uuid7
from sync.models import Batch, Blob, Event, InboxItem, Operation, Peer, Project
from tests.e2e.offices import Office

CENTRE, VILLAGE = "Centre", "Village"


def key_of(office: Office) -> SigningKey:
    return own_key(office.app.extensions["lapangan"].settings.data_dir)


def peer_of(office: Office, name: str) -> Peer:
    with Session(office.engine, expire_on_commit=False) as session:
        return peers.named(session, name)


def pack(office: Office, folder: Path, for_: str = "", **more: Any) -> Path:
    """A bundle of this server, for the peer of that name."""
    file = folder / f"{uuid7()}.zip"
    make(office, file, for_, **more)
    return file


def make(office: Office, file: Path, for_: str = "", *, at: datetime | None = None, **more: Any) -> Manifest:
    peer = peer_of(office, for_) if for_ else None
    told = {"key": key_of(office), "peer": peer, "actor": SYSTEM, "now": at or now(), **more}
    return export(office.engine, office.blobs, file, office.project_id, **told)


def carry(office: Office, file: Path, **more: Any) -> Taken:
    """The bundle is taken here."""
    told = {"own_key": key_of(office).public, "actor": SYSTEM, "now": now(), **more}
    return take(office.engine, office.blobs, file, **told)


def adopt(office: Office, of: Office, folder: Path, name: str) -> Taken:
    """This empty server takes over the project of another one by a first bundle."""
    taken = carry(office, pack(of, folder), adopt=fingerprint(key_of(of).public), name=name)
    office.project_id = of.project_id
    return taken


def rows(office: Office) -> dict[str, int]:
    """How much is here of everything that a bundle brings."""
    with Session(office.engine) as session:
        tables = (Operation, Blob, InboxItem, Batch, Event)
        return {one.__tablename__: session.scalar(select(func.count()).select_from(one)) or 0 for one in tables}


def rewritten(
    file: Path, key: SigningKey, *, change: Callable[[dict[str, bytes]], None], compress: int = zipfile.ZIP_DEFLATED
) -> Path:
    """The bundle with other members, signed again with this key."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    members[SIGNATURE] = key.sign(SIGNED + members[MANIFEST])
    other = file.with_name(f"rewritten-{uuid7()}.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content, compress if name.endswith("ndjson") else zipfile.ZIP_STORED)
    return other


def head(office: Office) -> int:
    with Session(office.engine) as session:
        return session.get_one(Project, office.project_id).head


def key_file(office: Office) -> Path:
    folder: Path = office.app.extensions["lapangan"].settings.data_dir
    folder.mkdir(exist_ok=True)
    return folder / "signing-key"
