"""The engine settings that correctness depends on."""

from __future__ import annotations

import logging
import sqlite3
import threading
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from functools import lru_cache
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as OutOfConnections
from sqlalchemy.orm import Session

from sync.errors import Overloaded, TakesNoChanges

log = logging.getLogger("lapangan.database")


def sqlite_driver() -> ModuleType:
    """The newest SQLite at hand. Before 3.51.3 a WAL reset can corrupt the file (sqlite.org, "WAL-reset bug")."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        warnings.warn(f"using the system's SQLite {sqlite3.sqlite_version}", stacklevel=2)
        return sqlite3
    return dbapi2  # type: ignore[no-any-return]  # the package has no annotations


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def options(url: str) -> dict[str, Any]:
    """Keyword arguments for `create_engine`."""
    # Errors quote their statement, and stand in the log: what people answered does not belong there.
    shared: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads, "hide_parameters": True}
    if make_url(url).get_backend_name() == "sqlite":
        return shared | {"module": sqlite_driver(), "connect_args": {"timeout": 30, "check_same_thread": False}}
    return shared | {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 20}


def connect(url: str) -> Engine:
    """A tuned engine of our own, for jobs, tests and commands outside the web application."""
    engine = create_engine(url, **options(url))
    tune(engine)
    return engine


def tune(engine: Engine) -> None:
    """Make transactions on this engine mean what they say.

    SQLite: the driver in autocommit (its own BEGIN breaks savepoints), `BEGIN IMMEDIATE` for writers, WAL,
    synchronous=FULL (NORMAL may drop acknowledged commits at power loss), foreign keys on. PostgreSQL: a commit is on
    disk before it is acknowledged, whatever the server's own setting; while it takes no changes, writing is refused
    with TakesNoChanges."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_connection)
        _begin_with(engine, "BEGIN IMMEDIATE")
    else:
        event.listen(engine, "connect", _tune_session)
        event.listen(engine, "handle_error", _refuse_where_read_only)
        engine.dialect.set_readonly = _read_only  # type: ignore[attr-defined]


def _tune_connection(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA page_size=8192")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    # 32 MB: a page that one submission after another changes goes into the file once, which halves what is written.
    cursor.execute("PRAGMA wal_autocheckpoint=4000")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA cache_size=-16000")
    cursor.close()


def _tune_session(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {int(WRITER_PATIENCE_S * 1000)}")
        # Some set up their server so: what was acknowledged would be lost with the power.
        is_off = "current_setting('synchronous_commit') = 'off'"
        cursor.execute(f"SELECT set_config('synchronous_commit', 'on', false) WHERE {is_off}")
    connection.commit()


def _read_only(connection: Any, value: bool) -> None:
    """False would overrule a database that its host has made read-only, perhaps since its disk is almost full."""
    connection.read_only = value or None


def _refuse_where_read_only(context: ExceptionContext) -> None:
    connection = context.connection
    # Who writes in a transaction that only reads has made a mistake of ours.
    is_ours = connection is not None and connection.get_execution_options().get("postgresql_readonly")
    if is_read_only(context.original_exception) and not is_ours:
        # After a failover another address of the URL may be the one that takes changes: the next connection looks.
        context.is_disconnect = True
        log.error("the database is a standby, or default_transaction_read_only is set: see lapangan doctor")
        raise TakesNoChanges(retry_after_s=READ_ONLY_RETRY_AFTER_S)


def is_read_only(error: BaseException | None) -> bool:
    """Whether the driver of a database failed since that takes no changes."""
    postgresql, sqlite = getattr(error, "sqlstate", None), getattr(error, "sqlite_errorcode", None)
    return postgresql == POSTGRESQL_READ_ONLY or (sqlite is not None and sqlite & 0xFF == SQLITE_READ_ONLY)


def _begin_with(engine: Engine, command: str) -> None:
    """How transactions begin. No listener: with one, each statement looks for others, a tenth of a small request."""

    def begin(connection: Any) -> None:
        connection.execute(command)

    engine.dialect.do_begin = begin  # type: ignore[assignment]


@lru_cache(maxsize=8)
def reader(engine: Engine) -> Engine:
    """The engine for transactions that only read: one snapshot on SQLite, and on PostgreSQL the database itself
    refuses a write. Nothing of theirs is ever committed."""
    reading = engine.execution_options(postgresql_readonly=True)
    if engine.dialect.name == "sqlite":
        engine.connect().close()  # the first connection tells the dialect what this SQLite can do
        reading.dialect = copy(engine.dialect)
        _begin_with(reading, "BEGIN")
    return reading


def snapshots(engine: Engine) -> Engine:
    """As `reader`, with one instant of the database for all that a transaction reads on PostgreSQL, too."""
    if engine.dialect.name == "sqlite":
        return reader(engine)
    return reader(engine).execution_options(isolation_level="REPEATABLE READ")


AWAY: tuple[type[SQLAlchemyError], ...] = (OperationalError, InterfaceError, OutOfConnections)
"""The database is busy, full or away, through no fault of what was to be written."""

WRITER_PATIENCE_S = 20.0
"""So long a writer waits for its turn, or for a lock of PostgreSQL; then its sender is told to come back."""
BUSY_TIMEOUT_MS = 30_000
"""So long SQLite waits for another process that writes."""


class _Turn:
    """A lock that nobody waits for without end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=WRITER_PATIENCE_S):
            raise Overloaded(retry_after_s=RETRY_AFTER_S)

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


RETRY_AFTER_S = 10
READ_ONLY_RETRY_AFTER_S = 60

POSTGRESQL_READ_ONLY = "25006"
"""read_only_sql_transaction (PostgreSQL's documentation, Appendix A)."""
SQLITE_READ_ONLY = 8
"""sqlite.org/rescode.html; the lowest eight bits."""

_writers: dict[str, _Turn] = {}


def writer(engine: Engine) -> AbstractContextManager[Any]:
    """Hold this around a writing transaction: one writer at a time in a process for each SQLite file.

    SQLite's busy timeout alone is unfair (16 writers: p99 of 0.9-4.5 s; with the mutex 0.2-0.6 s).
    On PostgreSQL it does nothing. Refuses Overloaded."""
    if engine.dialect.name != "sqlite":
        return nullcontext()
    return _writers.setdefault(str(engine.url), _Turn())


def in_transaction(engine: Engine, act: Callable[[Session], Any]) -> Any:
    """`act(session)` in one writing transaction of its own, committed when it returns."""
    with writer(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        return act(session)
