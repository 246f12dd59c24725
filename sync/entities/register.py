"""Register: entities made and changed by people, in the console and by REST.

Each change of an entity is an operation, so that it is merged with what devices changed offline and reaches them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from forms.expression.names import nearest
from sync import access, author
from sync.access import Actor
from sync.entities import entity_lists, list_rules
from sync.entities.apply import LABEL
from sync.errors import NoSuchEntity, NoSuchProperty
from sync.ledger import Act, open_ledger
from sync.lock import lock_project
from sync.models import Entity, EntityList, EntityVersion, Project
from sync.place import place
from sync.record import record

LONGEST_LABEL = 255
NOTHING: Mapping[str, Mapping[str, int]] = {}


class BadValue(Problem):
    """This value does not fit the type of its property. Correct it, or change the type in the settings of the list."""

    slug = "entity/bad-value"


class NoLabel(Problem):
    """An entity needs a label, by which people know it. Write one of at most 255 characters."""

    slug = "entity/no-label"


class BadEntityId(Problem):
    """The id of an entity is a random UUID (version 4): devices drop any other. Leave it out to have one made."""

    slug = "entity/bad-id"


class EntityTaken(Problem):
    """There is an entity of this id already. Change that one, or leave the id out to have a new one made."""

    kind = Kind.CONFLICT
    slug = "entity/taken"


class StaleEntity(Problem):
    """Somebody changed this entity meanwhile. Look at what it says now, then make your change again."""

    kind = Kind.CONFLICT
    slug = "entity/stale"


class NoBaseVersion(Problem):
    """This change does not say which version it was made on. Add ?baseVersion= with the version that you saw, or
    ?force=true."""

    kind = Kind.CONFLICT
    slug = "entity/no-base-version"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entity as somebody writes it. None leaves the label as it is; a property that is "" is cleared."""

    label: str | None
    data: Mapping[str, str]
    entity_id: str = ""
    """"" has one made."""


def create(
    session: Session, project: Project, list_name: str, entries: Sequence[Entry], *, actor: Actor, now: datetime
) -> list[Entity]:
    """The new entities, all or none, in their order.

    Refuses NotAllowed, NoSuchList, NoLabel, NoSuchProperty, BadValue, BadEntityId, EntityTaken."""
    access.require(actor, "entity.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    for entry in entries:
        _require_properties(found, entry.data)
        _require_fitting(found, entry.data)
        if not label_of(entry.label or ""):
            raise NoLabel(field="label")
    lock_project(session, project.project_id)
    ids = [_new_id(entry.entity_id) for entry in entries]
    taken = known(session, project, ids)
    if taken or len(set(ids)) < len(ids):
        raise EntityTaken(next(iter(taken), ids[-1]))
    changes = {
        entity_id: {LABEL: label_of(entry.label or ""), **filled(entry.data)}
        for entity_id, entry in zip(ids, entries, strict=True)
    }
    write(session, project, list_name, changes, actor=actor, now=now)
    for entity_id, entry in zip(ids, entries, strict=True):
        note(session, "entity.create", project, ("entity", entity_id), {"label": entry.label}, actor, now)
    made = known(session, project, ids)
    return [made[entity_id] for entity_id in ids]


def update(
    session: Session,
    found: Entity,
    entry: Entry,
    *,
    base_version: int | None = None,
    merges: bool = False,
    actor: Actor,
    now: datetime,
) -> Entity:
    """The entity says what is new in `entry`; what it does not name stays.

    `base_version` is the one that the author saw, None whichever stands now. When that is another one by now, the
    change is refused, or with `merges` merged with what the author had not seen. Refuses NotAllowed, StaleEntity,
    NoSuchEntity when it is gone, NoLabel, NoSuchProperty, and BadValue for what is new."""
    access.require(actor, "entity.update", found.project_id)
    project = session.get_one(Project, found.project_id)
    in_list = entity_lists.named(session, project, found.list_name)
    _require_properties(in_list, entry.data)
    if entry.label is not None and not label_of(entry.label):
        raise NoLabel(field="label")
    lock_project(session, found.project_id)
    session.refresh(found)
    if found.is_deleted:
        raise NoSuchEntity(found.entity_id)
    version = found.version if base_version is None else base_version
    seen = as_seen(session, project, {found.entity_id: version} if merges else {}).get(found.entity_id)
    if version != found.version and seen is None:
        raise StaleEntity(current=found.version, provided=base_version)
    changes = difference(seen or found, entry)
    _require_fitting(in_list, {name: value or "" for name, value in changes.items()})
    if changes:
        bases = {} if seen is None else {found.entity_id: seen.vector}
        write(session, project, found.list_name, {found.entity_id: changes}, bases=bases, actor=actor, now=now)
        session.refresh(found)
        note(session, "entity.update", project, ("entity", found.entity_id), {"changes": changes}, actor, now)
    return found


def agree(session: Session, found: Entity, *, actor: Actor, now: datetime) -> None:
    """What stands is right, although people changed it without seeing each other; open conflicts stay open.

    Refuses NotAllowed, NoSuchEntity when it is gone."""
    access.require(actor, "conflict.resolve", found.project_id)
    lock_project(session, found.project_id)
    session.refresh(found)
    if found.is_deleted:
        raise NoSuchEntity(found.entity_id)
    if found.heads < 2:
        return
    project = session.get_one(Project, found.project_id)
    write(session, project, found.list_name, {found.entity_id: {}}, actor=actor, now=now)
    session.refresh(found)
    note(session, "entity.agree", project, ("entity", found.entity_id), {"label": found.label}, actor, now)


def delete(session: Session, found: Entity, *, actor: Actor, now: datetime) -> None:
    """Devices drop the entity; its history stays. Refuses NotAllowed, NoSuchEntity when it is gone already."""
    access.require(actor, "entity.delete", found.project_id)
    lock_project(session, found.project_id)
    session.refresh(found)
    if found.is_deleted:
        raise NoSuchEntity(found.entity_id)
    project = session.get_one(Project, found.project_id)
    author.write(
        session,
        project,
        kind="entity",
        record_id=found.entity_id,
        changes={},
        is_delete=True,
        actor=actor,
        now=now,
        form_id=found.list_name,
    )
    session.refresh(found)
    note(session, "entity.delete", project, ("entity", found.entity_id), {"label": found.label}, actor, now)


def write(
    session: Session,
    project: Project,
    list_name: str,
    changes: Mapping[str, Mapping[str, str | None]],
    *,
    bases: Mapping[str, Mapping[str, int]] = NOTHING,
    actor: Actor,
    now: datetime,
) -> None:
    """An operation for each entity, by this server's hand: on what stands now, or on the state with the vector in
    `bases`, which its author saw."""
    ledger = open_ledger(session, project.project_id, now=now)
    ledger.load_records(["entity"], changes)
    for entity_id, changed in changes.items():
        row = author.own_row(
            ledger,
            kind="entity",
            record_id=entity_id,
            actor=actor,
            context=bases.get(entity_id),
            changes=dict(changed),
            form_id=list_name,
        )
        act = Act(row)
        ledger.add(act)
        place(ledger, act)
    ledger.write()
    session.refresh(project, ["head"])
    session.expire_all()


def known(session: Session, project: Project, ids: Sequence[str]) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    for start in range(0, len(ids), 500):
        part = [one for one in ids[start : start + 500] if one]
        rows = session.scalars(
            select(Entity).where(Entity.project_id == project.project_id, Entity.entity_id.in_(part))
        )
        found.update((row.entity_id, row) for row in rows)
    return found


def as_seen(session: Session, project: Project, versions: Mapping[str, int]) -> dict[str, EntityVersion]:
    """These versions of these entities; those that are not known here are left out."""
    wanted = list(versions)
    found: dict[str, EntityVersion] = {}
    for start in range(0, len(wanted), 500):
        mine = EntityVersion.project_id == project.project_id, EntityVersion.entity_id.in_(wanted[start : start + 500])
        rows = session.scalars(select(EntityVersion).where(*mine))
        found.update((row.entity_id, row) for row in rows if row.version == versions[row.entity_id])
    return found


def difference(found: Entity | EntityVersion, entry: Entry) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    if entry.label is not None and label_of(entry.label) != found.label:
        changes[LABEL] = label_of(entry.label)
    for name, value in entry.data.items():
        if (found.data.get(name) or "") != value:
            changes[name] = value or None
    return changes


def filled(data: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in data.items() if value}


def label_of(text: str) -> str:
    label = " ".join(text.split())
    return label if len(label) <= LONGEST_LABEL else ""


def _require_properties(found: EntityList, data: Mapping[str, str]) -> None:
    for name in data:
        if name not in found.properties:
            raise NoSuchProperty(f"{name[:100]}{nearest(name, map(str, found.properties))}", field=name[:100])


def _require_fitting(found: EntityList, data: Mapping[str, str]) -> None:
    rules = list_rules.read(found.settings)
    for name, value in data.items():
        misfit = rules.of(name).misfit(value)
        if misfit:
            choices = list(rules.of(name).choices)
            members = {"property": name, "value": value[:100], "why": misfit}
            told = f"{name}: {value[:100]!r} is not {', '.join(choices)}" if choices else f"{name}: {value[:100]!r}"
            raise BadValue(f"{told} ({misfit})", field=name, **members, **({"choices": choices} if choices else {}))


def _new_id(wanted: str) -> str:
    if not wanted:
        return str(uuid.uuid4())
    try:
        id_ = uuid.UUID(wanted)
    except ValueError:
        raise BadEntityId(wanted[:100], field="uuid") from None
    if id_.version != 4:
        raise BadEntityId(wanted[:100], field="uuid")
    return str(id_)


def note(
    session: Session,
    action: str,
    project: Project,
    target: tuple[str, str],
    detail: Mapping[str, object],
    actor: Actor,
    now: datetime,
) -> None:
    record(session, action, actor=actor, at=now, project_id=project.project_id, target=target, detail=dict(detail))
