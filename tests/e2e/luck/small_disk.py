"""A real disk, small and in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

LEFT = 400_000
"""Bytes that are free when it is called full."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A small one. `ballast` fills it."""

    folder: Path
    left: int = LEFT

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        with self.ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        os.truncate(self.ballast, max(0, self.ballast.stat().st_size - self.left))

    def free(self) -> None:
        self.ballast.unlink()


@contextmanager
def small_disk(size: str, left: int = LEFT) -> Iterator[Disk]:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="lapangan-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let even root mount a disk")
    try:
        yield Disk(folder, left)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()
