"""Answers from a file: JSON, CSV or an Excel workbook, one record a line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import orjson

from forms.definition import Answers, FormDefinition, Question, Repeat
from sync.device.errors import UnreadableAnswers

STEP = re.compile(r"([^\[\]/]+)(?:\[(\d{1,4})\])?")


def read_answers_file(file: Path, definition: FormDefinition) -> list[Answers]:
    """The records of the file, nested as the form is.

    A table has one record a line and one question a column, headed by its path ("income/after",
    "product[2]/price") or by its name where that is unique in the form. JSON may nest its answers as the form does,
    or name them in the same way. Refuses UnreadableAnswers."""
    suffix = file.suffix.lower()
    readers = {".json": _json, ".csv": _csv, ".xlsx": _xlsx}
    if suffix not in readers:
        raise UnreadableAnswers(f"{file.name}: .json, .csv or .xlsx is needed.")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UnreadableAnswers(f"{file.name}: {error.strerror}.") from error
    records = list(readers[suffix](file.name, content, definition))
    if not records:
        raise UnreadableAnswers(f"{file.name}: there is no record in it.")
    return records


def _json(name: str, content: bytes, definition: FormDefinition) -> Iterator[Answers]:
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnreadableAnswers(f"{name}, line {error.lineno}: {error.msg}.") from error
    for record in told if isinstance(told, list) else [told]:
        if not isinstance(record, dict):
            raise UnreadableAnswers(f"{name}: a record is an object: {{...}}.")
        answers: Answers = {}
        # Groups first: what is named by its path goes into them.
        for key, value in sorted(record.items(), key=lambda item: not isinstance(item[1], (Mapping, list))):
            if isinstance(value, (Mapping, list)) and _asked(name, value, (key,), definition):
                answers[key] = _lexical(value)
            else:
                _put(answers, _steps(name, key, definition), _lexical(value))
        yield answers


def _asked(name: str, value: object, path: tuple[str, ...], definition: FormDefinition) -> bool:
    """Whether this is a group or repeat of the form. Refuses what the form does not ask in it: a misspelt question
    would be an answer that nobody ever sees."""
    node = definition.at(path)
    if node is None or isinstance(node, Question):
        return False
    for one in value if isinstance(value, list) else [value]:
        for key, inner in one.items() if isinstance(one, Mapping) else ():
            if definition.at((*path, key)) is None:
                raise UnreadableAnswers(f"{name}: the form has no question {'/'.join((*path, key))!r}.")
            _asked(name, inner, (*path, key), definition)
    return True


def _csv(name: str, content: bytes, definition: FormDefinition) -> Iterator[Answers]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableAnswers(f"{name}: save it as CSV UTF-8.") from error
    # Excel writes semicolons where the comma is the decimal sign, as in Indonesia.
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    # Strict, since an open quotation mark would swallow the records below it.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from _table(name, rows, definition)
    except csv.Error as error:
        raise UnreadableAnswers(f"{name}, line {rows.line_num}: {error}.") from error


def _xlsx(name: str, content: bytes, definition: FormDefinition) -> Iterator[Answers]:
    # Imported here: seven megabytes, and the server imports this package too.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, SyntaxError, LookupError, ValueError, OSError) as error:
        raise UnreadableAnswers(f"{name}: this is not an Excel workbook.") from error
    try:
        yield from _table(name, book.worksheets[0].iter_rows(values_only=True), definition)
    finally:
        book.close()


def _table(name: str, rows: Iterable[Sequence[object]], definition: FormDefinition) -> Iterator[Answers]:
    lines = iter(rows)
    header = [str(cell or "").strip() for cell in next(lines, ())]
    paths = [_steps(name, column, definition) if column else () for column in header]
    for number, line in enumerate(lines, 2):
        answers: Answers = {}
        for column, cell in enumerate(map(_lexical, line)):
            if cell in (None, ""):
                continue
            if column >= len(paths) or not paths[column]:
                raise UnreadableAnswers(
                    f"{name}, row {number}: {str(cell)[:40]!r} stands under no question. Put a text with a comma in it "
                    f"into quotation marks."
                )
            _put(answers, paths[column], cell)
        if answers:
            yield answers


def _steps(name: str, column: str, definition: FormDefinition) -> tuple[tuple[str, int], ...]:
    """The column's path, each step with its position in a repeat (from 1) or 0 outside of one."""
    written = [STEP.fullmatch(part.strip()) for part in column.strip("/").split("/")]
    parts = [(match[1], int(match[2] or 0)) for match in written if match]
    path = tuple(step for step, _position in parts)
    if len(parts) == 1 and definition.at(path) is None:
        path = _by_name(name, column, definition)
        parts = [(step, 0) for step in path]
    if len(parts) != len(path) or not isinstance(definition.at(path), Question):
        raise UnreadableAnswers(f"{name}: the form has no question {column!r}.")
    return tuple(_positioned(definition, path, index, position) for index, (_step, position) in enumerate(parts))


def _by_name(name: str, column: str, definition: FormDefinition) -> tuple[str, ...]:
    found = [question.path for question in definition.questions() if question.name == column]
    if len(found) > 1:
        ways = ", ".join("/".join(path) for path in found)
        raise UnreadableAnswers(f"{name}: there is more than one {column!r}: {ways}. Write which one.")
    return found[0] if found else ()


def _positioned(definition: FormDefinition, path: tuple[str, ...], index: int, position: int) -> tuple[str, int]:
    is_repeat = isinstance(definition.at(path[: index + 1]), Repeat)
    return path[index], max(position, 1) if is_repeat else 0


def _put(answers: Answers, steps: Sequence[tuple[str, int]], cell: object) -> None:
    (step, position), rest = steps[0], steps[1:]
    if not rest:
        answers[step] = cell
    elif position:
        rows = answers.setdefault(step, [])
        rows.extend({} for _missing in range(position - len(rows)))
        _put(rows[position - 1], rest, cell)
    else:
        _put(answers.setdefault(step, {}), rest, cell)


def _lexical(value: object) -> Any:
    """As the form writes it: numbers, dates and lists of people's own tools become their text."""
    if isinstance(value, Mapping):
        return {str(key): _lexical(inner) for key, inner in value.items()}
    if isinstance(value, list):
        if not value:
            return None
        is_repeat = any(isinstance(inner, Mapping) for inner in value)
        return [_lexical(inner) for inner in value] if is_repeat else " ".join(str(_lexical(one)) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="milliseconds")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return None if value is None else str(value).strip()
