"""The inbox: raw bytes, committed before anybody looks at them, and what could not be placed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import orjson
from sqlalchemy import BindParameter, Connection, Engine, bindparam, delete, select, update
from sqlalchemy.orm import Session

from sync import attach, devices, removed
from sync.access import Actor
from sync.attach import Stored
from sync.engine import in_transaction
from sync.identity import uuid7
from sync.insert import insert_rows
from sync.item import Landed
from sync.models import InboxItem
from sync.record import record
from sync.rows import BATCH, INBOX
from sync.verdict import Sender, SentFile, Why

# Made once: every push runs them, and to write a statement down takes longer than to run it.
_HERE: BindParameter[str] = bindparam("of_project")
_THESE: BindParameter[str] = bindparam("item_ids", expanding=True)
# The states are looked at here: SQLite would go by their index, through all that has landed.
_STATES = select(INBOX.c.item_id, INBOX.c.state).where(INBOX.c.project_id == _HERE, INBOX.c.item_id.in_(_THESE))
_LEAVE = delete(INBOX).where(INBOX.c.project_id == _HERE, INBOX.c.item_id.in_(_THESE))
NONE_YET: Mapping[str, int] = {}
_NOTE = update(BATCH).where(BATCH.c.project_id == _HERE, BATCH.c.batch_id == bindparam("of_batch"))


def land(
    engine: Engine,
    sender: Sender,
    raws: Sequence[bytes],
    *,
    size: int,
    now: datetime,
    files: Sequence[SentFile] = (),
    unwanted: Collection[str] = (),
    verdicts: Mapping[str, int] = NONE_YET,
) -> tuple[str, list[Landed]]:
    """The bytes are durable, in a transaction of their own; the id of the batch and its items in their order. It is
    noted that the sender was here.

    `files` are in the blob store already: from now on their rows say so, but for those that are `unwanted`. `verdicts`
    are those on further items of the batch, which need not land."""
    batch_id = uuid7()
    landed = [Landed(uuid7(), raw) for raw in raws]

    def act(session: Session) -> None:
        connection = session.connection()
        insert_rows(connection, BATCH, [_batch(sender, batch_id, len(raws), size, verdicts, now)])
        rows = [_row(sender, batch_id, position, one, now) for position, one in enumerate(landed)]
        insert_rows(connection, INBOX, rows)
        for file in files:
            if file.sha256 in unwanted:
                removed.lies_here_again(session, sender.project_id, file.sha256)
            else:
                _keep(session, sender.project_id, file, now)
        if sender.is_seen and sender.device_id is not None:
            told = {"skew_ms": sender.skew_ms, "waiting": sender.waiting}
            devices.seen(session, sender.project_id, sender.device_id, **told, now=now)

    in_transaction(engine, act)
    return batch_id, landed


def keep_welcome(session: Session, project_id: str, files: Iterable[SentFile], *, now: datetime) -> None:
    """Of these files, which were deleted on purpose and lie here again, those are kept that something new names."""
    kept = list(files)
    refused = removed.refused(session, project_id, (file.sha256 for file in kept))
    for file in kept:
        if file.sha256 not in refused:
            _keep(session, project_id, file, now)


def still_landed(connection: Connection, project_id: str, item_ids: Iterable[str]) -> set[str]:
    """Those that nobody has judged meanwhile."""
    rows = connection.execute(_STATES, {"of_project": project_id, "item_ids": list(item_ids)})
    return {item_id for item_id, state in rows if state == "landed"}


def leave(connection: Connection, project_id: str, item_ids: Iterable[str]) -> None:
    """Their operations are written: the bytes live there from now on."""
    gone = list(item_ids)
    if gone:
        connection.execute(_LEAVE, {"of_project": project_id, "item_ids": gone})


def quarantine(
    session: Session, project_id: str, item_id: str, *, op_id: str, why: Why, detail: str, now: datetime
) -> None:
    """It stays, with the reason, for a supervisor to see."""
    session.execute(
        update(InboxItem)
        .where(InboxItem.project_id == project_id, InboxItem.item_id == item_id)
        .values(state="quarantined", op_id=op_id, why=why.value, detail=detail[:2000], judged_at=now)
    )


def quarantined(session: Session, project_id: str, op_id: str) -> InboxItem | None:
    """What was put aside under this operation id, at any time."""
    found = select(InboxItem).where(
        InboxItem.project_id == project_id, InboxItem.op_id == op_id, InboxItem.state != "landed"
    )
    return session.scalars(found.limit(1)).first()


def put_aside(session: Session, project_id: str, op_ids: Collection[str]) -> list[InboxItem]:
    """What of these lies in quarantine, or was discarded from there."""
    if not op_ids:
        return []
    found = select(InboxItem).where(
        InboxItem.project_id == project_id,
        InboxItem.op_id.in_(op_ids),
        InboxItem.state.in_(("quarantined", "discarded")),
    )
    return list(session.scalars(found.order_by(InboxItem.item_id)))


ACTIONS = {
    "released": "quarantine.release",
    "discarded": "quarantine.discard",
    "quarantined": "quarantine.take_back",
}
"""What the audit log calls it when an item leaves the queue, or comes back to it."""


def move(
    session: Session, item: InboxItem, state: str, *, actor: Actor, now: datetime, detail: Mapping[str, str]
) -> None:
    """It has left the queue, or is back in it; the bytes stay."""
    item.state, item.judged_at = state, now
    session.flush()
    about = {"why": item.why, **detail}
    target = ("inbox_item", item.item_id)
    record(session, ACTIONS[state], actor=actor, at=now, project_id=item.project_id, target=target, detail=about)


def add_files(session: Session, project_id: str, op_id: str, files: Iterable[Mapping[str, object]]) -> None:
    """What was put aside has come with these files too: they go with it when it is released."""
    item = quarantined(session, project_id, op_id)
    if item is None:
        return
    session.refresh(item, with_for_update=True)
    line = orjson.loads(item.raw)
    known = line.get("attachments") or []
    have = {one["name"] for one in known}
    item.raw = orjson.dumps(line | {"attachments": [*known, *(one for one in files if one["name"] not in have)]})


def note_verdicts(connection: Connection, project_id: str, batch_id: str, verdicts: Mapping[str, int]) -> None:
    """How many items of the batch got which verdict."""
    connection.execute(_NOTE, {"of_project": project_id, "of_batch": batch_id, "verdicts": dict(verdicts)})


def unreadable_id(raw: bytes) -> str:
    """What stands for the operation id of bytes that name none: the same bytes are put aside once."""
    return f"raw~{hashlib.sha256(raw).hexdigest()[:58]}"


def _keep(session: Session, project_id: str, file: SentFile, now: datetime) -> None:
    stored = Stored(file.sha256, "", file.size)
    attach.keep(session, project_id, stored, media_type=file.media_type, now=now)


def _batch(
    sender: Sender, batch_id: str, landing: int, size: int, verdicts: Mapping[str, int], now: datetime
) -> dict[str, object]:
    return {
        "project_id": sender.project_id,
        "batch_id": batch_id,
        "device_id": sender.device_id,
        "account_id": sender.account_id,
        "door": sender.door,
        "user_agent": sender.user_agent[:255],
        "size": size,
        "items": landing + sum(verdicts.values()),
        "verdicts": dict(verdicts),
        "skew_ms": sender.skew_ms,
        "received_at": now,
    }


def _row(sender: Sender, batch_id: str, position: int, landed: Landed, now: datetime) -> dict[str, object]:
    return {
        "project_id": sender.project_id,
        "item_id": landed.item_id,
        "batch_id": batch_id,
        "position": position,
        "device_id": sender.device_id,
        "account_id": sender.account_id,
        "raw": landed.raw,
        "state": "landed",
        "attempts": 0,
        "op_id": "",
        "why": "",
        "detail": "",
        "landed_at": now,
        "judged_at": None,
    }
