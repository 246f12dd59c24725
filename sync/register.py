"""Register: entity lists and their entities, made and changed by people: in the console, by REST, from a CSV file.

Each change of an entity is an operation, so that it is merged with what devices changed offline and reaches them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from forms.expression.names import nearest
from sync import access, author, entity_lists, form_table
from sync.access import Actor
from sync.apply_entities import LABEL
from sync.errors import NoSuchEntity
from sync.ledger import Act, open_ledger
from sync.lock import lock_project
from sync.models import Entity, EntityList, Project
from sync.place import place
from sync.record import record

LIST_NAME = re.compile(r"(?!__)[^\W\d][\w-]{0,99}")
PROPERTY_NAME = re.compile(r"(?!__)[^\W\d][\w.-]{0,99}")
"""XML names (ODK entities specification); two underscores at the start and the own columns are reserved."""

ID = "name"
"""The column of an entity's id in a CSV, as in the one that devices get."""
LONGEST_LABEL = 255
LARGEST_CSV = 16 * 2**20
MOST_ROWS = 50_000
MOST_FAULTS = 20


class BadListName(Problem):
    """This cannot be the name of a list. Use letters, digits, - and _; begin with a letter, not __."""

    slug = "entity/bad-list-name"


class ListTaken(Problem):
    """There is a list of this name already. Choose another name, or add to that list."""

    kind = Kind.CONFLICT
    slug = "entity/list-taken"


class BadProperty(Problem):
    """This cannot be a property. Use letters, digits, - and _; "name" and "label" are there already."""

    slug = "entity/bad-property"


class PropertyTaken(Problem):
    """This list has a property of this name already. Choose another name."""

    kind = Kind.CONFLICT
    slug = "entity/property-taken"


class NoSuchProperty(Problem):
    """This list has no such property. Correct the name, or add the property to the list first."""

    slug = "entity/no-such-property"


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


class BadCsv(Problem):
    """This CSV cannot be taken; nothing was changed. Correct what is listed and send it again."""

    slug = "entity/bad-csv"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entity as somebody writes it. None leaves the label as it is; a property that is "" is cleared."""

    label: str | None
    data: Mapping[str, str]
    entity_id: str = ""
    """"" has one made."""


class CsvFault(TypedDict):
    """What is wrong in a line of a file; the header is row 1."""

    row: int
    column: str
    value: str
    why: str
    """"no_such_property", "bad_property", "no_label", "id_twice", "no_such_entity"."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file did: entities by their number."""

    created: int
    updated: int
    unchanged: int


def create_list(
    session: Session, project: Project, name: str, properties: Iterable[str] = (), *, actor: Actor, now: datetime
) -> EntityList:
    """A new list without entities. Refuses NotAllowed, BadListName, ListTaken, BadProperty."""
    access.require(actor, "entity_list.create", project.project_id)
    if LIST_NAME.fullmatch(name) is None:
        raise BadListName(name[:100], field="name")
    named = [_property_name(one) for one in properties]
    lock_project(session, project.project_id)
    if session.get(EntityList, (project.project_id, name)) is not None:
        raise ListTaken(name, field="name")
    made = entity_lists.ensure_list(session, project.project_id, name, named, now=now)
    _note(session, "entity_list.create", project, ("entity_list", name), {"properties": named}, actor, now)
    return made


def add_property(
    session: Session, project: Project, list_name: str, name: str, *, actor: Actor, now: datetime
) -> EntityList:
    """The list has one more property. Refuses NotAllowed, NoSuchList, BadProperty, PropertyTaken."""
    access.require(actor, "entity_list.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    if _property_name(name) in found.properties:
        raise PropertyTaken(name, field="name")
    changed = entity_lists.ensure_list(session, project.project_id, list_name, [name], now=now)
    _note(session, "entity_list.update", project, ("entity_list", list_name), {"property": name}, actor, now)
    return changed


def create(
    session: Session, project: Project, list_name: str, entries: Sequence[Entry], *, actor: Actor, now: datetime
) -> list[Entity]:
    """The new entities, all or none, in their order.

    Refuses NotAllowed, NoSuchList, NoLabel, NoSuchProperty, BadEntityId, EntityTaken."""
    access.require(actor, "entity.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    for entry in entries:
        _require_properties(found, entry.data)
        if not _label(entry.label or ""):
            raise NoLabel(field="label")
    lock_project(session, project.project_id)
    ids = [_new_id(entry.entity_id) for entry in entries]
    taken = _known(session, project, ids)
    if taken or len(set(ids)) < len(ids):
        raise EntityTaken(next(iter(taken), ids[-1]))
    changes = {
        entity_id: {LABEL: _label(entry.label or ""), **_filled(entry.data)}
        for entity_id, entry in zip(ids, entries, strict=True)
    }
    _write(session, project, list_name, changes, actor=actor, now=now)
    for entity_id, entry in zip(ids, entries, strict=True):
        _note(session, "entity.create", project, ("entity", entity_id), {"label": entry.label}, actor, now)
    made = _known(session, project, ids)
    return [made[entity_id] for entity_id in ids]


def update(
    session: Session, found: Entity, entry: Entry, *, base_version: int | None = None, actor: Actor, now: datetime
) -> Entity:
    """The entity says what is new in `entry`; what it does not name stays.

    `base_version` is the one that the author saw, None whichever stands now. Refuses NotAllowed, StaleEntity,
    NoSuchEntity when it is gone, NoLabel, NoSuchProperty."""
    access.require(actor, "entity.update", found.project_id)
    project = session.get_one(Project, found.project_id)
    _require_properties(entity_lists.named(session, project, found.list_name), entry.data)
    if entry.label is not None and not _label(entry.label):
        raise NoLabel(field="label")
    lock_project(session, found.project_id)
    session.refresh(found)
    if found.is_deleted:
        raise NoSuchEntity(found.entity_id)
    if base_version not in (None, found.version):
        raise StaleEntity(current=found.version, provided=base_version)
    changes = _difference(found, entry)
    if changes:
        _write(session, project, found.list_name, {found.entity_id: changes}, actor=actor, now=now)
        session.refresh(found)
        _note(session, "entity.update", project, ("entity", found.entity_id), {"changes": changes}, actor, now)
    return found


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
    _note(session, "entity.delete", project, ("entity", found.entity_id), {"label": found.label}, actor, now)


def take_csv(
    session: Session,
    project: Project,
    list_name: str,
    content: bytes,
    *,
    with_new_columns: bool = False,
    actor: Actor,
    now: datetime,
) -> Taken:
    """A row is an entity: `label`, and a column for each property; `name` is the id of one that is to be changed.

    An empty cell of a known entity clears the property. Columns that the list does not have are refused, unless they
    are to become properties. Refuses NotAllowed, NoSuchList and BadCsv, which lists what is wrong by row; then
    nothing has changed."""
    access.require(actor, "entity.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    rows = _rows(content)
    columns = [column for column in rows[0] if column not in entity_lists.OWN_COLUMNS]
    faults = _bad_columns(columns, None if with_new_columns else found.properties)
    lock_project(session, project.project_id)
    known = _known(session, project, [row.get(ID, "").lower() for row in rows])
    faults += _bad_rows(rows, known, list_name)
    if faults:
        raise BadCsv(faults=faults[:MOST_FAULTS])
    entity_lists.ensure_list(session, project.project_id, list_name, columns, now=now)
    changes = _changes_of_rows(rows, columns, known)
    created = sum(1 for entity_id in changes if entity_id not in known)
    _write(session, project, list_name, changes, actor=actor, now=now)
    taken = Taken(created, len(changes) - created, len(rows) - len(changes))
    detail = {"created": taken.created, "updated": taken.updated}
    _note(session, "entity.import", project, ("entity_list", list_name), detail, actor, now)
    return taken


def _write(
    session: Session,
    project: Project,
    list_name: str,
    changes: Mapping[str, Mapping[str, str | None]],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """An operation for each entity, by this server's hand, on what stands now."""
    ledger = open_ledger(session, project.project_id, now=now)
    ledger.load_records(["entity"], changes)
    for entity_id, changed in changes.items():
        row = author.own_row(
            ledger,
            kind="entity",
            record_id=entity_id,
            actor=actor,
            context=None,
            changes=dict(changed),
            form_id=list_name,
        )
        act = Act(row)
        ledger.add(act)
        place(ledger, act)
    ledger.write()
    session.refresh(project, ["head"])
    session.expire_all()


def _known(session: Session, project: Project, ids: Sequence[str]) -> dict[str, Entity]:
    found: dict[str, Entity] = {}
    for start in range(0, len(ids), 500):
        part = [one for one in ids[start : start + 500] if one]
        rows = session.scalars(
            select(Entity).where(Entity.project_id == project.project_id, Entity.entity_id.in_(part))
        )
        found.update((row.entity_id, row) for row in rows)
    return found


def _difference(found: Entity, entry: Entry) -> dict[str, str | None]:
    changes: dict[str, str | None] = {}
    if entry.label is not None and _label(entry.label) != found.label:
        changes[LABEL] = _label(entry.label)
    for name, value in entry.data.items():
        if (found.data.get(name) or "") != value:
            changes[name] = value or None
    return changes


def _filled(data: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in data.items() if value}


def _label(text: str) -> str:
    label = " ".join(text.split())
    return label if len(label) <= LONGEST_LABEL else ""


def _property_name(name: str) -> str:
    if PROPERTY_NAME.fullmatch(name) is None or name.lower() in (ID, LABEL):
        raise BadProperty(name[:100], field="name")
    return name


def _require_properties(found: EntityList, data: Mapping[str, str]) -> None:
    for name in data:
        if name not in found.properties:
            raise NoSuchProperty(f"{name[:100]}{nearest(name, map(str, found.properties))}", field=name[:100])


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


def _rows(content: bytes) -> Sequence[Mapping[str, str]]:
    if len(content) > LARGEST_CSV:
        raise BadCsv(f"{len(content)} > {LARGEST_CSV}")
    try:
        rows = form_table.table("entities.csv", content).rows
    except (ValueError, Problem) as error:
        raise BadCsv(str(error)[:200]) from error
    if not rows or LABEL not in rows[0]:
        raise BadCsv(LABEL)
    if len(rows) > MOST_ROWS:
        raise BadCsv(f"{len(rows)} > {MOST_ROWS}")
    return rows


def _bad_columns(columns: Iterable[str], known: Sequence[object] | None) -> list[CsvFault]:
    """Columns that cannot be a property, or that are none of the `known` ones."""
    faults = []
    for column in columns:
        is_name = PROPERTY_NAME.fullmatch(column) is not None and column.lower() not in (ID, LABEL)
        if not is_name or (known is not None and column not in known):
            faults.append(_fault(1, column, "", "no_such_property" if is_name else "bad_property"))
    return faults


def _bad_rows(rows: Sequence[Mapping[str, str]], known: Mapping[str, Entity], list_name: str) -> list[CsvFault]:
    faults, seen = [], set()
    for number, row in enumerate(rows, 2):
        id_ = row.get(ID, "").strip().lower()
        if not _label(row.get(LABEL, "")):
            faults.append(_fault(number, LABEL, row.get(LABEL, ""), "no_label"))
        if id_ and id_ in seen:
            faults.append(_fault(number, ID, id_, "id_twice"))
        elif id_ and (id_ not in known or known[id_].list_name != list_name or known[id_].is_deleted):
            faults.append(_fault(number, ID, id_, "no_such_entity"))
        seen.add(id_)
    return faults


def _fault(row: int, column: str, value: str, why: str) -> CsvFault:
    return {"row": row, "column": column[:100], "value": value[:100], "why": why}


def _changes_of_rows(
    rows: Iterable[Mapping[str, str]], columns: Sequence[str], known: Mapping[str, Entity]
) -> dict[str, Mapping[str, str | None]]:
    changes: dict[str, Mapping[str, str | None]] = {}
    for row in rows:
        entry = Entry(row[LABEL], {column: row.get(column, "").strip() for column in columns})
        id_ = row.get(ID, "").strip().lower()
        if not id_:
            changes[str(uuid.uuid4())] = {LABEL: _label(row[LABEL]), **_filled(entry.data)}
        elif changed := _difference(known[id_], entry):
            changes[id_] = changed
    return changes


def _note(
    session: Session,
    action: str,
    project: Project,
    target: tuple[str, str],
    detail: Mapping[str, object],
    actor: Actor,
    now: datetime,
) -> None:
    record(session, action, actor=actor, at=now, project_id=project.project_id, target=target, detail=dict(detail))
