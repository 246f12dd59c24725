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
from sync.entities.register import Entry, difference, filled, known, label_of, write
from sync.form_table import FaultyRows, RowFault, Wanted, sent_rows
from sync.lock import lock_project
from sync.models import Entity, Project
from sync.record import record

ID = "name"
"""The column of an entity's id, as in the CSV that devices get."""
LARGEST_CSV = 16 * 2**20
WANTED = Wanted((LABEL,), most_rows=50_000, most_bytes=LARGEST_CSV)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file did: entities by their number."""

    created: int
    updated: int
    unchanged: int


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
    are to become properties. Refuses NotAllowed, NoSuchList, and BadTable; FaultyRows list what is wrong by row. Then
    nothing has changed."""
    access.require(actor, "entity.create", project.project_id)
    found = entity_lists.named(session, project, list_name)
    rows = sent_rows(content, WANTED)
    columns = [column for column in rows[0] if column not in entity_lists.OWN_COLUMNS]
    faults = _bad_columns(columns, None if with_new_columns else found.properties)
    lock_project(session, project.project_id)
    there = known(session, project, [row.get(ID, "").lower() for row in rows])
    faults += _bad_rows(rows, there, list_name) + _misfits(rows, columns, list_rules.read(found.settings), there)
    faults.sort(key=lambda fault: fault["row"])
    if faults:
        raise FaultyRows(faults)
    entity_lists.ensure_list(session, project.project_id, list_name, columns, now=now)
    changes = _changes_of_rows(rows, columns, there)
    created = sum(1 for entity_id in changes if entity_id not in there)
    write(session, project, list_name, changes, actor=actor, now=now)
    taken = Taken(created, len(changes) - created, len(rows) - len(changes))
    detail = {"created": taken.created, "updated": taken.updated}
    target, project_id = ("entity_list", list_name), project.project_id
    record(session, "entity.import", actor=actor, at=now, project_id=project_id, target=target, detail=detail)
    return taken


def _bad_columns(columns: Iterable[str], known: Sequence[object] | None) -> list[RowFault]:
    """Columns that cannot be a property, or that are none of the `known` ones."""
    faults = []
    for column in columns:
        is_name = PROPERTY_NAME.fullmatch(column) is not None and column.lower() not in (ID, LABEL)
        if not is_name or (known is not None and column not in known):
            faults.append(_fault(1, column, "", "no_such_property" if is_name else "bad_property"))
    return faults


def _bad_rows(rows: Sequence[Mapping[str, str]], there: Mapping[str, Entity], list_name: str) -> list[RowFault]:
    faults, seen = [], set()
    for number, row in enumerate(rows, 2):
        id_ = row.get(ID, "").strip().lower()
        if not label_of(row.get(LABEL, "")):
            faults.append(_fault(number, LABEL, row.get(LABEL, ""), "no_label"))
        if id_ and id_ in seen:
            faults.append(_fault(number, ID, id_, "id_twice"))
        elif id_ and (id_ not in there or there[id_].list_name != list_name or there[id_].is_deleted):
            faults.append(_fault(number, ID, id_, "no_such_entity"))
        seen.add(id_)
    return faults


def _misfits(
    rows: Sequence[Mapping[str, str]], columns: Sequence[str], rules: ListRules, there: Mapping[str, Entity]
) -> list[RowFault]:
    """What is new in the file and does not fit; a value that stands there already may come back as it is."""
    faults = []
    for number, row in enumerate(rows, 2):
        now = there.get(row.get(ID, "").strip().lower())
        for column in columns:
            value = row.get(column, "").strip()
            misfit = rules.of(column).misfit(value)
            if misfit and (now is None or now.data.get(column) != value):
                faults.append(_fault(number, column, value, misfit))
    return faults


def _fault(row: int, column: str, value: str, why: str) -> RowFault:
    return {"row": row, "column": column[:100], "value": value[:100], "why": why}


def _changes_of_rows(
    rows: Iterable[Mapping[str, str]], columns: Sequence[str], there: Mapping[str, Entity]
) -> dict[str, Mapping[str, str | None]]:
    changes: dict[str, Mapping[str, str | None]] = {}
    for row in rows:
        entry = Entry(row[LABEL], {column: row.get(column, "").strip() for column in columns})
        id_ = row.get(ID, "").strip().lower()
        if not id_:
            changes[str(uuid.uuid4())] = {LABEL: label_of(row[LABEL]), **filled(entry.data)}
        elif changed := difference(there[id_], entry):
            changes[id_] = changed
    return changes
