"""Authors learn before publishing what their form leaves to chance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forms.definition import Choice, DataType, FormDefinition, Instance, Itemset, Question
from forms.finding import Severity
from forms.lint import lint
from forms.notice import SENTENCES, Notice
from tests.unit.forms.remarked import REMARKED
from tests.unit.forms.study_form import ask, calculate, form, group, repeat

SPACED = (Choice("raw material", {"": "Raw"}), Choice("none", {"": "None"}))
SELECT = Itemset("uses")
USES = Instance("uses", choices=SPACED)

USED = ask("s", DataType.SELECT, control="select", itemset=SELECT)
YES = ask(
    "yes",
    DataType.SELECT1,
    control="select1",
    itemset=Itemset("", choices=(Choice("yes", {"": "Yes"}), Choice("no", {"": "No"}))),
)

CASES: list[tuple[str, str, FormDefinition]] = [
    ("date-literal", "d", form(ask("d", DataType.DATE, constraint=". > '2024-01-01'"))),
    ("date-text", "d", form(ask("t"), ask("d", DataType.DATE, constraint=". > /data/t"))),
    ("bare-path", "b", form(ask("a"), ask("b", relevant="/data/a"))),
    ("bare-path", "b", form(ask("a"), ask("b", relevant="not(/data/a)"))),
    ("several-nodes", "x", form(repeat("r", ask("v")), calculate("x", "/data/r/v"))),
    ("absolute-in-repeat", "r/w", form(repeat("r", ask("v"), calculate("w", "/data/r/v")))),
    ("regex-not-anchored", "a", form(ask("a", constraint="regex(., '[0-9]+')"))),
    ("regex-not-anchored", "a", form(ask("a", constraint="regex(., 'yes|no')"))),
    ("numeric-predicate", "x", form(repeat("r", ask("v")), calculate("x", "/data/r[1]/v"))),
    ("optional-in-sum", "x", form(ask("a", DataType.INT), calculate("x", "/data/a + 1"))),
    ("large-number", "x", form(calculate("x", "3000000000 + 1"))),
    ("long-number", "a", form(ask("a", DataType.INT, constraint=". < 10000000000"))),
    ("choice-space", "", form(USED, instances=[USES])),
    ("none-with-others", "s", form(USED, instances=[USES])),
    ("not-a-number", "x", form(ask("a", DataType.INT), calculate("x", "/data/a + 'ten'"))),
    ("no-such-choice", "b", form(YES, ask("b", relevant="/data/yes = 'yess'"))),
    ("no-such-choice", "b", form(YES, ask("b", relevant="'2' != ../yes"))),
    ("no-such-choice", "yes", form(replace(YES, constraint="selected(., 'maybe')"))),
    ("multiple-equals", "b", form(USED, ask("b", relevant="not(/data/s = 'none')"), instances=[USES])),
    ("choice-comma", "", form(replace(USED, type=DataType.SELECT1), instances=[USES])),
    ("choice-twice", "", form(ask("a"), instances=[Instance("l", choices=(SPACED[0], SPACED[0]))])),
    ("no-choices", "", form(ask("s", DataType.SELECT1, itemset=Itemset("l")), instances=[Instance("l")])),
    ("before-consent", "g", form(ask("g", DataType.GEOPOINT, control="", is_set_by_action=True))),
    ("count-without-bound", "r", form(ask("n", DataType.INT), repeat("r", ask("v"), count="../n"))),
    ("required-unseen", "a", form(ask("a", control="", required="true()"))),
    ("merge-unknown", "a", form(ask("a", merge="newest"))),
    ("merge-misfit", "a", form(ask("a", merge="max"))),
    ("merge-misfit", "c", form(calculate("c", "1", merge="latest"))),
    ("merge-misfit", "g", form(group("g", ask("a"), label={"": "G"}, merge="latest"))),
    ("merge-key-alone", "a", form(ask("a", merge="key"))),
    ("merge-key-twice", "r", form(repeat("r", ask("a", merge="key"), group("g", ask("b", merge="key"))))),
    ("merge-without-key", "r/a", form(repeat("r", ask("a", merge="append")))),
    ("unjudged-chance", "a", form(ask("a", relevant="random() > 0.5"))),
    ("unjudged-device", "a", form(ask("a", constraint=". = property('username')"))),
    ("unjudged-language", "x", form(calculate("x", "format-date(today(), '%b')"))),
    ("unjudged-history", "a", form(ask("t"), ask("a", readonly="/data/t = 'x'"))),
    ("unjudged-bounds", "a", form(ask("a", DataType.INT, control="range", range=("1", "", "1")))),
    ("no-label", "a", form(ask("a", label={}))),
    ("no-client", "a", form(ask("a", DataType.INTENT))),
    ("no-client", "a", form(ask("a", DataType.BINARY, control="upload", mediatype="osm/*"))),
    ("outside-app", "a", form(ask("a", appearance="w1 ex:org.example.scale"))),
    ("money-without-bound", "a", form(ask("a", DataType.INT, label={"": "Omzet (Rp)"}, constraint=". > 0"))),
    ("no-constraint-message", "a", form(ask("a", constraint=". != 'x'"))),
    ("pii-unmarked", "nik", form(ask("nik"))),
    ("pii-unmarked", "a", form(ask("a", label={"en": "Phone number", "id": "Nomor HP"}))),
    ("no-version", "", replace(form(ask("a")), version="")),
    ("version-format", "", form(ask("a"))),
    ("no-instance-name", "", form(ask("a"))),
    ("no-clock", "", form(ask("a"))),
    ("missing-translation", "", replace(form(ask("a", label={"id": "A"})), languages=("id", "en"))),
]


def codes(definition: FormDefinition) -> list[tuple[str, str]]:
    return [(notice.code, notice.path) for notice in lint(definition)]


@pytest.mark.parametrize(("code", "path", "definition"), CASES, ids=[f"{code} {path}" for code, path, _ in CASES])
def test_it_is_noticed_at_its_question(code: str, path: str, definition: FormDefinition) -> None:
    assert (code, path) in codes(definition)


@pytest.mark.parametrize(("code", "path", "definition"), CASES, ids=[f"{code} {path}" for code, path, _ in CASES])
def test_every_notice_is_a_sentence(code: str, path: str, definition: FormDefinition) -> None:
    for notice in lint(definition):
        assert notice.message.endswith((".", "?"))
        assert "{" not in notice.message.replace("${", "")


def test_every_sentence_has_a_case() -> None:
    assert set(SENTENCES) == {code for code, _, _ in [*CASES, *REMARKED]} | {"conversion"}


def test_a_well_made_form_gives_no_notice() -> None:
    told = {"constraint_message": {"": "Write it in full."}}
    definition = form(
        Question("start", ("start",), DataType.DATETIME, preload="timestamp start"),
        Question("end", ("end",), DataType.DATETIME, preload="timestamp end"),
        ask("age", DataType.INT, required="true()", constraint=". >= 15 and . <= 99", **told),
        ask("day", DataType.DATE, constraint=". <= today() and . >= date('2026-01-01')", **told),
        ask("phone", constraint="regex(., '^08[0-9]{8,11}$')", parameters={"pii": "contact"}, **told),
        ask("revenue", DataType.INT, label={"": "Omzet (Rp)"}, constraint=". <= 999999999", **told),
        YES,
        group("g", ask("why", relevant="/data/age != '' and selected(/data/yes, 'no') and /data/yes != ''")),
        calculate("next", "/data/age + 1"),
        calculate("sum", "coalesce(/data/revenue, 0) + 1"),
        instance_name="concat('x', /data/age)",
    )

    assert lint(replace(definition, version="2026112501")) == ()


def test_a_choice_is_named_by_its_list_and_what_was_probably_meant_is_said() -> None:
    (wrong,) = [one for one in lint(form(YES, ask("b", relevant="../yes = 'yess'"))) if one.code == "no-such-choice"]

    assert wrong.message == (
        "In relevant, yes is compared with 'yess', which is none of its choices. It is never true; did you mean yes?"
    )


def test_choices_from_a_file_and_blanks_are_compared_in_silence() -> None:
    listed = ask("s", DataType.SELECT1, control="select1", itemset=Itemset("file"))
    files = [Instance("file", src="jr://file-csv/file.csv")]

    definition = form(YES, listed, ask("b", relevant="/data/s = 'x' and /data/yes != ''"), instances=files)

    assert not {"no-such-choice", "multiple-equals"} & {code for code, _ in codes(definition)}


def test_notices_come_in_the_order_of_the_form_and_stop_nothing() -> None:
    notices = lint(form(ask("a", label={}), ask("b", relevant="/data/a"), ask("c", label={})))

    assert [notice.path for notice in notices if notice.path] == ["a", "b", "c"]
    assert all(notice.severity is not Severity.ERROR for notice in notices)


def test_a_notice_says_what_to_write_instead() -> None:
    notice = Notice(Severity.WARNING, "d", "date-literal", {"column": "constraint", "literal": "2024-01-01"})

    assert notice.message == "In constraint, '2024-01-01' is compared as text: write date('2024-01-01')."
