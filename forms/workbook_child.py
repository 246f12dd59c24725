"""Converts workbooks in a process of its own, which limits itself: a workbook is a stranger's program.

In: one line of JSON, [{"kind", "size"}, ...], then the files' bytes one after the other.
Out: JSON, for each file {"xform", "warnings", "rows", "choice_rows", "itemsets"} or {"fault": {...}} or
{"unreadable": "why"}."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import Any, BinaryIO

from pyxform.errors import PyXFormError
from pyxform.xls2json_backends import get_xlsform
from pyxform.xls2xform import convert

MEMORY_BYTES = 1_000_000_000
CPU_S = 30
MOST_ROWS = 20_000
"""Of the survey sheet: the largest forms of the field have some thousands, and each takes a millisecond."""
DEEPEST = 50
"""Groups and repeats inside one another."""
FIRST_ROW = 2
"""Of a sheet, below the header, as a spreadsheet counts."""

NAMESPACE = 'lapangan="urn:lapangan:forms"'
OURS = {
    spelling: f"bind::lapangan:{name}" for name in ("merge", "pii") for spelling in (name, f"bind::lapangan:{name}")
}
"""Our own columns, as pyxform wants an attribute of a foreign namespace. Clients keep what they do not know."""

_ROW = re.compile(r"\[row\s*:\s*(\d+)\]\s*")
_SHEET = re.compile(r"the '(\w+)' sheet")
_COLUMN = re.compile(r"the '([\w:() -]+)' (?:value|column)")
_QUOTED = re.compile(r"['\"“](.+?)['\"”]|\$\{(.+?)\}")
_MENDABLE = re.compile("Duplicate column header|invalid date on the")
"""What keeps a workbook from being read although it is one."""
_CHOICE = re.compile(r"See \[(.*?)\] in \[(.*?)\]")
_CONTAINERS = re.compile(r"(begin|end)[ _](group|repeat|loop)", re.IGNORECASE)


def main() -> None:
    logging.disable()
    limit()
    source = sys.stdin.buffer
    wanted = json.loads(source.readline())
    json.dump([answer(source, one) for one in wanted], sys.stdout)


def limit() -> None:
    """Bound memory and time of this process. Windows has no such limits; there the parent's clock must do."""
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_AS: (MEMORY_BYTES, MEMORY_BYTES),
        resource.RLIMIT_CPU: (CPU_S, CPU_S + 1),
        resource.RLIMIT_CORE: (0, 0),
    }
    for kind, bounds in limits.items():
        # macOS knows the names, but not every one can be set.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, bounds)


def answer(source: BinaryIO, wanted: Mapping[str, Any]) -> dict[str, Any]:
    try:
        book = get_xlsform(source.read(wanted["size"]), file_type=wanted["kind"])
    except PyXFormError as error:
        return {"fault": {"message": str(error)}} if _MENDABLE.search(str(error)) else {"unreadable": str(error)}
    sheets = with_ours({field.name: getattr(book, field.name) for field in fields(book)})
    survey = list(sheets.get("survey") or ())
    warnings: list[str] = []
    excess = too_much(survey)
    if excess:
        return {"fault": excess}
    try:
        result = convert(sheets, warnings=warnings, validate=False)
    except PyXFormError as error:
        return {"fault": fault(error, survey, list(sheets.get("choices") or ()))}
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        return {"fault": {"message": f"The conversion failed: {type(error).__name__}: {error}"}}
    return {
        "xform": result.xform,
        "warnings": [place(said, {}, survey) for said in warnings],
        "rows": rows_of(survey),
        "choice_rows": choice_rows_of(list(sheets.get("choices") or ())),
        "itemsets": result.itemsets,
    }


def with_ours(sheets: dict[str, Any]) -> dict[str, Any]:
    """The sheets with our own columns as the bind attributes that they stand for."""
    survey, settings = sheets.get("survey") or [], sheets.get("settings") or [{}]
    header = [name for row in sheets.get("survey_header") or () for name in row]
    own = {name: ours for name in header if (ours := OURS.get(str(name).strip().lower()))}
    if not own:
        return sheets
    known = str(settings[0].get("namespaces") or "")
    return sheets | {
        "survey": [{own.get(name, name): value for name, value in row.items()} for row in survey],
        "survey_header": [{own.get(name, name): None for name in header}],
        "settings": [settings[0] | {"namespaces": f"{known} {NAMESPACE}".strip()}],
        "settings_header": [{**dict.fromkeys(settings[0]), "namespaces": None}],
    }


def too_much(survey: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Where the survey is longer or deeper than any form is: said at once, not when the time has run out."""
    if len(survey) > MOST_ROWS:
        message = f"The survey sheet has {len(survey):,} rows; at most {MOST_ROWS:,} can be read."
        return {"sheet": "survey", "row": FIRST_ROW + MOST_ROWS, "message": message}
    depth = 0
    for number, row in enumerate(survey, FIRST_ROW):
        container = _CONTAINERS.match(cell(row, "type"))
        depth += 0 if container is None else 1 if container[1].lower() == "begin" else -1
        if depth > DEEPEST:
            message = f"Groups and repeats are nested more than {DEEPEST} deep."
            return {"sheet": "survey", "row": number, "column": "type", "message": message}
    return {}


def fault(
    error: PyXFormError, survey: Sequence[Mapping[str, Any]], choices: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Where the error is, from what it carries, from its text, or from the cell that holds what it quotes."""
    found = place(str(error), error.context, survey)
    if found["row"] is None:
        found |= quoted_choice(str(error), choices) or quoted_cell(str(error), survey)
    return found


def place(said: str, context: Mapping[str, Any], survey: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What is said, without the place that it names, and that place."""
    row = _ROW.search(said)
    sheet, column = _SHEET.search(said), _COLUMN.search(said)
    found: dict[str, Any] = {
        "sheet": context.get("sheet") or (sheet[1] if sheet else ""),
        "row": int(context.get("row") or (row[1] if row else 0)) or None,
        "column": context.get("column") or (column[1] if column else ""),
        "message": _ROW.sub("", said).strip(),
    }
    found["sheet"] = found["sheet"] or ("survey" if found["row"] else "")
    if found["sheet"] == "survey" and found["row"]:
        found["question"] = name_in(survey, found["row"])
    return found


def quoted_choice(said: str, choices: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    quoted = _CHOICE.search(said)
    row = choice_rows_of(choices).get(quoted[2], {}).get(quoted[1]) if quoted else None
    return {"sheet": "choices", "row": row, "column": "name"} if row else {}


def quoted_cell(said: str, survey: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    words = [one or other for one, other in _QUOTED.findall(said)]
    for word in words:
        for number, row in enumerate(survey, FIRST_ROW):
            for column, value in row.items():
                if value == word or f"${{{word}}}" in str(value):
                    return {"sheet": "survey", "row": number, "column": column, "question": name_in(survey, number)}
    return {}


def name_in(survey: Sequence[Mapping[str, Any]], number: int) -> str:
    index = number - FIRST_ROW
    return cell(survey[index], "name") if 0 <= index < len(survey) else ""


def rows_of(survey: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The survey sheet's row of every path: "income/after" -> 31."""
    rows: dict[str, int] = {}
    above: list[str] = []
    for number, row in enumerate(survey, FIRST_ROW):
        kind, name = cell(row, "type"), cell(row, "name")
        container = _CONTAINERS.match(kind)
        if container and container[1].lower() == "end":
            del above[-1:]
            continue
        if name:
            rows.setdefault("/".join((*above, name)), number)
        if container:
            above.append(name)
    return rows


def choice_rows_of(choices: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """The choices sheet's row of every choice, by list and name."""
    rows: dict[str, dict[str, int]] = {}
    for number, row in enumerate(choices, FIRST_ROW):
        listed = rows.setdefault(cell(row, "list_name") or cell(row, "list name"), {})
        listed.setdefault(cell(row, "name") or cell(row, "value"), number)
    return rows


def cell(row: Mapping[str, Any], column: str) -> str:
    return next((str(value).strip() for name, value in row.items() if str(name).strip().lower() == column), "")


if __name__ == "__main__":
    main()
