"""Server to server, by the very protocol that a device speaks: a field office is a client of its centre.

First the centre's operations are read, then ours are sent, unchanged; what one of them has already dies by its op_id.
Form versions go ahead of the operations that tell of them, attachments come last. Wherever it stops, it goes on from
there: cursors move only after what they passed is durable on the other side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.sync import MOST_RECORDS, MOST_WAITING
from sync import operations, parcel, receive
from sync.access import Actor
from sync.device.errors import ServerRefused, ServerUnreachable
from sync.device.media import Kept
from sync.device.outbox import LARGEST_BATCH, Waiting
from sync.device.push import encode
from sync.engine import in_transaction
from sync.models import Installation
from sync.operations import Sent, versions_of
from sync.peers import files
from sync.peers.errors import NotAServerCode
from sync.peers.lag import lag, ways_of
from sync.peers.roster import USER_AGENT
from sync.peers.talk import Carried, Talk, after_restore
from sync.verdict import Sender

PAGE = 200
MOST_MARKS = 200


class Exchange(Talk):
    """One run with one peer."""

    def run(self) -> Carried:
        """Both servers hold the same operations, and the attachments that one of them had. Refuses ServerUnreachable,
        AccessEnded, ServerRefused."""
        self._pull()
        self._push()
        self._compare_waiting()
        self._show_itself()
        files.send_all(self, self._send)
        self._ask_for_late_names()
        files.fetch_all(self)
        return self.carried

    # Down: what the other server has.

    def _pull(self) -> None:
        own_epoch = self.reading(lambda session: session.scalars(select(Installation.epoch)).one())
        is_whole = own_epoch != self.peer.own_epoch
        if is_whole and self.peer.own_epoch not in (0, -own_epoch):
            # We came back from a backup: what it has of ours may be lost here. Once begun, it goes on where it stopped.
            self.keep(cursor="", own_epoch=-own_epoch)
        while self._page(is_whole=is_whole):
            pass
        if is_whole:
            self.keep(own_epoch=own_epoch)

    def _page(self, *, is_whole: bool) -> bool:
        """Whether others may follow."""
        query = {"cursor": self.peer.cursor, "limit": PAGE, "whole": int(is_whole)}
        answer = self.link.ask("GET", f"{self.path}/operations", expected=frozenset({404, 410}), params=query)
        if answer.status == 404:
            raise NotAServerCode
        if answer.status == 410:
            self.keep(cursor="")
            return True
        page: Mapping[str, Any] = self.json(answer.json)
        self._meet(page)
        lines = [orjson.dumps(line) for line in page["operations"]]
        self._fetch_forms(page["operations"])
        if lines:
            self._receive(lines, page.get("names") or {})
        before = self.peer.cursor
        self.waiting = page.get("waiting")
        self.keep(cursor=str(page["cursor"]), head=int(page["head"]))
        return self.peer.cursor != before

    def _meet(self, page: Mapping[str, Any]) -> None:
        if int(page["epoch"]) != self.peer.epoch:
            self.keep(**after_restore(self.peer, int(page["epoch"]), page.get("forks") or (), self.own_head()))

    def _receive(self, lines: Sequence[bytes], names: Mapping[str, str]) -> None:
        in_transaction(self.engine, lambda session: operations.keep_names(session, self.project_id, names))
        actor = Actor("server", id=self.peer.peer_id, name=self.peer.name, serves=self.project_id)
        sender = Sender(self.project_id, actor, "server", user_agent=USER_AGENT)
        receipt = receive.receive(self.engine, sender, lines, size=sum(map(len, lines)), now=self.clock())
        if not all(line.safe for line in receipt.lines):
            raise ServerRefused(next(line.detail or line.why.value for line in receipt.lines if not line.safe))
        self.carried.received += sum(1 for line in receipt.lines if line.first is None)

    def _ask_for_late_names(self) -> None:
        """Which files belong to the records that lack some is asked anew: they may have come to the peer after these
        were told. A peer of an earlier version does not know the question."""
        lacking = self.reading(partial(files.unnamed, project_id=self.project_id))
        for start in range(0, len(lacking), MOST_RECORDS):
            asked = {"records": lacking[start : start + MOST_RECORDS]}
            known = frozenset({404, 405})
            answer = self.link.ask("POST", f"{self.path}/operations/of", expected=known, json=asked)
            if answer.status in known:
                return
            lines = [orjson.dumps(line) for line in self.json(answer.json)["operations"]]
            if lines:
                self._receive(lines, {})

    def _fetch_forms(self, lines: Iterable[Mapping[str, Any]]) -> None:
        for form_id, version in versions_of(lines):
            packed = self.json(self.link.ask("GET", self._form_path(form_id, version)).json)
            for sha256 in parcel.files_of(packed):
                files.fetch(self, sha256)
            self._take_form(packed)

    def _take_form(self, packed: Mapping[str, Any]) -> None:
        at, take = self.clock(), partial(parcel.take, blobs=self.blobs, project_id=self.project_id, parcel=packed)
        try:
            in_transaction(self.engine, lambda session: take(session, now=at))
        except parcel.OtherContent as other:  # what was collected with it must not wait for people to agree
            self.carried.clashing.add(other.detail)

    # Up: what we have.

    def _push(self) -> None:
        while True:
            sent, names = self.reading(self._next)
            if sent.until == self.peer.sent_seq:
                return
            lines = sent.lines()
            self._send_forms(map(orjson.loads, lines))
            for batch in files.batches(lines):
                self._send(batch, names)
            marks = [*self.peer.marks, [self.peer.epoch, self.peer.head, sent.until]]
            self.keep(sent_seq=sent.until, marks=_thinned(marks))

    def _show_itself(self) -> None:
        """Once an hour the other server hears that nothing waits here, when there is nothing else to say."""
        last = self.peer.synced_at
        hour = self.clock().replace(minute=0, second=0, microsecond=0)
        if not self.carried.sent and (last is None or last < hour):
            self._send([], {})

    # Both ways: what waits on either side, for something that neither has. It is no part of a feed yet.

    def _compare_waiting(self) -> None:
        """What waits on one of the two servers waits on both: whoever wipes one of them loses none of it. A peer of an
        earlier version does not know the question."""
        own = self.reading(partial(operations.waiting, project_id=self.project_id))
        after = ""
        while self.waiting not in (None, operations.digest_of(own)):
            part = [op_id for op_id in own if op_id > after][:MOST_WAITING]
            until = part[-1] if len(part) == MOST_WAITING else ""
            asked = {"operations": part, "after": after, "until": until}
            told = self.json(self.link.ask("POST", f"{self.path}/operations/waiting", json=asked).json)
            lines = [orjson.dumps(line) for line in told["operations"]]
            if lines:
                self._receive(lines, told["names"])
            self._send_waiting(told["unknown"])
            after = told["until"]
            if not after:
                return

    def _send_waiting(self, op_ids: Sequence[str]) -> None:
        def read(session: Session) -> tuple[list[bytes], dict[str, str]]:
            held = operations.held(session, self.project_id, op_ids)
            return Sent(held, 0).lines(), operations.names_of(session, self.project_id, held)

        lines, names = self.reading(read)
        for batch in files.batches(lines):
            self._send(batch, names)

    def _next(self, session: Session) -> tuple[Sent, dict[str, str]]:
        ways, echo = ways_of(self.peer), self.peer.echo_seq
        sent = operations.after(
            session, self.project_id, self.peer.sent_seq, limit=LARGEST_BATCH, beside=ways, echo=echo
        )
        return sent, operations.names_of(session, self.project_id, sent.operations)

    def _send(self, batch: Sequence[Waiting], names: Mapping[str, str]) -> None:
        waiting = self.reading(lambda session: lag(session, self.peer).operations) + len(batch)
        device_id, at = self.peer.device_id, self.clock()
        more = {"names": dict(names), "read": self.peer.cursor}
        body, headers = encode(batch, device_id=device_id, waiting=waiting, now=at, **more)
        receipt = self.json(self.link.ask("POST", f"{self.path}/push", data=body, headers=headers).json)
        items = receipt.get("items") or ()
        if any(item.get("safe") is not True and item.get("verdict") != "rejected" for item in items):
            raise ServerUnreachable(f"{self.peer.base} is too busy to take anything.")
        self.keep(head=max(self.peer.head, int(receipt.get("head") or 0)))
        refused = sum(1 for item in items if item.get("verdict") in ("quarantined", "rejected"))
        self.carried.quarantined += refused
        self.keep(quarantined=self.peer.quarantined + refused)
        self.carried.sent += sum(1 for item in items if not item.get("first"))

    def _send_forms(self, lines: Iterable[Mapping[str, Any]]) -> None:
        for form_id, version in versions_of(lines):
            packed = self.reading(partial(self._pack, form_id=form_id, version=version))
            files.upload(self, self.reading(partial(self._kept, hashes=parcel.files_of(packed))))
            answer = self.link.ask("PUT", self._form_path(form_id, version), expected=frozenset({409}), json=packed)
            if answer.status == 409:
                self.carried.clashing.add(f"{form_id} {version}".strip())

    def _pack(self, session: Session, form_id: str, version: str) -> dict[str, Any]:
        return parcel.pack(session, self.project_id, form_id, version)

    def _kept(self, session: Session, hashes: Sequence[str]) -> list[Kept]:
        return files.kept(session, self.project_id, hashes)

    def _form_path(self, form_id: str, version: str) -> str:
        return f"{self.path}/forms/{quote(form_id, safe='')}/{quote(version or '___', safe='')}"


def _thinned(marks: list[list[int]]) -> list[list[int]]:
    """Of many marks every second old one goes: then a little more is sent again than had to be."""
    return marks if len(marks) <= MOST_MARKS else [*marks[: -MOST_MARKS // 2 : 2], *marks[-MOST_MARKS // 2 :]]
