"""Whether there is no room left, by the codes of those who say so: their words may be in any language."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
POSTGRESQL_FULL = "53100"
"""disk_full (PostgreSQL's documentation, Appendix A)."""
SQLITE_IOERR, SQLITE_FULL = 10, 13
"""sqlite.org/rescode.html."""


def is_full(error: BaseException | None) -> bool:
    """Whether the system, or the driver of a database, failed for want of room."""
    if isinstance(error, OSError):
        return error.errno in NO_ROOM
    postgresql, sqlite = getattr(error, "sqlstate", None), getattr(error, "sqlite_errorcode", None)
    return postgresql == POSTGRESQL_FULL or sqlite == SQLITE_FULL


def is_full_there(error: BaseException, folder: Path) -> bool:
    """As `is_full`, also when SQLite has no room for the index of its log: it calls that a failure of the disk."""
    is_failure = getattr(error, "sqlite_errorcode", None) == SQLITE_IOERR
    return is_full(error) or (is_failure and shutil.disk_usage(folder).free == 0)
