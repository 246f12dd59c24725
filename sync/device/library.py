"""The forms on the device, every version that was ever pulled, ready to be filled in without network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forms import xform
from forms.check import CompiledForm, compile_form
from forms.definition import FormDefinition, Instance
from forms.expression.table import Table
from sync.device.errors import FormEnded, FormNotHere
from sync.device.inbox import Inbox
from sync.form_table import table


@dataclass(frozen=True, slots=True)
class FormHere:
    """A form version that can be filled in on this device."""

    form_id: str
    version: str
    title: str
    is_current: bool
    is_open: bool
    """One of its versions is current: new records are collected with it."""


class Library:
    """The forms of one device folder."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self._compiled: dict[tuple[str, str], CompiledForm] = {}

    def forms(self) -> list[FormHere]:
        """By title, the version to use first."""
        rows = self.inbox.store.rows(
            "SELECT form_id, version, title, is_current FROM form ORDER BY title, is_current DESC, version DESC"
        )
        in_use = {row[0] for row in rows if row[3]}
        return [FormHere(row[0], row[1], row[2], bool(row[3]), row[0] in in_use) for row in rows]

    def compiled(self, form_id: str, version: str = "") -> CompiledForm:
        """The form, of the version to use now unless named. Refuses FormNotHere, and FormEnded when nothing new is
        collected with it."""
        row = self.inbox.store.one(
            "SELECT version, xform FROM form WHERE form_id = ? AND (version = ? OR (? = '' AND is_current))",
            *(form_id, version, version),
        )
        if row is None:
            is_known = not version and self.inbox.store.one("SELECT 1 FROM form WHERE form_id = ?", form_id)
            raise FormEnded(form_id) if is_known else FormNotHere(f"{form_id} {version}".strip())
        key = (form_id, row["version"])
        if key not in self._compiled:
            self._compiled[key] = compile_form(xform.read(row["xform"]))
        return self._compiled[key]

    def lists(self, definition: FormDefinition) -> Mapping[str, Table]:
        """What the form looks things up in, by instance id: entity lists as they are now, and its own tables."""
        return {
            instance.id: self._table(definition, instance) for instance in definition.instances.values() if instance.src
        }

    def _table(self, definition: FormDefinition, instance: Instance) -> Table:
        file_name = instance.src.rpartition("/")[2]
        row = self.inbox.store.one(
            "SELECT content FROM form_file WHERE form_id = ? AND version = ? AND name = ?",
            *(definition.form_id, definition.version, file_name),
        )
        entity_list = file_name.removesuffix(".csv")
        if row is None or entity_list in self.inbox.lists():
            return Table(self.inbox.entities(entity_list))
        return table(file_name, row["content"], instance.list_name)
