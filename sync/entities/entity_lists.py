"""Entity lists: registries that submissions fill and forms look up."""

from __future__ import annotations

import csv as csv_
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, String, and_, cast, func, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from forms.definition import FormDefinition
from forms.expression.table import Table
from sync.entities import list_rules
from sync.entities.scope import EntityScope, served
from sync.errors import NoSuchEntity, NoSuchList
from sync.models import Entity, EntityList, EntityVersion, FormAttachment, Project

EVERYTHING = EntityScope()
OWN_COLUMNS = ("name", "label", "__version")
"""What every entity has in a CSV for devices (ODK entities specification); properties follow."""


def ensure_list(
    session: Session, project_id: str, name: str, properties: Iterable[str] = (), *, now: datetime
) -> EntityList:
    """The list, made if it was not there, with these properties added at the end."""
    found = session.scalar(_locked(project_id, name)) or _make(session, project_id, name, now)
    added = [one for one in dict.fromkeys(properties) if one not in found.properties]
    if added:
        found.properties = [*found.properties, *added]
        session.flush()
    return found


def lists(session: Session, project: Project) -> list[EntityList]:
    """The lists of the project by name."""
    return list(
        session.scalars(select(EntityList).where(EntityList.project_id == project.project_id).order_by(EntityList.name))
    )


def counts(session: Session, project: Project) -> dict[str, int]:
    """How many entities each list has."""
    rows = session.execute(
        select(Entity.list_name, func.count())
        .where(Entity.project_id == project.project_id, Entity.is_deleted.is_(False))
        .group_by(Entity.list_name)
    )
    return dict(rows.all())


def count_waiting(session: Session, found: EntityList) -> int:
    """How many entities of the list wait for an approval."""
    if not list_rules.read(found.settings).needs_approval:
        return 0
    mine = (*_of(found.project_id, found.name), Entity.is_deleted.is_(False), Entity.is_approved.is_(False))
    return session.scalar(select(func.count()).select_from(Entity).where(*mine)) or 0


def named(session: Session, project: Project, name: str) -> EntityList:
    """Refuses NoSuchList."""
    found = session.get(EntityList, (project.project_id, name))
    if found is None:
        raise NoSuchList(name)
    return found


def entities(
    session: Session,
    project: Project,
    list_name: str,
    *,
    text: str = "",
    has_conflicts: bool | None = None,
    with_deleted: bool = False,
    is_waiting: bool | None = None,
    scope: EntityScope = EVERYTHING,
    limit: int | None = None,
    offset: int = 0,
) -> list[Entity]:
    """The entities of a list by label. Refuses NoSuchList."""
    chosen = named(session, project, list_name)
    found = select(Entity).where(Entity.project_id == project.project_id, Entity.list_name == list_name)
    if not with_deleted:
        found = found.where(Entity.is_deleted.is_(False))
    if not scope.sees_all:
        found = found.where(*scope.where(chosen))
    if is_waiting is not None:
        settled = and_(*served(list_rules.read(chosen.settings)), true())
        found = found.where(~settled if is_waiting else settled)
    if has_conflicts is not None:
        found = found.where((Entity.conflicts > 0) == has_conflicts)
    if text:
        found = found.where(Entity.label.icontains(text.strip(), autoescape=True))
    found = found.order_by(Entity.label, Entity.entity_id).offset(offset)
    return list(session.scalars(found if limit is None else found.limit(limit)))


def entity(
    session: Session, project: Project, list_name: str, entity_id: str, *, scope: EntityScope = EVERYTHING
) -> Entity:
    """Refuses NoSuchList and NoSuchEntity; a deleted one is still found."""
    rules = list_rules.read(named(session, project, list_name).settings)
    found = session.get(Entity, (project.project_id, entity_id))
    if found is None or found.list_name != list_name or not (scope.sees_all or scope.includes(rules, found)):
        raise NoSuchEntity(entity_id)
    return found


def versions(session: Session, found: Entity) -> list[EntityVersion]:
    """What the entity has been, the newest first."""
    return list(
        session.scalars(
            select(EntityVersion)
            .where(EntityVersion.project_id == found.project_id, EntityVersion.entity_id == found.entity_id)
            .order_by(EntityVersion.version.desc())
        )
    )


def csv(session: Session, project: Project, list_name: str, *, scope: EntityScope = EVERYTHING) -> tuple[bytes, str]:
    """The list as the CSV that devices attach to a form, and its MD5. Refuses NoSuchList."""
    chosen = named(session, project, list_name)
    properties = [str(one) for one in chosen.properties]
    written = io.StringIO(newline="")
    writer = csv_.writer(written, lineterminator="\n")
    writer.writerow([*OWN_COLUMNS, *properties])
    for row in _rows(session, _living(chosen).where(*scope.where(chosen))):
        writer.writerow([row.get(column, "") for column in (*OWN_COLUMNS, *properties)])
    content = written.getvalue().encode()
    return content, hashlib.md5(content, usedforsecurity=False).hexdigest()


def deleted(
    session: Session,
    project: Project,
    list_name: str,
    entity_ids: Sequence[str],
    *,
    scope: EntityScope = EVERYTHING,
) -> dict[str, bool]:
    """Whether each entity is gone, or outside the scope; ids that this list never had are left out.

    So are those that wait for approval: whoever has made one keeps it."""
    rules = list_rules.read(named(session, project, list_name).settings)
    rows = session.scalars(
        select(Entity).where(
            Entity.project_id == project.project_id,
            Entity.list_name == list_name,
            Entity.entity_id.in_(entity_ids),
            *served(rules),
        )
    )
    return {one.entity_id: one.is_deleted or not scope.includes(rules, one) for one in rows}


def tables(session: Session, project_id: str, definition: FormDefinition) -> dict[str, Table]:
    """For the checks' Context.lists: the instances of this form that are entity lists, by instance id.

    An attachment that was uploaded under the same name goes before the list, as it does on devices. Tables read the
    database when they are asked: take fresh ones for each submission, since the one before may have changed a list."""
    wanted = {
        instance.id: instance.src.rpartition("/")[2].removesuffix(".csv")
        for instance in definition.instances.values()
        if instance.src.endswith(".csv")
    }
    if not wanted:
        return {}
    rows = session.scalars(
        select(EntityList)
        .where(EntityList.project_id == project_id, EntityList.name.in_(wanted.values()))
        .execution_options(populate_existing=True)
    )
    uploaded = _uploaded(session, project_id, definition)
    known = {one.name: one for one in rows if one.name not in uploaded}
    return {id_: EntityTable(session, known[name]) for id_, name in wanted.items() if name in known}


class EntityTable(Table):
    """An entity list, looked up in the database when a question asks for it; `rows` reads it once for each table."""

    def __init__(self, session: Session, one: EntityList) -> None:
        super().__init__((), is_pinned=False)
        self._session = session
        self._living = _living(one).where(*served(list_rules.read(one.settings)))
        self._read: list[Mapping[str, str]] | None = None

    @property
    def rows(self) -> Sequence[Mapping[str, str]]:
        if self._read is None:
            self._read = list(_rows(self._session, self._living))
        return self._read

    def where(self, column: str, value: str) -> Sequence[Mapping[str, str]]:
        return list(_rows(self._session, self._living.where(_cell(column) == value)))


def _cell(column: str) -> SQLColumnExpression[str]:
    if column == "__version":
        return cast(Entity.version, String)
    own = {"name": Entity.entity_id, "label": Entity.label}
    return own[column] if column in own else func.coalesce(Entity.data[column].as_string(), "")


def _uploaded(session: Session, project_id: str, definition: FormDefinition) -> set[str]:
    names = session.scalars(
        select(FormAttachment.name).where(
            FormAttachment.project_id == project_id,
            FormAttachment.form_id == definition.form_id,
            FormAttachment.version == definition.version,
            FormAttachment.sha256.is_not(None),
        )
    )
    return {name.removesuffix(".csv") for name in names}


def _living(one: EntityList) -> Select[str, str, int, dict[str, Any]]:
    return (
        select(Entity.entity_id, Entity.label, Entity.version, Entity.data)
        .where(*_of(one.project_id, one.name), Entity.is_deleted.is_(False))
        .order_by(Entity.label, Entity.entity_id)
    )


def _rows(session: Session, found: Select[str, str, int, dict[str, Any]]) -> Iterator[dict[str, str]]:
    for entity_id, label, version, data in session.execute(found):
        row = {name: "" if value is None else str(value) for name, value in data.items()}
        yield row | {"name": entity_id, "label": label, "__version": str(version)}


def _of(project_id: str, list_name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Entity.project_id == project_id, Entity.list_name == list_name


def _locked(project_id: str, name: str) -> Select[EntityList]:
    """The list as it is now, which nobody else changes before this transaction ends."""
    mine = EntityList.project_id == project_id, EntityList.name == name
    return select(EntityList).where(*mine).with_for_update().execution_options(populate_existing=True)


def _make(session: Session, project_id: str, name: str, now: datetime) -> EntityList:
    made = EntityList(project_id=project_id, name=name, properties=[], settings={}, created_at=now)
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError:
        return session.scalars(_locked(project_id, name)).one()
    return made
