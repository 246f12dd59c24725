"""The forms that are tried: the study's own, and small ones that exercise what forms can say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from forms.check import CompiledForm, Context, compile_form
from forms.form_file import FormFile, read_form_files
from forms.library import ENTITY_LIST, STUDY
from forms.library.sample import fieldwork_day
from sync.form_table import table
from tests.unit.forms.study_form import ENDED_AT

FOLDER = Path(__file__).parent / "forms"
NOW = ENDED_AT
CONTEXT = Context(NOW, NOW, NOW)


@dataclass(frozen=True, slots=True)
class Sample:
    """A form and the files that it looks things up in."""

    name: str
    file: FormFile
    compiled: CompiledForm
    attachments: dict[str, bytes]


@cache
def samples() -> tuple[Sample, ...]:
    """All of them, read and compiled once."""
    files = [(form.read(), form.files[-1]) for form in STUDY]
    files += [(file.read_bytes(), file.name) for file in sorted(FOLDER.glob("*.md"))]
    attachments = {file.name: file.read_bytes() for file in sorted(FOLDER.glob("*.csv"))}
    attachments[f"{ENTITY_LIST}.csv"] = _informants()
    return tuple(
        _sample(name, file, attachments) for (_, name), file in zip(files, read_form_files(files), strict=True)
    )


def _sample(name: str, file: FormFile, attachments: dict[str, bytes]) -> Sample:
    named = {
        instance.id: instance.src.rpartition("/")[2] for instance in file.definition.instances.values() if instance.src
    }
    rows = {id_: table(file_name, attachments[file_name]) for id_, file_name in named.items()}
    compiled = compile_form(file.definition, rows)
    return Sample(Path(name).stem, file, compiled, {name: attachments[name] for name in named.values()})


def _informants() -> bytes:
    rows = [informant.row() for informant in fieldwork_day().informants]
    lines = [",".join(rows[0]), *(",".join(f'"{cell}"' for cell in row.values()) for row in rows)]
    return "\n".join(lines).encode()
