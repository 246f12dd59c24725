"""Workbook -> XForm XML, by pyxform, in a process with limits; faults named by sheet, row and column."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from forms.errors import Problem, ProtectedWorkbook, TextNotUtf8, UnreadableWorkbook, WorkbookTooLarge
from forms.fault import broken
from forms.reworded import reworded

MAX_BYTES = 5_000_000
MAX_INFLATED_BYTES = 64_000_000
MAX_PARTS = 2_000
MAX_RATIO = 200
"""A sheet of text shrinks to a twentieth; a bomb to a thousandth."""
WALL_S = 45

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# What a Python process needs to start; secrets of the server are none of the workbook's business.
_ENVIRONMENT = frozenset(
    {"PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
    | {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE"}
)
_LINE_ENDS = re.compile("\r\n?")
_TEXTS = frozenset({".csv", ".md"})
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Conversion:
    """An XForm made from a workbook."""

    xform: bytes
    warnings: tuple[Mapping[str, Any], ...] = ()
    """What the conversion noticed: "message", and "sheet", "row", "column", "question" where they are known."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """The row of the survey sheet by path: "income/after" -> 31."""
    choice_rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The row of the choices sheet by list and name."""
    itemsets: bytes | None = None
    """The attachment itemsets.csv that select_one_external reads, when the form uses it."""


def convert(content: bytes, file_name: str) -> Conversion:
    """The XForm of one workbook (.xlsx, .xlsm, .xls, .csv, .md; what the bytes are counts more than the name).

    UnreadableWorkbook, WorkbookTooLarge; BrokenForm with `sheet`, `row`, `column`, `question` and `faults`."""
    return convert_all([(content, file_name)])[0]


def convert_all(files: Sequence[tuple[bytes, str]]) -> list[Conversion]:
    """As `convert`, several in one process: starting one costs more than a conversion. The first refusal is raised."""
    named = [(_plain(content, kind := kind_of(content, name)), kind) for content, name in files]
    return [_conversion(answer) for answer in _ask(named)]


def kind_of(content: bytes, file_name: str) -> str:
    """The kind of workbook (".xlsx"), after looking whether it is safe to open."""
    if len(content) > MAX_BYTES:
        raise WorkbookTooLarge(f"{len(content):,} bytes; at most {MAX_BYTES:,}")
    if content.startswith(_ZIP):
        _refuse_other_zip(refuse_bomb(content))
        return ".xlsx"
    if content.startswith(_OLE):
        # An .xlsx with a password is such a container, too, whose one stream has this name.
        if _ENCRYPTED in content:
            raise ProtectedWorkbook(file_name)
        return ".xls"
    kind = Path(file_name).suffix.lower()
    if kind not in _TEXTS or (b"\0" in content and not content.startswith(_UTF16)):
        raise UnreadableWorkbook(f"{file_name!r} is neither a workbook nor a form written as .csv or .md")
    return kind


def _plain(content: bytes, kind: str) -> bytes:
    """A form that is a text: UTF-8 without a mark, lines ended in one way."""
    if kind not in _TEXTS:
        return content
    try:
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TextNotUtf8(f"line {line}") from error
    return _LINE_ENDS.sub("\n", text).encode()


def _refuse_other_zip(parts: frozenset[str]) -> None:
    """Refuses what is packed as a workbook is, but is none."""
    if "xl/workbook.xml" not in parts:
        said = "an OpenDocument spreadsheet" if "content.xml" in parts else "a zip file"
        raise UnreadableWorkbook(f"this is {said}, not an Excel workbook")


def refuse_bomb(content: bytes) -> frozenset[str]:
    """The names of the parts of a zip. Refuses one that would fill the memory: the directory at its end tells,
    nothing is inflated."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise UnreadableWorkbook(str(error)) from error
    inflated = sum(part.file_size for part in parts)
    if len(parts) > MAX_PARTS:
        raise WorkbookTooLarge(f"{len(parts):,} parts; at most {MAX_PARTS:,}")
    if inflated > MAX_INFLATED_BYTES or inflated > MAX_RATIO * max(len(content), 10_000):
        raise WorkbookTooLarge(f"{inflated:,} bytes when unpacked; at most {MAX_INFLATED_BYTES:,}")
    return frozenset(part.filename for part in parts)


def _ask(files: Sequence[tuple[bytes, str]]) -> list[dict[str, Any]]:
    head = [{"kind": kind, "size": len(content)} for content, kind in files]
    sent = json.dumps(head).encode() + b"\n" + b"".join(content for content, _ in files)
    try:
        child = subprocess.run(
            [sys.executable, "-m", "forms.workbook_child"],
            input=sent,
            capture_output=True,
            timeout=WALL_S,
            cwd=_ROOT,
            env={name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WorkbookTooLarge(f"the conversion took longer than {WALL_S} seconds") from error
    if child.returncode != 0:
        return _one_by_one(files, _refusal(child.returncode, child.stderr))
    answers: list[dict[str, Any]] = json.loads(child.stdout)
    return answers


def _one_by_one(files: Sequence[tuple[bytes, str]], refusal: Problem) -> list[dict[str, Any]]:
    """One bad workbook ends the process for all of them: find out which."""
    if len(files) == 1:
        raise refusal
    return [answer for file in files for answer in _ask([file])]


def _refusal(code: int, stderr: bytes) -> Problem:
    said = stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    # Killed by a signal: the time or the memory was used up.
    if code < 0 or "MemoryError" in said or "cannot allocate" in said.lower():
        return WorkbookTooLarge("the conversion used up its memory or its time")
    return ProtectedWorkbook() if "encrypted" in said.lower() else UnreadableWorkbook(said[:300])


def _conversion(answer: Mapping[str, Any]) -> Conversion:
    if "unreadable" in answer:
        raise UnreadableWorkbook(answer["unreadable"])
    if "fault" in answer:
        raise broken([reworded(answer["fault"])])
    itemsets = answer["itemsets"]
    return Conversion(
        answer["xform"].encode("utf-8"),
        tuple(answer["warnings"]),
        answer["rows"],
        answer["choice_rows"],
        None if itemsets is None else itemsets.encode("utf-8"),
    )
