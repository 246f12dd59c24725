"""Insert many rows by the driver's own executemany.

SQLAlchemy makes a dictionary of parameters for each row and goes through it several times, which takes longer than
SQLite takes for the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Dialect, Table, insert

from sync.models.base import Instant

Processor: TypeAlias = Callable[[Any], Any] | None
INSTANTS = 256
"""Moments whose form in the database is remembered: nearly all of a batch are that of its arrival."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A statement, and how the driver wants the value of each of its parameters."""

    sql: str
    is_positional: bool
    processors: tuple[tuple[str, Processor], ...]

    def parameters(self, row: Mapping[str, Any]) -> Any:
        """Of one row, as the driver takes them."""
        values = [row[name] if process is None else process(row[name]) for name, process in self.processors]
        if self.is_positional:
            return tuple(values)
        return {name: value for (name, _process), value in zip(self.processors, values, strict=True)}


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """All of them, with a value for each column that the first one names."""
    if rows:
        prepared = _prepared(table, tuple(rows[0]), connection.dialect)
        connection.exec_driver_sql(prepared.sql, [prepared.parameters(row) for row in rows])


@lru_cache(maxsize=128)
def _prepared(table: Table, names: tuple[str, ...], dialect: Dialect) -> _Prepared:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    order = names if compiled.positiontup is None else compiled.positiontup
    processors = tuple((name, _processor(table, name, dialect)) for name in order)
    return _Prepared(str(compiled), compiled.positiontup is not None, processors)


def _processor(table: Table, name: str, dialect: Dialect) -> Processor:
    kind = table.c[name].type
    process: Processor = kind.dialect_impl(dialect).bind_processor(dialect)
    return lru_cache(maxsize=INSTANTS)(process) if isinstance(kind, Instant) and process is not None else process
