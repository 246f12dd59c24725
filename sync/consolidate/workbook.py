"""The workbook of one form: sheets with codes, sheets with labels, and the codebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path as FilePath

import xlsxwriter

from forms.definition import DataType, FormDefinition, say
from forms.output import unfilled
from sync.consolidate.cell import inert, workbook_cell
from sync.consolidate.table import Column, Table, language_tag

MOST_ROWS = 1_048_576
LONGEST_NAME = 31
LONGEST_TEXT = 32_767

RULES = ("relevant", "required", "constraint", "calculate")


class Workbook:
    """An .xlsx file written row by row. Formulas and links are off: what was typed in the field stays text."""

    def __init__(self, file: FilePath) -> None:
        self._book = xlsxwriter.Workbook(
            file,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "default_date_format": "yyyy-mm-dd",
            },
        )
        self._bold = self._book.add_format({"bold": True, "bg_color": "#E8EFEA", "valign": "top"})
        self._next: dict[str, int] = {}
        self._aliases: dict[str, str] = {}
        self.cut: list[str] = []

    def add_sheet(self, name: str, tag: str = "") -> str:
        """A new sheet; its name, which is `name` as far as Excel allows."""
        ending = f" ({tag})" if tag else ""
        stem = re.sub(r"[\[\]:*?/\\']", "_", name) or "data"
        for number in range(1, 10_000):
            twin = f"~{number}" if number > 1 else ""
            title = stem[: LONGEST_NAME - len(ending) - len(twin)] + twin + ending
            if title.lower() not in {known.lower() for known in self._next} | {"history"}:
                break
        self._next[title] = 0
        self._book.add_worksheet(title)
        return title

    def head(self, sheet: str, headers: Sequence[str]) -> None:
        """The first row, which stays in view."""
        worksheet = self._book.get_worksheet_by_name(sheet)
        worksheet.freeze_panes(1, 0)
        for column, header in enumerate(headers):
            worksheet.set_column(column, column, min(max(len(header) + 2, 10), 40))
            worksheet.write_string(0, column, inert(header)[:LONGEST_TEXT], self._bold)
        self._next[sheet] = 1

    def row(self, sheet: str, cells: Iterable[tuple[str | None, DataType]]) -> None:
        """The next row of a sheet. A sheet that is full stays as it is and is named in `cut`."""
        number = self._next[sheet]
        if number >= MOST_ROWS:
            if sheet not in self.cut:
                self.cut.append(sheet)
            return
        worksheet = self._book.get_worksheet_by_name(sheet)
        for column, (text, type) in enumerate(cells):
            value = workbook_cell(text, type)
            if isinstance(value, str):
                worksheet.write_string(number, column, value[:LONGEST_TEXT])
            elif isinstance(value, date):
                worksheet.write_datetime(number, column, value)
            elif value is not None:
                worksheet.write_number(number, column, value)
        self._next[sheet] = number + 1

    def finish(self, versions: Sequence[FormDefinition], tables: Sequence[Table], languages: Sequence[str]) -> None:
        """Add the codebook and close the file."""
        default = versions[0].default_language
        tags = [language_tag(language) for language in languages]
        of = [f"label ({tag})" if tag else "label" for tag in tags]
        self._sheet("codebook", ["table", "column", "type", *of, *RULES, "versions"])
        self._sheet("choices", ["table", "column", "code", *of])
        for table in tables:
            for column in _asked(table):
                home, type = table.name or "-", column.question.type.value if column.question else ""
                labels = [unfilled(say(column.label, language, default)) for language in languages]
                rest = [*_rules(column), _versions(table, column, versions)]
                self._texts("codebook", [home, column.header, type, *labels, *rest])
                for code, words in column.choices.items():
                    labels = [say(words, language, default) for language in languages]
                    self._texts("choices", [home, column.header, code, *labels])
        self._book.close()

    def abandon(self) -> None:
        """Close what was opened; the half-made file is thrown away with its folder."""
        self._book.close()

    def _sheet(self, name: str, headers: Sequence[str]) -> None:
        self._aliases[name] = self.add_sheet(name)
        self.head(self._aliases[name], headers)

    def _texts(self, name: str, texts: Iterable[str]) -> None:
        self.row(self._aliases[name], [(text, DataType.STRING) for text in texts])


def _asked(table: Table) -> Iterator[Column]:
    """Each question once: without the columns that a select_multiple or a geopoint was split into."""
    for column in table.columns:
        if column.code is None and column.part in (None, 0):
            yield column


def _rules(column: Column) -> list[str]:
    question = column.question
    return ["" if question is None else str(getattr(question, rule)) for rule in RULES]


def _versions(table: Table, column: Column, versions: Sequence[FormDefinition]) -> str:
    """The versions of the form that ask it, oldest first."""
    path = (*table.path, *column.path)
    having = [one.version for one in versions if any(question.path == path for question in one.questions())]
    return ", ".join(reversed(having))
