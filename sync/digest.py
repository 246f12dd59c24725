"""Digests of what a device holds, bucket by bucket: the tripwire for a copy that has become different.

Server and client work them out alike from the records of the feed, each from those that it has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

BUCKETS = 64
VOLATILE = frozenset({"seq", "errors", "warnings", "attachments", "author", "branch", "review_by", "review_at"})
"""What may change without news in the feed, or is the client's own."""


def bucket_of(kind: str, record_id: str) -> str:
    """The bucket in which a record lies, by its name alone."""
    return f"{_hash(f'{kind} {record_id}'.encode())[0] % BUCKETS:02x}"


def standing(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that are not deleted; a comment goes with its submission."""
    told = [record for record in records if not record.get("deleted")]
    here = {record["record"] for record in told if record["kind"] == "submission"}
    return [record for record in told if record["kind"] != "comment" or record.get("about") in here]


def digests(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Bucket -> digest, for each that holds something. It depends on the set, not on the order."""
    found: dict[str, int] = {}
    for record in records:
        bucket = bucket_of(str(record["kind"]), str(record["record"]))
        found[bucket] = found.get(bucket, 0) ^ int.from_bytes(view_hash(record)[:16])
    return {bucket: f"{digest:032x}" for bucket, digest in found.items()}


def view_hash(record: Mapping[str, Any]) -> bytes:
    """Of a record as it is shown."""
    shown = {name: value for name, value in record.items() if name not in VOLATILE}
    return _hash(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS))


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
