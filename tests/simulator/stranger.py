"""A client of somebody else's making: it speaks the protocol by hand, in any order, and sometimes nonsense; and it
hands in bare instances as ODK Collect does."""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from sync.device.outbox import Waiting
from sync.device.push import encode
from sync.identity import derived
from tests.integration.sync.field import Tablet
from tests.simulator.chance import Clock
from tests.simulator.form import ANSWERS, ATOMIC, FORM, KEYED, KEYS, PEOPLE, entry, instance
from tests.simulator.network import Network
from tests.simulator.node import Node
from tests.simulator.truth import NOTHING, Made, Said, Truth, ready_on

NONSENSE: tuple[bytes, ...] = (
    b"{not json",
    b"[]",
    b'"x"',
    b'{"op": "x"}',
    b'{"op": "y", "kind": "submission", "origin": "o", "n": -1, "record": "r"}',
    b'{"op": "z", "kind": "gossip", "origin": "o", "n": 1, "record": "r"}',
    b'{"op": "w", "kind": "submission", "origin": "o", "n": 9, "record": "r", "set": {"a": 5}}',
    b'{"op": "v", "kind": "submission", "origin": "o", "n": 10, "record": "r", "xml": "\\u0000"}',
    b"\xff\xfe\x00",
    b"[" * 2000,
)


LISTED = "SELECT entity_id, version FROM entity WHERE list_name = ? AND is_deleted = 0 ORDER BY entity_id"


@dataclass(slots=True)
class Stranger:
    """One device of the project, with a token of its own."""

    token: str
    device_id: str
    base: str
    elsewhere: str
    """Another server of the project: some of what it makes goes there, too."""
    node: Node
    """The one at `base`."""
    network: Network
    truth: Truth
    clock: Clock
    writer: Tablet = field(init=False)
    records: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    """All that it has ever made."""
    passed: dict[bytes, None] = field(default_factory=dict)
    """Of these, what went elsewhere."""
    posts: list[tuple[str, str]] = field(default_factory=list)
    """(address, instance)"""
    edited: set[str] = field(default_factory=set)
    contested: set[str] = field(default_factory=set)
    """A bare edit names its base by an instance ID alone: where that stands for two instances, nobody can say which
    one its author saw. No record is both edited and contested here."""
    _session: requests.Session = field(init=False)

    def __post_init__(self) -> None:
        self.writer = Tablet(self.device_id, f"{self.device_id}~hand")
        self._session = self.network.session()

    def act(self, rng: random.Random) -> None:
        """Something is made; then some of all that was ever made is sent, in any order."""
        makes: tuple[Callable[[random.Random], None], ...] = (
            *(self._new, self._chain, self._chain, self._chain, self._poison),
            *(self._nonsense, self._reuse, self._early_version),
        )
        for make in rng.choices(makes, k=rng.randint(1, 3)):
            make(rng)
        if self.lines:
            some = rng.sample(self.lines, rng.randint(1, len(self.lines)))
            self.push(some)
            if rng.random() < 0.3:
                self.pass_on(some)

    def run_ahead(self, rng: random.Random) -> None:
        """Of a record and two changes of it, the last change arrives; all else is still on its way."""
        self._new(rng)
        record = self.records[-1]
        for value in ("21", "22"):
            self._keep(self.writer.op(record, set={"umur": value}), self._own(record))
        self.push(self.lines[-1:])

    def put_aside(self, rng: random.Random) -> str:
        """Two operations arrive under one number, and the second is put aside: the record that it is about."""
        self._new(rng)
        pair = [self.lines[-1]]
        self._reuse(rng, pair[0])
        pair.append(self.lines[-1])
        self.push(pair)
        return str(orjson.loads(pair[1])["record"])

    def post(self, rng: random.Random) -> None:
        """A bare instance: new, a correction, another version of a known one, or one that came by a batch."""
        make: Callable[[random.Random], str] = rng.choice(
            (self._bare_new, self._bare_edit, self._bare_edit, self._other_content, self._by_another_door)
        )
        xml = make(rng)
        if not xml:
            return
        # The same operation as what came by a batch it is only where that is known.
        here, there = self.base, self.elsewhere
        places = [(here,), (here,), (here,), (there,), (here, there)]
        for base in (here,) if make == self._by_another_door else rng.choice(places):
            self.posts.append((base, xml))
            self.hand_in(base, xml)

    def branch(self, rng: random.Random) -> None:
        """As ODK Collect does it that has a list: somebody is visited more than once before anything is heard from the
        server, and each instance says from which version it started, of the server's or of its own branch."""
        people = self.node.rows(LISTED, PEOPLE) if self.node.is_up else []
        branch = {"branchId": str(uuid.UUID(int=rng.getrandbits(128), version=4))}
        if people and rng.random() < 0.7:
            entity_id, trunk = rng.choice(people)
            seen, branch = ready_on(self.node)["entity", entity_id], {"trunkVersion": str(trunk), **branch}
            xmls = []
        else:
            entity_id, trunk, seen = str(uuid.UUID(int=rng.getrandbits(128), version=4)), 1, NOTHING
            xmls = [self._bare_visit(rng, {"id": entity_id, "create": "1"}, seen)]
            seen = self._said_by(xmls)
        for base in range(trunk, trunk + rng.choice((1, 2, 2, 3))):
            about = {"id": entity_id, "update": "1", "baseVersion": str(base), **branch}
            xmls.append(self._bare_visit(rng, about, seen))
            seen |= self._said_by(xmls[-1:])
        self.posts += [(self.base, xml) for xml in xmls]
        for xml in rng.sample(xmls, rng.randint(1, len(xmls))):
            self.hand_in(self.base, xml)

    def hand_in(self, base: str, xml: str) -> None:
        """It is posted. What was answered with 201 or 202 is acknowledged."""
        headers = {"Content-Type": "text/xml"}
        answer = self._ask(f"{base}/v1/projects/1/submission", xml.encode(), headers)
        if answer is not None and answer.status_code in (201, 202) and b"OpenRosaResponse" in answer.content:
            self.truth.posted.add((self.network.at(base).name, xml))

    def pass_on(self, lines: list[bytes]) -> None:
        """The same operations go to another server by themselves."""
        known = [line for line in lines if self._made(line) is not None]
        self.passed |= dict.fromkeys(known)
        if known:
            self.push(known, self.elsewhere)

    def push(self, lines: list[bytes], base: str = "") -> None:
        waiting = [Waiting("", one) for one in lines]
        body, headers = encode(waiting, device_id=self.device_id, waiting=len(lines), now=self.clock.now())
        self._ask(f"{base or self.base}/v1/projects/1/sync/push", body, headers)

    def _ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response | None:
        try:
            return self._session.post(url, data=body, headers={**headers, "Authorization": f"Bearer {self.token}"})
        except requests.RequestException:
            return None

    def _new(self, rng: random.Random) -> None:
        record = _id(rng)
        self.records.append(record)
        self._keep(self.writer.fill_in(record, nama=rng.choice("ABC"), umur=rng.choice(("5", "6"))), frozenset())

    def _chain(self, rng: random.Random) -> None:
        """One more change of its own record, upon all that it has written there."""
        if not self.records:
            self._new(rng)
        record = rng.choice(self.records)
        seen = self._own(record)
        changes: dict[str, str | None] = {rng.choice(("nama", "umur", "after")): rng.choice(("11", "12", None))}
        if rng.random() < 0.3:
            path = rng.choice(list(ANSWERS))
            changes[path] = rng.choice((*ANSWERS[path], None))
        self._keep(self.writer.op(record, set=changes), seen)

    def _poison(self, rng: random.Random) -> None:
        """A change that cannot be read, in the middle of a chain."""
        record = rng.choice(self.records) if self.records and rng.random() < 0.7 else _id(rng)
        if record not in self.records:
            self.records.append(record)
        seen = self._own(record)
        self._keep(self.writer.op(record, xml="<data"), seen, may_be_put_aside=True)

    def _nonsense(self, rng: random.Random) -> None:
        self.lines.append(rng.choice(NONSENSE))

    def _reuse(self, rng: random.Random, line: bytes = b"") -> None:
        """Another operation under a number that it has used before: of the two, the one that arrives first counts.

        It is a new record, or a change of somebody else's by one who has seen nothing of it."""
        known = [orjson.loads(one) for one in self.lines if self._made(one) is not None]
        if not known:
            return
        old = orjson.loads(line) if line else rng.choice(known)
        op_id = str(uuid.UUID(int=rng.getrandbits(128)))
        others = self.node.rows("SELECT instance_id FROM submission ORDER BY instance_id") if self.node.is_up else []
        strange = [row[0] for row in others if row[0] not in self.records]
        place = {"record": rng.choice([_id(rng), *strange[-2:]]), "prev": 0, "context": {}}
        twin = {**old, **place, "op": op_id, "xml": None, "set": {"nama": "kembar"}}
        for one in (old["op"], op_id):
            made = self.truth.made.get(one)
            seen = made.seen if made else frozenset()
            raw = made.raw if made else orjson.dumps(twin)
            record = made.record_id if made else twin["record"]
            self.truth.made[one] = Made(one, raw, record, seen, self.device_id, may_be_put_aside=True, may_wait=True)
        self.lines.append(orjson.dumps(twin))

    def _early_version(self, rng: random.Random) -> None:
        """Made with a version of the form that the server does not have yet."""
        record = _id(rng)
        xml = instance(record, version="3", nama="D")
        self._keep(self.writer.op(record, version="3", xml=xml), frozenset())

    def _bare_new(self, rng: random.Random) -> str:
        record = _id(rng)
        xml = instance(record, nama=rng.choice("EFG"), umur="33", repeats=_turns(rng))
        return self._bare(xml, record, record, frozenset())

    def _bare_visit(self, rng: random.Random, about: Mapping[str, str], seen: frozenset[str]) -> str:
        record, name = _id(rng), rng.choice("KLM")
        values = {"nama": name, "umur": rng.choice(("66", "77"))}
        xml = self._bare(instance(record, entity=about, **values), record, record, NOTHING)
        said = Said(PEOPLE, about["id"], {**values, "label": name}, seen)
        self.truth.by_number.add(self.truth.note_said(self._bare_id(xml, record), said))
        return xml

    def _said_by(self, xmls: Sequence[str]) -> frozenset[str]:
        """The operations on entities that these instances make."""
        ids = [self._bare_id(xml, xml.partition("<instanceID>")[2].partition("<")[0]) for xml in xmls]
        return frozenset(self.truth.operation_of(one, said) for one in ids for said in self.truth.said[one])

    def _bare_edit(self, rng: random.Random) -> str:
        bases = self.node.rows(
            "SELECT min(op_id), instance_id, record_id FROM operation WHERE kind = 'submission' AND state = 'ready'"
            " AND instance_id != '' AND version = '1' GROUP BY instance_id HAVING count(*) = 1 ORDER BY 2"
        )
        own = _id(rng)
        if not bases or rng.random() < 0.1:
            unknown = _id(rng)
            return self._bare(instance(own, corrects=unknown, nama="H"), own, unknown, frozenset(), may_wait=True)
        op_id, base_id, record = rng.choice(bases)
        base = self.truth.made.get(op_id)
        if base is None or base.seen is None or record in self.contested:
            return ""
        self.edited.add(record)
        xml = instance(own, corrects=base_id, nama=rng.choice("HI"), umur=rng.choice(("44", "45")), repeats=_turns(rng))
        return self._bare(xml, own, record, base.seen | {op_id})

    def _other_content(self, rng: random.Random) -> str:
        """Under a known instance ID, another instance: what nobody should do, and somebody does."""
        known = self.node.rows(
            "SELECT instance_id FROM submission WHERE form_id = ? AND is_deleted = 0 ORDER BY instance_id", FORM
        )
        if not known:
            return ""
        record = rng.choice(known)[0]
        if record in self.edited:
            return ""
        self.contested.add(record)
        return self._bare(instance(record, nama="J", umur=rng.choice(("55", "56"))), record, record, frozenset())

    def _by_another_door(self, rng: random.Random) -> str:
        """What came by a batch is handed in bare too."""
        known = self.node.rows(
            "SELECT xml FROM operation WHERE kind = 'submission' AND xml IS NOT NULL AND state = 'ready' ORDER BY op_id"
        )
        return str(rng.choice(known)[0]) if known else ""

    def _bare(self, xml: str, instance_id: str, record_id: str, seen: frozenset[str], *, may_wait: bool = False) -> str:
        self.truth.note(Made(self._bare_id(xml, instance_id), b"", record_id, seen, self.device_id, may_wait=may_wait))
        return xml

    def _bare_id(self, xml: str, instance_id: str) -> str:
        return derived(self.truth.project_id, instance_id, hashlib.sha256(xml.encode()).hexdigest())

    def _made(self, line: bytes) -> Made | None:
        """What the truth knows of this line; None for nonsense."""
        is_one = line.startswith(b'{"op":"') and b'"kind"' in line
        return self.truth.made.get(orjson.loads(line)["op"]) if is_one else None

    def _own(self, record: str) -> frozenset[str]:
        made = self.truth.made.values()
        return frozenset(one.op_id for one in made if one.record_id == record and one.by == self.device_id and one.raw)

    def _keep(self, op: dict[str, Any], seen: frozenset[str], *, may_be_put_aside: bool = False) -> None:
        raw = orjson.dumps(op)
        self.lines.append(raw)
        self.truth.note(Made(op["op"], raw, op["record"], seen, self.device_id, may_be_put_aside))


def _id(rng: random.Random) -> str:
    return f"uuid:{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def _turns(rng: random.Random) -> dict[str, list[dict[str, str]]]:
    """Entries of the repeats, for a bare instance: those that it leaves out are gone."""
    if rng.random() < 0.5:
        return {}
    keyed = [entry(key, rng.choice(("8", "9"))) for key in KEYS if rng.random() < 0.6]
    return {ATOMIC: [{"jenis": "pasar"}], KEYED: keyed}
