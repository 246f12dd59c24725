"""Other servers of a project: who they are, what they lack, and exchanging it with them over the network."""

from __future__ import annotations

from sync.peers.errors import NameTaken, NoLine, NoSuchPeer, NotAServerCode, NotKnownThere, OwnServer, TokenUnreadable
from sync.peers.lag import Lag, lag
from sync.peers.roster import (
    Told,
    add,
    is_shut_out,
    known,
    listed,
    meet_below,
    met_at,
    named,
    note,
    note_read,
    own_id,
    remove,
    seal_all,
    token_of,
    trust,
)
from sync.peers.schedule import note_clashes, sync, sync_due
from sync.peers.talk import Carried

__all__ = [
    "Carried",
    "Lag",
    "NameTaken",
    "NoLine",
    "NoSuchPeer",
    "NotAServerCode",
    "NotKnownThere",
    "OwnServer",
    "TokenUnreadable",
    "Told",
    "add",
    "is_shut_out",
    "known",
    "lag",
    "listed",
    "meet_below",
    "met_at",
    "named",
    "note",
    "note_clashes",
    "note_read",
    "own_id",
    "remove",
    "seal_all",
    "sync",
    "sync_due",
    "token_of",
    "trust",
]
