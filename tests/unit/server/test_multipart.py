"""A submission is read as a stream."""

from __future__ import annotations

import hashlib
import io
import tracemalloc
from collections.abc import Iterable
from typing import cast

import pytest

from server.openrosa.multipart import BrokenUpload, NoSubmission, SubmissionTooLarge, read
from sync.attach import Stored

XML = b"<data/>"


class Sink:
    """Takes the bytes of files and keeps only their digest."""

    def __init__(self) -> None:
        self.largest = 0

    def keep(self, chunks: Iterable[bytes]) -> Stored:
        sha256, size = hashlib.sha256(), 0
        for chunk in chunks:
            sha256.update(chunk)
            size += len(chunk)
            self.largest = max(self.largest, len(chunk))
        return Stored(sha256.hexdigest(), "", size)


class Endless(io.RawIOBase):
    """`size` bytes of a file between a head and a tail, never all of them at once."""

    def __init__(self, head: bytes, size: int, tail: bytes) -> None:
        self.parts, self.left = [head, tail], size

    def read(self, size: int = -1) -> bytes:
        if len(self.parts) == 2:
            return self.parts.pop(0)
        if self.left:
            chunk = b"\xa7" * min(size, self.left)
            self.left -= len(chunk)
            return chunk
        return self.parts.pop() if self.parts else b""


def part(name: str, content: bytes, *, is_file: bool = True, extra: str = "") -> bytes:
    file_name = f'; filename="{name}"' if is_file else ""
    return (
        f'--x\r\nContent-Disposition: form-data; name="{name}"{file_name}\r\n{extra}\r\n'.encode() + content + b"\r\n"
    )


def test_the_xml_the_files_and_the_mark_are_told_apart() -> None:
    body = (
        part("rumah.jpg", b"photo", extra="Content-Type: image/jpeg\r\n")
        + part("xml_submission_file", XML)
        + part("*isIncomplete*", b"yes", is_file=False)
        + b"--x--\r\n"
    )

    sent = read(io.BytesIO(body), b"x", Sink().keep)

    assert (sent.xml, sent.is_incomplete) == (XML, True)
    assert [(kept.file.name, kept.file.size, kept.file.media_type) for kept in sent.files] == [
        ("rumah.jpg", 5, "image/jpeg")
    ]


def test_the_xml_may_come_as_a_plain_field() -> None:
    body = part("xml_submission_file", XML, is_file=False) + b"--x--\r\n"

    assert read(io.BytesIO(body), b"x", Sink().keep).xml == XML


def test_memory_stays_flat_however_large_a_file_is() -> None:
    size, sink = 200 * 2**20, Sink()
    head = part("xml_submission_file", XML) + part("film.mp4", b"")[:-2]
    stream = cast("io.BufferedIOBase", Endless(head, size, b"\r\n--x--\r\n"))
    tracemalloc.start()

    sent = read(stream, b"x", sink.keep)  # type: ignore[arg-type]  # it only reads

    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()
    assert [kept.file.size for kept in sent.files] == [size]


def test_xml_without_end_is_refused_in_bounded_memory() -> None:
    head = part("xml_submission_file", b"")[:-2]
    stream = cast("io.BufferedIOBase", Endless(head, 64 * 2**20, b"\r\n--x--\r\n"))

    with pytest.raises(SubmissionTooLarge):
        read(stream, b"x", Sink().keep)  # type: ignore[arg-type]  # it only reads


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_cut_body_is_refused(cut: int) -> None:
    body = part("xml_submission_file", XML) + part("a.jpg", b"photo") + b"--x--"

    with pytest.raises((BrokenUpload, NoSubmission)):
        read(io.BytesIO(body[:-cut]), b"x", Sink().keep)


def test_files_alone_are_no_submission() -> None:
    with pytest.raises(NoSubmission):
        read(io.BytesIO(part("a.jpg", b"photo") + b"--x--\r\n"), b"x", Sink().keep)
