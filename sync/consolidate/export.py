"""The files of one form: a CSV for each table with codes and one for each language, and a workbook with all of it.

Everything is written in one pass, row by row, so memory does not grow with the number of records."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, TextIO

from forms.definition import Answers, DataType, FormDefinition, Path
from sync.consolidate.cell import csv_cell
from sync.consolidate.table import Column, Lookups, Row, Table, language_tag, rows, tables, title_row
from sync.consolidate.workbook import Workbook

ROOT_BEFORE = ("SubmissionDate",)
ROOT_AFTER = (
    "meta-instanceName",
    "KEY",
    "SubmitterID",
    "SubmitterName",
    "AttachmentsPresent",
    "AttachmentsExpected",
    "AttachmentsRemoved",
    "ReviewState",
    "DeviceID",
    "DeviceName",
    "Edits",
    "FormVersion",
    "OperationID",
)
"""Named and placed as in ODK Central's CSV; AttachmentsRemoved, DeviceName and OperationID are ours: with Edits, the
last names the version of the record that a number came from."""
REPEAT_AFTER = ("PARENT_KEY", "KEY")
_COUNTS = frozenset({"AttachmentsPresent", "AttachmentsExpected", "AttachmentsRemoved", "Edits"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, ready to be written. `facts` are the columns that are not answers, by header."""

    instance_id: str
    answers: Answers
    facts: Mapping[str, str]


@dataclass(slots=True)
class _Sheet:
    """One table in one reading: codes, or the labels of a language."""

    table: Table
    file: TextIO
    title: str
    language: str | None = None


@dataclass(slots=True)
class FormExport:
    """Writes the files of one form into `folder`. Use it as a context: leaving it closes them all."""

    folder: FilePath
    stem: str
    versions: Sequence[FormDefinition]
    """The newest first; at least one."""
    lookups: Lookups
    tables: tuple[Table, ...] = field(init=False)
    records: int = field(init=False, default=0)
    rows: int = field(init=False, default=0)
    """Of all tables."""
    files: list[str] = field(init=False, default_factory=list)
    """The names of what it writes, the workbook first."""
    _sheets: dict[Path, list[_Sheet]] = field(init=False, default_factory=dict)
    """The readings of each table, by its path."""
    _workbook: Workbook = field(init=False)
    _open: ExitStack = field(init=False, default_factory=ExitStack)

    def __enter__(self) -> FormExport:
        self.tables = tables(self.versions, self.lookups)
        self._workbook = Workbook(self.folder / self._named(f"{self.stem}.xlsx"))
        with self._open as opening:  # closes what was opened when one of them cannot be
            for language in (None, *self.languages()):
                for table in self.tables:
                    self._begin(table, language, opening)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        if error is None:
            self._workbook.finish(self.versions, self.tables, self.languages())
        else:
            self._workbook.abandon()

    def languages(self) -> tuple[str, ...]:
        return self.versions[0].languages or ("",)

    @property
    def cut(self) -> list[str]:
        """Sheets that would have been longer than a spreadsheet can be; their CSV files are complete."""
        return self._workbook.cut

    def write(self, entry: Entry) -> None:
        """The record and the rounds of its repeats, in every table and reading."""
        self.records += 1
        for table in self.tables:
            for row in rows(table, entry.answers, entry.instance_id):
                self.rows += 1
                for sheet in self._sheets[table.path]:
                    self._write(sheet, row, entry)

    def _begin(self, table: Table, language: str | None, opening: ExitStack) -> None:
        name = "-".join(filter(None, (self.stem, table.name)))
        tag = "" if language is None else f".{language_tag(language) or 'label'}"
        # A byte order mark: without it Excel takes UTF-8 for the local code page.
        file = opening.enter_context(
            (self.folder / self._named(f"{name}{tag}.csv")).open("w", encoding="utf-8-sig", newline="")
        )
        title = table.path[-1] if table.path else self.stem
        sheet = _Sheet(table, file, self._workbook.add_sheet(title, tag.removeprefix(".")), language)
        headers = self._headers(table, language)
        csv.writer(file).writerow([csv_cell(header, DataType.STRING) for header in headers])
        self._workbook.head(sheet.title, headers)
        self._sheets.setdefault(table.path, []).append(sheet)

    def _named(self, file: str) -> str:
        self.files.append(file)
        return file

    def _headers(self, table: Table, language: str | None) -> list[str]:
        default = self.versions[0].default_language
        if language is None:
            own = [column.header for column in table.columns]
        else:
            own = title_row(table.columns, language, default)
        return [*own, *REPEAT_AFTER] if table.path else [*ROOT_BEFORE, *own, *ROOT_AFTER]

    def _write(self, sheet: _Sheet, row: Row, entry: Entry) -> None:
        cells = [(text, column.type) for text, column in self._cells(sheet, row)]
        if sheet.table.path:
            line = [*cells, *_texts(row.parent_key, row.key)]
        else:
            line = [*_facts(entry, ROOT_BEFORE), *cells, *_facts(entry, ROOT_AFTER)]
        csv.writer(sheet.file).writerow([csv_cell(text, type) for text, type in line])
        self._workbook.row(sheet.title, line)

    def _cells(self, sheet: _Sheet, row: Row) -> Iterator[tuple[str | None, Column]]:
        default = self.versions[0].default_language
        for column, value in zip(sheet.table.columns, row.values, strict=True):
            if sheet.language is None:
                yield column.code_of(value), column
            else:
                yield column.label_of(value, sheet.language, default), column


def _texts(*texts: str) -> list[tuple[str | None, DataType]]:
    return [(text, DataType.STRING) for text in texts]


def _facts(entry: Entry, headers: Sequence[str]) -> list[tuple[str | None, DataType]]:
    return [(entry.facts.get(header, ""), DataType.INT if header in _COUNTS else DataType.STRING) for header in headers]


def facts(row: Any, names: Mapping[str, str]) -> dict[str, str]:
    """The columns that are not answers, from a row of `release`. `names` are people and devices by id."""
    return {
        "SubmissionDate": row.received_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "meta-instanceName": row.instance_name,
        "KEY": row.instance_id,
        "SubmitterID": row.account_id or "",
        "SubmitterName": names.get(row.account_id or "", ""),
        "AttachmentsPresent": str(row.present or 0),
        "AttachmentsExpected": str(row.expected or 0),
        "AttachmentsRemoved": str(row.removed or 0),
        "ReviewState": {"has_issues": "hasIssues"}.get(row.review_state, row.review_state),
        "DeviceID": row.device_id or "",
        "DeviceName": names.get(row.device_id or "", ""),
        "Edits": str(row.revision - 1),
        "FormVersion": row.version,
        "OperationID": row.op_id,
    }
