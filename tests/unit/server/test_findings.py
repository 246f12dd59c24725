"""What could not be judged says what is missing."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from forms.check import compile_form
from forms.definition import DataType, Instance, Itemset
from forms.finding import Rule
from forms.program.run import BUDGET, undecidable
from server.commands.finding import sentence
from server.console.answers import Reader
from server.console.findings import told
from sync.models import SubmissionFinding
from tests.unit.forms.study_form import CONTEXT, ask, form

VILLAGES = form(
    ask("village", DataType.SELECT1, control="select1", itemset=Itemset("villages")),
    instances=[Instance("villages", src="jr://file-csv/villages.csv")],
)
MISSING = "The list villages is not at hand, so nothing that is looked up in it is checked. Attach it to the form."
BELUM = (
    "Daftar villages belum ada di server, jadi apa pun yang dicari di dalamnya tidak diperiksa."
    " Lampirkan pada formulir."
)


def test_the_command_line_names_the_list_that_is_missing() -> None:
    (finding,) = compile_form(VILLAGES).check({"village": "a"}, CONTEXT)

    assert finding.rule is Rule.UNDECIDABLE
    assert sentence(finding) == MISSING


def test_the_console_names_the_list_that_is_missing_in_the_readers_language(app: Flask) -> None:
    (finding,) = compile_form(VILLAGES).check({"village": "a"}, CONTEXT)
    row = SubmissionFinding(
        rule=finding.rule.value,
        path="",
        value="",
        message={},
        params=dict(finding.params),
        state="open",
        severity="info",
    )

    sentences = {}
    for language in ("en", "id"):
        with app.test_request_context(headers={"Accept-Language": language}):
            sentences[language] = told(None, [row], language)[0].sentence

    assert sentences == {"en": MISSING, "id": BELUM}


def test_a_message_is_in_the_forms_default_language_where_the_reader_has_none(app: Flask) -> None:
    definition = replace(form(ask("age", DataType.INT)), default_language="Jawa (jv)")
    row = SubmissionFinding(
        rule="constraint",
        path="age",
        value="300",
        message={"Français (fr)": "trop vieux", "Jawa (jv)": "katuwèn", "Bahasa Indonesia (id)": "terlalu tua"},
        params={},
        state="open",
        severity="error",
    )

    with app.test_request_context():
        sentences = [told(Reader(definition, language), [row], language)[0].sentence for language in ("id", "en")]

    assert sentences == ["terlalu tua", "katuwèn"]


def test_a_record_that_asks_for_too_much_says_so() -> None:
    assert sentence(undecidable(rows=str(BUDGET))) == (
        "The rules of the form would look through more than 2000000 rows for this record: not all are checked."
    )
