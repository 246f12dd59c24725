"""The schema of a form version, and the verdict on a submission."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from marshmallow import ValidationError

from forms.check import Context, compile_form
from forms.definition import Answers, DataType
from forms.finding import Finding, Rule, Severity
from forms.xform import read
from schemas.answers import answers_schema, judge
from schemas.fields import FIELDS
from tests.unit.forms.sheet import form, xform

FORM = form("""
| survey | | | | | |
| | type | name | label | constraint | required |
| | integer | age | Age | . < 120 | yes |
| | decimal | cost | Cost | | |
| | date | day | Day | | |
| | geopoint | place | Place | | |
| | select_multiple kind | kinds | Kinds | | |
| | begin_group | income | Income | | |
| | text | note | Note | | |
| | end_group | | | | |
| | begin_repeat | business | Business | | |
| | integer | workers | Workers | | |
| | end_repeat | | | | |
| choices | | | |
| | list_name | name | label |
| | kind | a | A |
| | kind | b | B |
""")
COMPILED = compile_form(FORM)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CONTEXT = Context(started_at=NOW, ended_at=NOW, received_at=NOW)


def findings(answers: Answers) -> list[Finding]:
    return list(judge(COMPILED, answers, CONTEXT))


def places(answers: Answers) -> list[tuple[Rule, str]]:
    return [(finding.rule, finding.path) for finding in findings(answers)]


def test_answers_become_typed_values() -> None:
    answers: Answers = {
        "age": "41",
        "cost": "1.50",
        "day": "2026-11-23",
        "place": None,
        "kinds": "a b",
        "income": {"note": ""},
        "business": [{"workers": "3"}],
    }

    assert findings(answers) == []
    assert answers_schema(FORM).load(answers) == {
        "age": 41,
        "cost": Decimal("1.50"),
        "day": date(2026, 11, 23),
        "place": None,
        "kinds": ("a", "b"),
        "income": {"note": None},
        "business": [{"workers": 3}],
    }


def test_typed_values_are_dumped_as_they_were_written() -> None:
    schema = answers_schema(FORM)
    answers = {"age": "41", "place": "-8.2 114.36 12.0 4.5", "kinds": "a b", "business": [{"workers": "3"}]}

    assert schema.dump(schema.load(answers)) == answers


def test_an_answer_of_the_wrong_type_is_found_at_its_place() -> None:
    answers: Answers = {"age": "41", "day": "2026-02-30", "business": [{"workers": "1"}, {"workers": "many"}]}

    found = judge(COMPILED, answers, CONTEXT)

    assert [(finding.rule, finding.path, finding.value) for finding in found] == [
        (Rule.TYPE, "day", "2026-02-30"),
        (Rule.TYPE, "business[2]/workers", "many"),
    ]
    last = found[-1]
    assert (last.severity, last.certain) == (Severity.ERROR, True)
    assert last.params == {"type": "int", "reason": "not a whole number"}


def test_a_wrong_type_silences_the_rules_about_that_answer_only() -> None:
    assert places({"age": "old", "business": []}) == [(Rule.TYPE, "age")]
    assert places({"age": "130"}) == [(Rule.CONSTRAINT, "age")]
    assert places({}) == [(Rule.REQUIRED, "age")]
    assert places({"cost": "x"}) == [(Rule.TYPE, "cost"), (Rule.REQUIRED, "age")]


def test_what_one_engine_of_the_field_takes_is_a_warning() -> None:
    (doubtful,) = findings({"age": "41.0"})

    assert (doubtful.severity, doubtful.certain) == (Severity.WARNING, False)


@pytest.mark.parametrize(
    ("answers", "rule", "path"),
    [
        ({"age": 41}, Rule.TYPE, "age"),
        ({"age": ["41"]}, Rule.TYPE, "age"),
        ({"age": "41", "ghost": "x"}, Rule.UNKNOWN_NODE, "ghost"),
        ({"age": "41", "income": "much"}, Rule.TYPE, "income"),
        ({"age": "41", "income": {"ghost": 1}}, Rule.UNKNOWN_NODE, "income/ghost"),
        ({"age": "41", "business": {"workers": "1"}}, Rule.TYPE, "business"),
        ({"age": "41", "business": 7}, Rule.TYPE, "business"),
        ({"age": "41", "business": [None]}, Rule.TYPE, "business[1]"),
        ({"age": "41", "business": [{}, {"x": "1"}]}, Rule.UNKNOWN_NODE, "business[2]/x"),
    ],
)
def test_what_does_not_have_the_shape_of_the_form_is_found_and_not_raised(
    answers: Answers, rule: Rule, path: str
) -> None:
    assert (rule, path) in places(answers)


def test_a_long_answer_is_quoted_in_part() -> None:
    (finding,) = findings({"age": "x" * 5_000})

    assert len(finding.value) == 1_000


def test_the_schema_of_a_form_version_is_made_once() -> None:
    assert answers_schema(FORM) is answers_schema(FORM)


def test_every_data_type_has_a_field_of_its_own() -> None:
    assert set(FIELDS) == set(DataType)
    assert [field.type for field in FIELDS.values()] == list(FIELDS)


@pytest.mark.parametrize(
    "name",
    ["class", "None", "load", "Meta", "fields", "opts", "__proto__", "a.b", "a-b", "désa", "_schema"],
)
def test_any_name_of_a_question_is_only_a_name(name: str) -> None:
    definition = read(xform(f"<{name}/><g><{name}/></g>", binds=f'<bind nodeset="/data/{name}" type="int"/>', body=""))
    schema = answers_schema(definition)

    assert schema.load({name: "1", "g": {name: "x"}}) == {name: 1, "g": {name: "x"}}
    assert schema.load_stock({name: "1"}) == {name: 1}
    assert schema.dump({name: 1}) == {name: "1"}
    with pytest.raises(ValidationError):
        schema.load({name: "one"})
    found = judge(compile_form(definition), {name: "one"}, CONTEXT)
    assert [(finding.rule, finding.path) for finding in found] == [(Rule.TYPE, name)]
