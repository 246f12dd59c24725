"""Everything that a form says to people is kept in each of its languages and said in the reader's."""

from __future__ import annotations

import pytest

from forms.check import compile_form
from forms.definition import Text, say
from forms.form_file import read_form_file
from tests.unit.forms.study_form import CONTEXT

TEXTS = ("label", "hint", "guidance_hint", "constraint_message", "required_message")
HEAD = " | ".join(f"{text}::{language}" for text in TEXTS for language in ("Bahasa Indonesia (id)", "English (en)"))
FORM = f"""
| survey |
| | type | name | constraint | required | calculation | {HEAD} |
| | begin_group | g | | | | Kelompok | Group | | | | | | | | |
| | select_one yn | ok | | yes | | Setuju? | Agreed? | Tanya | Ask | Sabar | Never press | | | Jawablah | Answer it |
| | integer | age | . >= 15 | | | Umur | Age | | | | | Minimal 15 | At least 15 | | |
| | text | only | | | | Hanya di sini | | | | | | | | | |
| | end_group | | | | | | | | | | | | | | |
| | calculate | chosen | | | jr:choice-name(${{ok}}, '${{ok}}') | | | | | | | | | | |
| | calculate | month | | | format-date('2026-05-04', '%a %e %b %Y') | | | | | | | | | | |
| choices |
| | list_name | name | label::Bahasa Indonesia (id) | label::English (en) |
| | yn | yes | Ya | Yes |
| settings |
| | form_id | version | default_language |
| | two | 2026010101 | DEFAULT |
"""
INDONESIAN, ENGLISH = "Bahasa Indonesia (id)", "English (en)"


def both(text: Text) -> tuple[str, str]:
    return say(text, "id"), say(text, "en")


def test_each_kind_of_text_is_said_in_each_language() -> None:
    definition = read_form_file(FORM.replace("DEFAULT", INDONESIAN).encode(), "two.md").definition
    group, ok, age = (definition.at(path) for path in (("g",), ("g", "ok"), ("g", "age")))
    choice = definition.instances["yn"].choices[0]

    assert definition.languages == (INDONESIAN, ENGLISH)
    assert both(group.label) == ("Kelompok", "Group")  # type: ignore[union-attr]
    assert both(ok.hint) == ("Tanya", "Ask")  # type: ignore[union-attr]
    assert both(ok.guidance) == ("Sabar", "Never press")  # type: ignore[union-attr]
    assert both(ok.required_message) == ("Jawablah", "Answer it")  # type: ignore[union-attr]
    assert both(age.constraint_message) == ("Minimal 15", "At least 15")  # type: ignore[union-attr]
    assert both(choice.label) == ("Ya", "Yes")


def test_a_finding_carries_the_forms_words_in_each_language() -> None:
    compiled = compile_form(read_form_file(FORM.replace("DEFAULT", INDONESIAN).encode(), "two.md").definition)

    required, constraint = compiled.check({"g": {"age": "14"}}, CONTEXT)

    assert both(required.message) == ("Jawablah", "Answer it")
    assert both(constraint.message) == ("Minimal 15", "At least 15")


@pytest.mark.parametrize(
    ("default", "chosen", "month"), [(INDONESIAN, "Ya", "Sen 4 Mei 2026"), (ENGLISH, "Yes", "Mon 4 May 2026")]
)
def test_names_of_choices_and_months_are_in_the_forms_language(default: str, chosen: str, month: str) -> None:
    compiled = compile_form(read_form_file(FORM.replace("DEFAULT", default).encode(), "two.md").definition)

    answers = compiled.calculate({"g": {"ok": "yes"}}, CONTEXT)

    assert (answers["chosen"], answers["month"]) == (chosen, month)


def test_who_reads_a_third_language_gets_the_forms_own() -> None:
    compiled = compile_form(read_form_file(FORM.replace("DEFAULT", ENGLISH).encode(), "two.md").definition)

    assert compiled.label(("g", "age"), "fr") == "Age"
    assert compiled.label(("g", "age"), "id") == "Umur"
    assert compiled.label(("g", "only"), "en") == "Hanya di sini"
