"""The root of every refusal, and the refusals about forms."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator
from typing import Any, ClassVar


class Kind(enum.Enum):
    """Why something is refused; doors translate a kind to a status, the domain does not know HTTP."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    FULL = "full"


class Problem(Exception):
    """Something was refused."""

    kind: ClassVar[Kind] = Kind.INVALID
    slug: ClassVar[str] = "problem"

    def __init__(self, detail: str = "", **members: Any) -> None:
        """`detail` says what was wrong this time; `members` are JSON values for machines (sheet, row, column ...)."""
        super().__init__(detail or self.title())
        self.detail = detail
        self.members = members

    @classmethod
    def title(cls) -> str:
        """What the user reads: the class docstring on one line; also the key under which it is translated."""
        return re.sub(r"\s+", " ", inspect.cleandoc(cls.__doc__ or "")).strip()

    @classmethod
    def family(cls) -> Iterator[type[Problem]]:
        """Every refusal that has been imported, each once, this one first."""
        yield cls
        for child in cls.__subclasses__():
            yield from child.family()


class UnreadableWorkbook(Problem):
    """This file is not a readable XLSForm. Save it from Excel or LibreOffice as .xlsx and send it again."""

    kind = Kind.INVALID
    slug = "form/unreadable-workbook"


class ProtectedWorkbook(UnreadableWorkbook):
    """This workbook is protected with a password. Save it without one and send it again."""

    slug = "form/protected-workbook"


class TextNotUtf8(UnreadableWorkbook):
    """This form is a text file that is not in UTF-8. Save it as UTF-8 and send it again."""

    slug = "form/text-not-utf-8"


class WorkbookTooLarge(Problem):
    """This workbook is too large to be a form. Move long choice lists to a CSV attachment and send it again."""

    kind = Kind.TOO_LARGE
    slug = "form/workbook-too-large"


class BrokenForm(Problem):
    """This form cannot be published as it is. Correct what is listed and send it again."""

    kind = Kind.INVALID
    slug = "form/broken"


class UnsafeXml(Problem):
    """This XML declares a document type or is nested too deeply. Send plain XML without a DOCTYPE."""

    kind = Kind.INVALID
    slug = "xml/unsafe"


class MalformedXml(Problem):
    """This is not well-formed XML. Nothing was changed; send it again."""

    kind = Kind.INVALID
    slug = "xml/malformed"
