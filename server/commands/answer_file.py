"""Answers as files that people and `lapangan device add` read, and small files for the media that they name."""

from __future__ import annotations

import csv
import io
import json
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TypeAlias

import xlsxwriter
from PIL import Image

from forms.definition import Answers, FormDefinition, Group, Question, Repeat

Place: TypeAlias = tuple[int, ...]
"""Where a column stands: the node's number at each step, its position after that of a repeat."""


def as_json(definition: FormDefinition, records: Sequence[Answers]) -> bytes:
    return f"{json.dumps(records, ensure_ascii=False, indent=2)}\n".encode()


def as_csv(definition: FormDefinition, records: Sequence[Answers]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(lines(definition, records))
    return file.getvalue().encode()


def as_xlsx(definition: FormDefinition, records: Sequence[Answers]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_numbers": False}) as book:
        sheet = book.add_worksheet("answers")
        for number, line in enumerate(lines(definition, records)):
            for column, words in enumerate(line):
                sheet.write_string(number, column, words)
    return file.getvalue()


WRITERS: Mapping[str, Callable[[FormDefinition, Sequence[Answers]], bytes]] = {
    "json": as_json,
    "csv": as_csv,
    "xlsx": as_xlsx,
}


def lines(definition: FormDefinition, records: Sequence[Answers]) -> list[list[str]]:
    """A header of paths, then a line for each record; occurrences of a repeat stand beside each other."""
    cells = [{(place, path): text for place, path, text in _cells(definition.root, one, "", ())} for one in records]
    columns = sorted({column for one in cells for column in one})
    return [[path for _place, path in columns], *([one.get(column, "") for column in columns] for one in cells)]


def _cells(parent: Group | Repeat, answers: Answers, above: str, place: Place) -> Iterator[tuple[Place, str, str]]:
    for number, node in enumerate(parent.children):
        value = answers.get(node.name)
        for position, inner in enumerate(value or () if isinstance(node, Repeat) else [value], 1):
            here = f"{above}{node.name}" + (f"[{position}]" if isinstance(node, Repeat) else "")
            if isinstance(node, Question):
                if inner:
                    yield (*place, number), here, str(inner)
            elif inner:
                yield from _cells(node, inner, f"{here}/", (*place, number, position))


def medium(name: str) -> bytes:
    """A small file of the kind that its name says, with nothing in it."""
    made = _MEDIA.get(PurePath(name).suffix.lower())
    return made() if made else f"{name}\n".encode()


def _picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 205, 190)).save(file, "JPEG")
    return file.getvalue()


def _silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 800)
    return file.getvalue()


_MEDIA: Mapping[str, Callable[[], bytes]] = {".jpg": _picture, ".wav": _silence}
