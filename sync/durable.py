"""What is on disk for good: a name in a folder survives a power cut once the folder itself is written out."""

from __future__ import annotations

import os
from pathlib import Path


def fsync(path: Path) -> None:
    """The file, or the names in the folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
