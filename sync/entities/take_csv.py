"""Take a CSV of entities: a row is a new one, or changes the one of its id. All of it is taken, or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from sync import access
from sync.access import Actor
from sync.entities import entity_lists, list_rules
from sync.entities.apply import LABEL
from sync.entities.declare_list import PROPERTY_NAME
from sync.entities.list_rules import ListRules
from sync.entities.register import Entry, as_seen, difference, filled, known, label_of, write
from sync.form_table import FaultyRows, RowFault, Wanted, sent_rows
from sync.lock import lock_project
from sync.models import Entity, EntityVersion, Project
from sync.record import record

ID, VERSION = "name", "__version"
"""The columns of an entity's id and version, as in the CSV that devices get."""
LARGEST_CSV = 16 * 2**20
WANTED = Wanted((LABEL,), most_rows=50_000, most_bytes=LARGEST_CSV)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file did: entities by their number."""

    created: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Line:
    """One row: `id` is "" for a new entity, `version` for one that does not say which version its author saw."""

    number: int
    id: str
    version: str
    entry: Entry

    @property
    def label(self) -> str:
        return self.entry.label or ""


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
    """A row is an entity: `label`, and a column for each property; `name` is the id of one that is to be changed, and
    `__version` the version of it that its author saw: what others have changed since is merged with it.

    An empty cell of a known entity clears the property, one that is missing at the end of its row does not. Columns
    that the list does not have are refused, unless they are to become properties. Refuses NotAllowed, NoSuchList, and
    BadTable; FaultyRows list what is wrong by row. Then nothing has changed."""
    access.require(actor, "entity.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    sent = sent_rows(content, WANTED)
    columns = [column for column in sent.columns if column not in entity_lists.OWN_COLUMNS]
    lines = [_line(number, row, columns) for number, row in sent.rows.items()]
    faults = _bad_columns(columns, None if with_new_columns else found.properties)
    lock_project(session, project.project_id)
    there = known(session, project, [line.id for line in lines])
    seen = _seen(session, project, lines, there)
    faults += _bad_rows(lines, there, seen, list_name) + _misfits(lines, list_rules.read(found.settings), seen)
    faults.sort(key=lambda fault: fault["row"])
    if faults:
        raise FaultyRows(faults)
    entity_lists.ensure_list(session, project.project_id, list_name, columns, now=now)
    changes = _changes(lines, seen)
    created = sum(1 for entity_id in changes if entity_id not in there)
    write(session, project, list_name, changes, bases=_bases(there, seen), actor=actor, now=now)
    taken = Taken(created, len(changes) - created, len(lines) - len(changes))
    detail = {"created": taken.created, "updated": taken.updated}
    target, project_id = ("entity_list", list_name), project.project_id
    record(session, "entity.import", actor=actor, at=now, project_id=project_id, target=target, detail=detail)
    return taken


def _line(number: int, row: Mapping[str, str], columns: Sequence[str]) -> Line:
    cells = {name: cell.strip() for name, cell in row.items()}
    data = {column: cells[column] for column in columns if column in cells}
    return Line(number, cells.get(ID, "").lower(), cells.get(VERSION, ""), Entry(cells.get(LABEL, ""), data))


def _seen(
    session: Session, project: Project, lines: Sequence[Line], there: Mapping[str, Entity]
) -> dict[str, Entity | EntityVersion]:
    """What the author of the file had before the eyes of each entity; without those of which that is not known."""
    said = {line.id: _number(line.version) for line in lines if line.version and line.id in there}
    stale = {id_: version for id_, version in said.items() if version != there[id_].version}
    rest = {id_: one for id_, one in there.items() if id_ not in stale}
    return {**rest, **as_seen(session, project, stale)}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _bases(there: Mapping[str, Entity], seen: Mapping[str, Entity | EntityVersion]) -> dict[str, Mapping[str, int]]:
    """The vectors of what is not what stands now."""
    return {id_: one.vector for id_, one in seen.items() if one.version != there[id_].version}


def _bad_columns(columns: Iterable[str], known: Sequence[object] | None) -> list[RowFault]:
    """Columns that cannot be a property, or that are none of the `known` ones."""
    faults = []
    for column in columns:
        is_name = PROPERTY_NAME.fullmatch(column) is not None and column.lower() not in (ID, LABEL)
        if not is_name or (known is not None and column not in known):
            faults.append(_fault(1, column, "", "no_such_property" if is_name else "bad_property"))
    return faults


def _bad_rows(
    lines: Sequence[Line],
    there: Mapping[str, Entity],
    seen: Mapping[str, Entity | EntityVersion],
    list_name: str,
) -> list[RowFault]:
    faults, before = [], set()
    for line in lines:
        one = there.get(line.id)
        if not label_of(line.label):
            faults.append(_fault(line.number, LABEL, line.label, "no_label"))
        if line.id and line.id in before:
            faults.append(_fault(line.number, ID, line.id, "id_twice"))
        elif line.id and (one is None or one.list_name != list_name or one.is_deleted):
            faults.append(_fault(line.number, ID, line.id, "no_such_entity"))
        elif line.id and line.id not in seen:
            faults.append(_fault(line.number, VERSION, line.version, "no_such_version"))
        before.add(line.id)
    return faults


def _misfits(lines: Sequence[Line], rules: ListRules, seen: Mapping[str, Entity | EntityVersion]) -> list[RowFault]:
    """What is new in the file and does not fit; a value that stood there already may come back as it is."""
    faults = []
    for line in lines:
        before = seen.get(line.id)
        for column, value in line.entry.data.items():
            misfit = rules.of(column).misfit(value)
            if misfit and (before is None or before.data.get(column) != value):
                faults.append(_fault(line.number, column, value, misfit))
    return faults


def _fault(row: int, column: str, value: str, why: str) -> RowFault:
    return {"row": row, "column": column[:100], "value": value[:100], "why": why}


def _changes(lines: Iterable[Line], seen: Mapping[str, Entity | EntityVersion]) -> dict[str, Mapping[str, str | None]]:
    changes: dict[str, Mapping[str, str | None]] = {}
    for line in lines:
        if not line.id:
            changes[str(uuid.uuid4())] = {LABEL: label_of(line.label), **filled(line.entry.data)}
        elif changed := difference(seen[line.id], line.entry):
            changes[line.id] = changed
    return changes
