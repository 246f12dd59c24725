"""A form as a file somebody sends: a workbook or an XForm, read, compiled and looked over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forms.check import compile_form
from forms.definition import FormDefinition
from forms.errors import BrokenForm, UnreadableWorkbook
from forms.fault import Fault, broken, fault, warnings_among
from forms.finding import Severity
from forms.lint import CHOICES, lint
from forms.notice import CONVERSION, SENTENCES
from forms.reworded import reworded
from forms.xform import ITEMSETS, read
from forms.xlsform import Conversion, convert_all

MAX_XFORM_BYTES = 20_000_000
SURVEY = "survey"
COLUMNS = {
    "calculate": "calculation",
    "label": "label",
    "required_message": "required_message",
    "count": "repeat_count",
    "itemset": "choice_filter",
    "saveto": "save_to",
}
"""Columns of the survey sheet, where they are not called as the XForm's attributes are."""
ELSEWHERE = {
    "instance_name": ("settings", "instance_name"),
    "entity_create": ("entities", "create_if"),
    "entity_update": ("entities", "update_if"),
    "entity_label": ("entities", "label"),
}
"""What is written on another sheet than the survey's."""
FIRST_ROW = 2
_ADVICE = re.compile("max-pixels|is being skipped")
"""What the conversion says that costs no answer."""

_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class FormFile:
    """A form that can be published."""

    xform: bytes
    definition: FormDefinition
    workbook: bytes | None = None
    """As it was sent; None when an XForm was sent."""
    workbook_name: str = ""
    notices: tuple[Fault, ...] = ()
    """What its author should know, none of which stops it: warnings are to be confirmed, infos to be read."""
    rows: Mapping[str, int] | None = None
    """The survey sheet's row of every question by path."""
    itemsets: bytes | None = None
    """The attachment itemsets.csv that was made with the form."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """The attachments that were made with the form, by name."""
        return {} if self.itemsets is None else {ITEMSETS: self.itemsets}

    @property
    def warnings(self) -> list[Fault]:
        """The notices that must be confirmed."""
        return warnings_among(self.notices)


def read_form_file(content: bytes, file_name: str) -> FormFile:
    """UnreadableWorkbook, WorkbookTooLarge, UnsafeXml, MalformedXml; BrokenForm with `faults`, which name sheet, row
    and column of a workbook, for whatever the form's own logic says wrong."""
    return read_form_files([(content, file_name)])[0]


def read_form_files(files: Sequence[tuple[bytes, str]]) -> list[FormFile]:
    """As `read_form_file`, for several; their workbooks are converted together, which is faster."""
    workbooks = [file for file in files if not is_xform(*file)]
    conversions = iter(convert_all(workbooks) if workbooks else ())
    found = []
    for content, name in files:
        if is_xform(content, name):
            found.append(_from_xform(content))
        else:
            found.append(_from_workbook(content, name, next(conversions)))
    return found


def is_xform(content: bytes, file_name: str) -> bool:
    """Whether the bytes are XML; a text file named .csv or .md is not, whatever it begins with."""
    if Path(file_name).suffix.lower() in {".csv", ".md"}:
        return False
    for mark in _MARKS:
        content = content.removeprefix(mark)
    return content.lstrip(b" \t\r\n\0")[:1] == b"<"


def _from_xform(content: bytes) -> FormFile:
    if len(content) > MAX_XFORM_BYTES:
        raise UnreadableWorkbook(f"{len(content):,} bytes; an XForm may have {MAX_XFORM_BYTES:,}")
    definition = read(content)
    return FormFile(content, definition, notices=tuple(_looked_over(definition)))


def _from_workbook(content: bytes, name: str, conversion: Conversion) -> FormFile:
    try:
        definition = read(conversion.xform)
        noticed = _looked_over(definition)
    except BrokenForm as refusal:
        raise broken([_placed(one, conversion) for one in _faults(refusal)]) from refusal
    notices = (*map(_said, conversion.warnings), *(_placed(one, conversion) for one in noticed))
    return FormFile(conversion.xform, definition, content, name, notices, conversion.rows, conversion.itemsets)


def _looked_over(definition: FormDefinition) -> list[Fault]:
    """The notices of a form whose logic compiles. BrokenForm for what cannot work."""
    compile_form(definition)
    noticed = [one.as_fault() for one in lint(definition)]
    wrong = [one for one in noticed if one["severity"] == Severity.ERROR.value]
    if wrong:
        raise broken(wrong)
    return noticed


def _said(warning: Mapping[str, Any]) -> Fault:
    """What the conversion itself noticed."""
    severity = Severity.INFO if _ADVICE.search(warning["message"]) else Severity.WARNING
    said = reworded(warning)
    place = {name: said[name] for name in ("sheet", "row", "column", "question") if said.get(name)}
    words = said.get("words") or SENTENCES[CONVERSION]
    params = said.get("params", {"said": warning["message"]})
    return fault(words, params=params, severity=severity, code=CONVERSION, **place)


def _faults(refusal: BrokenForm) -> list[dict[str, Any]]:
    return refusal.members.get("faults") or [{"message": refusal.detail}]


def _placed(one: Mapping[str, Any], conversion: Conversion) -> Fault:
    """The fault with its place in the workbook, as far as it is known."""
    if one.get("sheet") == CHOICES:
        choices = conversion.choice_rows.get(one["params"]["list"], {})
        return dict(one) | {"row": choices.get(one["params"].get("choice", ""))}
    if one.get("sheet") == "settings":
        return dict(one) | {"row": FIRST_ROW}
    if one.get("column") in ELSEWHERE:
        sheet, column = ELSEWHERE[one["column"]]
        # A form has one row of settings, and nearly always one entity list.
        return dict(one) | {"sheet": sheet, "row": FIRST_ROW, "column": column}
    row = one.get("row") or row_of(str(one.get("path") or ""), str(one.get("question") or ""), conversion.rows)
    if row is None:
        return dict(one)
    column = str(one.get("column") or "")
    return dict(one) | {"sheet": SURVEY, "row": row, "column": COLUMNS.get(column, column)}


def row_of(path: str, question: str, rows: Mapping[str, int]) -> int | None:
    """The row of a path; else of the only question of that name; else of the nearest group around it."""
    if path in rows:
        return rows[path]
    named = [row for one, row in rows.items() if question and one.rpartition("/")[2] == question]
    if len(named) == 1:
        return named[0]
    while path:
        path = path.rpartition("/")[0]
        if path in rows:
            return rows[path]
    return None
