"""Whom a device may be told of, by the rules of the lists: worked out apart from the servers' own reading of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from tests.simulator.node import Node

DEVICE = "SELECT device_id, account_id, properties FROM device WHERE token_sha256 = ?"
ENTITIES = "SELECT entity_id, list_name, data, device_id, account_id, is_approved FROM entity"
ASSIGNED = "SELECT assignment_id, entity_id FROM assignment WHERE state = 'open' AND assignee_id IN (?, ?)"


def in_scope(node: Node, token: str) -> set[tuple[str, str]]:
    """(kind, record) of the entities and assignments, deleted ones too."""
    ((device_id, account_id, told),) = node.rows(DEVICE, hashlib.sha256(token.encode()).hexdigest())
    assigned = node.rows(ASSIGNED, device_id, account_id)
    to_visit, own = {row[1] for row in assigned}, orjson.loads(told)
    rules = {name: orjson.loads(settings) for name, settings in node.rows("SELECT name, settings FROM entity_list")}
    found = {("assignment", row[0]) for row in assigned}
    for entity_id, list_name, data, made_on, made_by, is_approved in node.rows(ENTITIES):
        said = rules[list_name]
        waits = "approval" in said and not is_approved
        is_own = "owner_only" not in said or made_on == device_id or (made_by is not None and made_by == account_id)
        if not waits and (entity_id in to_visit or (is_own and _passes(said, orjson.loads(data), own))):
            found.add(("entity", entity_id))
    return found


def _passes(rules: Mapping[str, str], data: Mapping[str, str], own: Mapping[str, Any]) -> bool:
    asked = {path.removeprefix("filter/"): key for path, key in rules.items() if path.startswith("filter/")}
    return all(data.get(name, "") in own.get(key, "").split(", ") for name, key in asked.items())
