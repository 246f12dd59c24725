"""Forms by others, put through the engine: how many convert, compile and are judged, and why the others are not.

python -m tests.corpus FOLDER

Reads every workbook (.xls, .xlsx, .xlsm, .csv, .md) and XForm (.xml) below the folder, and the tables that Python tests
hold as `md="..."`. Ends with 1 when anything but a refusal leaves the engine."""

from __future__ import annotations

import argparse
import ast
import io
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from forms import form_file, xlsform
from forms.check import Context, compile_form
from forms.errors import Problem
from forms.form_file import FormFile, is_xform, read_form_file
from forms.instance import open_instance, read_answers, write
from forms.trial.fill import Unanswerable, fill
from forms.trial.probe import Probe
from forms.workbook_child import answer
from schemas.answers import judge

WORKBOOKS = frozenset({".xls", ".xlsx", ".xlsm"})
TABLES = frozenset({".csv", ".md"})
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or a table in a test, that may be a form."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """How far a form came: "judged", "compiled", "converted", "refused", or "failed" for what should never happen."""

    found: Found
    stage: str
    reason: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quiet", action="store_true", help="only the figures")
    options = parser.parse_args()
    # One process for all: starting one costs more than a conversion.
    xlsform._ask = lambda files: [  # type: ignore[assignment]
        answer(io.BytesIO(content), {"kind": kind, "size": len(content)}) for content, kind in files
    ]
    results = [put_through(found) for found in forms_below(options.folder)]
    for result in results:
        if result.reason and not options.quiet:
            print(f"{result.stage:9} {result.found.name}: {result.reason}")
    counted = Counter(result.stage for result in results)
    print(f"\n{len(results)} forms: " + ", ".join(f"{number} {stage}" for stage, number in counted.most_common()))
    sys.exit(1 if counted["failed"] else 0)


def forms_below(folder: Path) -> Iterator[Found]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(("~$", "."))):
        name, kind = str(path.relative_to(folder)), path.suffix.lower()
        if kind == ".py":
            yield from tables_in(name, path.read_text("utf-8", "replace"))
        elif _is_form(kind, content := path.read_bytes()):
            yield Found(name, kind, content)


def tables_in(name: str, source: str) -> Iterator[Found]:
    """The XLSForms that a Python test writes down as md=\"\"\"...\"\"\"."""
    try:
        calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    except SyntaxError:
        return
    for call in calls:
        for keyword in call.keywords:
            if keyword.arg == "md" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
                yield Found(f"{name}:{call.lineno}", ".md", keyword.value.value.encode())


def put_through(found: Found) -> Result:
    try:
        form = read_form_file(found.content, found.name if found.kind != ".md" else "form.md")
        _judge(found, form)
    except Problem as refusal:
        return Result(found, _stage(found), f"{type(refusal).__name__} {_said(refusal)}")
    except Exception:  # noqa: BLE001  # to find what should never happen is what this is for
        return Result(found, "failed", traceback.format_exc(limit=-3).strip())
    return Result(found, "judged")


def _judge(found: Found, form: FormFile) -> None:
    """The blank form, the one that a client would have made of it, and one filled in at random are judged."""
    compiled = compile_form(form.definition)
    context = Context(NOON, NOON, NOON)
    blank = read_answers(form.definition, open_instance(form.definition.model))
    judge(compiled, blank.answers, context)
    complete = compiled.complete(blank.answers, context)
    written = open_instance(write(form.definition, complete, instance_id="uuid:1"))
    again = read_answers(form.definition, written)
    judge(compiled, again.answers, context)
    if again.findings:
        raise AssertionError(f"what was written is not read: {again.findings}")
    with suppress(Unanswerable):
        judge(compiled, fill(Probe(compiled), Random(found.name), context), context)


def _stage(found: Found) -> str:
    """How far a form came that was refused."""
    try:
        form_file.read(_xform(found))
    except Problem:
        return "refused"
    return "converted"


def _xform(found: Found) -> bytes:
    if is_xform(found.content, found.name):
        return found.content
    return xlsform.convert(found.content, found.name if found.kind != ".md" else "form.md").xform


def _said(refusal: Problem) -> str:
    faults = refusal.members.get("faults") or [refusal.members | {"message": refusal.detail}]
    said = [
        " ".join(str(one[key]) for key in ("sheet", "row", "column", "path", "message") if one.get(key))
        for one in faults
    ]
    return " | ".join(words[:LONGEST] for words in said[:3])


def _is_form(kind: str, content: bytes) -> bool:
    if kind == ".xml":
        return b"<h:html" in content or (b"<html" in content and b"<model" in content)
    if kind in TABLES:
        return b"survey" in content and b"type" in content and b"name" in content
    return kind in WORKBOOKS


if __name__ == "__main__":
    main()
