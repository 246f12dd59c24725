"""What two servers know of each other by the bundles that were carried between them.

No receipt travels by itself: every bundle says how far its maker has read the feeds of the others. What a bundle of A
says of B's feed is true for as long as A lives in that epoch, in whichever order bundles arrive."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sync.bundles.manifest import Manifest, Read
from sync.epochs import Standing
from sync.models import Peer
from sync.peers.talk import after_restore

CURSOR = re.compile(r"e(\d{1,9})\.(\d{1,18})")


def reads(known: Iterable[Peer]) -> list[Read]:
    """What a bundle of ours says of the feeds of the others."""
    found = []
    for peer in known:
        epoch, seq = _parsed(peer.cursor)
        if epoch:
            found.append(Read(peer.peer_id, epoch, seq))
    return found


def learned(peer: Peer, manifest: Manifest, own: Standing) -> dict[str, Any]:
    """What is to be noted of the maker of this bundle, once all that is in it is here."""
    if manifest.epoch < peer.epoch:
        # Of a life that it has lost: what it said then does not hold any more, and what it brings, it may lack itself.
        return {"echo_seq": own.head}
    told = {} if manifest.epoch == peer.epoch else after_restore(peer, manifest.epoch, manifest.forks, own.head)
    told |= _how_far_it_is_here(peer, manifest, own)
    told |= _how_far_ours_is_there(peer, manifest, own, told)
    if manifest.epoch > peer.epoch or manifest.until >= _here(peer, manifest, own):
        # By the feed, not by its clock, which may have stood at 1970 after a power cut, or once in the next decade.
        told |= {"told_at": manifest.made_at, "lacks": manifest.lacks}
    return told


def has_gap(peer: Peer, manifest: Manifest, own: Standing) -> bool:
    """Whether something of this maker is missing here that came before what this bundle holds."""
    return manifest.epoch >= peer.epoch and manifest.after > _here(peer, manifest, own)


def _how_far_it_is_here(peer: Peer, manifest: Manifest, own: Standing) -> dict[str, Any]:
    if not _is_whole_for(manifest, own) or has_gap(peer, manifest, own):
        return {}
    return {"cursor": f"e{manifest.epoch}.{max(_here(peer, manifest, own), manifest.until)}"}


def _here(peer: Peer, manifest: Manifest, own: Standing) -> int:
    """How far the maker's feed is here: by its bundles, or as we have acknowledged it over a line in this life."""
    read = _reached(peer.cursor, manifest.epoch, manifest.forks)
    is_ours = (manifest.wanted_by, manifest.wanted_epoch) == (own.server_id, own.epoch)
    return max(read, manifest.known) if is_ours else read


def _how_far_ours_is_there(peer: Peer, manifest: Manifest, own: Standing, told: Mapping[str, Any]) -> dict[str, Any]:
    said = next((one for one in manifest.read if one.server == own.server_id), None)
    if said is None:
        return {}
    there = min(_reached(f"e{said.epoch}.{said.seq}", own.epoch, own.forks), own.head)
    return {"sent_seq": max(told.get("sent_seq", peer.sent_seq), there)}


def _is_whole_for(manifest: Manifest, own: Standing) -> bool:
    """Nothing was left out, or only what this server has: it was made for us, as we are since our last restore."""
    if not manifest.wanted_epoch:
        return True
    return (manifest.wanted_by, manifest.wanted_epoch) == (own.server_id, own.epoch)


def _reached(cursor: str, epoch: int, forks: Iterable[Mapping[str, int]]) -> int:
    """How far in the feed of this epoch somebody is who has read up to this point of an epoch."""
    read_epoch, seq = _parsed(cursor)
    if read_epoch == epoch:
        return seq
    return next((min(seq, int(fork["seq"])) for fork in forks if int(fork["epoch"]) == read_epoch), 0)


def _parsed(cursor: str) -> tuple[int, int]:
    found = CURSOR.fullmatch(cursor)
    return (int(found[1]), int(found[2])) if found else (0, 0)
