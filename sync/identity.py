"""Ids that are made by the application, never by one global sequence."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import uuid


def uuid7(at_ms: int | None = None) -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix time in ms, then random bits; sorts by time."""
    at_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    value = (at_ms & (2**48 - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived(project_id: str, *parts: str) -> str:
    """The same UUIDv5 on every server that sees the same parts in the same project."""
    return str(uuid.uuid5(uuid.UUID(project_id), "\n".join(parts)))


def token() -> str:
    """256 random bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def digest(token_: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token_.encode()).hexdigest()


def origin(author_id: str) -> str:
    """An origin for this process: the author's id and 40 random bits, so that a clone never reuses a number."""
    return f"{author_id}~{secrets.token_hex(5)}"
