"""Laws of answers: their three shapes say the same, and the fast way to load them is the right one."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, fields

from forms.check import Context, compile_form
from forms.definition import FormDefinition
from forms.flat import flatten, unflatten
from forms.instance import open_instance, read_answers, write
from forms.lint import lint
from forms.program.build import Builder, prepare
from forms.program.load import loaders
from forms.program.logic import logic
from forms.program.rules import rules
from schemas.answers import AnswersSchema, _build
from tests.property.form_strategy import answers_to, forms, spoilt
from tests.unit.forms.study_form import everything

slowly = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def stock(definition: FormDefinition) -> AnswersSchema:
    """The same schema without any generated code."""
    schema = _build(definition)
    _slow_down(schema)
    return schema


def _slow_down(schema: Schema) -> None:
    assert isinstance(schema, AnswersSchema)
    type(schema).generated = staticmethod(_never)
    for field in schema.fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            _slow_down(inner.schema)


def _never(_data: Any) -> dict[str, Any]:
    raise TypeError


def outcome(schema: AnswersSchema, answers: Any) -> Any:
    try:
        return "loaded", schema.load(answers)
    except ValidationError as error:
        return "refused", error.messages


@slowly
@given(forms(), st.data())
def test_answers_written_as_xml_are_read_as_they_were(definition: FormDefinition, data: st.DataObject) -> None:
    answers = data.draw(answers_to(definition.root))

    envelope = open_instance(write(definition, answers, instance_id="uuid:1", instance_name="x"))
    reading = read_answers(definition, envelope)

    assert reading.findings == ()
    assert reading.answers == answers
    assert (envelope.form_id, envelope.version, envelope.instance_id) == ("any form", 'v"1', "uuid:1")


@slowly
@given(forms(), st.data())
def test_flat_answers_are_the_nested_ones(definition: FormDefinition, data: st.DataObject) -> None:
    answers = data.draw(answers_to(definition.root))

    flat = flatten(definition, answers)

    assert unflatten(definition, flat) == answers
    assert flatten(definition, unflatten(definition, flat)) == flat
    assert unflatten(definition, json.loads(json.dumps(flat))) == answers


@slowly
@given(forms(), st.data())
def test_generated_and_stock_loading_agree_on_good_answers(definition: FormDefinition, data: st.DataObject) -> None:
    answers = data.draw(answers_to(definition.root, typed=True))
    schema = _build(definition)

    assert outcome(schema, answers) == outcome(stock(definition), answers)


@slowly
@given(forms(), st.data())
def test_generated_and_stock_loading_agree_on_anything(definition: FormDefinition, data: st.DataObject) -> None:
    answers = data.draw(answers_to(definition.root, typed=data.draw(st.booleans())).flatmap(spoilt))
    schema = _build(definition)

    assert outcome(schema, answers) == outcome(stock(definition), answers)


@slowly
@given(forms(), st.data())
def test_what_was_loaded_and_dumped_is_loaded_as_the_same(definition: FormDefinition, data: st.DataObject) -> None:
    schema = _build(definition)
    typed = schema.load(data.draw(answers_to(definition.root, typed=True).filter(lambda found: loads(schema, found))))

    assert schema.load(schema.dump(typed)) == typed


def loads(schema: AnswersSchema, answers: Any) -> bool:
    return outcome(schema, answers)[0] == "loaded"


@slowly
@given(forms(), st.data())
def test_the_compiled_form_takes_as_they_are_exactly_the_answers_that_the_schema_takes(
    definition: FormDefinition, data: st.DataObject
) -> None:
    answers = data.draw(answers_to(definition.root, typed=data.draw(st.booleans())).flatmap(spoilt))

    whole = compile_form(definition).check_whole(answers, Context(None, None))

    assert (whole is not None) == loads(_build(definition), answers)


@slowly
@given(forms())
def test_a_form_compiles_to_the_same_code_every_time(definition: FormDefinition) -> None:
    one, other = (prepare(definition) for _ in range(2))

    assert [ast.dump(statement) for statement in program(one)] == [ast.dump(statement) for statement in program(other)]


def program(builder: Builder) -> list[ast.stmt]:
    return [*loaders(builder), *logic(builder), *rules(builder), *builder.program.functions]


def fingerprint() -> str:
    """Of the code of a form with every kind of rule, and of what an author is told about it."""
    told = hashlib.sha256()
    for expression, constraints in DEMANDING:
        definition = everything(expression, constraints=constraints)
        for statement in program(prepare(definition)):
            told.update(ast.dump(statement).encode())
        told.update(repr([(notice.path, notice.message) for notice in lint(definition)]).encode())
    return told.hexdigest()


DEMANDING = (
    ("sum(/data/r/v) + count(instance('people')/root/item[group = /data/t and name != 'a'])", {"t": "regex(., 'a+')"}),
    ("join(' ', //v, /data/r[w != '']/v, /data/s, /data/n)", {"d": ". <= today() and . > '2024-01-01'"}),
    ("if(/data/t, /data/i + /data/n, pulldata('people', 'label', 'name', /data/s1))", {"i": ". > /data/n + /data/d"}),
)


def test_a_form_compiles_to_the_same_code_in_every_process() -> None:
    """Python's hashes of texts differ from process to process, and with them the order of sets."""
    command = [sys.executable, "-c", "from tests.property.test_answers import fingerprint; print(fingerprint())"]

    seen = {
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(seen) == 1
