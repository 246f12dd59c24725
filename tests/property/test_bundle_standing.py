"""Whatever two servers know of each other by bundles, nothing is left out that the other lacks.

Bundles are made at any time, carried in any order, twice or never, and servers come back from backups in between. Once
each has taken a fresh bundle of the other, and each a second one, both hold the same."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.bundles.manifest import Manifest, Read
from sync.bundles.standing import learned
from sync.epochs import Standing
from sync.models import Peer
from tests.conftest import NOW

A, B = "s-a", "s-b"
Kept = tuple[list[tuple[int, str]], dict[str, Any], list[dict[str, int]], int]
"""A backup: the feed, what is known of the other, the forks and the epoch."""


def stranger(peer_id: str) -> Peer:
    peer = Peer(project_id="p", peer_id=peer_id, name=peer_id, base="", cursor="", lacks=[], marks=[])
    peer.epoch = peer.sent_seq = peer.echo_seq = 0
    peer.told_at = peer.files_until_at = None
    return peer


@dataclass
class Office:
    """A server: its feed of (operation, by which way it came), and what it knows of the other one."""

    name: str
    other: Peer
    feed: list[tuple[int, str]] = field(default_factory=list)
    epoch: int = 1
    forks: list[dict[str, int]] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        return Standing(self.name, self.epoch, tuple(self.forks), len(self.feed), len(self.feed), "backup")

    @property
    def held(self) -> set[int]:
        return {op for op, _way in self.feed}

    def pack(self, at: datetime) -> tuple[Manifest, list[int]]:
        """As sync.bundles.pack chooses."""
        peer, inside = self.other, []
        beside = peer.peer_id if peer.epoch else ""
        for seq, (op, way) in enumerate(self.feed[peer.sent_seq :], peer.sent_seq + 1):
            if not beside or way != beside or seq <= peer.echo_seq:
                inside.append(op)
        cursor = peer.cursor.removeprefix("e").split(".")
        read = [Read(peer.peer_id, int(cursor[0]), int(cursor[1]))] if peer.cursor else []
        manifest = Manifest(
            bundle_id="",
            project="p",
            project_name="",
            server=self.name,
            key="",
            epoch=self.epoch,
            forks=list(self.forks),
            made_at=at,
            after=peer.sent_seq,
            until=len(self.feed),
            wanted_by=peer.peer_id,
            wanted_epoch=peer.epoch,
            known=peer.sent_seq,
            read=read,
        )
        return manifest, inside

    def take(self, manifest: Manifest, inside: list[int]) -> None:
        held = self.held
        self.feed += [(op, manifest.server) for op in inside if op not in held]
        for name, value in learned(self.other, manifest, self.standing).items():
            setattr(self.other, name, value)

    def backup(self) -> Kept:
        return list(self.feed), copy.deepcopy(columns(self.other)), list(self.forks), self.epoch

    def restore(
        self, kept: tuple[list[tuple[int, str]], dict[str, Any], list[dict[str, int]], int], epoch: int
    ) -> None:
        feed, peer, forks, was = kept
        self.feed, self.epoch = list(feed), epoch
        self.forks = [*forks, {"epoch": was, "seq": len(feed)}]
        for name, value in peer.items():
            setattr(self.other, name, copy.deepcopy(value))


def columns(peer: Peer) -> dict[str, Any]:
    names = ("cursor", "epoch", "sent_seq", "echo_seq", "marks", "told_at", "lacks", "files_until_at")
    return {name: getattr(peer, name) for name in names}


DEEDS = ("write", "write", "pack", "carry", "exchange", "exchange", "backup", "restore")
STEPS = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 50)), min_size=20, max_size=50)


@given(STEPS)
@settings(max_examples=300)
def test_nothing_is_left_out_that_the_other_lacks(steps: list[tuple[str, int]]) -> None:
    offices = [Office(A, stranger(B)), Office(B, stranger(A))]
    sticks: dict[str, list[tuple[Manifest, list[int]]]] = {A: [], B: []}
    backups: dict[str, list[Any]] = {A: [], B: []}
    at, made = NOW, 0
    for deed, chance in steps:
        here = offices[chance % 2]
        there = offices[1 - chance % 2]
        at += timedelta(minutes=1)
        if deed == "write":
            made += 1
            here.feed.append((made, ""))
        elif deed == "pack":
            sticks[here.name].append(here.pack(at))
        elif deed == "exchange":
            there.take(*here.pack(at))
        elif deed == "carry" and sticks[here.name]:
            there.take(*sticks[here.name][chance % len(sticks[here.name])])
        elif deed == "backup":
            backups[here.name].append(here.backup())
        elif deed == "restore" and backups[here.name]:
            here.restore(
                backups[here.name][chance % len(backups[here.name])], 1000 + made + int(at.timestamp()) % 10**6
            )
    wanted = offices[0].held | offices[1].held

    for _round in range(2):
        for here, there in (offices, offices[::-1]):
            at += timedelta(minutes=1)
            there.take(*here.pack(at))

    assert offices[0].held == wanted
    assert offices[1].held == wanted


def test_in_peace_nothing_is_carried_twice() -> None:
    a, b = Office(A, stranger(B)), Office(B, stranger(A))
    for op in range(3):
        a.feed.append((op, ""))
    b.take(*a.pack(NOW))
    b.feed.append((7, ""))
    a.take(*b.pack(NOW))

    assert a.pack(NOW)[1] == []
    a.feed.append((8, ""))
    assert a.pack(NOW)[1] == [8]
