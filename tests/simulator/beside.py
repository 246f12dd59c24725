"""What stands beside the records: entities and their lists, assignments, reviews and comments. Each is held against the
truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

import orjson

from tests.simulator.expected import Expected, expected, saw
from tests.simulator.kept import Kept
from tests.simulator.node import Node
from tests.simulator.truth import Broken, Key, Truth

Records: TypeAlias = Mapping[Key, Sequence[Kept]]
OPENED = "SELECT kind, record_id, path, siblings FROM conflict WHERE kind != 'submission'"
LABEL = "label"


def check_beside(truth: Truth, node: Node, records: Records) -> None:
    """I4, I5 for all that is not a submission."""
    there = Beside(truth, node, {key: [one for one in ops if one.state == "ready"] for key, ops in records.items()})
    settings = {name: there.settings(name) for kind, name in records if kind == "list"}
    stands = {row[0]: orjson.loads(row[1]) for row in node.rows("SELECT name, settings FROM entity_list")}
    for name in settings.keys() | stands.keys():
        _same(node, "list", name, stands.get(name), settings.get(name, {}))
    there.check_entities(settings)
    there.check_assignments()
    there.check_reviews()
    there.check_comments()


class Beside:
    """One server's records of these kinds, by the operations that take part in them."""

    def __init__(self, truth: Truth, node: Node, ready: Records) -> None:
        self.truth, self.node, self.ready = truth, node, ready
        self.known = {row[0] for row in node.rows("SELECT op_id FROM operation WHERE kind = 'entity'")}
        self.opened: dict[Key, dict[str, set[str]]] = {}
        for kind, record_id, path, siblings in node.rows(OPENED):
            sides = {side["op"] for side in orjson.loads(siblings)}
            self.opened.setdefault((kind, record_id), {})[path] = sides
        aliases = "SELECT alias, instance_id FROM submission_alias"
        self.roots: Mapping[str, str] = dict(node.rows(aliases))

    def of(self, kind: str) -> Mapping[str, Sequence[Kept]]:
        return {key[1]: ops for key, ops in self.ready.items() if key[0] == kind and ops}

    def settings(self, name: str) -> dict[str, str]:
        """What people declared last about a list."""
        ops = self.ready["list", name]
        wanted = expected(self.truth, ops, dict.fromkeys({path for one in ops for path in one.changes}, "latest"))
        return {path: value for path, value in wanted.values.items() if value is not None}

    def check_entities(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        shown = {row[0]: row[1:] for row in self.node.rows(ENTITIES)}
        _same(self.node, "entities", "all", set(shown), set(self.of("entity")))
        made = [one for ops in self.of("submission").values() for one in ops]
        said = [(one.op_id, said) for one in made for said in self.truth.said.get(one.op_id, ())]
        wanted_ops = {self.truth.operation_of(*one) for one in said}
        # It waits in the numbers of its own server, unknown to the other, for what is in quarantine there, or lost.
        numbered = self.truth.by_number
        wanted_ops -= {one for one in numbered if self.truth.closed or self.truth.made[one].may_wait}
        _same(self.node, "what records said of entities, lost", "all", wanted_ops - self.known, set())
        for entity_id, ops in self.of("entity").items():
            if any(self.truth.made[one.op_id].seen is None for one in ops):
                continue
            list_name, label, data, version, is_deleted, is_approved = shown[entity_id]
            rules = settings.get(list_name, {})
            policies = {path[6:]: value for path, value in rules.items() if path.startswith("merge/")}
            wanted = expected(self.truth, ops, policies)
            stands = orjson.loads(data) | {LABEL: label}
            said = {path: value for path, value in wanted.values.items() if value is not None}
            _same(self.node, "entity", entity_id, stands, {LABEL: entity_id} | said)
            _same(self.node, "entity", entity_id, bool(is_deleted), wanted.is_deleted)
            said_something = len(ops) + self._changes_of_rules(list_name, self._contested(ops))
            # After a restore a server goes on beyond all numbers that it may have given out in the life that was lost.
            is_right = version - said_something in {0, *(epoch for (epoch,) in self.node.rows(EPOCHS))}
            _same(self.node, "version of entity", entity_id, version, version if is_right else said_something)
            self._check_conflicts(("entity", entity_id), wanted)
            _same(self.node, "approved entity", entity_id, bool(is_approved), self._is_approved(ops))
            self._check_said(ops)

    def _check_said(self, ops: Sequence[Kept]) -> None:
        """Whatever a record said and no operation holds was there already, before its author's eyes."""
        for one in ops:
            for said in self.truth.said.get(one.cause_id, ()):
                if said.entity_id != one.record_id:
                    continue
                before = [other for other in ops if other.op_id in said.seen]
                for path, value in said.values.items():
                    written = {other.changes[path] or "" for other in before if path in other.changes}
                    if one.changes.get(path, value) != (value or None) and one.changes.get(path, value) != value:
                        raise Broken(f"I5: {one.op_id} said {path} = {value}, and is kept as {one.changes}")
                    if path not in one.changes and len(written) == 1 and value not in written:
                        raise Broken(f"I5: {one.op_id} said {path} = {value}, which {self.node.name} has dropped")

    def _contested(self, ops: Sequence[Kept]) -> set[str]:
        """What two people have written without seeing each other."""
        pairs = combinations(ops, 2)
        apart = [(one, two) for one, two in pairs if not saw(self.truth, one, two) and not saw(self.truth, two, one)]
        return {path for one, two in apart for path in one.changes.keys() & two.changes.keys()}

    def _changes_of_rules(self, list_name: str, contested: set[str]) -> int:
        """How often somebody changed how such values are merged: a device is to read the entity anew."""
        declared = ([path[6:] for path in one.changes if path.startswith("merge/")] for one in self.of_list(list_name))
        return sum(1 for names in declared if contested & set(names))

    def of_list(self, name: str) -> Sequence[Kept]:
        return self.ready.get(("list", name), ())

    def _is_approved(self, ops: Sequence[Kept]) -> bool:
        if any(not one.cause_id and one.changes for one in ops):
            return True
        first = [one for one in ops if not self.truth.made[one.op_id].seen]
        return any(self._was_approved(one.instance_id) for one in first)

    def _was_approved(self, instance_id: str) -> bool:
        reviews = self._reviews(self.roots.get(instance_id, instance_id))
        judged = expected(self.truth, reviews, {}).values.get("state")
        return judged != "rejected" and any(one.changes.get("state") == "approved" for one in reviews)

    def _reviews(self, record_id: str) -> list[Kept]:
        return list(self.ready.get(("review", record_id), ()))

    def check_assignments(self) -> None:
        shown = {row[0]: row[1:] for row in self.node.rows(ASSIGNMENTS)}
        _same(self.node, "assignments", "all", set(shown), set(self.of("assignment")))
        for assignment_id, ops in self.of("assignment").items():
            wanted = expected(self.truth, ops, {})
            told = {path: value or "" for path, value in wanted.values.items()}
            said = tuple(
                told.get(path, "") for path in ("form", "assignee", "entity", "due", "note", "state", "target")
            )
            *stands, target = shown[assignment_id]
            _same(self.node, "assignment", assignment_id, (*stands, str(target)), said)
            self._check_conflicts(("assignment", assignment_id), wanted)

    def check_reviews(self) -> None:
        """What was decided stands as long as whoever decided it had seen all that is written."""
        for record_id, stands in self.node.rows("SELECT instance_id, review_state FROM submission"):
            written = {one.op_id for one in self.ready.get(("submission", record_id), ())}
            reviews = self._reviews(record_id)
            wanted = "received" if len(written) == 1 else "edited"
            if reviews:
                state = expected(self.truth, reviews, {}).values["state"]
                last = max((one for one in reviews if self._decides(one, reviews)), key=lambda one: one.precedence)
                wanted = str(state) if written <= self.truth.made[last.op_id].judged else "edited"
            _same(self.node, "review", record_id, stands, wanted)

    def _decides(self, one: Kept, reviews: Sequence[Kept]) -> bool:
        return not any(saw(self.truth, other, one) for other in reviews)

    def check_comments(self) -> None:
        stands = {row[0]: row[1:] for row in self.node.rows("SELECT comment_id, instance_id, path, body FROM comment")}
        for comment_id, (one, *_more) in self.of("comment").items():
            about = str(one.changes["submission"])
            wanted = (self.roots.get(about, about), one.changes["path"] or "", one.changes["body"])
            _same(self.node, "comment", comment_id, stands.pop(comment_id, None), wanted)
        _same(self.node, "comments", "more", stands, {})

    def _check_conflicts(self, key: Key, wanted: Expected) -> None:
        _same(self.node, "open conflicts", key[1], self.opened.get(key, {}), wanted.conflicts)


def _same(node: Node, what: str, of: str, stands: Any, wanted: Any) -> None:
    if stands != wanted:
        raise Broken(f"I5: {what} {of} on {node.name} is {stands}, and should be {wanted}")


EPOCHS = "SELECT epoch FROM epoch"
ENTITIES = "SELECT entity_id, list_name, label, data, version, is_deleted, is_approved FROM entity"
ASSIGNMENTS = "SELECT assignment_id, form_id, assignee_id, entity_id, due, note, state, target FROM assignment"
