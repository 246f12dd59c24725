"""Whose entities somebody sees: all, only those that he or she registered, or only those of a certain place.

Devices get what the list's rules and their own properties leave them; who may list submissions sees everything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from sync import access
from sync.access import Actor
from sync.entities import list_rules
from sync.entities.list_rules import ListRules
from sync.models import Assignment, Device, Entity, EntityList, EntityVersion


@dataclass(frozen=True, slots=True)
class EntityScope:
    """What one reader may see. `properties` are those of the device: "rt" -> "03, 04".

    Whom somebody is to visit is in his or her scope, whatever the rules leave."""

    sees_all: bool = True
    device_id: str | None = None
    account_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    assigned: frozenset[str] = frozenset()
    """The entities that the reader's open assignments are about."""

    def where(self, one: EntityList) -> list[ColumnElement[bool]]:
        """The conditions on entities of this list; what waits for approval is in nobody's scope."""
        rules = list_rules.read(one.settings)
        settled = served(rules)
        if self.sees_all:
            return settled
        conditions: list[ColumnElement[bool]] = []
        if rules.is_owner_only:
            own = [Entity.device_id == self.device_id] if self.device_id else []
            own += [Entity.account_id == self.account_id] if self.account_id else []
            conditions.append(or_(*own) if own else Entity.entity_id.is_(None))
        for name, key in rules.filters.items():
            said = func.coalesce(Entity.data[name].as_string(), "")
            conditions.append(said.in_(self._values(key)))
        if self.assigned and conditions:
            return [*settled, or_(Entity.entity_id.in_(sorted(self.assigned)), and_(*conditions))]
        return [*settled, *conditions]

    def includes(self, rules: ListRules, entity: Entity) -> bool:
        """Whether the entity is among what `where` finds."""
        is_left = self._owns(rules, entity) and self._passes(rules, entity.data)
        is_settled = entity.is_approved or not rules.needs_approval
        return is_settled and (is_left or entity.entity_id in self.assigned)

    def may_have_had(self, rules: ListRules, entity: Entity, versions: Iterable[EntityVersion]) -> bool:
        """Whether the entity was in scope at some time, so that the reader must be told to drop it."""
        return self._owns(rules, entity) and any(self._passes(rules, one.data) for one in versions)

    def word(self, lists: Iterable[EntityList]) -> str:
        """What of the rules touches this reader: another word is another scope. "" when none does."""
        read = [(one.name, list_rules.read(one.settings)) for one in lists]
        approval = " ".join(sorted(name for name, rules in read if rules.needs_approval))
        return f"{approval} {self._restrictions(read)}".strip()

    def _restrictions(self, read: Iterable[tuple[str, ListRules]]) -> str:
        if self.sees_all:
            return ""
        restricted = " ".join(
            f"{name} {rules.is_owner_only} {[(path, key, self._values(key)) for path, key in rules.filters.items()]}"
            for name, rules in read
            if rules.is_owner_only or rules.filters
        )
        return f"{restricted} {sorted(self.assigned)}" if restricted and self.assigned else restricted

    def _owns(self, rules: ListRules, entity: Entity) -> bool:
        if self.sees_all or not rules.is_owner_only:
            return True
        by_device = self.device_id is not None and entity.device_id == self.device_id
        return by_device or (self.account_id is not None and entity.account_id == self.account_id)

    def _passes(self, rules: ListRules, data: Mapping[str, Any]) -> bool:
        if self.sees_all:
            return True
        return all(str(data.get(name) or "") in self._values(key) for name, key in rules.filters.items())

    def _values(self, key: str) -> list[str]:
        said = str(self.properties.get(key) or "")
        return [value for one in said.split(",") if (value := one.strip())]


def served(rules: ListRules) -> list[ColumnElement[bool]]:
    """The conditions on entities that nobody's approval keeps back."""
    return [Entity.is_approved.is_(True)] if rules.needs_approval else []


def scope_of(session: Session, project_id: str, actor: Actor, device: Device | None = None) -> EntityScope:
    """What the actor may see of the project's entity lists."""
    if access.may(actor, "submission.list", project_id):
        return EntityScope()
    if device is None and actor.device_id:
        device = session.get(Device, (project_id, actor.device_id))
    return EntityScope(
        sees_all=False,
        device_id=device.device_id if device is not None else None,
        account_id=actor.account_id,
        properties=device.properties if device is not None else {},
        assigned=_assigned(session, project_id, device.device_id if device is not None else "", actor.account_id or ""),
    )


def _assigned(session: Session, project_id: str, *assignee_ids: str) -> frozenset[str]:
    found = select(Assignment.entity_id).where(
        Assignment.project_id == project_id,
        Assignment.assignee_id.in_([one for one in assignee_ids if one]),
        Assignment.state == "open",
        Assignment.entity_id != "",
    )
    return frozenset(session.scalars(found))
