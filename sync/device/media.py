"""Photos, sound and other files on the device, kept by content: the name of a file is the SHA-256 of its bytes."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sync.device.store import needing_room
from sync.identity import uuid7

CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as an operation announces it."""

    name: str
    sha256: str
    size: int
    type: str


class MediaFolder:
    """The files that wait to be sent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        return self.folder / sha256

    def keep(self, name: str, content: bytes | Path) -> Kept:
        """The bytes are on disk under their hash before anything names them. Refuses DeviceFull."""
        with needing_room(self.folder.parent):
            return self._keep(name, content)

    def _keep(self, name: str, content: bytes | Path) -> Kept:
        if not self.folder.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            _settle(self.folder.parent)
        partial = self.folder / f".{uuid7()}"
        digest, size = hashlib.sha256(), 0
        try:
            with partial.open("wb") as out:
                for chunk in _chunks(content):
                    digest.update(chunk)
                    size += out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self.path(digest.hexdigest()))
        finally:
            partial.unlink(missing_ok=True)
        _settle(self.folder)
        return Kept(name, digest.hexdigest(), size, mimetypes.guess_type(name)[0] or "application/octet-stream")

    def forget(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _settle(folder: Path) -> None:
    """The new name itself survives a power cut. Windows offers no such call, and needs none on NTFS."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
