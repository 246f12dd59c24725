"""Files that were announced and may not be here: those of a device's own work, and those of an item in quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from sync import removed
from sync.draft import is_attachment
from sync.errors import NoMoreFiles, NotNamed
from sync.models import Batch, Blob, Device, InboxItem, Operation, RemovedBlob, SubmissionAttachment, Upload

MOST_BYTES_ASIDE = 2 * 2**30
"""Of the files to what a revoked device has in quarantine: more than weeks of photos, less than a disk."""
ASK_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Announced:
    """A file as an item in quarantine names it."""

    name: str
    sha256: str
    size: int | None
    is_here: bool
    removed: RemovedBlob | None = None
    """What is known of it when it was deleted on purpose."""


def of_item(session: Session, item: InboxItem) -> list[Announced]:
    """The files that an item in quarantine names, in its order; none where it cannot be read."""
    found = list(_named(item.raw))
    here = _sizes(session, item.project_id, {str(one["sha256"]) for one in found})
    gone = removed.among(session, item.project_id, [str(one["sha256"]) for one in found])
    return [
        Announced(
            one["name"],
            one["sha256"],
            here.get(one["sha256"], one.get("size")),
            one["sha256"] in here,
            gone.get(one["sha256"]),
        )
        for one in found
    ]


def by_device(session: Session, device: Device) -> set[str]:
    """All hashes that its own work names, here or not: in quarantine, in what it has pushed, or in its records."""
    pushed = session.scalars(
        select(Operation.attachments)
        .join(Batch, (Batch.project_id == Operation.project_id) & (Batch.batch_id == Operation.batch_id))
        .where(Batch.project_id == device.project_id, Batch.device_id == device.device_id)
    )
    named = {str(one["sha256"]) for attachments in pushed for one in attachments}
    return _aside(session, device) | named | set(needed(session, device))


def needed(session: Session, device: Device) -> list[str]:
    """The hashes that the server lacks of this device's records, or of those that it corrected: who took the picture
    has the picture."""
    return sorted({sha256 for sha256 in session.scalars(lacking(device)) if sha256 is not None})


def lacking(device: Device) -> Select[str | None]:
    """What `needed` asks: no more than leads to the index of what waits. One of hashes would go through them all."""
    wrote = exists().where(
        Operation.project_id == SubmissionAttachment.project_id,
        Operation.kind == "submission",
        Operation.record_id == SubmissionAttachment.instance_id,
        Operation.device_id == device.device_id,
    )
    return select(SubmissionAttachment.sha256).where(
        SubmissionAttachment.project_id == device.project_id, SubmissionAttachment.arrived_at.is_(None), wrote
    )


def require_named(session: Session, device: Device, sha256: str) -> None:
    """Refuses NotNamed: from a revoked device only what its own work names is taken."""
    if sha256 not in by_device(session, device):
        raise NotNamed(sha256[:64])


def require_room(session: Session, device: Device, sha256: str, size: int) -> None:
    """Refuses NoMoreFiles: whoever has a revoked device now must not fill the disk."""
    aside = _aside(session, device)
    if sha256 not in aside:
        return
    kept = sum(_sizes(session, device.project_id, aside - {sha256}).values())
    begun = select(func.coalesce(func.sum(Upload.size), 0)).where(
        Upload.project_id == device.project_id, Upload.device_id == device.device_id, Upload.sha256 != sha256
    )
    if kept + (session.scalar(begun) or 0) + size > MOST_BYTES_ASIDE:
        raise NoMoreFiles


def _aside(session: Session, device: Device) -> set[str]:
    """By what was put aside; what has only landed will be."""
    raws = session.scalars(
        select(InboxItem.raw)
        .where(
            InboxItem.project_id == device.project_id,
            InboxItem.state.in_(("landed", "quarantined")),
            InboxItem.device_id == device.device_id,
        )
        .execution_options(yield_per=100)
    )
    return {str(one["sha256"]) for raw in raws for one in _named(raw)}


def _named(raw: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    said = line.get("attachments") if isinstance(line, dict) else None
    yield from filter(is_attachment, said if isinstance(said, list) else ())


def _sizes(session: Session, project_id: str, hashes: set[str]) -> dict[str, int]:
    """Of those that are here."""
    found: dict[str, int] = {}
    wanted = sorted(hashes)
    for start in range(0, len(wanted), ASK_AT_ONCE):
        part = wanted[start : start + ASK_AT_ONCE]
        rows = select(Blob.sha256, Blob.size).where(Blob.project_id == project_id, Blob.sha256.in_(part))
        found.update((row.sha256, row.size) for row in session.execute(rows))
    return found
