"""The body of a push: bounded in every direction, checked against its digest, split into lines."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from flask import Request

from forms.errors import Kind, Problem
from schemas.batch import PROTOCOL, BatchHeaderSchema
from sync.devices import LARGEST_SKEW_MS
from sync.receive import LARGEST_FORWARDED

UNSUSPICIOUS = 2**20
"""Decoded bytes for which nobody asks how well they were compressed: as much as one item may have."""
MOST_MEMBERS = 100
"""Of a gzip file: all that follows a member is copied when it ends."""
MOST_ITEMS = 500

SHA256 = re.compile(r"(?:^|[,\s])sha-256=:([A-Za-z0-9+/=]*):")


class BrokenBatch(Problem):
    """This batch did not arrive as it was sent. Nothing was changed; send it again."""

    slug = "batch/broken"


class BatchTooLarge(Problem):
    """This batch is too large. Nothing was changed; send it in two halves."""

    kind = Kind.TOO_LARGE
    slug = "batch/too-large"


class UnknownEncoding(Problem):
    """This server reads batches as they are or compressed with gzip. Send it in one of these ways."""

    kind = Kind.UNSUPPORTED
    slug = "batch/unknown-encoding"


class NewerProtocol(Problem):
    """The program on this device is newer than the server. Keep your data, and ask for the server to be updated."""

    slug = "batch/newer-protocol"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes a push may have, as it comes and decompressed, how many times as many, and its first line."""

    encoded: int
    decoded: int
    ratio: int
    header: int


OF_DEVICE = Limits(2**20, 8 * 2**20, 100, 16 * 1024)
OF_SERVER = Limits(32 * 2**20, LARGEST_FORWARDED + 2**20, 1100, 2**20)
"""What another server has taken, by whichever door and however often it says the same, must fit; with the names of all
its authors."""


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A push, read but not judged. `size` is in bytes on the wire, `items` are the raw lines."""

    items: Sequence[bytes]
    size: int
    sent_at: datetime | None
    waiting: int | None
    names: Mapping[str, str] = field(default_factory=dict)
    read: str = ""

    def skew_ms(self, now: datetime) -> int | None:
        """The device's clock minus ours, within what the database can hold."""
        if self.sent_at is None:
            return None
        ahead = (self.sent_at - now).total_seconds() * 1000
        return int(max(-LARGEST_SKEW_MS, min(ahead, LARGEST_SKEW_MS)))


def read(request: Request, limits: Limits = OF_DEVICE) -> SentBatch:
    """The batch in this request. Refuses BrokenBatch, BatchTooLarge, UnknownEncoding, and a wrong header by field."""
    if (request.content_length or 0) > limits.encoded:
        raise BatchTooLarge(limit=limits.encoded)
    request.max_content_length = limits.encoded
    encoded = request.get_data(cache=False)
    _check_digest(encoded, request.headers.get("Content-Digest", ""))
    lines = decoded(encoded, request.headers.get("Content-Encoding", ""), limits).split(b"\n")
    header = _header(lines[0], limits.header)
    items = [line for line in lines[1:] if line.strip()]
    if len(items) > MOST_ITEMS:
        raise BatchTooLarge(limit=MOST_ITEMS)
    return SentBatch(items, len(encoded), header["sent_at"], header["waiting"], header["names"], header["read"])


def decoded(encoded: bytes, encoding: str, limits: Limits = OF_DEVICE) -> bytes:
    """The bytes before compression. A bomb is refused as soon as it passes the limit, not when it has exploded."""
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return encoded
    if coding not in ("gzip", "x-gzip"):
        raise UnknownEncoding(encoding[:100], accepted=["gzip"])
    limit = min(limits.decoded, max(UNSUSPICIOUS, limits.ratio * len(encoded)))
    unzipped, members = bytearray(), 0
    while encoded:
        members += 1
        if members > MOST_MEMBERS:
            raise BrokenBatch("gzip: too many members", limit=MOST_MEMBERS)
        # A gzip file may consist of several members, one after another (RFC 1952, 2.2).
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            unzipped += member.decompress(encoded, limit - len(unzipped) + 1)
        except zlib.error as error:
            raise BrokenBatch(str(error)) from error
        if len(unzipped) > limit:
            raise BatchTooLarge(limit=limit)
        if not member.eof:
            raise BrokenBatch("gzip: it ends too early")
        encoded = member.unused_data
    return bytes(unzipped)


def _check_digest(encoded: bytes, header: str) -> None:
    """Content-Digest (RFC 9530) is over the bytes as they were sent, compressed."""
    found = SHA256.search(header)
    if found is None:
        return
    try:
        announced = base64.b64decode(found[1], validate=True)
    except binascii.Error as error:
        raise BrokenBatch("Content-Digest") from error
    if not hmac.compare_digest(announced, hashlib.sha256(encoded).digest()):
        raise BrokenBatch("Content-Digest")


def _header(line: bytes, limit: int) -> dict[str, Any]:
    if len(line) > limit:
        raise BrokenBatch("The first line is longer than a header can be.", limit=limit)
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BrokenBatch("The first line is not a header.") from error
    if not isinstance(told, dict):
        raise BrokenBatch("The first line is not a header.")
    header = dict(HEADER.load(told))
    if header["version"] > PROTOCOL:
        raise NewerProtocol(spoken=PROTOCOL)
    return header


HEADER = BatchHeaderSchema()
