"""A full disk is known by its code: its words may be in any language."""

from __future__ import annotations

import errno
from pathlib import Path

import psycopg
import pytest

from sync.room import is_full, is_full_there


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.errors.DiskFull("tidak ada ruang tersisa"), True),
        (psycopg.errors.OutOfMemory("No space left on device"), False),
        (psycopg.errors.TooManyConnections(), False),
        (psycopg.errors.CrashShutdown(), False),
        (psycopg.OperationalError("connection refused"), False),
        (OSError(errno.ENOSPC, "tidak ada ruang tersisa"), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EIO, "disk is full"), False),
        (None, False),
    ],
)
def test_it_is_the_code_that_counts(error: BaseException | None, expected: bool) -> None:
    assert is_full(error) is expected


def test_a_failure_of_a_disk_that_has_room_is_not_called_full(tmp_path: Path) -> None:
    class IoError(Exception):
        sqlite_errorcode = 10

    assert not is_full_there(IoError(), tmp_path)
