"""Processes that die. A fuse burns down one step at each boundary that the code offers; when it has burnt down, the
process does nothing more, whatever its `finally` clauses would like to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

FILE_OPERATIONS = ("open", "fsync", "replace", "unlink")


class Died(BaseException):
    """Not an Exception: nobody survives a kill -9 by catching it."""


@dataclass(slots=True)
class Fuse:
    """`left` steps until death, `trouble` steps until the database fails once; None is never."""

    left: int | None = None
    trouble: int | None = None
    complaint: str = ""
    is_dead: bool = False
    steps: int = 0

    def step(self) -> None:
        if self.is_dead:
            raise Died
        self.steps += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.is_dead = True
                raise Died

    def fail(self) -> None:
        """The database may refuse what is about to be done."""
        if self.trouble is not None:
            self.trouble -= 1
            if self.trouble < 0:
                self.trouble = None
                raise OperationalError("the statement", {}, Exception(self.complaint))

    def renew(self) -> None:
        self.left, self.trouble, self.is_dead = None, None, False


def burn(engine: Engine, fuse: Fuse) -> None:
    """Each statement and each commit is a boundary: before it, and between it and whatever follows."""

    def before(*_about: Any) -> None:
        fuse.step()
        fuse.fail()

    def after(*_about: Any) -> None:
        fuse.step()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    commit = engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        before()
        commit(connection)
        after()

    engine.dialect.do_commit = do_commit  # type: ignore[method-assign]


@contextmanager
def burning_files(fuse: Fuse) -> Iterator[None]:
    """So is each operation on files."""

    def stepping(act: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            if fuse.is_dead or fuse.left is not None:
                fuse.step()
            return act(*args, **kwargs)

        return stepped

    with patch.multiple(os, **{name: stepping(getattr(os, name)) for name in FILE_OPERATIONS}):
        yield


class FragileConnection:
    """A field client's SQLite connection, with a fuse."""

    def __init__(self, connection: Any, fuse: Fuse) -> None:
        self._connection, self._fuse = connection, fuse

    def execute(self, *args: Any) -> Any:
        self._fuse.step()
        return self._connection.execute(*args)

    def executemany(self, *args: Any) -> Any:
        self._fuse.step()
        return self._connection.executemany(*args)

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def close(self) -> None:
        self._connection.close()
