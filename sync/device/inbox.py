"""What the server has sent: forms to fetch, lists of entities, and the records that came back."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from forms.entity_element import Seen
from sync.device.store import Store
from sync.digest import bucket_of, digests, standing, view_hash

RETURNED = ("has_issues", "rejected")
TOLD = "told of the form "
"""Before its ID, the name of a setting."""
APPROVAL_LISTS = "approval_lists"
"""The name of a setting."""
CURSOR, NEW_CURSOR, AGAIN = "cursor", "new_cursor", "is_reading_again"
"""Names of settings: how far the feed has been read, how far from the beginning again, and whether that goes on."""
EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Remark:
    """What a supervisor wrote, about one question (`path`) or about the whole record."""

    path: str
    body: str
    author: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Received:
    """A record as the server shows it to this device."""

    instance_id: str
    latest_id: str
    """The instanceID of the edit that is shown: what a correction replaces."""
    form_id: str
    version: str
    instance_name: str
    review_state: str
    answers: Mapping[str, Any]
    vector: Mapping[str, int]
    remarks: tuple[Remark, ...]
    file_names: tuple[str, ...]
    """The files that the server knows of."""
    is_seen: bool

    @property
    def is_returned(self) -> bool:
        """It waits for a correction."""
        return self.review_state in RETURNED


@dataclass(frozen=True, slots=True)
class FormName:
    """A version of a form."""

    form_id: str
    version: str


class Inbox:
    """The records of one device folder, in the server's last word."""

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def cursor(self) -> str:
        """Where the next page of the feed begins."""
        return self.store.setting(NEW_CURSOR if self._is_reading_again else CURSOR)

    def keep_page(self, page: Mapping[str, Any]) -> None:
        """A page of the feed and its cursor, stored together: it is safe to get the same page again."""
        with self.store.transaction():
            lay, name = (self._lay_beside, NEW_CURSOR) if self._is_reading_again else (self._lay_over, CURSOR)
            lay(page.get("records", ()), page.get("drop", ()))
            self.store.keep_setting(name, str(page.get("cursor") or ""))
            self.store.keep_setting(APPROVAL_LISTS, orjson.dumps(page.get("approval_lists") or []).decode())

    def start_again(self) -> None:
        """The server has forgotten how far we were: everything is asked for anew. What is here stands until all of
        it has come, since the line may break before that; own work is untouched."""
        with self.store.transaction():
            self.store.run("DELETE FROM new_record")
            self.store.keep_setting(NEW_CURSOR, "")
            self.store.keep_setting(AGAIN, "yes")

    def complete(self) -> None:
        """There are no more pages: what was read again takes the place of what was here, all of it at once.

        Also of a record with work that the server lacks: it has lost the record, and is told of it by that work."""
        with self.store.transaction():
            if not self._is_reading_again:
                return
            self.store.run("DELETE FROM record WHERE (kind, record_id) NOT IN (SELECT kind, record_id FROM new_record)")
            for row in self.store.rows("SELECT body FROM new_record"):
                self._keep(orjson.loads(row["body"]))
            self.store.run("DELETE FROM new_record")
            self.store.keep_setting(CURSOR, self.store.setting(NEW_CURSOR))
            self.store.keep_setting(AGAIN, "")

    def digests(self) -> dict[str, str]:
        """What is here, bucket by bucket, as the server works it out too."""
        records, unreadable = [], set()
        for row in self.store.rows("SELECT kind, record_id, body FROM record"):
            body = _read(row["body"])
            if body is None or (body.get("kind"), body.get("record")) != (row["kind"], row["record_id"]):
                unreadable.add(bucket_of(row["kind"], row["record_id"]))
            else:
                records.append(body)
        return digests(standing(records)) | dict.fromkeys(unreadable, "f" * 32)

    def replace(self, bucket: str, records: Sequence[Mapping[str, Any]]) -> int:
        """The bucket holds these and nothing else; how many were not here, different, or too many."""
        rows = self.store.rows("SELECT kind, record_id, body FROM record")
        here = {(row[0], row[1]): _read(row[2]) for row in rows if bucket_of(row[0], row[1]) == bucket}
        told = {(str(one["kind"]), str(one["record"])): one for one in records}
        gone = [key for key, body in here.items() if key not in told and not (body or {}).get("deleted")]
        changed = [key for key, one in told.items() if _view(here.get(key)) != _view(one)]
        with self.store.transaction():
            for kind, record_id in gone:
                self._drop(kind, record_id)
            for key in changed:
                # Its branch goes with it: what cannot be trusted is no base for anything.
                self.store.run("DELETE FROM record WHERE kind = ? AND record_id = ?", *key)
                self._keep(told[key])
        return len(gone) + len(changed)

    def overlaid(self) -> None:
        """The pull is complete: what own work did to the lists, and the server has placed, is in its state now."""
        self.store.run(
            "DELETE FROM entity_change WHERE op_id IN (SELECT op_id FROM operation JOIN receipt USING (op_id)"
            " WHERE state = 'kept' AND verdict IN ('accepted', 'merged', 'conflict', 'duplicate'))"
        )

    def received(self) -> list[Received]:
        """The submissions that the server shows to this device, returned ones first."""
        comments = self._comments()
        found = [_received(body, seen, comments) for body, seen in self._bodies("submission")]
        return sorted(found, key=lambda one: (not one.is_returned, one.instance_name, one.instance_id))

    def one(self, instance_id: str) -> Received | None:
        return next((found for found in self.received() if found.instance_id == instance_id), None)

    def mark_seen(self) -> None:
        self.store.run("UPDATE record SET is_seen = 1 WHERE kind IN ('submission', 'comment', 'review')")

    def current_forms(self) -> list[FormName]:
        """The version of each form that new records should use, as the server said last."""
        bodies = [body for body, _seen in self._bodies("form")]
        return [
            FormName(_form_id(body), str(body.get("version") or ""))
            for body in bodies
            if not body.get("deleted") and body.get("state", "open") == "open"
        ]

    def form(self, name: FormName) -> tuple[bytes, set[str]]:
        """A version that is here, and the names of its files that are here too."""
        key = (name.form_id, name.version)
        rows = self.store.rows("SELECT name FROM form_file WHERE form_id = ? AND version = ?", *key)
        row = self.store.one("SELECT xform FROM form WHERE form_id = ? AND version = ?", *key)
        return (row["xform"] if row is not None else b""), {row["name"] for row in rows}

    def forms_told(self) -> set[str]:
        """The forms that the feed has told of since `forget_forms_told`."""
        marks = self.store.rows("SELECT name FROM setting WHERE substr(name, 1, ?) = ?", len(TOLD), TOLD)
        return {row["name"].removeprefix(TOLD) for row in marks}

    def forget_forms_told(self, form_ids: Iterable[str]) -> None:
        self.store.run_many("DELETE FROM setting WHERE name = ?", [(TOLD + one,) for one in form_ids])

    def entities(self, list_name: str) -> list[dict[str, str]]:
        """The rows of a list as a form looks them up: the server's state, with own work laid over it.

        Whom own work registers in a list that asks for approval is not in it, as on the server."""
        rows = {
            str(body.get("record")): _row(body) for body, _seen in self._bodies("entity") if _is_in(body, list_name)
        }
        needs_approval = list_name in orjson.loads(self.store.setting(APPROVAL_LISTS, "[]"))
        for change in self.store.rows(
            "SELECT entity_id, label, properties FROM entity_change WHERE list = ? ORDER BY number", list_name
        ):
            if needs_approval and change["entity_id"] not in rows:
                continue
            row = rows.setdefault(change["entity_id"], _new_row(change["entity_id"]))
            row.update(orjson.loads(change["properties"]))
            row["label"] = change["label"] if change["label"] is not None else row["label"]
            row["__version"] = str(int(row["__version"]) + 1)
        return list(rows.values())

    def seen_of(self, entity_id: str) -> Seen | None:
        """What is before the eyes of an entity here; None when nothing is."""
        row = self.store.one("SELECT body FROM record WHERE kind = 'entity' AND record_id = ?", entity_id)
        own = self.store.rows("SELECT op_id FROM entity_change WHERE entity_id = ? ORDER BY number", entity_id)
        vector = (_read(row["body"]) or {}).get("vector", {}) if row is not None else {}
        return Seen(vector, tuple(dict.fromkeys(one["op_id"] for one in own))) if vector or own else None

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind as the server sent them."""
        return [body for body, _seen in self._bodies(kind)]

    def lists(self) -> set[str]:
        """The names of the entity lists that are here."""
        told = {str(body.get("list") or body.get("form")) for body, _seen in self._bodies("entity")}
        return told | {row[0] for row in self.store.rows("SELECT DISTINCT list FROM entity_change")}

    @property
    def _is_reading_again(self) -> bool:
        return bool(self.store.setting(AGAIN))

    def _lay_over(self, records: Iterable[Mapping[str, Any]], dropped: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            self._keep(record)
        for gone in dropped:
            self._drop(*_key(gone))

    def _lay_beside(self, records: Iterable[Mapping[str, Any]], dropped: Iterable[Mapping[str, Any]]) -> None:
        told = [(*_key(record), _dumped(record)) for record in records]
        self.store.run_many("INSERT OR REPLACE INTO new_record VALUES (?, ?, ?)", told)
        self.store.run_many("DELETE FROM new_record WHERE kind = ? AND record_id = ?", [_key(one) for one in dropped])

    def _keep(self, record: Mapping[str, Any]) -> None:
        kind, record_id = _key(record)
        if kind == "form":
            self.store.keep_setting(TOLD + record_id, "1")
        if kind == "entity":
            record = {**record, "branch": self._branch(record_id, record)}
        self.store.run(
            "INSERT INTO record (kind, record_id, body) VALUES (?, ?, ?) ON CONFLICT (kind, record_id)"
            " DO UPDATE SET body = excluded.body, is_seen = (record.body = excluded.body AND record.is_seen)",
            *(kind, record_id, _dumped(record)),
        )

    def _branch(self, record_id: str, record: Mapping[str, Any]) -> str:
        """Offline changes to one version of an entity share a branch (ODK entities specification, branchId)."""
        row = self.store.one("SELECT body FROM record WHERE kind = 'entity' AND record_id = ?", record_id)
        known = _read(row["body"]) if row is not None else None
        return str(known["branch"]) if known and known.get("version") == record.get("version") else _uuid4()

    def _drop(self, kind: str, record_id: str) -> None:
        """It is no longer this device's business. A record with work that the server lacks is never dropped."""
        if not self.store.one("SELECT 1 FROM operation WHERE record_id = ? AND state = 'waiting'", record_id):
            self.store.run("DELETE FROM record WHERE kind = ? AND record_id = ?", kind, record_id)

    def _bodies(self, kind: str) -> Iterable[tuple[dict[str, Any], bool]]:
        rows = self.store.rows("SELECT body, is_seen FROM record WHERE kind = ? ORDER BY record_id", kind)
        return [(orjson.loads(row["body"]), bool(row["is_seen"])) for row in rows]

    def _comments(self) -> dict[str, list[dict[str, Any]]]:
        """By the submission that they are about."""
        found: dict[str, list[dict[str, Any]]] = {}
        for body, _seen in self._bodies("comment"):
            found.setdefault(str(body.get("about") or body.get("instance_id") or ""), []).append(body)
        return found


def _received(body: Mapping[str, Any], is_seen: bool, comments: Mapping[str, list[dict[str, Any]]]) -> Received:
    record_id = str(body.get("record") or "")
    said = [*comments.get(record_id, ()), *_note_of(body)]
    remarks = sorted(map(_remark, said), key=lambda one: one.at or EARLIEST)
    return Received(
        instance_id=record_id,
        latest_id=str(body.get("latest_id") or record_id),
        form_id=str(body.get("form") or ""),
        version=str(body.get("version") or ""),
        instance_name=str(body.get("name") or ""),
        review_state=str(body.get("review_state") or ""),
        answers=body.get("answers") or {},
        vector=body.get("vector") or {},
        remarks=tuple(remarks),
        file_names=tuple(str(one.get("name")) for one in body.get("attachments") or ()),
        is_seen=is_seen,
    )


def _note_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What whoever returned the record wrote to it: a remark on the whole of it."""
    if not body.get("review_note"):
        return []
    return [{"body": body["review_note"], "author": body.get("review_by"), "at": body.get("review_at")}]


def _key(record: Mapping[str, Any]) -> tuple[str, str]:
    return str(record.get("kind") or ""), str(record.get("record") or "")


def _dumped(record: Mapping[str, Any]) -> bytes:
    return orjson.dumps(dict(record), option=orjson.OPT_SORT_KEYS)


def _read(body: bytes) -> dict[str, Any] | None:
    """None for what cannot be read any more."""
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) else None


def _view(record: Mapping[str, Any] | None) -> bytes:
    return view_hash(record) if record else b""


def _remark(body: Mapping[str, Any]) -> Remark:
    at = body.get("at") or body.get("created_at")
    return Remark(
        path=str(body.get("path") or ""),
        body=str(body.get("body") or ""),
        author=str(body.get("author") or ""),
        at=datetime.fromisoformat(str(at)) if at else None,
    )


def _form_id(body: Mapping[str, Any]) -> str:
    return str(body.get("record") or "")


def _is_in(body: Mapping[str, Any], list_name: str) -> bool:
    return str(body.get("list") or body.get("form")) == list_name and not body.get("deleted")


def _row(body: Mapping[str, Any]) -> dict[str, str]:
    """An entity as a row of its list (ODK entities specification: the columns that clients add)."""
    version = str(body.get("version") or 1)
    properties = {str(name): str(value or "") for name, value in (body.get("data") or {}).items()}
    told = {"name": str(body.get("record")), "label": str(body.get("label") or "")}
    return properties | told | {"__version": version, "__trunkVersion": version, "__branchId": str(body["branch"])}


def _new_row(entity_id: str) -> dict[str, str]:
    """An entity that this device has made and the server does not have: it starts a branch without a trunk."""
    branch = str(uuid.uuid5(uuid.NAMESPACE_URL, f"lapangan:branch:{entity_id}"))
    return {"name": entity_id, "label": "", "__version": "0", "__trunkVersion": "", "__branchId": branch}


def _uuid4() -> str:
    return str(uuid.uuid4())
