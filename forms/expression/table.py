"""A list of choices or entities as rows of text, with an index for each column that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Row: TypeAlias = Mapping[str, str]


class Table:
    """Rows that never change. Subclasses may read theirs from elsewhere: `rows` and `where` are all that is used."""

    is_pinned: bool = True
    """These are the very rows that the client had; a list that lives on is not pinned."""

    def __init__(self, rows: Sequence[Row], *, is_pinned: bool = True) -> None:
        self._rows = rows
        self._indexes: dict[str, dict[str, list[Row]]] = {}
        self.is_pinned = is_pinned

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    def where(self, column: str, value: str) -> Sequence[Row]:
        """The rows with this text in this column, in their order; a column that is not there holds blanks."""
        index = self._indexes.get(column)
        if index is None:
            index = self._indexes[column] = _index(self.rows, column)
        return index.get(value, ())

    def is_in(self, column: str, value: str) -> bool:
        return bool(self.where(column, value))


def _index(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    """Two threads may build the same index at once: both are right, the later one stays."""
    index: dict[str, list[Row]] = {}
    for row in rows:
        index.setdefault(row.get(column, ""), []).append(row)
    return index
