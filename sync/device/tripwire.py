"""After each sync: does this device hold what the server tells? What is different is fetched again."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from sync.device.errors import ServerRefused, ServerUnreachable
from sync.device.inbox import Inbox
from sync.device.link import Link


def repair(inbox: Inbox, link: Link, sync_path: str) -> int:
    """Every bucket is as the server has it; how many records were not.

    A server that does not know of this, or that cannot be reached any more, changes nothing."""
    try:
        differing = _differing(inbox, link, sync_path)
        return sum(_read_again(inbox, link, sync_path, bucket) for bucket in differing)
    except (ServerRefused, ServerUnreachable):
        return 0


def _differing(inbox: Inbox, link: Link, sync_path: str) -> list[str]:
    told = {"cursor": inbox.cursor, "buckets": inbox.digests()}
    answer = link.ask("POST", f"{sync_path}/digest", json=told)
    return [str(bucket) for bucket in answer.told.get("differ") or ()]


def _read_again(inbox: Inbox, link: Link, sync_path: str, bucket: str) -> int:
    answer = link.ask("GET", f"{sync_path}/buckets/{quote(bucket, safe='')}")
    records: list[Mapping[str, object]] = answer.told.get("records") or []
    return inbox.replace(bucket, records)
