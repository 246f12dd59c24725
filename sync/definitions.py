"""Form versions as they are used in checks: read and compiled once in a process, from the kept bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, select
from sqlalchemy.orm import Session

from forms.check import CompiledForm, compile_form
from forms.definition import FormDefinition
from forms.expression.table import Table
from forms.xform import read
from sync.form_table import table
from sync.models import FormAttachment, FormVersion
from sync.rows import FORM_ATTACHMENT, FORM_VERSION

CAPACITY = 128
"""Form versions kept at hand; a project in the field uses a handful."""

COMPILED = "compiled forms"
"""Where a session keeps the compiled forms that it has used."""

Value = TypeVar("Value")
Key = tuple[str, ...]

_VERSION = (
    select(FORM_VERSION.c.state, FORM_VERSION.c.md5, FORM_ATTACHMENT.c.name, FORM_ATTACHMENT.c.sha256)
    .outerjoin(
        FORM_ATTACHMENT,
        and_(
            FORM_ATTACHMENT.c.project_id == FORM_VERSION.c.project_id,
            FORM_ATTACHMENT.c.form_id == FORM_VERSION.c.form_id,
            FORM_ATTACHMENT.c.version == FORM_VERSION.c.version,
            FORM_ATTACHMENT.c.sha256.is_not(None),
        ),
    )
    .where(
        FORM_VERSION.c.project_id == bindparam("project_id"),
        FORM_VERSION.c.form_id == bindparam("form_id"),
        FORM_VERSION.c.version == bindparam("version"),
    )
    .order_by(FORM_ATTACHMENT.c.name)
)
"""What says whether the compiled form at hand is still the right one, in one query: each door asks it each time."""


class Recent(Generic[Value]):
    """The values that were used last, safe among threads. A value is made outside the lock, perhaps twice."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        made = make()
        with self._lock:
            kept = self._values.setdefault(key, made)
            self._values.move_to_end(key)
            while len(self._values) > self._capacity:
                self._values.popitem(last=False)
        return kept


_definitions: Recent[FormDefinition] = Recent(CAPACITY)
_compiled: Recent[CompiledForm] = Recent(CAPACITY)
_tables_read: Recent[Table] = Recent(CAPACITY)
"""By content: the versions of a form, and forms that share a list, share its rows."""


def definition(
    session: Session, project_id: str, form_id: str, version: str, *, with_draft: bool = False
) -> FormDefinition | None:
    """What this version asks; None when there is no such published version."""
    row = session.get(FormVersion, (project_id, form_id, version))
    if row is None or not (with_draft or row.state == "published"):
        return None
    return _definition(row)


def compiled(
    session: Session, project_id: str, form_id: str, version: str, *, with_draft: bool = False
) -> CompiledForm | None:
    """This version ready to check answers, with the tables that were uploaded for it.

    Instances that are entity lists change: give them to each check, from `entity_lists.tables`."""
    # A batch has a hundred items of one form: the session remembers what it has asked the database.
    asked: dict[Key, CompiledForm] = session.info.setdefault(COMPILED, {})
    key = (project_id, form_id, version)
    if key not in asked:
        session.flush()
        rows = session.execute(_VERSION, {"project_id": project_id, "form_id": form_id, "version": version}).all()
        if not rows or not (with_draft or rows[0].state == "published"):
            return None
        uploaded = [f"{row.name}:{row.sha256}" for row in rows if row.name is not None]
        asked[key] = _compiled.get((*key, rows[0].md5, *uploaded), lambda: _compile(session, key))
    return asked[key]


def take(session: Session, key: Key, form: CompiledForm) -> None:
    """This session need not ask for the version (project_id, form_id, version): somebody else just has."""
    session.info.setdefault(COMPILED, {}).setdefault(key, form)


def forget(session: Session, row: FormVersion) -> None:
    """The version, or what was uploaded for it, has changed in this transaction."""
    session.info.get(COMPILED, {}).pop((row.project_id, row.form_id, row.version), None)


def _definition(row: FormVersion) -> FormDefinition:
    return _definitions.get(_key(row), lambda: read(row.xform))


def _key(row: FormVersion) -> Key:
    return row.project_id, row.form_id, row.version, row.md5


def _compile(session: Session, key: Key) -> CompiledForm:
    row = session.get_one(FormVersion, key)
    return compile_form(_definition(row), _tables(session, row))


def _tables(session: Session, row: FormVersion) -> dict[str, Table]:
    contents = session.execute(
        select(FormAttachment.name, FormAttachment.sha256, FormAttachment.content).where(
            *_of(row), FormAttachment.content.is_not(None)
        )
    )
    by_name = {name: (sha256 or "", content) for name, sha256, content in contents if content is not None}
    found: dict[str, Table] = {}
    for instance in _definition(row).instances.values():
        name = instance.src.rpartition("/")[2]
        if name in by_name:
            found[instance.id] = _table(name, *by_name[name], instance.list_name)
    return found


def _table(name: str, sha256: str, content: bytes, list_name: str) -> Table:
    return _tables_read.get((sha256, name.rpartition(".")[2], list_name), lambda: table(name, content, list_name))


def _of(row: FormVersion) -> tuple[ColumnElement[bool], ...]:
    return (
        FormAttachment.project_id == row.project_id,
        FormAttachment.form_id == row.form_id,
        FormAttachment.version == row.version,
    )
