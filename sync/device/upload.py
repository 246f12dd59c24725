"""Then the files: ask what is missing, send small ones whole and large ones in pieces, from where they stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sync.device.errors import ServerRefused
from sync.device.link import Link
from sync.device.media import Kept
from sync.device.progress import Progress, Stage, Watch

SMALL = 256 * 1024
"""Up to here a file goes as a whole."""
PIECE = 512 * 1024
ASK_AT_ONCE = 100

FORBIDDEN = 403

TUS = {"Tus-Resumable": "1.0.0"}


class Files(Protocol):
    """Which files wait."""

    def files(self) -> list[Kept]: ...

    def file_sent(self, sha256: str) -> None: ...


class Places(Protocol):
    """Where their bytes are."""

    def path(self, sha256: str) -> Path: ...


@dataclass(slots=True)
class Uploaded:
    """`known` were on the server already; `lost` are no longer on this device."""

    files: int = 0
    size: int = 0
    known: int = 0
    lost: int = 0

    def add(self, later: Uploaded) -> None:
        self.files, self.size = self.files + later.files, self.size + later.size
        self.known, self.lost = self.known + later.known, later.lost


@dataclass(slots=True)
class Uploader:
    """One run over the files that wait."""

    outbox: Files
    media: Places
    link: Link
    path: str
    """Of the sync endpoints of the project."""
    watch: Watch
    done: int = 0
    total: int = 0
    refusal: ServerRefused | None = None

    def run(self) -> Uploaded:
        """Every file that waited is on the server, or is counted as lost here.

        Refuses ServerRefused for what the server does not take, after all that it takes."""
        files = self.outbox.files()
        self.total = sum(kept.size for kept in files)
        result = Uploaded()
        for first in range(0, len(files), ASK_AT_ONCE):
            self._some(files[first : first + ASK_AT_ONCE], result)
        if self.refusal is not None:
            raise self.refusal
        return result

    def _some(self, files: list[Kept], result: Uploaded) -> None:
        self._tell(Stage.ASK_FILES)
        missing = self._missing(files)
        for kept in files:
            if kept.sha256 not in missing:
                result.known += 1
                self.done += kept.size
                self.outbox.file_sent(kept.sha256)
            elif not self.media.path(kept.sha256).exists():
                result.lost += 1
            elif self._send(kept):
                result.files, result.size = result.files + 1, result.size + kept.size

    def _missing(self, files: list[Kept]) -> set[str]:
        """The hashes that the server lacks."""
        wanted = [{"sha256": kept.sha256, "size": kept.size, "type": kept.type} for kept in files]
        answer = self.link.ask("POST", f"{self.path}/blobs/have", json={"blobs": wanted})
        return {str(item["sha256"]) for item in answer.told["missing"]}

    def _send(self, kept: Kept) -> bool:
        """Whether the server has it now. One that may not come must not keep the others back."""
        self._tell(Stage.UPLOAD, kept.name)
        try:
            if kept.size <= SMALL:
                self._put(kept)
            else:
                self._resume(kept)
        except ServerRefused as refusal:
            if refusal.members["status"] != FORBIDDEN:
                raise
            self.refusal = refusal
            return False
        self._tell(Stage.UPLOAD_ANSWERED, kept.name)
        self.outbox.file_sent(kept.sha256)
        self._tell(Stage.UPLOADED, kept.name)
        return True

    def _put(self, kept: Kept) -> None:
        data = self.media.path(kept.sha256).read_bytes()
        self.link.ask("PUT", f"{self.path}/blobs/{kept.sha256}", data=data, headers={"Content-Type": kept.type})
        self.done += kept.size

    def _resume(self, kept: Kept) -> None:
        """tus 1.0 at an address that follows from the bytes: what another run sent is not sent again."""
        path = f"{self.path}/uploads/{kept.sha256}"
        before = self.done
        for offset in self._offsets(path, kept):
            self.done = before + offset
            self._tell(Stage.UPLOAD, kept.name)
        self.done = before + kept.size

    def _offsets(self, path: str, kept: Kept) -> Iterator[int]:
        offset = self._offset(path, kept)
        with self.media.path(kept.sha256).open("rb") as file:
            while offset < kept.size:
                yield offset
                file.seek(offset)
                offset = self._patch(path, kept, offset, file.read(PIECE))

    def _offset(self, path: str, kept: Kept) -> int:
        answer = self.link.ask("HEAD", path, expected=frozenset({404, 410}), headers=TUS)
        if answer.status >= 400:
            headers = {**TUS, "Upload-Length": str(kept.size), "Content-Type": kept.type}
            answer = self.link.ask("POST", path, headers=headers)
        return int(answer.headers.get("Upload-Offset") or 0)

    def _patch(self, path: str, kept: Kept, offset: int, piece: bytes) -> int:
        headers = {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        answer = self.link.ask("PATCH", path, expected=frozenset({404, 409, 410}), data=piece, headers=headers)
        if answer.status >= 400:  # an earlier piece arrived after all, though its answer did not
            return self._offset(path, kept)
        return int(answer.headers.get("Upload-Offset") or offset + len(piece))

    def _tell(self, stage: Stage, about: str = "") -> None:
        self.watch(Progress(stage, self.done, self.total, about))
