"""The protocol, broken on purpose in one place at a time. Each of these must be noticed: a checker that cannot fail
proves nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import orjson
from sqlalchemy.orm import Session

import forms.flat
import server.tablet.uploads
import sync.apply_reviews
import sync.entities.apply
import sync.entities.apply_lists
import sync.entities.scope
import sync.epochs
import sync.feed
import sync.inbox
import sync.item
import sync.judge
import sync.ledger
import sync.merge
import sync.operations
import sync.place
import sync.receive
import sync.release
import sync.settle
import sync.tell
from server.services import services
from sync.attach import BlobStore
from sync.device.errors import ServerUnreachable
from sync.device.field_device import FieldDevice
from sync.device.outbox import Outbox, Waiting
from sync.engine import writer
from sync.entities.scope import EntityScope
from sync.identity import uuid7
from sync.item import Item
from sync.ledger import Act, Ledger
from sync.merge import History, View
from sync.peers.exchange import Exchange
from sync.rows import ASSIGNMENT
from sync.verdict import Line, Why

Patches = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Variant:
    """What is broken, and the steps by which it shows: its histories are full of them."""

    patches: Patches
    shown_by: Sequence[str] = ()


VARIANTS: dict[str, Variant] = {}


def variant(*shown_by: str) -> Callable[[Patches], Patches]:
    def keep(patches: Patches) -> Patches:
        VARIANTS[patches.__name__] = Variant(patches, shown_by)
        return patches

    return keep


@contextmanager
def all_of(*patches: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


@variant()
def acknowledged_when_sent() -> AbstractContextManager[Any]:
    """The device takes for kept what it has sent, whatever comes back."""
    real = Outbox.batch

    def batch(self: Outbox, most: int) -> list[Waiting]:
        chosen = real(self, most)
        self.store.run_many("UPDATE operation SET state = 'kept' WHERE op_id = ?", [(one.op_id,) for one in chosen])
        return chosen

    return patch.object(Outbox, "batch", batch)


@variant()
def receipts_lost() -> AbstractContextManager[Any]:
    """The device forgets what the server has said."""
    return patch.object(Outbox, "keep_receipts", lambda *_args, **_kwargs: None)


@variant("clone")
def origin_not_renewed() -> AbstractContextManager[Any]:
    """A device counts on under its own name, as its clone does."""
    return patch.object(FieldDevice, "_own_origin", lambda self: self.membership().device_id)


@variant("both", "correct")
def chain_not_sent() -> AbstractContextManager[Any]:
    """The device does not say which of its own operations came before."""
    real = Outbox._line
    return patch.object(Outbox, "_line", lambda *args: real(*args) | {"prev": 0})


@variant("hand")
def held_dropped() -> AbstractContextManager[Any]:
    """What has to wait is called safe, and not kept."""
    real = Ledger._write_operations

    def write(self: Ledger) -> None:
        for act in [act for act in self.acts.values() if act.is_new and act.state == "held"]:
            del self.acts[act.op_id]
        real(self)

    return patch.object(Ledger, "_write_operations", write)


@variant("hand")
def nobody_woken() -> AbstractContextManager[Any]:
    """What waited goes on waiting when what it waited for has come."""
    return patch.object(sync.place, "wake", lambda *_args: None)


@variant()
def no_dedupe() -> AbstractContextManager[Any]:
    """Every arrival is something new."""
    real = sync.item.read_draft

    def read(raw: bytes) -> Any:
        draft, op_id = real(raw), uuid7()
        return replace(draft, op_id=op_id, origin=f"z~{op_id}", n=1, prev=0)

    return patch.object(sync.item, "read_draft", read)


@variant()
def duplicates_judged_anew() -> AbstractContextManager[Any]:
    """A duplicate gets a verdict of its own, before it lands and after."""
    judged_before, known_before = sync.judge._continue, sync.receive._first_verdicts

    def anew(line: Line) -> Line:
        return replace(line, outcome=line.first or line.outcome)

    def judged(*args: Any) -> Line:
        return anew(judged_before(*args))

    def known(*args: Any) -> dict[bytes, Line]:
        return {raw: anew(line) for raw, line in known_before(*args).items()}

    return all_of(patch.object(sync.judge, "_continue", judged), patch.object(sync.receive, "_first_verdicts", known))


@variant()
def cursor_off_by_one() -> AbstractContextManager[Any]:
    real = sync.feed._rows
    return patch.object(sync.feed, "_rows", lambda reader, since, limit: real(reader, since + (since > 0), limit))


@variant("both_photo")
def photos_of_one_name_taken_for_one() -> AbstractContextManager[Any]:
    """Two photos of one name are one answer: whichever came last is there."""
    return patch.object(sync.ledger, "told", lambda ops: list({op.op_id: op for op in ops}.values()))


@variant("both_photo")
def photos_in_conflict_not_shown() -> AbstractContextManager[Any]:
    """Of two photos of one name nobody is asked which one is to stay."""

    def naming(view: View, _expected: Any) -> View:
        return replace(view, clashes=tuple(clash for clash in view.clashes if not clash.path.startswith("@")))

    return patch.object(sync.settle, "naming", naming)


@variant("back_up", "restore", "fill", "sync")
def no_epoch() -> AbstractContextManager[Any]:
    """A restored server goes on as if nothing had happened."""
    return patch.object(sync.epochs, "open_epoch", lambda *_args, **_kwargs: 1)


@variant("hand")
def one_bad_item_spoils_its_batch() -> AbstractContextManager[Any]:
    real = sync.receive.judge

    def judge(session: Session, items: list[Item], **told: Any) -> Any:
        if any(item.why is not Why.NONE for item in items):
            items = [replace(item, draft=None, why=Why.POISON) for item in items]
        return real(session, items, **told)

    return patch.object(sync.receive, "judge", judge)


@variant("hand", "put_aside")
def quarantine_blocks_successors() -> AbstractContextManager[Any]:
    """What is put aside leaves no marker in its place."""
    return patch.object(sync.judge, "_may_be_void", lambda *_args: False)


@variant("run_ahead", "hand")
def no_causal_chain() -> AbstractContextManager[Any]:
    """Nobody waits for a predecessor: who sees the second of two changes is taken to have seen the first."""
    return all_of(
        patch.object(sync.merge, "missing", lambda *_args: ""), patch.object(sync.place, "missing", lambda *_args: "")
    )


@variant("both")
def last_writer_wins() -> AbstractContextManager[Any]:
    real = History.view

    def view(*args: Any, **kwargs: Any) -> View:
        return replace(real(*args, **kwargs), clashes=())

    return patch.object(History, "view", view)


@variant("both")
def policies_ignored() -> AbstractContextManager[Any]:
    """What a form says about different answers to one question is not asked."""
    return patch.object(sync.merge, "_decided", lambda *_args: (False, None))


@variant("both")
def policy_takes_the_last() -> AbstractContextManager[Any]:
    """Whatever the policy, the answer that was written last stands."""
    return patch.object(sync.merge, "combine", lambda _policy, texts: texts[0] if texts else None)


@variant("both", "correct")
def entries_merged_by_position() -> AbstractContextManager[Any]:
    """The entries of a repeat are told apart by where they stand."""
    real = forms.flat._keyed

    def keyed(*args: Any) -> Iterator[tuple[str, Any]]:
        return ((f"#{position}", entry) for position, (_key, entry) in enumerate(real(*args), 1))

    return patch.object(forms.flat, "_keyed", keyed)


@variant("both")
def entry_removed_unseen() -> AbstractContextManager[Any]:
    """Who removes an entry removes also what somebody else wrote in it meanwhile."""
    return patch.object(sync.merge, "_changes", lambda *_args: False)


@variant("both_visit", "register")
def entity_base_is_whatever_stands() -> AbstractContextManager[Any]:
    """Who changes an entity is taken to have seen all of it, whatever was before the eyes."""
    real = sync.place.find_base

    def find(ledger: Ledger, act: Act) -> Why:
        why = real(ledger, act)
        if why is Why.NONE and act.row["cause_id"]:
            act.change(context=dict(ledger.record("entity", act.row["record_id"]).vector))
        return why

    return patch.object(sync.place, "find_base", find)


@variant("both_visit", "visit", "register")
def entity_base_forgotten() -> AbstractContextManager[Any]:
    """Who changes an entity is taken to have seen nothing of it."""
    real = sync.entities.apply._place

    def place(*args: Any) -> tuple[str, int, int, dict[str, int]]:
        origin, n, _prev, _context = real(*args)
        return origin, n, 0, {}

    return patch.object(sync.entities.apply, "_place", place)


@variant("branch")
def branches_not_followed() -> AbstractContextManager[Any]:
    """Who changes an entity more than once offline is taken to have seen the server's version each time."""
    return patch.object(sync.entities.apply, "_is_taken", lambda *_args: True)


@variant("register")
def one_entity_of_each_record() -> AbstractContextManager[Any]:
    """Of all that a record registers, only the first is."""
    real = sync.entities.apply.entity_elements
    return patch.object(sync.entities.apply, "entity_elements", lambda *args: real(*args)[:1])


@variant("approve")
def approval_not_asked() -> AbstractContextManager[Any]:
    """What waits for an approval is told of at once."""
    return patch.object(sync.entities.apply, "_is_approved", lambda *_args: True)


@variant("approve")
def approval_changes_nothing() -> AbstractContextManager[Any]:
    """What waited for an approval goes on waiting."""
    return patch.object(sync.place, "refold", lambda *_args: None)


@variant("declare", "both_visit")
def list_rules_not_followed() -> AbstractContextManager[Any]:
    """The entities that are there stay as they were when their list is given other rules."""
    return patch.object(sync.entities.apply_lists, "refold", lambda *_args: None)


@variant("declare", "meet")
def list_rules_by_arrival() -> AbstractContextManager[Any]:
    """Of two rules, the one stands that came last to this server."""

    def settle(ledger: Ledger, record: Any, act: Act) -> View:
        before = dict(ledger.list_row(record.record_id)["settings"])
        view: View = real(ledger, record, act)
        row = ledger.list_row(record.record_id)
        row["settings"] = {path: value for path, value in (before | act.row["changes"]).items() if value is not None}
        return view

    real = sync.place.settle_list
    return patch.object(sync.place, "settle_list", settle)


@variant("declare", "register")
def scope_not_asked() -> AbstractContextManager[Any]:
    """Whatever the rules of a list leave to a device, it gets all."""
    return patch.object(EntityScope, "includes", lambda *_args: True)


@variant("declare", "register", "visit")
def what_leaves_the_scope_not_dropped() -> AbstractContextManager[Any]:
    """Who had an entity that is not his or her business any more is not told to drop it."""
    return patch.object(sync.tell, "_lost", lambda *_args, **_told: frozenset())


@variant("declare", "sync")
def changed_scope_unnoticed() -> AbstractContextManager[Any]:
    """Who has read a list under other rules goes on as if these were the same."""
    return patch.object(EntityScope, "word", lambda *_args: "")


@variant("declare", "assign")
def whom_to_visit_not_told() -> AbstractContextManager[Any]:
    """Who is to visit somebody outside the scope does not get to know whom."""
    return patch.object(sync.entities.scope, "_assigned", lambda *_args: frozenset())


@variant("assign")
def assignments_not_told() -> AbstractContextManager[Any]:
    """Who is given work is not told of it."""
    return patch.object(sync.tell, "assignments_among", lambda *_args: [])


@variant("assign", "meet")
def assignment_by_arrival() -> AbstractContextManager[Any]:
    """Of two who changed an assignment without seeing each other, the one stands that came last to this server."""

    def settle(ledger: Ledger, record: Any) -> View:
        view: View = settled(ledger, record)
        for row in ledger.inserts[ASSIGNMENT]:
            last = max(record.ready, key=lambda act: act.row["seq"])
            if row["assignment_id"] == record.record_id and "note" in last.row["changes"]:
                row["note"] = last.row["changes"]["note"] or ""
        return view

    settled = sync.place.settle_assignment
    return patch.object(sync.place, "settle_assignment", settle)


@variant("review", "correct", "sync")
def approval_outlives_edits() -> AbstractContextManager[Any]:
    """What was decided about a record stands, whatever is written afterwards."""
    return patch.object(sync.apply_reviews, "_has_judged", lambda *_args: True)


@variant("put_aside")
def release_overwrites() -> AbstractContextManager[Any]:
    """What is released from the quarantine claims to have seen all that happened since."""
    real = sync.release.own_row
    return patch.object(sync.release, "own_row", lambda *args, **kwargs: real(*args, **kwargs | {"context": None}))


@variant("kill_server", "fill")
def landing_not_committed() -> AbstractContextManager[Any]:
    """The raw bytes are looked at before they are durable."""

    def in_transaction(engine: Any, act: Callable[[Session], Any]) -> Any:
        with writer(engine), Session(engine) as session:
            act(session)
            session.rollback()

    return patch.object(sync.inbox, "in_transaction", in_transaction)


@variant("kill_server", "fill")
def nothing_swept() -> AbstractContextManager[Any]:
    """What had landed when the process died stays where it is."""
    return patch.object(sync.receive, "sweep", lambda *_args, **_kwargs: 0)


@variant()
def numbers_with_gaps() -> AbstractContextManager[Any]:
    """The feed's number is taken before it is sure that there will be something under it."""
    real, rng = Ledger.next_seq, random.Random(1)

    def next_seq(self: Ledger, act: Act) -> int:
        self.head += rng.random() < 0.2
        return real(self, act)

    return patch.object(Ledger, "next_seq", next_seq)


@variant("photo")
def rows_before_bytes() -> AbstractContextManager[Any]:
    """An attachment is known before its bytes are in their place."""
    return patch.object(BlobStore, "_keep", lambda _self, _temporary, stored, _project_id: stored)


@variant("photo")
def upload_left_unfinished() -> AbstractContextManager[Any]:
    """Of an upload that is complete, and whose server died before it was known, nobody makes a known file."""
    return patch.object(
        server.tablet.uploads,
        "_reached",
        lambda found, sha256, _size: services().blobs.offset(found.project_id, sha256),
    )


@variant("meet")
def forwarded_under_another_name() -> AbstractContextManager[Any]:
    """Another server makes of what it is told an operation of its own."""
    real = Exchange._receive

    def receive(self: Exchange, lines: Sequence[bytes], names: Mapping[str, str]) -> None:
        told = [orjson.loads(line) for line in lines]
        real(self, [orjson.dumps(one | {"op": f"{one['op'][:-4]}beef"}) for one in told], names)

    return patch.object(Exchange, "_receive", receive)


@variant("meet")
def feed_of_operations_skips() -> AbstractContextManager[Any]:
    """Who goes on reading operations after a number is not told of the next one."""
    real = sync.operations.after

    def after(session: Session, project_id: str, seq: int, **told: Any) -> Any:
        sent = real(session, project_id, seq, **told)
        return replace(sent, operations=sent.operations[seq > 0 :])

    return patch.object(sync.operations, "after", after)


@variant("meet", "fill")
def taken_for_sent() -> AbstractContextManager[Any]:
    """What was to go up counts as sent, though nobody has answered."""
    real = Exchange._send

    def send(self: Exchange, batch: Sequence[Waiting], names: Mapping[str, str]) -> None:
        with suppress(ServerUnreachable):
            real(self, batch, names)

    return patch.object(Exchange, "_send", send)
