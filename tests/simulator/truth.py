"""What really happened, as nobody in the simulation knows it: who wrote what, having which writes before the eyes."""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import orjson

from sync.identity import derived
from tests.simulator.network import Reply, Sent
from tests.simulator.node import Node
from tests.simulator.scope import in_scope

STORED = "SELECT op_id, kind, record_id FROM operation WHERE state = 'ready'"
RELEASED = "SELECT op_id, cause_id FROM operation WHERE kind = 'submission' AND origin LIKE 'r~%' AND record_id = ?"
Key: TypeAlias = tuple[str, str]
"""(kind, record)."""
NOTHING: frozenset[str] = frozenset()


PASSING = ("held", "quarantined")
"""Verdicts that change by themselves: what it waits for comes, another server has taken it."""


class Broken(AssertionError):
    """An invariant of the protocol does not hold."""


@dataclass(frozen=True, slots=True)
class Made:
    """One operation, as its author made it."""

    op_id: str
    raw: bytes
    """The line that goes over the wire; empty for what a server wrote itself."""
    record_id: str
    seen: frozenset[str] | None
    """The operations on that record that its author had before the eyes; None when that cannot be said."""
    by: str
    may_be_put_aside: bool = False
    """A quarantine is the right answer to it."""
    may_wait: bool = False
    """What it waits for may never come."""
    judged: frozenset[str] = NOTHING
    """Of a review: the operations in the submission that its author had before the eyes."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says about an entity."""

    list_name: str
    entity_id: str
    values: Mapping[str, str]
    """By property, and the label."""
    seen: frozenset[str]
    """The operations on that entity that its author had before the eyes."""


@dataclass(slots=True)
class Truth:
    """It watches the servers' answers as they leave, before the network gets hold of them."""

    project_id: str
    made: dict[str, Made] = field(default_factory=dict)
    posted: set[tuple[str, str]] = field(default_factory=set)
    """(server, bare instance) whose sender was told that it is safe."""
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    """(server, op_id) that this server called safe."""
    first: dict[tuple[str, str], str] = field(default_factory=dict)
    """(server, op_id) -> the verdict that was given first."""
    states: dict[bytes, frozenset[str]] = field(default_factory=dict)
    """What a server told of a submission -> the operations in it."""
    revoked: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    """Forms that were closed at some time."""
    feeds: dict[str, dict[int, str]] = field(default_factory=dict)
    """Server -> all that anybody could have read of its feed."""
    restored_nodes: set[str] = field(default_factory=set)
    """These servers lack what they had acknowledged until it is pushed again."""
    said: dict[str, list[Said]] = field(default_factory=dict)
    """Operation on a submission -> what it says about entities."""

    by_number: set[str] = field(default_factory=set)
    """Operations whose author names what was before the eyes by the number of a version, as stock clients do."""

    def note(self, made: Made) -> None:
        self.made.setdefault(made.op_id, made)

    def note_said(self, op_id: str, said: Said) -> str:
        """What this operation says about an entity is an operation, too: its id."""
        self.said.setdefault(op_id, []).append(said)
        own = self.operation_of(op_id, said)
        cause = self.made[op_id]
        self.note(Made(own, b"", said.entity_id, said.seen, cause.by, cause.may_be_put_aside, cause.may_wait))
        return own

    def operation_of(self, op_id: str, said: Said) -> str:
        return derived(self.project_id, op_id, "entity", said.list_name, said.entity_id)

    def begin(self, node: Node) -> None:
        """What was there before a history begins, each by one who had seen all that was there before it."""
        known: dict[Key, frozenset[str]] = {}
        for op_id, *key in node.rows("SELECT op_id, kind, record_id FROM operation WHERE kind != 'form' ORDER BY seq"):
            seen = known.get((key[0], key[1]), NOTHING)
            self.note(Made(op_id, b"", key[1], seen, node.name))
            known[key[0], key[1]] = seen | {op_id}

    def seen_in(self, body: Mapping[str, Any]) -> frozenset[str]:
        """The operations in the state of a record that a client holds."""
        return self.states[_key(body)]

    def answered(self, sent: Sent, reply: Reply) -> None:
        if reply.status >= 500 and reply.status not in (503, 507):
            raise Broken(f"{sent.method} {sent.url} was answered with {reply.status}: {reply.body[:500]!r}")
        if reply.status >= 300:
            return
        if sent.is_push:
            self._note_receipt(sent, orjson.loads(_unzipped(reply)))
        elif "/sync/pull" in sent.url or "/sync/buckets/" in sent.url:
            page = orjson.loads(_unzipped(reply))
            _check_scope(sent, page["records"])
            self._note_page(sent.node, page)

    def was_damaged(self, sent: Sent, deliver: Any) -> Reply:
        """I10: a body that did not arrive as it was sent changes nothing."""
        if not sent.is_push or not sent.node.is_up:
            reply: Reply = deliver()
            return reply
        before = _size(sent.node)
        reply = deliver()
        if reply.status < 400 or _size(sent.node) != before:
            raise Broken(f"I10: a damaged batch was answered with {reply.status}; {before} -> {_size(sent.node)}")
        return reply

    def restored(self, node: Node) -> None:
        """A server is what it was at its backup: it gives its verdicts anew, and its feed goes on from there."""
        self.restored_nodes.add(node.name)
        self.first = {key: verdict for key, verdict in self.first.items() if key[0] != node.name}
        self.feeds.pop(node.name, None)
        for op_id in self.by_number:
            # By the same number it may know another state now, or none.
            self.made[op_id] = replace(self.made[op_id], seen=None, may_wait=True)

    def read_feed(self, node: Node) -> None:
        """I6: what could have been read once is all that will ever be there up to that number."""
        rows = dict(node.rows("SELECT seq, op_id FROM feed ORDER BY seq"))
        known = self.feeds.get(node.name, {})
        upto = max(known, default=0)
        if {seq: op_id for seq, op_id in rows.items() if seq <= upto} != known:
            raise Broken(f"I6: what {node.name}'s feed held up to {upto} has changed")
        self.feeds[node.name] = rows

    def note_written(self, node: Node, head: int, seen: Mapping[Key, frozenset[str]]) -> None:
        """What a server wrote by its own hand since `head`; `seen` is what was there before that.

        What was released waits, as its author's would, until all that this one had seen is here: then without a seq."""
        for op_id, kind, record_id, cause_id in node.rows(
            "SELECT op_id, kind, record_id, cause_id FROM operation WHERE (seq > ? OR state = 'held')"
            " AND kind != 'form' AND (origin LIKE 's%' OR origin LIKE 'r%')",
            head,
        ):
            cause = self.made.get(cause_id)
            before = seen.get((kind, record_id), NOTHING)
            known = cause.seen if cause is not None else before
            if cause is not None and known:
                # Also what its author had written there before, under the name by which somebody has released it.
                known |= {one for one, of in node.rows(RELEASED, record_id) if of in known and one in before}
            may_wait = cause is not None and cause.may_wait
            judged = seen.get(("submission", record_id), NOTHING) if kind == "review" else NOTHING
            self.note(Made(op_id, b"", record_id, known, node.name, may_wait=may_wait, judged=judged))
            if op_id not in self.said:
                for said in self.said.get(cause_id, ()):
                    self.note_said(op_id, said)

    def _note_receipt(self, sent: Sent, receipt: Mapping[str, Any]) -> None:
        node, markers = sent.node, _void_in(sent)
        for item in receipt["items"]:
            op_id, verdict = item["op"], item["verdict"]
            if op_id in markers:
                continue
            if item["safe"]:
                self.acknowledged.add((node.name, op_id))
            first = self.first.get((node.name, op_id))
            if first is None:
                self.first[node.name, op_id] = item["first"] or verdict
            elif verdict == "duplicate" and first not in PASSING and item["first"] != first:
                raise Broken(f"I9: {op_id} was {first} first, and its duplicate {item['first']}")
            elif verdict in ("accepted", "merged", "conflict") and first not in PASSING:
                raise Broken(f"I2: {op_id} was {first}, and is {verdict} once more")

    def _note_page(self, node: Node, page: Mapping[str, Any]) -> None:
        told = [record for record in page["records"] if record["kind"] in ("submission", "entity")]
        ready = ready_on(node) if told else {}
        for record in told:
            self.states[_key(record)] = ready[record["kind"], record["record"]]


def _check_scope(sent: Sent, records: Sequence[Mapping[str, Any]]) -> None:
    """I21: nobody is sent what he or she may not see."""
    told = {(one["kind"], one["record"]) for one in records if one["kind"] in ("entity", "assignment")}
    secret = told - in_scope(sent.node, sent.token) if told else set()
    if secret:
        raise Broken(f"I21: {sent.node.name} tells of {sorted(secret)} to who may not see them")


def ready_on(node: Node) -> Mapping[Key, frozenset[str]]:
    """The operations that take part in each record."""
    found: dict[Key, set[str]] = defaultdict(set)
    for op_id, kind, record_id in node.rows(STORED):
        found[kind, record_id].add(op_id)
    return {key: frozenset(ops) for key, ops in found.items()}


def _key(body: Mapping[str, Any]) -> bytes:
    told = {name: value for name, value in body.items() if name != "branch"}  # a client's own
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _void_in(sent: Sent) -> set[str]:
    """What another server tells of by its number only."""
    lines = gzip.decompress(sent.body).splitlines()[1:]
    return {orjson.loads(line)["op"] for line in lines if b'"void":' in line}


def _unzipped(reply: Reply) -> bytes:
    return gzip.decompress(reply.body) if ("Content-Encoding", "gzip") in reply.headers else reply.body


def _size(node: Node) -> tuple[Any, ...]:
    return tuple(
        node.rows(
            "SELECT (SELECT count(*) FROM batch), (SELECT count(*) FROM inbox_item), (SELECT count(*) FROM operation),"
            " (SELECT sum(head) FROM project)"
        )[0]
    )
