"""One case of each kind: made from a seed, run, and judged by whether only a Problem came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random

from forms import form_file, xlsform
from forms.check import CompiledForm, compile_form
from forms.definition import FormDefinition
from forms.errors import Problem
from forms.flat import flatten, unflatten
from forms.form_file import read_form_file
from forms.instance import open_instance, read_answers, write
from forms.library import STUDY
from forms.lint import lint
from forms.workbook_child import answer
from forms.xform import read
from schemas.answers import answers_schema, judge
from tests.fuzz import mutate
from tests.unit.forms.study_form import CONTEXT, everything

INSTANCE_ID = "uuid:00000000-0000-4000-8000-000000000000"
NAMES = ("t", "i", "n", "d", "m", "s", "s1", "p", "shape", "time", "photo", "blank", "g", "r", "v", "w", "inside", "x")


def expression(random: Random) -> None:
    """Any text as a calculation, a constraint and a filter."""
    text, rule = mutate.expression(random), mutate.expression(random)
    try:
        compiled = compile_form(everything(text, random.choice(["result", "r/out"]), {"t": rule, "d": rule}))
    except Problem:
        return
    _judged(random, compiled, NAMES)


def form(random: Random) -> None:
    """A form of the study with accidents."""
    content = mutate.bytes_of(random, random.choice(_xforms()))
    try:
        definition = read(content)
        lint(definition)
        compiled = compile_form(definition)
    except Problem:
        return
    _judged(random, compiled, [node.name for node in definition.walk()] or ["x"])


def instance(random: Random) -> None:
    """A record of the study with accidents; what can be read is judged, written and read again."""
    compiled, content = random.choice(_records())
    try:
        envelope = open_instance(mutate.bytes_of(random, content))
    except Problem:
        return
    definition = compiled.definition
    reading = read_answers(definition, envelope)
    judge(compiled, reading.answers, CONTEXT)
    again = read_answers(definition, open_instance(write(definition, reading.answers, instance_id=INSTANCE_ID)))
    assert (again.answers, again.findings) == (reading.answers, ())
    assert unflatten(definition, flatten(definition, reading.answers)) == reading.answers


def workbook(random: Random) -> None:
    """A form written as a table, with accidents. It is converted here and not in the process of its own that a
    server starts for it: whatever goes wrong there is a refusal."""
    content = mutate.bytes_of(random, random.choice(_tables()))
    try:
        kind = xlsform.kind_of(content, "form.md")
        plain = xlsform._plain(content, kind)
        converted = answer(BytesIO(plain), {"kind": kind, "size": len(plain)})
    except Exception:  # noqa: BLE001 - it would have ended the process of its own
        return
    try:
        read_file = form_file._from_workbook(content, "form.md", xlsform._conversion(converted))
    except Problem:
        return
    _judged(random, compile_form(read_file.definition), [node.name for node in read_file.definition.walk()] or ["x"])


KINDS: Mapping[str, Callable[[Random], None]] = {
    "expression": expression,
    "form": form,
    "instance": instance,
    "workbook": workbook,
}


def run(kind: str, seed: int) -> None:
    """The case of a seed; any exception that leaves it is a fault of the engine."""
    KINDS[kind](Random(f"{kind} {seed}"))


def _judged(random: Random, compiled: CompiledForm, names: list[str] | tuple[str, ...]) -> None:
    """Answers of any shape; what the compiled form takes as it is, the schema takes as well."""
    for _ in range(2):
        found = {random.choice(names): mutate.answers(random, names) for _ in range(random.randrange(12))}
        is_whole = compiled.check_whole(found, CONTEXT) is not None
        judge(compiled, found, CONTEXT)
        completed = compiled.complete(found, CONTEXT)
        compiled.instance_name(completed, CONTEXT)
        assert not is_whole or answers_schema(compiled.definition).load(found) is not None


@cache
def _tables() -> tuple[bytes, ...]:
    return tuple(file.read_bytes() for file in sorted((Path(__file__).parents[1] / "differential/forms").glob("*.md")))


@cache
def _xforms() -> tuple[bytes, ...]:
    return tuple(_definition(study_form.read(study_form.files[-1]), study_form.files[-1])[1] for study_form in STUDY)


@cache
def _records() -> tuple[tuple[CompiledForm, bytes], ...]:
    found = []
    for study_form in STUDY:
        definition, _ = _definition(study_form.read(study_form.files[-1]), study_form.files[-1])
        compiled = compile_form(definition)
        content = write(definition, compiled.complete({}, CONTEXT), instance_id=INSTANCE_ID).encode()
        found += [(compiled, content), (compiled, definition.model.encode())]
    return tuple(found)


@cache
def _definition(content: bytes, name: str) -> tuple[FormDefinition, bytes]:
    read_file = read_form_file(content, name)
    return read_file.definition, read_file.xform
