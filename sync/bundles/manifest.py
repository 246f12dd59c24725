"""What a bundle says of itself: who made it for whom, from where to where of its feed, and the hash of every part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from sync.bundles.errors import BundleDamaged, NewerBundle, NotABundle

FORMAT, VERSION = "lapangan-bundle", 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
OPERATIONS, FORMS, FILES = "operations.ndjson", "forms.ndjson", "files.ndjson"
PARTS = (OPERATIONS, FORMS, FILES)
SIGNED = b"lapangan bundle 1\n"
"""Goes ahead of what is signed: the key signs nothing else."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of lines: its bytes as they are before compression."""

    size: int
    sha256: str
    lines: int


@dataclass(frozen=True, slots=True)
class Read:
    """How far the maker has read the feed of another server."""

    server: str
    epoch: int
    seq: int


@dataclass(slots=True)
class Manifest:
    """The feed of `server` from behind `after` up to `until`, in its epoch `epoch`."""

    bundle_id: str
    project: str
    project_name: str
    server: str
    key: str
    """The public one."""
    epoch: int
    forks: list[dict[str, int]]
    made_at: datetime
    after: int
    until: int
    wanted_by: str = ""
    """The server for which it was made: what came from there is left out. "" leaves out nothing."""
    wanted_epoch: int = 0
    """In which of its epochs that server was known to have what was left out."""
    known: int = 0
    """Up to here that server has said, in that epoch, that it has the feed."""
    operations: int = 0
    files: int = 0
    files_size: int = 0
    is_all: bool = True
    """Whether the feed had no more, when it was made."""
    read: list[Read] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    """Records that the maker has without all of their attachments."""
    removed: list[str] = field(default_factory=list)
    """Files that the maker has deleted on purpose, of what is in the bundle or the other server lacks."""
    parts: dict[str, Part] = field(default_factory=dict)

    def dump(self) -> bytes:
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return orjson.dumps({"format": FORMAT, "version": VERSION, **told}, option=orjson.OPT_INDENT_2)


def load(raw: bytes) -> Manifest:
    """The manifest in these bytes. Refuses NotABundle, NewerBundle, BundleDamaged."""
    try:
        told = orjson.loads(raw)
        if told.pop("format") != FORMAT:
            raise NotABundle
        if told.pop("version") > VERSION:
            raise NewerBundle
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotABundle(str(error)) from error
    try:
        return _shaped(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleDamaged(str(error)) from error


def _shaped(told: Mapping[str, Any]) -> Manifest:
    known = {name: told[name] for name in Manifest.__dataclass_fields__ if name != "removed"}
    known["removed"] = [str(one) for one in told.get("removed", ())]
    known["made_at"] = datetime.fromisoformat(told["made_at"])
    known["read"] = [Read(str(one["server"]), int(one["epoch"]), int(one["seq"])) for one in told["read"]]
    known["lacks"] = [str(one) for one in told["lacks"]]
    known["parts"] = {
        name: Part(int(one["size"]), str(one["sha256"]), int(one["lines"])) for name, one in told["parts"].items()
    }
    for name in ("epoch", "after", "until", "wanted_epoch", "known", "operations", "files", "files_size"):
        known[name] = int(told[name])
    if set(known["parts"]) != set(PARTS):
        raise ValueError("parts")
    return Manifest(**known)
