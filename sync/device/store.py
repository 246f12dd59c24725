"""The device's own SQLite file: everything that must survive until the server has it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync.device.errors import DeviceFull, SyncRunning
from sync.engine import sqlite_driver
from sync.room import is_full_there

FILE_NAME = "device.sqlite3"
LOCK_NAME = "sync-lock.sqlite3"
SCHEMA_VERSION = 3
SQLITE_BUSY = 5

SCHEMA = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- How far each origin has counted: raised in the very transaction that keeps the operation.
CREATE TABLE counter (origin TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE form (
    form_id TEXT NOT NULL, version TEXT NOT NULL, title TEXT NOT NULL, xform BLOB NOT NULL, is_current INTEGER NOT NULL,
    PRIMARY KEY (form_id, version)) WITHOUT ROWID;
CREATE TABLE form_file (
    form_id TEXT NOT NULL, version TEXT NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (form_id, version, name)) WITHOUT ROWID;
-- The state of the server as it was sent last, record by record.
CREATE TABLE record (
    kind TEXT NOT NULL, record_id TEXT NOT NULL, body BLOB NOT NULL, is_seen INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, record_id)) WITHOUT ROWID;
-- state: waiting (to be sent), kept (the server has it), refused (the server will not take it).
-- The body stays until the server has said that not even a restored backup of its own can be without it.
CREATE TABLE operation (
    number INTEGER PRIMARY KEY, op_id TEXT NOT NULL UNIQUE, origin TEXT NOT NULL, n INTEGER NOT NULL,
    kind TEXT NOT NULL, record_id TEXT NOT NULL, form_id TEXT NOT NULL, version TEXT NOT NULL,
    instance_id TEXT NOT NULL, instance_name TEXT NOT NULL, body BLOB, made_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'kept', 'refused')), UNIQUE (origin, n));
CREATE INDEX operation_state ON operation (state, number);
CREATE INDEX operation_record ON operation (record_id);
CREATE TABLE receipt (
    op_id TEXT PRIMARY KEY, verdict TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER, why TEXT NOT NULL,
    detail TEXT NOT NULL,
    errors INTEGER NOT NULL, warnings INTEGER NOT NULL, conflicts INTEGER NOT NULL, times INTEGER NOT NULL,
    received_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE attachment (
    op_id TEXT NOT NULL, name TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, type TEXT NOT NULL,
    is_sent INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (op_id, name)) WITHOUT ROWID;
CREATE INDEX attachment_sha256 ON attachment (sha256);
-- What own work did to an entity list, laid over the server's state until that state has it.
CREATE TABLE entity_change (
    number INTEGER PRIMARY KEY, op_id TEXT NOT NULL, list TEXT NOT NULL, entity_id TEXT NOT NULL,
    label TEXT, properties TEXT NOT NULL);
"""

CHANGES = (
    # How far the server's feed had got when the file was surely there: a backup from there on holds it.
    "ALTER TABLE attachment ADD COLUMN held_seq INTEGER",
    # What comes while everything is read again, until that is complete and takes the place of `record`.
    "CREATE TABLE new_record (kind TEXT NOT NULL, record_id TEXT NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY (kind, record_id)) WITHOUT ROWID",
)
"""What each later version of the schema adds."""


@contextmanager
def needing_room(folder: Path) -> Iterator[None]:
    """Where there is none, that is said in plain words. Refuses DeviceFull."""
    try:
        yield
    except Exception as error:
        if is_full_there(error, folder):
            raise DeviceFull from error
        raise


class Store:
    """One device folder, open. Not to be shared between threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._driver = sqlite_driver()
        self._connection = self._connect(folder / FILE_NAME, timeout_s=30)
        os.chmod(folder / FILE_NAME, 0o600)  # it holds the device's token
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self.run(f"PRAGMA {pragma}")
        self._create()

    def close(self) -> None:
        self._connection.close()

    def _connect(self, file: Path, timeout_s: float) -> Any:
        connection = self._driver.connect(str(file), timeout=timeout_s, isolation_level=None)
        connection.row_factory = self._driver.Row
        return connection

    def _create(self) -> None:
        with self.transaction():
            version = self.number("PRAGMA user_version")
            if version >= SCHEMA_VERSION:
                return
            for statement in (*(SCHEMA.split(";\n") if not version else ()), *CHANGES[max(version, 1) - 1 :]):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, on disk when it ends. Refuses DeviceFull."""
        with needing_room(self.folder):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # for want of room, SQLite may have ended it already
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """One process at a time talks to the server from this folder. Refuses SyncRunning.

        The lock is an open transaction on a file of its own: the operating system lets go of it however we end."""
        lock = self._connect(self.folder / LOCK_NAME, timeout_s=0)
        try:
            with needing_room(self.folder):
                self._lock(lock)
            yield
        finally:
            lock.close()

    def _lock(self, lock: Any) -> None:
        try:
            lock.execute("PRAGMA journal_mode=MEMORY")  # who has no room left should be able to send all the same
            lock.execute("BEGIN EXCLUSIVE")
        except self._driver.OperationalError as error:
            if error.sqlite_errorcode == SQLITE_BUSY:
                raise SyncRunning from None
            raise

    def rows(self, query: str, *values: object) -> list[Any]:
        return list(self._connection.execute(query, values).fetchall())

    def one(self, query: str, *values: object) -> Any | None:
        return self._connection.execute(query, values).fetchone()

    def number(self, query: str, *values: object) -> int:
        row = self.one(query, *values)
        return int(row[0] or 0) if row is not None else 0

    def run(self, statement: str, *values: object) -> None:
        with needing_room(self.folder):
            self._connection.execute(statement, values)

    def run_many(self, statement: str, values: Sequence[Sequence[object]]) -> None:
        with needing_room(self.folder):
            self._connection.executemany(statement, values)

    def setting(self, name: str, default: str = "") -> str:
        row = self.one("SELECT value FROM setting WHERE name = ?", name)
        return default if row is None else str(row[0])

    def keep_setting(self, name: str, value: str) -> None:
        self.run(
            "INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value
        )
