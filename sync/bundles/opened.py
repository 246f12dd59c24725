"""A bundle as it was carried here: nobody believes a word of it before its signature, and nothing before its hashes.

It is read as a stream: what it takes in memory does not grow with it. Names in it are compared, never used as paths;
sizes are those that were signed, and whatever is longer is damage."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from sync.bundles.errors import BundleDamaged, NotABundle
from sync.bundles.key import is_signed
from sync.bundles.manifest import FILES, MANIFEST, PARTS, SIGNATURE, SIGNED, Manifest, load

CHUNK = 256 * 1024
LARGEST_MANIFEST = 4 * 2**20
LARGEST_DIRECTORY = 16 * 2**20
"""Bytes of the archive's own table of contents, which is read as a whole."""
LARGEST_LINE = 32 * 2**20
"""A form with its workbook is the longest."""
LARGEST_RATIO = 200
UNSUSPICIOUS = 2**20
SHA256 = re.compile(r"[0-9a-f]{64}")
IN_FILES = "files/"
SEALED = 0x1
"""The flag of a member with a password."""

END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_SIZE, END64_SIZE, LOCATOR64_SIZE = 22, 56, 20

Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose manifest is signed by the key that it names; `verify` says whether the rest is as it was made."""

    archive: zipfile.ZipFile
    manifest: Manifest

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a part; one that is too long comes in pieces that are too long. Refuses BundleDamaged."""
        with self._reading(), self.archive.open(name) as opened:
            while line := opened.readline(LARGEST_LINE + 1):
                yield line.rstrip(b"\n")

    def files(self) -> Iterator[tuple[str, int, str]]:
        """(SHA-256, size, media type) of each file in it."""
        for line in self.lines(FILES):
            sha256, size, media_type = _told_file(line)
            yield sha256, size, media_type

    def chunks(self, sha256: str) -> Iterator[bytes]:
        """The bytes of a file in it. Refuses BundleDamaged."""
        with self._reading(), self.archive.open(f"{IN_FILES}{sha256}") as opened:
            while chunk := opened.read(CHUNK):
                yield chunk

    def verify(self, watch: Watch) -> None:
        """Every part and every file is what was signed. Refuses BundleDamaged."""
        self._check_names()
        total = sum(info.file_size for info in self.archive.infolist())
        done = 0
        for name, part in self.manifest.parts.items():
            if (self._hashed(name), self.archive.getinfo(name).file_size) != (part.sha256, part.size):
                raise BundleDamaged(name)
            if any(len(line) > LARGEST_LINE for line in self.lines(name)):
                raise BundleDamaged(name)
            done += part.size
            watch("check", done, total)
        files, size = 0, 0
        for sha256, expected, _media_type in self.files():
            self._check_file(sha256, expected)
            files, size = files + 1, size + expected
            watch("check", done + size, total)
        if (files, size) != (self.manifest.files, self.manifest.files_size):
            raise BundleDamaged(FILES)

    def _check_names(self) -> None:
        """Nothing is in it that nobody has signed, and nothing twice."""
        names = self.archive.namelist()
        few = {MANIFEST, SIGNATURE, *PARTS}
        if len(names) != len(set(names)) or len(names) != len(few) + self.manifest.files or not few <= set(names):
            raise BundleDamaged("names")
        for info in self.archive.infolist():
            is_lines = info.filename in PARTS
            allowed = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if is_lines else (zipfile.ZIP_STORED,)
            most = max(UNSUSPICIOUS, LARGEST_RATIO * info.compress_size) if is_lines else info.compress_size
            if info.compress_type not in allowed or info.flag_bits & SEALED or info.file_size > most:
                raise BundleDamaged(info.filename[:100])

    def _check_file(self, sha256: str, size: int) -> None:
        try:
            is_same = self.archive.getinfo(f"{IN_FILES}{sha256}").file_size == size
        except KeyError:
            raise BundleDamaged(sha256) from None
        if not is_same or self._hashed(f"{IN_FILES}{sha256}") != sha256:
            raise BundleDamaged(sha256)

    def _hashed(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._reading(), self.archive.open(name) as opened:
            while chunk := opened.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    @staticmethod
    @contextmanager
    def _reading() -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
            raise BundleDamaged(str(error)) from error


@contextmanager
def opened(file: Path) -> Iterator[Opened]:
    """The bundle in this file, its manifest checked against its signature.

    Refuses NotABundle, NewerBundle, BundleDamaged."""
    _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise NotABundle(file.name, reason=str(error)) from error
    with archive:
        told, signature = _read(archive, MANIFEST, LARGEST_MANIFEST), _read(archive, SIGNATURE, 64)
        manifest = load(told)
        if not is_signed(manifest.key, SIGNED + told, signature):
            raise BundleDamaged(SIGNATURE)
        yield Opened(archive, manifest)


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    try:
        info = archive.getinfo(name)
        if info.file_size > most or info.compress_type != zipfile.ZIP_STORED:
            raise NotABundle(name)
        return archive.read(name)
    except (KeyError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise NotABundle(name, reason=str(error)) from error


def _check_directory(file: Path) -> None:
    """The archive ends where an archive ends, and its table of contents is one that can be read as a whole."""
    try:
        with file.open("rb") as opened_:
            size = opened_.seek(0, os.SEEK_END)
            opened_.seek(max(0, size - END_SIZE - LOCATOR64_SIZE - END64_SIZE))
            tail = opened_.read()
    except OSError as error:
        raise NotABundle(file.name, reason=str(error)) from error
    end = tail[-END_SIZE:]
    if len(end) < END_SIZE or end[:4] != END:
        raise NotABundle(file.name)
    directory: int = struct.unpack("<L", end[12:16])[0]
    if tail[-END_SIZE - LOCATOR64_SIZE :][:4] == LOCATOR64:
        end64 = tail[: -END_SIZE - LOCATOR64_SIZE]
        if end64[:4] != END64 or len(end64) != END64_SIZE:
            raise NotABundle(file.name)
        directory = struct.unpack("<Q", end64[40:48])[0]
    if directory > LARGEST_DIRECTORY:
        raise NotABundle(file.name)


def _told_file(line: bytes) -> tuple[str, int, str]:
    try:
        told: dict[str, Any] = orjson.loads(line)
        sha256, size, media_type = str(told["sha256"]), int(told["size"]), str(told["type"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleDamaged(FILES) from error
    if not SHA256.fullmatch(sha256) or size < 0:
        raise BundleDamaged(FILES)
    return sha256, size, media_type
