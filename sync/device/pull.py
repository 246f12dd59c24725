"""Then the other way: what changed on the server since the cursor, and the forms that are new."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from forms import xform
from forms.definition import FormDefinition
from sync.device.inbox import FormName, Inbox
from sync.device.link import Link
from sync.device.outbox import Outbox
from sync.device.progress import Progress, Stage, Watch
from sync.device.tripwire import repair
from sync.form_table import SUFFIXES

PAGE = 500


@dataclass(slots=True)
class Pulled:
    """What came."""

    records: int = 0
    forms: list[FormName] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """The forms that nothing new is collected with any more, by ID."""
    head: int = 0
    durable_seq: int = 0
    durable_by: str = "database"
    needed: list[str] = field(default_factory=list)
    """Hashes of this device's files that the server lacks."""
    repaired: int = 0
    """Records that were not as the server has them, though all had been told: they were fetched again."""


@dataclass(slots=True)
class Puller:
    """One run to the end of the feed."""

    inbox: Inbox
    outbox: Outbox
    link: Link
    project_path: str
    watch: Watch
    clock: Callable[[], datetime]

    def run(self) -> Pulled:
        """The inbox is in the state of the server, and the forms that it names are here."""
        pulled = Pulled()
        while self._page(pulled):
            self.watch(Progress(Stage.PULLED, pulled.records))
        self.inbox.complete()
        pulled.repaired = repair(self.inbox, self.link, f"{self.project_path}/sync")
        self.inbox.overlaid()
        self.outbox.files_needed(pulled.needed)
        self._fetch_forms(pulled)
        return pulled

    def _page(self, pulled: Pulled) -> bool:
        """One page; whether there are more."""
        cursor = self.inbox.cursor
        self.watch(Progress(Stage.PULL, pulled.records))
        page = self._ask(cursor)
        if page is None:
            self.inbox.start_again()
            return True
        self.outbox.note_server(page)
        self.outbox.note_clock(page, now=self.clock())
        self.inbox.keep_page(page)
        pulled.records += len(page.get("records", ()))
        pulled.head, pulled.durable_seq = int(page.get("head") or 0), int(page.get("durable_seq") or 0)
        pulled.durable_by = str(page.get("durable_by") or "database")
        pulled.needed.extend(page.get("needs", ()))
        return bool(page.get("more", page.get("records"))) and page.get("cursor") != cursor

    def _ask(self, cursor: str) -> Mapping[str, Any] | None:
        """A page of the feed; None when the server has forgotten this cursor."""
        query = {"limit": PAGE, "cursor": cursor} if cursor else {"limit": PAGE}
        # From the beginning every server can go on.
        expected = frozenset({410}) if cursor else frozenset[int]()
        answer = self.link.ask("GET", f"{self.project_path}/sync/pull", expected=expected, params=query)
        return None if answer.status == 410 else answer.told

    def _fetch_forms(self, pulled: Pulled) -> None:
        store = self.inbox.store
        current = self.inbox.current_forms()
        here = {(row[0], row[1]) for row in store.rows("SELECT form_id, version FROM form")}
        missing = [name for name in current if (name.form_id, name.version) not in here]
        for index, name in enumerate(missing):
            self.watch(Progress(Stage.FETCH_FORM, index, len(missing), name.form_id))
            self._fetch_form(name)
        in_use = {row[0] for row in store.rows("SELECT form_id FROM form WHERE is_current")}
        with store.transaction():
            store.run("UPDATE form SET is_current = 0")
            store.run_many(
                "UPDATE form SET is_current = 1 WHERE form_id = ? AND version = ?",
                [(name.form_id, name.version) for name in current],
            )
        self._fetch_late_files([name for name in current if name not in missing])
        pulled.forms.extend(missing)
        pulled.ended.extend(sorted(in_use - {name.form_id for name in current}))

    def _fetch_form(self, name: FormName) -> None:
        """A form and its own files, kept for ever: a record is corrected by the version that it was made with."""
        content = self.link.ask("GET", f"{self._path(name)}.xml").body
        definition = xform.read(content)
        files = self._files(self._path(name), definition)
        store = self.inbox.store
        with store.transaction():
            self._keep_files(name, files)
            store.run(
                "INSERT OR REPLACE INTO form VALUES (?, ?, ?, ?, 1)",
                *(name.form_id, name.version, definition.title, content),
            )

    def _fetch_late_files(self, here: Sequence[FormName]) -> None:
        """The server tells of a form once more when a file that it lacked has come."""
        told = self.inbox.forms_told()
        for name in here:
            if name.form_id in told:
                content, known = self.inbox.form(name)
                self._keep_files(name, self._files(self._path(name), xform.read(content), known))
        self.inbox.forget_forms_told(told)

    def _path(self, name: FormName) -> str:
        form_id, version = quote(name.form_id, safe=""), quote(name.version or "___", safe="")
        return f"{self.project_path}/forms/{form_id}/versions/{version}"

    def _keep_files(self, name: FormName, files: Mapping[str, bytes]) -> None:
        self.inbox.store.run_many(
            "INSERT OR REPLACE INTO form_file VALUES (?, ?, ?, ?)",
            [(name.form_id, name.version, file, data) for file, data in files.items()],
        )

    def _files(self, path: str, definition: FormDefinition, known: Set[str] = frozenset()) -> dict[str, bytes]:
        """The tables that the form looks things up in; entity lists come by the feed, pictures are not needed here."""
        found = {}
        for name in definition.media:
            if name.lower().endswith(SUFFIXES) and name not in known:
                answer = self.link.ask(
                    "GET", f"{path}/attachments/{quote(name, safe='')}", expected=frozenset({403, 404})
                )
                if answer.status < 300:
                    found[name] = answer.body
        return found
