"""The invariants of the protocol, held against the truth by a merge of our own that looks at nothing but the truth."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson
from sqlalchemy.orm import Session

from server.clock import now
from sync.rebuild import rebuild
from tests.simulator.beside import check_beside
from tests.simulator.expected import FILE, expected
from tests.simulator.form import POLICIES, flat
from tests.simulator.kept import Kept, kept_on
from tests.simulator.node import Node
from tests.simulator.scope import in_scope
from tests.simulator.tablet import Tablet
from tests.simulator.truth import Broken, Made, Truth
from tests.simulator.world import BASE, World

CALCULATED = frozenset({"change"})
"""Paths that nobody writes."""


def check_safe(truth: Truth, node: Node) -> None:
    """I1, at any moment: what a server called safe is there, byte for byte."""
    operations, inbox = kept_on(node), {bytes(row[0]) for row in node.rows("SELECT raw FROM inbox_item")}
    xmls = {one.xml for one in operations.values() if one.xml}
    for op_id in sorted(op_id for name, op_id in truth.acknowledged if name == node.name):
        made = truth.made.get(op_id)
        if made is not None and made.raw and made.raw not in inbox:
            _check_bytes(made, operations.get(op_id), xmls)
    for xml in sorted(xml for name, xml in truth.posted if name == node.name):
        if xml not in xmls and not any(xml.encode() in raw or _holds(raw, xml) for raw in inbox):
            raise Broken(f"I1: an instance was answered as safe and is not there: {xml}")


def _holds(raw: bytes, xml: str) -> bool:
    return orjson.dumps(xml)[1:-1] in raw


def _check_bytes(made: Made, kept: Kept | None, xmls: Set[str]) -> None:
    if kept is not None and kept.why == "same_instance" and orjson.loads(made.raw).get("xml") in xmls:
        return
    if kept is None or kept.state == "void":
        raise Broken(f"I1: {made.op_id} by {made.by} was called safe and is not there")
    told = orjson.loads(made.raw)
    if kept.xml != told.get("xml") or (told.get("set") and dict(kept.changes) != told["set"]):
        raise Broken(f"I1: {made.op_id} is not kept as it was sent")


def check_settled(world: World) -> None:
    """Everything else, once the faults have stopped and everybody has come back."""
    truth = world.truth
    for tablet in world.tablets:
        _check_nothing_waits(tablet, truth)
    for node in world.nodes:
        _check_server(truth, node)
        of_node = [tablet for tablet in world.tablets if tablet.node is node]
        _check_reading([tablet for tablet in of_node if not _is_revoked(tablet, truth)], node)
    _check_nothing_lost(truth, world.nodes)
    _check_files(world)
    _check_rebuilt(truth, world.nodes[len(truth.made) % 2])
    _check_agreement(*world.nodes)


def _check_server(truth: Truth, node: Node) -> None:
    check_safe(truth, node)
    kept = kept_on(node)
    truth.read_feed(node)
    _check_feed(node)
    put_aside = _check_put_aside(truth, node)
    _check_once(truth, kept)
    _check_waiting(truth, kept, put_aside)
    by_record: dict[tuple[str, str], list[Kept]] = defaultdict(list)
    for one in kept.values():
        by_record[one.kind, one.record_id].append(one)
    shown = _shown(node)
    conflicts = _conflicts(node)
    for (kind, record_id), ops in by_record.items():
        if kind == "submission":
            _check_record(truth, record_id, ops, shown.get(record_id), conflicts.get(record_id, {}))
            _check_photo(truth, node, record_id, ops)
    check_beside(truth, node, by_record)
    _check_bytes_of_files(node)


def _check_nothing_lost(truth: Truth, nodes: Sequence[Node]) -> None:
    """I1: whatever anybody made is somewhere."""
    there = {row[0] for node in nodes for row in node.rows("SELECT op_id FROM operation")}
    there |= {row[0] for node in nodes for row in node.rows("SELECT op_id FROM inbox_item")}
    for made in truth.made.values():
        if made.raw and made.op_id not in there:
            raise Broken(f"I1: {made.op_id} by {made.by} is nowhere")


def _check_rebuilt(truth: Truth, node: Node) -> None:
    """I22: all that follows from the operations, made anew, is byte for byte what is there."""
    with Session(node.engine) as session:
        session.connection()
        rebuilt = rebuild(session, truth.project_id, now=now())
        session.rollback()
    changed = sorted(f"{table} {key}" for table, keys in rebuilt.changed.items() for key in keys)
    if changed:
        raise Broken(f"I22: on {node.name} rebuilding changes {changed}")


EXPECTED = (
    "SELECT instance_id, name, sha256, arrived_at IS NOT NULL, sha256 IN (SELECT sha256 FROM blob)"
    " FROM submission_attachment WHERE is_expected"
)
REPLICATED = (
    "SELECT op_id, origin, n, prev, kind, record_id, context, at, rank, account_id, form_id, version, changes,"
    " is_delete, xml, instance_id, attachments, cause_id FROM operation WHERE state = 'ready'"
)
WAITING = (
    "SELECT op_id FROM operation WHERE (state = 'held' OR why = 'set_aside') AND kind != 'form'"
    " AND (kind != 'entity' OR cause_id = '')"
)
"""What a record says of an entity waits in the numbers of its own server, and a form version for its bytes."""
VIEWS: Mapping[str, str] = {
    "submission": "SELECT instance_id, answers, version, conflicts, review_state, is_deleted, attachments_missing"
    " FROM submission",
    "conflict": "SELECT record_id, kind, path, siblings FROM conflict",
    "comment": "SELECT comment_id, instance_id, path, body FROM comment",
    "entity": "SELECT entity_id, list_name, label, data, conflicts, is_deleted, is_approved, heads, account_id,"
    " device_id FROM entity",
    "list": "SELECT name, settings FROM entity_list",
    "assignment": "SELECT assignment_id, form_id, assignee_id, entity_id, due, target, note, state, account_id,"
    " assigned_at, conflicts FROM assignment",
    "form": "SELECT form_id, version FROM form",
}


def _check_agreement(node: Node, other: Node) -> None:
    """I3, I19: both servers hold the same operations, each once, and show the same."""
    for name, query in {"operation": REPLICATED, "waiting": WAITING, **VIEWS}.items():
        here, there = ({_told(name, row) for row in one.rows(query)} for one in (node, other))
        differing = sorted(here ^ there, key=str)
        if differing:
            raise Broken(f"I3: the servers differ in {name}: {differing[:2]}")


def _told(name: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """When an instance came that says nothing of its time, each server saw for itself."""
    if name != "conflict":
        return tuple(row)
    sides = [(side["op"], side["value"], side["is_shown"]) for side in orjson.loads(row[-1])]
    return (*row[:-1], *sides)


def _check_feed(node: Node) -> None:
    """I2: numbers without a gap, one for each operation that takes part."""
    (head,) = node.rows("SELECT head FROM project")[0]
    feed = node.rows("SELECT seq, op_id FROM feed ORDER BY seq")
    ready = {row[0]: row[1] for row in node.rows("SELECT op_id, seq FROM operation WHERE state = 'ready'")}
    if [seq for seq, _op_id in feed] != list(range(1, head + 1)):
        raise Broken(f"I2: the feed of {node.name} has gaps")
    if {op_id: seq for seq, op_id in feed} != ready or len(feed) != len(ready):
        raise Broken(f"I2: the feed of {node.name} does not tell of each operation once")


def _check_nothing_waits(tablet: Tablet, truth: Truth) -> None:
    status = tablet.device.status()
    if status.waiting or status.refused:
        raise Broken(f"{tablet.name} still has {status.waiting} waiting and {status.refused} refused")
    if status.files_waiting:
        raise Broken(f"{tablet.name} still has {status.files_waiting} files")


def _is_revoked(tablet: Tablet, truth: Truth) -> bool:
    return tablet.device.membership().device_id in truth.revoked


def _check_put_aside(truth: Truth, node: Node) -> set[str]:
    """I8, I18: nothing is put aside without a reason of its own, and then its bytes are in the queue."""
    rows = node.rows("SELECT op_id, raw, why, device_id, state FROM inbox_item")
    for op_id, _raw, why, device_id, state in rows:
        made = truth.made.get(op_id)
        if state == "landed":
            raise Broken(f"I11: {op_id} has landed and was never judged")
        is_fair = made is None or made.may_be_put_aside
        is_fair |= why == "revoked_device" and device_id in truth.revoked
        is_fair |= why == "form_closed" and bool(truth.closed)
        if not is_fair:
            raise Broken(f"I8: {op_id} by {made.by if made else '?'} was put aside: {why}")
    return {row[0] for row in rows}


def _check_once(truth: Truth, kept: Mapping[str, Kept]) -> None:
    """I2, I19: nothing is there twice, by whichever ways it came."""
    # What nobody could read may still have marked its place.
    unknown = [op_id for op_id, one in kept.items() if op_id not in truth.made and one.state != "void"]
    if unknown:
        raise Broken(f"I2: nobody made {unknown}")
    released = Counter(one.xml for one in kept.values() if one.xml and not one.origin.startswith("r~"))
    double = [xml for xml, count in released.items() if count > 1]
    if double:
        raise Broken(f"I19: {double} is there twice")


def _check_waiting(truth: Truth, kept: Mapping[str, Kept], put_aside: set[str]) -> None:
    """I12, I13: an operation waits only for what has really not come."""
    here = {op_id for op_id, one in kept.items() if one.state != "held"} | put_aside
    for op_id, one in kept.items():
        made = truth.made.get(op_id)
        if made is not None and one.state == "held" and not made.may_wait and (made.seen is None or made.seen <= here):
            raise Broken(f"I12: {op_id} by {made.by} still waits: {one.why}")


def _shown(node: Node) -> dict[str, tuple[dict[str, str | None], bool]]:
    rows = node.rows("SELECT instance_id, answers, is_deleted FROM submission")
    return {row[0]: (flat(orjson.loads(row[1])), bool(row[2])) for row in rows}


def _conflicts(node: Node) -> dict[str, dict[str, set[str]]]:
    """By record: path -> the operations that clash there."""
    found: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for record_id, path, siblings in node.rows(
        "SELECT record_id, path, siblings FROM conflict WHERE kind = 'submission'"
    ):
        found[record_id][path] = {side["op"] for side in orjson.loads(siblings)}
    return found


def _check_record(
    truth: Truth,
    record_id: str,
    ops: Sequence[Kept],
    shown: tuple[dict[str, str | None], bool] | None,
    conflicts: Mapping[str, set[str]],
) -> None:
    """I4, I5: what is shown is what the truth asks for, and every write is shown, superseded or in an open conflict."""
    ready = sorted((one for one in ops if one.state == "ready"), key=lambda one: one.precedence)
    if not ready:
        if shown is not None:
            raise Broken(f"I5: {record_id} is shown, and nobody has written it")
        return
    if shown is None:
        raise Broken(f"I5: {record_id} is not shown")
    if any(truth.made[one.op_id].seen is None for one in ready):
        return
    wanted = expected(truth, ready, POLICIES, CALCULATED)
    if shown[1] != wanted.is_deleted:
        raise Broken(f"I5: {record_id} is deleted: {shown[1]}, and should be: {wanted.is_deleted}")
    gone = tuple(path for path, value in wanted.values.items() if path.endswith("/") and value is None)
    left = [path for path, value in shown[0].items() if value and path.startswith(gone)]
    if gone and left:
        raise Broken(f"I5: {record_id} shows {left}, which somebody has removed who had seen all of it")
    for path, value in wanted.values.items():
        if not path.startswith(FILE) and shown[0].get(path) != value:
            raise Broken(f"I5: {record_id} shows {path} = {shown[0].get(path)}, not {value}")
    if wanted.conflicts != conflicts:
        raise Broken(f"I5: {record_id} has the open conflicts {dict(conflicts)}, and should have {wanted.conflicts}")


def _check_photo(truth: Truth, node: Node, record_id: str, ops: Sequence[Kept]) -> None:
    """I5: of several photos of one name the one is shown that the truth asks for."""
    ready = [one for one in ops if one.state == "ready"]
    if any(truth.made[one.op_id].seen is None for one in ready):
        return
    wanted = expected(truth, ready, POLICIES, CALCULATED).values
    for name, sha256 in node.rows("SELECT name, sha256 FROM submission_attachment WHERE instance_id = ?", record_id):
        if wanted.get(FILE + name, sha256) != sha256 and name in wanted.values():
            raise Broken(f"I5: {record_id} shows {sha256} as {name}, not {wanted[FILE + name]}")


def _check_bytes_of_files(node: Node) -> None:
    """I15: a row means bytes that hash to its name."""
    for project_id, sha256 in node.rows("SELECT project_id, sha256 FROM blob"):
        file = node.folder / "blobs" / project_id / sha256[:2] / sha256
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            raise Broken(f"I15: {sha256} is not what its row says")


def _check_files(world: World) -> None:
    """I12: no record waits for a file for ever: only for what nobody has but a device that may not send any more."""
    out_of_reach, in_reach = set[str](), set[str]()
    for tablet in world.tablets:
        (out_of_reach if _is_revoked(tablet, world.truth) else in_reach).update(tablet.files())
    for node in world.nodes:
        in_reach |= {row[0] for row in node.rows("SELECT sha256 FROM blob")}
    for node in world.nodes:
        lacking: Counter[str] = Counter()
        for record_id, name, sha256, has_arrived, is_here in node.rows(EXPECTED):
            lacking[record_id] += not has_arrived
            if bool(has_arrived) != bool(is_here):
                raise Broken(f"I15: {node.name} says of {name} of {record_id} that it is here: {bool(has_arrived)}")
            if not is_here and sha256 not in out_of_reach - in_reach:
                raise Broken(f"I12: {record_id} on {node.name} waits for {name} for ever")
        told = dict(node.rows("SELECT instance_id, attachments_missing FROM submission WHERE attachments_missing > 0"))
        if told != +lacking:
            raise Broken(f"I12: {node.name} counts the files that it lacks as {told}, and lacks {lacking}")


def _check_reading(tablets: Sequence[Tablet], node: Node) -> None:
    """I7: who has read the feed page by page holds what somebody who reads it from the start gets."""
    repaired = node.rows("SELECT detail FROM event WHERE action = 'device.diverge'")
    if repaired:
        raise Broken(f"I7: a tablet held something else than the server had told it, in {repaired}")
    for tablet in tablets:
        token = tablet.device.store.setting("token")
        headers = {"Authorization": f"Bearer {token}"}
        reply = node.answer("GET", f"{BASE}/v1/projects/1/sync/pull?limit=500", headers, b"")
        told = orjson.loads(reply.body)["records"]
        whole = {(one["kind"], one["record"]): one for one in told}
        _check_told(whole.keys(), node, in_scope(node, token))
        rows = tablet.device.store.rows("SELECT kind, record_id, body FROM record")
        held = {(row[0], row[1]): _without_branch(orjson.loads(row[2])) for row in rows}
        if held != whole:
            differing = sorted(key for key in held.keys() | whole.keys() if held.get(key) != whole.get(key))
            raise Broken(f"I7: {tablet.name} holds something else than the server tells of {differing}")


def _check_told(told: Set[tuple[str, str]], node: Node, here: Set[tuple[str, str]]) -> None:
    """An enumerator is told of all entities in his or her scope, and of his or her own open assignments."""
    beside = {key for key in told if key[0] in ("entity", "assignment")}
    if beside != here:
        raise Broken(f"I7: {node.name} tells of {sorted(beside - here)} too much, and not of {sorted(here - beside)}")


def _without_branch(body: dict[str, Any]) -> dict[str, Any]:
    """A tablet draws it by itself."""
    return {name: value for name, value in body.items() if name != "branch"}
