"""Receive: what arrives is made durable first, then judged. The four doors, the jobs and other servers all come here.

Transaction A lands the raw bytes; transaction B judges at most 100 items. A process that dies between the two loses
nothing: `sweep` judges what has landed. Opens its own transactions."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from forms.errors import Problem
from forms.instance import Envelope, open_instance
from sync import accounts, definitions, devices, hybrid_clock, inbox, removed
from sync.access import NOBODY, Actor
from sync.author import NOT_TOLD
from sync.draft import LONGEST_NAME, Draft, Unreadable, derived_origin, draft_of, read_draft, read_line
from sync.engine import AWAY, in_transaction, reader
from sync.epochs import standing
from sync.errors import Overloaded, TakesNoChanges
from sync.identity import derived
from sync.item import Item, Landed, prepare
from sync.judge import judge
from sync.models import Account, Batch, Device, InboxItem, Peer
from sync.repeat import first_verdicts
from sync.verdict import Line, Outcome, Receipt, Sender, SentFile, Why

BUSY: tuple[type[Exception], ...] = (*AWAY, Overloaded, TakesNoChanges)
CHUNK = 100
LARGEST_ITEM = 2**20
"""Bytes; the XML of an interview has some thousand."""
LARGEST_FORWARDED = 64 * 2**20
"""What came by another door may be larger, and servers say it twice: as it was sent, and as changes."""
MOST_CRASHES = 3
LANDED_LONG_AGO = timedelta(minutes=1)
"""What has waited this long is nobody's any more: its request is over or its process is gone."""


def receive(
    engine: Engine,
    sender: Sender,
    raws: Sequence[bytes],
    *,
    size: int,
    now: datetime,
    reading: Session | None = None,
) -> Receipt:
    """A batch of operations, one raw line each; `size` are the bytes on the wire. Nothing is refused:
    every item has its verdict in the receipt, in their order.

    `reading` is a session of the caller that only reads; it is closed."""
    largest = LARGEST_FORWARDED if sender.actor.serves else LARGEST_ITEM
    told = {raw: line for raw in raws if len(raw) <= largest and (line := _line(raw)) is not None}
    with reading or _looking(engine) as reading:
        known = _first_verdicts(reading, sender, told)
        reading.close()
        lines = [_too_large(raw, largest) if len(raw) > largest else known.get(raw) for raw in raws]
        new = [raw for raw, line in zip(raws, lines, strict=True) if line is None]
        verdicts = Counter(known[raw].outcome.value for raw in raws if raw in known)
        batch_id, landed = inbox.land(engine, sender, new, size=size, now=now, verdicts=verdicts)
        push = _Push(sender, batch_id, verdicts)
        read = [Landed(one.item_id, one.raw, _draft(told.get(one.raw))) for one in landed]
        judged = iter(_judge_all(engine, reading, push, read, now))
        answered = tuple(line or next(judged) for line in lines)
        stands = standing(reading, sender.project_id)
        return Receipt(
            stands.server_id,
            stands.epoch,
            stands.forks,
            now,
            stands.head,
            stands.durable_seq,
            stands.durable_by,
            batch_id,
            answered,
        )


def receive_submission(
    engine: Engine,
    sender: Sender,
    xml: bytes,
    files: Sequence[SentFile] = (),
    *,
    form_id: str | None = None,
    now: datetime,
    reading: Session | None = None,
) -> Line:
    """One bare instance with files that are in the blob store already (OpenRosa, REST).

    The same XML is the same operation on every server. `form_id` is that of the address, if it names one; `reading` as
    for `receive`."""
    try:
        envelope = _opened(xml)
    except _NotDerivable as error:
        return _put_aside(engine, sender, xml, files, error.why, now)
    draft = _derive(sender.project_id, envelope, xml, files, form_id)
    with reading or _looking(engine) as reading:
        known = first_verdicts(reading, sender, [draft.shape()]).get(draft.op_id)
        unwanted = removed.refused(reading, sender.project_id, (file.sha256 for file in files))
        if known is None:
            # Asked for here, it is at hand when the instance is read.
            definitions.compiled(reading, sender.project_id, draft.form_id, draft.version)
        reading.close()
        new = [draft.line()] if known is None else []
        verdicts = Counter([known.outcome.value] if known is not None else [])
        batch_id, landed = inbox.land(
            engine, sender, new, size=len(xml), now=now, files=files, unwanted=unwanted, verdicts=verdicts
        )
        read = [Landed(one.item_id, one.raw, envelope=envelope) for one in landed]
        judged = _judge_all(engine, reading, _Push(sender, batch_id, verdicts), read, now)
    line = known or judged[0]
    if unwanted and landed:
        again = [file for file in files if file.sha256 in unwanted]
        in_transaction(engine, lambda session: inbox.keep_welcome(session, sender.project_id, again, now=now))
    if files and line.first is Outcome.QUARANTINED:
        # Large media come in further requests with the same XML, also of what was put aside.
        added = draft.attachments
        in_transaction(engine, lambda session: inbox.add_files(session, sender.project_id, draft.op_id, added))
    return line


def sweep(engine: Engine, *, now: datetime, waited: timedelta = LANDED_LONG_AGO) -> int:
    """Judge what has landed and was never judged; how many items there were.

    An item over which the process died three times is put aside unparsed."""
    with _looking(engine) as session:
        found = session.execute(
            select(InboxItem.project_id, InboxItem.item_id)
            .where(InboxItem.state == "landed", InboxItem.landed_at <= now - waited)
            .order_by(InboxItem.landed_at, InboxItem.batch_id, InboxItem.position)
        ).all()
    for project_id, item_id in found:
        _judge_again(engine, project_id, item_id, now)
    return len(found)


def sent_xml(raw: bytes) -> bytes:
    """The instance in the raw bytes of an inbox item, as it was sent."""
    if raw.lstrip()[:1] != b"{":
        return raw
    return str(orjson.loads(raw).get("xml") or "").encode()


def derive(project_id: str, xml: bytes, files: Sequence[SentFile], form_id: str | None) -> Draft | None:
    """The operation that a bare instance is, on every server; None when it cannot be read."""
    try:
        return _derive(project_id, _opened(xml), xml, files, form_id)
    except _NotDerivable:
        return None


class _NotDerivable(Exception):
    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


def _derive(project_id: str, envelope: Envelope, xml: bytes, files: Sequence[SentFile], form_id: str | None) -> Draft:
    op_id = derived(project_id, envelope.instance_id, hashlib.sha256(xml).hexdigest())
    return Draft(
        op_id=op_id,
        origin=derived_origin(op_id),
        n=1,
        prev=0,
        kind="submission",
        # An edit waits under the name of what it corrects until that is here.
        record_id=envelope.deprecated_id or envelope.instance_id,
        # Of the instance alone: every server that takes it must make the same operation.
        at=hybrid_clock.reading(envelope.ended_at or envelope.started_at or NOT_TOLD),
        form_id=form_id or envelope.form_id,
        version=envelope.version,
        xml=xml.decode(),
        attachments=tuple(
            {"name": file.name, "sha256": file.sha256, "size": file.size, "type": file.media_type} for file in files
        ),
        base_id=envelope.deprecated_id,
    )


def _opened(xml: bytes) -> Envelope:
    try:
        envelope = open_instance(xml)
        xml.decode()
    except (Problem, UnicodeDecodeError) as error:
        raise _NotDerivable(Why.MALFORMED_XML) from error
    if not envelope.instance_id:
        raise _NotDerivable(Why.NO_INSTANCE_ID)
    if max(len(envelope.instance_id), len(envelope.deprecated_id)) > LONGEST_NAME:
        raise _NotDerivable(Why.INSTANCE_ID_TOO_LONG)
    return envelope


@dataclass(frozen=True, slots=True)
class _Push:
    """What has landed together, and how much of it has got which verdict by now."""

    sender: Sender
    batch_id: str
    verdicts: Counter[str] = field(default_factory=Counter)


def _looking(engine: Engine) -> Session:
    """A session that only reads. Whoever has seen enough closes it before writing: a thread that holds one connection
    never waits for another."""
    return Session(reader(engine))


def _read(raw: bytes) -> Draft | None:
    return _draft(_line(raw))


def _line(raw: bytes) -> Mapping[str, Any] | None:
    try:
        return read_line(raw)
    except Exception:  # noqa: BLE001  # it lands first; whatever this is, it comes up again when it is judged
        return None


def _draft(line: Mapping[str, Any] | None) -> Draft | None:
    try:
        return draft_of(line) if line is not None else None
    except Exception:  # noqa: BLE001  # as with _line
        return None


def _first_verdicts(session: Session, sender: Sender, told: Mapping[bytes, Mapping[str, Any]]) -> dict[bytes, Line]:
    known = first_verdicts(session, sender, told.values())
    return {raw: known[line["op"]] for raw, line in told.items() if line["op"] in known}


def _put_aside(engine: Engine, sender: Sender, xml: bytes, files: Sequence[SentFile], why: Why, now: datetime) -> Line:
    """What is no instance that can be told from others is kept as it came."""
    batch_id, landed = inbox.land(engine, sender, [xml], size=len(xml), now=now, files=files)
    # Nothing else says which files came with it.
    named = ", ".join(f"{file.name} {file.sha256}" for file in files)
    items = [Item(one.item_id, batch_id, sender, one.raw, None, why, named) for one in landed]
    return _judge_items(engine, _Push(sender, batch_id), items, now)[0]


def _judge_all(engine: Engine, reading: Session, push: _Push, landed: Sequence[Landed], now: datetime) -> list[Line]:
    lines: list[Line] = []
    for start in range(0, len(landed), CHUNK):
        part = landed[start : start + CHUNK]
        try:
            items = prepare(reading, push.sender, push.batch_id, part, now=now)
            reading.close()
            lines += _judge_items(engine, push, items, now)
        except Exception:  # noqa: BLE001  # whatever one item does to us, it costs its neighbours nothing
            lines.append(_judge_alone(engine, push, part[0], now))
            if lines[-1].why is Why.BUSY:
                # To try the others one by one would only take longer.
                return [*lines, *map(_waiting, landed[start + 1 :])]
            lines += [_judge_alone(engine, push, one, now) for one in part[1:]]
    return lines


def _waiting(landed: Landed) -> Line:
    """The database is busy or away. The bytes are durable, and the sweep judges them."""
    return Line(_named(landed.raw), Outcome.HELD, why=Why.BUSY)


def _judge_alone(engine: Engine, push: _Push, landed: Landed, now: datetime) -> Line:
    try:
        with _looking(engine) as reading:
            items = prepare(reading, push.sender, push.batch_id, [landed], now=now)
        return _judge_for_itself(engine, push, items, now)
    except BUSY:
        return _waiting(landed)
    except Exception as error:  # noqa: BLE001  # a poison pill is put aside, for a person to look at
        return _poisoned(engine, push, landed, f"{type(error).__name__}: {error}", now)


def _judge_for_itself(engine: Engine, push: _Push, items: Sequence[Item], now: datetime) -> Line:
    """If what waited for it is the poison, that costs it nothing: it is placed, and the other goes on waiting."""
    try:
        return _judge_items(engine, push, items, now)[0]
    except BUSY:
        raise
    except Exception:  # noqa: BLE001  # whichever of them it is, the second try says
        return _judge_items(engine, push, items, now, wakes=False)[0]


def _poisoned(engine: Engine, push: _Push, landed: Landed, detail: str, now: datetime) -> Line:
    """It is put aside, with a marker in its place when at least that can be read of it."""
    item = Item(landed.item_id, push.batch_id, push.sender, landed.raw, None, Why.POISON, detail)
    draft = _read(landed.raw)
    if draft is not None:
        with suppress(Exception):  # whatever is wrong with it may be wrong with its place too
            return _judge_items(engine, push, [replace(item, draft=draft)], now)[0]
    return replace(_judge_items(engine, push, [item], now)[0], op_id=_named(landed.raw))


def _named(raw: bytes) -> str:
    """The operation as its sender knows it, who else would send it for ever."""
    try:
        return read_draft(raw).op_id
    except Unreadable as error:
        return error.draft.op_id if error.draft is not None else inbox.unreadable_id(raw)


def _judge_items(
    engine: Engine, push: _Push, items: Sequence[Item], now: datetime, *, wakes: bool = True
) -> list[Line]:
    def act(session: Session) -> tuple[list[Line], Counter[str]]:
        lines = judge(session, items, now=now, wakes=wakes)
        verdicts = Counter(line.outcome.value for line in lines)
        inbox.note_verdicts(session.connection(), push.sender.project_id, push.batch_id, push.verdicts + verdicts)
        return lines, verdicts

    lines, verdicts = in_transaction(engine, act)
    push.verdicts.update(verdicts)
    return list(lines)


def _judge_again(engine: Engine, project_id: str, item_id: str, now: datetime) -> None:
    counted = update(InboxItem).where(InboxItem.project_id == project_id, InboxItem.item_id == item_id)

    def begin(session: Session) -> tuple[_Push, bytes, int]:
        session.execute(counted.values(attempts=InboxItem.attempts + 1))
        item = session.get_one(InboxItem, (project_id, item_id))
        return _push_of(session, item), item.raw, item.attempts

    push, raw, attempts = in_transaction(engine, begin)
    if attempts > MOST_CRASHES:
        # Where the marker of its place was too much as well, the next time does without.
        draft = _read(raw) if attempts == MOST_CRASHES + 1 else None
        _judge_items(engine, push, [Item(item_id, push.batch_id, push.sender, raw, draft, Why.POISON)], now)
    elif _judge_alone(engine, push, Landed(item_id, raw), now).why is Why.BUSY:
        # Nobody has died over it: that the database is busy for an hour makes no item a killer.
        in_transaction(engine, lambda session: session.execute(counted.values(attempts=InboxItem.attempts - 1)))


def _push_of(session: Session, item: InboxItem) -> _Push:
    """Who sent it, as far as that was noted."""
    batch = session.get(Batch, (item.project_id, item.batch_id))
    device = session.get(Device, (item.project_id, item.device_id)) if item.device_id else None
    door = batch.door if batch else "sync"
    sender = Sender(
        item.project_id,
        _actor_of(session, item, device, door),
        door,
        device_id=item.device_id,
        account_id=item.account_id,
        is_revoked=device is not None and device.revoked_at is not None,
    )
    return _Push(sender, item.batch_id, Counter(batch.verdicts if batch else {}))


def _actor_of(session: Session, item: InboxItem, device: Device | None, door: str) -> Actor:
    if device is not None:
        return devices.actor_for(device)
    if door == "server":
        return _server_of(session, item.project_id)
    account = session.get(Account, item.account_id) if item.account_id else None
    return accounts.actor_for(session, account) if account is not None else NOBODY


def _server_of(session: Session, project_id: str) -> Actor:
    """What was fetched from another server is taken as that has taken it. Which one it was is noted nowhere: where
    there are several, it is told of what it brought itself, once more."""
    known = session.scalars(select(Peer.peer_id).where(Peer.project_id == project_id)).all()
    return Actor("server", id=known[0] if len(known) == 1 else "", serves=project_id)


def _too_large(raw: bytes, largest: int) -> Line:
    return Line(_named(raw), Outcome.REJECTED, why=Why.TOO_LARGE, detail=str(largest))
