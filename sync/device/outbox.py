"""What this device has made and the server does not surely have yet, and what the server said about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from sync import hybrid_clock
from sync.device.media import Kept
from sync.device.store import Store
from sync.identity import uuid7

LARGEST_BATCH = 100
LARGEST_BATCH_BYTES = 2**20
EVERYTHING = 2**62

PLACED = ("accepted", "merged", "conflict", "duplicate")
"""Verdicts after which the record can be seen on the server."""


@dataclass(frozen=True, slots=True)
class EntityChange:
    """What an operation does to an entity; `label` None leaves it as it is."""

    list: str
    entity_id: str
    label: str | None
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Draft:
    """An operation before it has its number."""

    kind: str
    record_id: str
    form_id: str
    version: str
    instance_id: str
    instance_name: str
    changes: Mapping[str, str | None]
    xml: str
    context: Mapping[str, int] = field(default_factory=dict)
    attachments: Sequence[Kept] = ()
    entities: Sequence[EntityChange] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """An operation on its way out, as it goes over the wire."""

    op_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Status:
    """How much is where, in numbers."""

    waiting: int
    kept: int
    refused: int
    attention: int
    """Of `kept`: what the server could not place and shows to the supervisor."""
    files_waiting: int
    bytes_waiting: int
    returned: int = 0
    to_do: int = 0
    """Assignments that are not done yet."""
    overdue: int = 0
    """Of `to_do`: their day has passed."""


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """One piece of work of this device and the last word of the server about it ("" when there was none)."""

    op_id: str
    form_id: str
    instance_id: str
    instance_name: str
    made_at: datetime
    state: str
    verdict: str
    why: str
    detail: str
    errors: int
    warnings: int
    conflicts: int
    files: int
    files_sent: int
    times: int
    """How often it was sent and answered."""
    is_shown_since: bool
    """It was held or put aside when it came, and the server shows it by now."""


class Outbox:
    """The operations and files of one device folder."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add(self, draft: Draft, *, origin: str, user: str, now: datetime) -> str:
        """The op_id, once the operation, its number and its files' names are on disk together."""
        op_id = uuid7()
        with self.store.transaction():
            n = self._next(origin)
            body = orjson.dumps(self._line(draft, op_id, origin, n, user, now))
            self.store.run(
                "INSERT INTO operation (op_id, origin, n, kind, record_id, form_id, version, instance_id,"
                " instance_name, body, made_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
                *(op_id, origin, n, draft.kind, draft.record_id, draft.form_id, draft.version, draft.instance_id),
                *(draft.instance_name, body, now.isoformat()),
            )
            self.store.run_many(
                "INSERT INTO attachment (op_id, name, sha256, size, type) VALUES (?, ?, ?, ?, ?)",
                [(op_id, kept.name, kept.sha256, kept.size, kept.type) for kept in draft.attachments],
            )
            self.store.run_many(
                "INSERT INTO entity_change (op_id, list, entity_id, label, properties) VALUES (?, ?, ?, ?, ?)",
                [(op_id, one.list, one.entity_id, one.label, orjson.dumps(one.properties)) for one in draft.entities],
            )
        return op_id

    def batch(self, most: int = LARGEST_BATCH) -> list[Waiting]:
        """The oldest operations that wait, at most `most` of them and 1 MiB; at least one, if any waits."""
        chosen: list[Waiting] = []
        size = 0
        for row in self.store.rows(
            "SELECT op_id, body FROM operation WHERE state = 'waiting' ORDER BY number LIMIT ?", most
        ):
            size += len(row["body"]) + 1
            if chosen and size > LARGEST_BATCH_BYTES:
                break
            chosen.append(Waiting(row["op_id"], row["body"]))
        return chosen

    def waiting(self) -> int:
        return self.store.number("SELECT count(*) FROM operation WHERE state = 'waiting'")

    def keep_receipts(self, receipt: Mapping[str, Any], *, now: datetime) -> None:
        """The server's words are stored; in the same transaction, what it has leaves the outbox."""
        with self.store.transaction():
            for item in receipt.get("items", ()):
                self._keep_receipt(item, receipt, now)
            self._note_server(receipt)

    def note_server(self, told: Mapping[str, Any]) -> None:
        """After a restore of the server's backup (a new epoch), what came after the fork waits again."""
        with self.store.transaction():
            self._note_server(told)

    def note_clock(self, told: Mapping[str, Any], *, now: datetime) -> None:
        """What is written here from now on is later than what this page of the feed tells of."""
        last = self.store.setting("clock", hybrid_clock.NEVER)
        later = hybrid_clock.followed(last, str(told.get("clock") or ""), now)
        if later != last:
            self.store.keep_setting("clock", later)

    def offer_again(self) -> None:
        """What the server did not take for a reason of which this program knows nothing waits again: the server, or
        this program, may be another by now. What it has rejected stays here."""
        self.store.run(
            "UPDATE operation SET state = 'waiting' WHERE state = 'refused' AND op_id IN"
            " (SELECT op_id FROM receipt WHERE verdict != 'rejected')"
        )

    def send_again(self, op_ids: Sequence[str]) -> None:
        """These wait again, although the server has answered them. Nothing is doubled by it."""
        self.store.run_many(
            "UPDATE operation SET state = 'waiting' WHERE op_id = ? AND body IS NOT NULL", [(one,) for one in op_ids]
        )

    def files(self) -> list[Kept]:
        """Files of operations that the server has, not sent yet, each content once, the smallest first."""
        rows = self.store.rows(
            "SELECT min(name) AS name, sha256, size, min(type) AS type FROM attachment JOIN operation USING (op_id)"
            " WHERE NOT is_sent AND state = 'kept' GROUP BY sha256, size ORDER BY size, sha256"
        )
        return [Kept(row["name"], row["sha256"], row["size"], row["type"]) for row in rows]

    def file_sent(self, sha256: str) -> None:
        self.store.run("UPDATE attachment SET is_sent = 1 WHERE sha256 = ?", sha256)

    def files_needed(self, hashes: Sequence[str]) -> None:
        """The server says that it lacks these: they are to be sent again."""
        self.store.run_many(
            "UPDATE attachment SET is_sent = 0, held_seq = NULL WHERE sha256 = ?", [(one,) for one in hashes]
        )

    def files_held(self, head: int) -> None:
        """The server's feed had got to `head` after all that was sent had arrived."""
        self.store.run("UPDATE attachment SET held_seq = ? WHERE is_sent AND held_seq IS NULL", head + 1)

    def release(self, durable_seq: int, durable_by: str) -> list[str]:
        """Forget what even a restored server has; the hashes of files that nothing here needs any more."""
        covered = EVERYTHING if durable_by == "database" else durable_seq
        with self.store.transaction():
            self.store.run(
                "UPDATE operation SET body = NULL WHERE state = 'kept' AND body IS NOT NULL AND op_id IN"
                " (SELECT op_id FROM receipt WHERE seq <= ?)",
                covered,
            )
        rows = self.store.rows(
            "SELECT sha256 FROM attachment JOIN operation USING (op_id) GROUP BY sha256"
            " HAVING min(is_sent) = 1 AND max(body IS NOT NULL) = 0 AND max(coalesce(held_seq, ?)) <= ?",
            *(EVERYTHING, covered),
        )
        return [row["sha256"] for row in rows]

    def status(self) -> Status:
        """Numbers for one look."""
        states = {row[0]: row[1] for row in self.store.rows("SELECT state, count(*) FROM operation GROUP BY state")}
        (files,) = self.store.rows(
            "SELECT count(*), coalesce(sum(size), 0) FROM"
            " (SELECT DISTINCT sha256, size FROM attachment JOIN operation USING (op_id)"
            " WHERE NOT is_sent AND state != 'refused')"
        )
        put_aside = {row[0] for row in self.store.rows("SELECT op_id FROM receipt WHERE verdict = 'quarantined'")}
        attention = len(put_aside - self._shown_since())
        return Status(
            states.get("waiting", 0), states.get("kept", 0), states.get("refused", 0), attention, files[0], files[1]
        )

    def records(self) -> list[OwnRecord]:
        """Everything that this device made, the newest first."""
        rows = self.store.rows(
            "SELECT op_id, form_id, instance_id, instance_name, made_at, state, verdict, why, detail, errors, warnings,"
            " conflicts, times, (SELECT count(*) FROM attachment WHERE op_id = operation.op_id) AS files,"
            " (SELECT count(*) FROM attachment WHERE op_id = operation.op_id AND is_sent) AS files_sent"
            " FROM operation LEFT JOIN receipt USING (op_id) ORDER BY number DESC"
        )
        shown = self._shown_since()
        return [_own_record(row, is_shown_since=row["op_id"] in shown) for row in rows]

    def _shown_since(self) -> set[str]:
        """New records that were held or put aside, and that the server shows by now: a record of that ID is theirs,
        unless the very ID was why they were put aside."""
        rows = self.store.rows(
            "SELECT op_id FROM operation JOIN receipt USING (op_id) WHERE verdict IN ('held', 'quarantined')"
            " AND why NOT IN ('number_reused', 'content_conflict', 'different_content', 'other_form', 'same_instance')"
            " AND instance_id = record_id AND record_id IN (SELECT record_id FROM record WHERE kind = 'submission')"
        )
        return {row["op_id"] for row in rows}

    def vector(self, record_id: str) -> dict[str, int]:
        """How far this device itself has written the record, by origin."""
        rows = self.store.rows("SELECT origin, max(n) FROM operation WHERE record_id = ? GROUP BY origin", record_id)
        return {row[0]: row[1] for row in rows}

    def bodies(self, record_id: str) -> Iterator[dict[str, Any]]:
        """The operations on a record that are still here in full, the oldest first."""
        for row in self.store.rows(
            "SELECT body FROM operation WHERE record_id = ? AND body IS NOT NULL ORDER BY number", record_id
        ):
            yield orjson.loads(row["body"])

    def unseen_changes(self, record_id: str, vector: Mapping[str, int]) -> dict[str, str | None]:
        """What this device has written on a record since the state with this vector, path by path."""
        changes: dict[str, str | None] = {}
        for body in self.bodies(record_id):
            if body["n"] > vector.get(body["origin"], 0):
                changes |= body["set"]
        return changes

    def _next(self, origin: str) -> int:
        self.store.run("INSERT INTO counter VALUES (?, 1) ON CONFLICT (origin) DO UPDATE SET n = counter.n + 1", origin)
        return self.store.number("SELECT n FROM counter WHERE origin = ?", origin)

    def _line(self, draft: Draft, op_id: str, origin: str, n: int, user: str, now: datetime) -> dict[str, Any]:
        """The operation as it replicates."""
        prev = self.store.number(
            "SELECT max(n) FROM operation WHERE origin = ? AND record_id = ?", origin, draft.record_id
        )
        return {
            "op": op_id,
            "origin": origin,
            "n": n,
            "prev": prev,
            "kind": draft.kind,
            "record": draft.record_id,
            "context": dict(draft.context),
            "at": self._tick(now),
            "rank": 0,
            "user": user,
            "form": draft.form_id,
            "version": draft.version,
            "set": dict(draft.changes),
            "deleted": False,
            "xml": draft.xml,
            "attachments": [
                {"name": kept.name, "sha256": kept.sha256, "size": kept.size, "type": kept.type}
                for kept in draft.attachments
            ],
        }

    def _tick(self, now: datetime) -> str:
        """Never behind what it said before, or what it has been told of."""
        at = hybrid_clock.tick(now, self.store.setting("clock", hybrid_clock.NEVER))
        self.store.keep_setting("clock", at)
        return at

    def _keep_receipt(self, item: Mapping[str, Any], receipt: Mapping[str, Any], now: datetime) -> None:
        op_id = str(item.get("op") or "")
        if self.store.one("SELECT 1 FROM operation WHERE op_id = ?", op_id) is None:
            return
        # What waits or was put aside has no number of its own: a backup that has got further than this holds it.
        seq = item.get("seq") or int(receipt.get("head") or 0) + 1
        first = _first(item)
        told = (seq, str(item.get("why") or ""), str(item.get("detail") or ""))
        noticed = (int(item.get("errors") or 0), int(item.get("warnings") or 0), _count(item.get("conflicts")))
        self.store.run(
            "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (op_id) DO UPDATE SET"
            " times = times + 1, epoch = excluded.epoch, seq = excluded.seq",
            *(op_id, first, int(receipt.get("epoch") or 0), *told, *noticed, now.isoformat()),
        )
        if first != "duplicate":  # else the first words stay, since it does not repeat them
            self.store.run(
                "UPDATE receipt SET verdict = ?, why = ?, detail = ?, errors = ?, warnings = ?, conflicts = ?"
                " WHERE op_id = ?",
                *(first, *told[1:], *noticed, op_id),
            )
        state = "kept" if item.get("safe") is True else "refused"
        self.store.run("UPDATE operation SET state = ? WHERE op_id = ?", state, op_id)

    def _note_server(self, told: Mapping[str, Any]) -> None:
        """`told` is a receipt or a page of the feed: {"epoch", "forks": [{"epoch", "seq"}], "durable_seq"}."""
        epoch = int(told.get("epoch") or 0)
        if not epoch or self.store.setting("epoch") == str(epoch):
            return
        forks = {int(fork["epoch"]): int(fork["seq"]) for fork in told.get("forks") or ()}
        rows = self.store.rows(
            "SELECT op_id, epoch, seq FROM operation JOIN receipt USING (op_id)"
            " WHERE state = 'kept' AND body IS NOT NULL AND epoch != ?",
            epoch,
        )
        # A life of the server that it does not remember itself acknowledged nothing that counts.
        lost = [(row["op_id"],) for row in rows if row["seq"] > forks.get(row["epoch"], 0)]
        self.store.run_many("UPDATE operation SET state = 'waiting' WHERE op_id = ?", lost)
        self.store.run_many("UPDATE attachment SET is_sent = 0, held_seq = NULL WHERE op_id = ?", lost)
        self.store.keep_setting("epoch", str(epoch))


def _first(item: Mapping[str, Any]) -> str:
    """The verdict to show: a duplicate's is the one that was given when it came first."""
    verdict = str(item.get("verdict") or "")
    return str(item.get("first") or verdict) if verdict == "duplicate" else verdict


def _count(told: object) -> int:
    """Conflicts as a number or as a list of paths."""
    return told if isinstance(told, int) else len(told) if isinstance(told, (list, tuple)) else 0


def _own_record(row: Any, *, is_shown_since: bool) -> OwnRecord:
    return OwnRecord(
        op_id=row["op_id"],
        form_id=row["form_id"],
        instance_id=row["instance_id"],
        instance_name=row["instance_name"],
        made_at=datetime.fromisoformat(row["made_at"]),
        state=row["state"],
        verdict=row["verdict"] or "",
        why=row["why"] or "",
        detail=row["detail"] or "",
        errors=row["errors"] or 0,
        warnings=row["warnings"] or 0,
        conflicts=row["conflicts"] or 0,
        files=row["files"],
        files_sent=row["files_sent"],
        times=row["times"] or 0,
        is_shown_since=is_shown_since,
    )
