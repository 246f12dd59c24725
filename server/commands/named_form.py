"""A form that a command names: by its file, or by the form ID under which it is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from forms.check import CompiledForm, compile_form
from forms.definition import FormDefinition
from forms.errors import Kind, Problem
from forms.expression.table import Table
from forms.form_file import read_form_file
from server.commands.database import opened, project
from sync import definitions
from sync.entities import entity_lists
from sync.form_table import SUFFIXES
from sync.form_table import table as rows_of
from sync.models import Form


class NotPublished(Problem):
    """There is neither a file nor a published form of this name. Give the path of a workbook, or a form ID."""

    kind = Kind.NOT_FOUND
    slug = "form/not-published"


@contextmanager
def named_form(name: str, number: int) -> Iterator[tuple[CompiledForm, Mapping[str, Table]]]:
    """The form, compiled, and the lists that live outside of it; those of a file are read from the folder in which it
    lies. Refuses NotPublished."""
    file = Path(name)
    if file.is_file():
        definition = read_form_file(file.read_bytes(), file.name).definition
        yield compile_form(definition, dict(_lists_beside(file, definition))), {}
        return
    if file.suffix:
        raise NotPublished(name)
    with opened() as installation, installation.reading() as session:
        project_id = project(session, number).project_id
        found = session.get(Form, (project_id, name))
        version = found.version if found else None
        compiled = definitions.compiled(session, project_id, name, version) if version is not None else None
        if compiled is None:
            raise NotPublished(name)
        yield compiled, entity_lists.tables(session, project_id, compiled.definition)


def _lists_beside(file: Path, definition: FormDefinition) -> Iterator[tuple[str, Table]]:
    for instance in definition.instances.values():
        beside = file.parent / instance.src.rpartition("/")[2]
        if instance.src and beside.suffix.lower() in SUFFIXES and beside.is_file():
            yield instance.id, rows_of(beside.name, beside.read_bytes())
