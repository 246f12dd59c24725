"""A submission as ODK Collect posts it, read as a stream: files go to disk as they arrive, memory stays flat."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TypeAlias

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser

from forms.errors import Kind, Problem
from sync.attach import Stored
from sync.verdict import SentFile

XML_PART = "xml_submission_file"
INCOMPLETE_PART = "*isIncomplete*"

CHUNK = 64 * 1024
LONGEST_XML = 16 * 2**20
"""Bytes of one instance; what a form holds in text. Files come beside it."""
LONGEST_FIELD = 64 * 1024
LONGEST_HEADER = 64 * 1024
"""Bytes of one line in the head of a part."""
MOST_PARTS = 1000

Event: TypeAlias = MultipartSegment | bytes | None
"""What the parser tells: the head of a part, then its bytes, then None."""


class BrokenUpload(Problem):
    """This submission did not arrive whole. Nothing was changed; send it again."""

    slug = "submission/broken-upload"


class NoSubmission(Problem):
    """There is no submission in this request. Send the instance as the part xml_submission_file."""

    slug = "submission/none"


class SubmissionTooLarge(Problem):
    """The answers of this submission are larger than the server accepts. Nothing was changed; ask the administrator."""

    kind = Kind.TOO_LARGE
    slug = "submission/too-large"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the submission that is durable on disk."""

    file: SentFile
    stored: Stored


@dataclass(slots=True)
class Sent:
    """What one POST brought. `is_incomplete`: the sender says that more files follow in another POST."""

    xml: bytes | None = None
    files: list[Kept] = field(default_factory=list)
    is_incomplete: bool = False


def read(stream: IO[bytes], boundary: bytes, keep: Callable[[Iterable[bytes]], Stored]) -> Sent:
    """The parts of the body; `keep` makes the bytes of one file durable. Refuses BrokenUpload, SubmissionTooLarge,
    NoSubmission when there was no XML among the parts."""
    sent, events = Sent(), _events(stream, boundary)
    try:
        for event in events:
            if isinstance(event, MultipartSegment):
                _take(sent, event, events, keep)
    except ParserLimitReached:
        raise SubmissionTooLarge from None
    except (MultipartError, ValueError, LookupError) as error:
        raise BrokenUpload(str(error)[:200]) from error
    if sent.xml is None:
        raise NoSubmission
    return sent


def whole(stream: IO[bytes]) -> bytes:
    """A body that is nothing but the XML."""
    return _joined(iter(lambda: stream.read(CHUNK), b""), LONGEST_XML)


def _take(
    sent: Sent, part: MultipartSegment, events: Iterator[Event], keep: Callable[[Iterable[bytes]], Stored]
) -> None:
    name = part.name or part.filename or ""
    if name == XML_PART and sent.xml is None:
        sent.xml = _joined(_content(events), LONGEST_XML)
    elif part.filename is None:
        value = _joined(_content(events), LONGEST_FIELD)
        sent.is_incomplete |= name == INCOMPLETE_PART and value.strip().lower() == b"yes"
    else:
        stored, named = keep(_content(events)), _file_name(name)
        media_type = (part.header("Content-Type") or "").partition(";")[0].strip()
        file = SentFile(named, stored.sha256, stored.size, media_type[:255] or _guessed(named))
        sent.files.append(Kept(file, stored))


def _events(stream: IO[bytes], boundary: bytes) -> Iterator[Event]:
    with PushMultipartParser(boundary, max_header_size=LONGEST_HEADER, max_segment_count=MOST_PARTS) as parser:
        while not parser.closed:
            yield from parser.parse(stream.read(CHUNK))


def _content(events: Iterator[Event]) -> Iterator[bytes]:
    return iter(partial(next, events), None)


def _joined(chunks: Iterator[bytes], limit: int) -> bytes:
    joined = bytearray()
    for chunk in chunks:
        joined += chunk
        if len(joined) > limit:
            raise SubmissionTooLarge(limit=limit)
    return bytes(joined)


def _file_name(name: str) -> str:
    """Only the last part of a path, as submissions name their files."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[:255] or "file"


def _guessed(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
