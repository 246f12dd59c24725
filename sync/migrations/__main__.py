"""Draft a migration: the difference between the migrations so far and the models, to be read and corrected."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sync.engine import connect
from sync.install import draft, upgrade


def main(message: str) -> None:
    """A new dated file under versions/."""
    with tempfile.TemporaryDirectory() as folder:
        engine = connect(f"sqlite:///{Path(folder) / 'draft.sqlite3'}")
        upgrade(engine)
        written = draft(engine, message, now=datetime.now(UTC))
        engine.dispose()
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main(sys.argv[1])
