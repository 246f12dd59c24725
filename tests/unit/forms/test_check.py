"""A record is judged as its form says: errors are certain, everything else is a warning."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from forms.check import CompiledForm, Context, compile_form
from forms.definition import Answers, Choice, DataType, EntityDeclaration, FormDefinition, Instance, Itemset
from forms.errors import BrokenForm
from forms.expression.table import Table
from forms.finding import Finding, Rule, Severity
from tests.unit.forms.study_form import CONTEXT, ENDED_AT, SHORT, STARTED_AT, WIB, ask, calculate, form, group, repeat

Verdict = tuple[Severity, Rule, str]
SURE, DOUBTFUL = Severity.ERROR, Severity.WARNING
VILLAGES = [{"name": "a", "label": "A", "district": "north"}, {"name": "b", "label": "B", "district": "south"}]


def judged(
    definition: FormDefinition, answers: Answers, context: Context = CONTEXT
) -> list[tuple[Severity, Rule, str]]:
    return said(compile_form(definition).check(answers, context))


def said(findings: tuple[Finding, ...]) -> list[Verdict]:
    return [(finding.severity, finding.rule, finding.path) for finding in findings]


# Required


def test_a_required_answer_is_missed_in_every_language() -> None:
    words = {"id": "Isi namanya.", "en": "Fill in the name."}
    compiled = compile_form(form(ask("name", required="true()", required_message=words)))

    (finding,) = compiled.check({}, CONTEXT)

    assert (finding.severity, finding.rule, finding.path) == (SURE, Rule.REQUIRED, "name")
    assert finding.message == words


def test_what_is_never_shown_is_not_required() -> None:
    assert judged(form(calculate("name", "", required="true()")), {}) == []


def test_a_requirement_may_depend_on_another_answer() -> None:
    definition = form(ask("role"), ask("age", DataType.INT, required="/data/role = 'core'"))

    assert judged(definition, {"role": "other"}) == []
    assert judged(definition, {"role": "core"}) == [(SURE, Rule.REQUIRED, "age")]


# Constraint


def test_a_constraint_is_not_asked_of_a_blank() -> None:
    definition = form(ask("age", DataType.INT, constraint=". >= 15 and . <= 99"))

    assert judged(definition, {}) == []
    assert judged(definition, {"age": "15"}) == []
    assert judged(definition, {"age": "14"}) == [(SURE, Rule.CONSTRAINT, "age")]


def test_a_finding_shows_the_answer_but_not_all_of_a_long_one() -> None:
    (finding,) = compile_form(form(ask("note", constraint="string-length(.) < 5"))).check(
        {"note": "x" * 9_999}, CONTEXT
    )

    assert finding.value == "x" * 1_000


def test_in_a_repeat_the_position_is_part_of_the_path() -> None:
    good = repeat("good", ask("price", DataType.INT, constraint=". > 0 and . <= ../../limit"))
    definition = form(group("home", repeat("shop", good, ask("limit", DataType.INT))))
    first = {"limit": "5", "good": [{"price": "5"}, {"price": "6"}]}
    answers = {"home": {"shop": [first, {"limit": "9", "good": [{"price": "0"}]}]}}

    assert judged(definition, answers) == [
        (SURE, Rule.CONSTRAINT, "home/shop[1]/good[2]/price"),
        (SURE, Rule.CONSTRAINT, "home/shop[2]/good[1]/price"),
    ]


def test_a_constraint_that_rests_on_chance_is_not_judged() -> None:
    assert judged(form(ask("n", DataType.INT, constraint=". > random() * 100")), {"n": "1"}) == []


def test_today_is_whatever_the_day_of_the_interview_may_have_been() -> None:
    definition = form(ask("day", DataType.DATE, constraint=". <= today()"))

    assert judged(definition, {"day": "2026-11-23"}) == []
    assert judged(definition, {"day": "2026-11-24"}) == []
    assert judged(definition, {"day": "2026-11-25"}) == [(SURE, Rule.CONSTRAINT, "day")]


@pytest.mark.parametrize("day", ["2026-11-22", "2026-11-23", "2026-11-24"])
def test_today_is_any_day_of_the_interview_not_only_one_of_its_ends(day: str) -> None:
    definition = form(ask("day", DataType.DATE, constraint=". = today()"))

    assert judged(definition, {"day": day}) == []
    assert judged(definition, {"day": "2026-11-21"}) == [(SURE, Rule.CONSTRAINT, "day")]


def test_two_bounds_that_move_with_time_are_tried_on_every_day() -> None:
    definition = form(ask("day", DataType.DATE, constraint=". >= today() - 1 and . <= today()"))
    week = Context(STARTED_AT, STARTED_AT + timedelta(days=7), STARTED_AT + timedelta(days=7))

    assert judged(definition, {"day": "2026-11-26"}, week) == []
    assert judged(definition, {"day": "2026-12-03"}, week) == [(SURE, Rule.CONSTRAINT, "day")]


def test_of_an_interview_of_months_only_what_its_ends_decide_is_certain() -> None:
    definition = form(
        ask("moving", DataType.DATE, constraint=". = today()"), ask("bound", DataType.DATE, constraint=". <= today()")
    )
    months = Context(STARTED_AT, STARTED_AT + timedelta(days=99), STARTED_AT + timedelta(days=99))

    assert judged(definition, {"moving": "2020-01-01", "bound": "2030-01-01"}, months) == [
        (SURE, Rule.CONSTRAINT, "bound")
    ]


def test_what_is_required_on_one_day_only_is_not_missed() -> None:
    definition = form(
        ask("x", required="today() = date('2026-11-23')"), ask("y", required="today() > date('2026-01-01')")
    )

    assert judged(definition, {}) == [(SURE, Rule.REQUIRED, "y")]


def test_without_any_time_nothing_about_today_is_held_against_an_answer() -> None:
    definition = form(ask("day", DataType.DATE, constraint=". <= today() and . >= date('2026-01-01')"))
    timeless = Context(None, None)

    assert judged(definition, {"day": "2030-01-01"}, timeless) == []
    assert judged(definition, {"day": "2020-01-01"}, timeless) == [(SURE, Rule.CONSTRAINT, "day")]


def test_the_day_is_that_of_the_device_s_own_time_zone() -> None:
    definition = form(ask("day", DataType.DATE, constraint=". = today()"))
    night = datetime(2026, 11, 23, 23, 30, tzinfo=WIB)

    findings = compile_form(definition).check({"day": "2026-11-24"}, Context(night, night + timedelta(minutes=5)))

    assert findings == ()


# Relevance


def test_an_answer_to_a_question_that_is_not_asked_is_found_and_counts_as_blank() -> None:
    definition = form(
        ask("consent"),
        group("g", ask("age", DataType.INT, required="true()"), relevant="/data/consent = 'yes'"),
        calculate("next", "/data/g/age + 1"),
    )

    assert judged(definition, {"consent": "no", "g": {"age": "5"}}) == [(SURE, Rule.RELEVANT, "g/age")]
    assert judged(definition, {"consent": "yes", "g": {"age": "5"}, "next": "6"}) == []
    assert judged(definition, {"consent": "yes"}) == [(SURE, Rule.REQUIRED, "g/age")]


def test_relevance_inside_relevance_needs_both() -> None:
    definition = form(
        ask("a"),
        ask("b"),
        group("outer", group("inner", ask("x", required="true()"), relevant="/data/b = '1'"), relevant="/data/a = '1'"),
    )

    assert judged(definition, {"b": "1"}) == []
    assert judged(definition, {"a": "1", "b": "1"}) == [(SURE, Rule.REQUIRED, "outer/inner/x")]


def test_relevance_follows_calculations_in_whatever_order_the_form_has_them() -> None:
    definition = form(
        ask("reason", relevant="/data/change < 0", required="true()"),
        calculate("change", "/data/after - /data/before"),
        ask("before", DataType.INT),
        ask("after", DataType.INT),
    )

    assert judged(definition, {"before": "5", "after": "7", "change": "2"}) == []
    assert judged(definition, {"before": "5", "after": "3", "change": "-2"}) == [(SURE, Rule.REQUIRED, "reason")]


def test_an_occurrence_that_is_not_relevant_leaves_the_repeat() -> None:
    definition = form(
        repeat("r", ask("v", DataType.INT), ask("w"), relevant="position(.) != 2"),
        calculate("total", "sum(/data/r/v)"),
    )
    answers = {"r": [{"v": "1"}, {"w": "no", "v": "2"}, {"v": "4"}], "total": "5"}

    assert judged(definition, answers) == [(SURE, Rule.RELEVANT, "r[2]/v"), (SURE, Rule.RELEVANT, "r[2]/w")]


def test_a_repeat_in_a_group_that_is_not_relevant_is_found_answer_by_answer() -> None:
    definition = form(ask("a"), group("g", repeat("r", ask("v"), ask("w")), relevant="/data/a = '1'"))

    assert judged(definition, {"g": {"r": [{"v": "x"}, {"w": "y"}]}}) == [
        (SURE, Rule.RELEVANT, "g/r[1]/v"),
        (SURE, Rule.RELEVANT, "g/r[2]/w"),
    ]


# Calculation


def test_a_calculation_is_worked_out_again() -> None:
    definition = form(ask("a", DataType.INT), calculate("double", "/data/a * 2"))

    assert judged(definition, {"a": "4", "double": "8"}) == []
    (finding,) = compile_form(definition).check({"a": "4", "double": "9"}, CONTEXT)
    assert (finding.severity, finding.rule, finding.value) == (SURE, Rule.CALCULATE, "9")
    assert finding.params["expected"] == "8"


def test_what_reads_a_wrong_calculation_sees_the_right_one() -> None:
    why = ask("why", relevant="/data/double > 8", required="true()")
    definition = form(ask("a", DataType.INT), calculate("double", "/data/a * 2"), why)

    assert judged(definition, {"a": "4", "double": "9"}) == [(SURE, Rule.CALCULATE, "double")]


def test_a_calculation_that_a_person_may_change_is_only_doubtful() -> None:
    shown = {"control": "input", "label": {"": "x"}}

    assert judged(form(calculate("x", "1 + 1", **shown)), {"x": "3"}) == [(DOUBTFUL, Rule.CALCULATE, "x")]
    assert judged(form(calculate("x", "1 + 1", readonly="true()", **shown)), {"x": "3"}) == [
        (SURE, Rule.CALCULATE, "x")
    ]
    assert judged(form(calculate("x", "1 + 1", is_set_by_action=True)), {"x": "3"}) == [(DOUBTFUL, Rule.CALCULATE, "x")]


def test_what_follows_from_chance_is_doubtful() -> None:
    definition = form(calculate("dice", "once(random())"), calculate("double", "/data/dice * 2"))

    assert judged(definition, {"dice": "0.25", "double": "0.5"}) == []
    assert judged(definition, {"dice": "0.25", "double": "0.6"}) == [(DOUBTFUL, Rule.CALCULATE, "double")]


def test_a_whole_number_stores_the_part_before_the_point() -> None:
    definition = form(replace(calculate("n", "7 div 2"), type=DataType.INT))

    assert judged(definition, {"n": "3"}) == []
    assert judged(definition, {"n": "4"}) == [(SURE, Rule.CALCULATE, "n")]


# Choices


def villages(predicate: str = "", **rules: Any) -> FormDefinition:
    itemset = Itemset("villages", predicate)
    return form(
        ask("district"),
        ask("village", DataType.SELECT1, control="select1", itemset=itemset, **rules),
        instances=[Instance("villages", "jr://file-csv/villages.csv")],
    )


def test_a_choice_that_is_not_in_the_list_is_certain() -> None:
    definition = form(ask("s", DataType.SELECT1, control="select1", itemset=SHORT))

    assert judged(definition, {"s": "p"}) == []
    assert judged(definition, {"s": "z"}) == [(SURE, Rule.CHOICE, "s")]


def test_of_several_choices_the_unknown_are_named() -> None:
    compiled = compile_form(form(ask("s", DataType.SELECT, control="select", itemset=SHORT)))

    assert compiled.check({"s": "q p"}, CONTEXT) == ()
    (finding,) = compiled.check({"s": "p z q y"}, CONTEXT)
    assert finding.params["unknown"] == "z y"


def test_a_filter_leaves_only_its_choices() -> None:
    compiled = compile_form(villages("district = /data/district"), {"villages": VILLAGES})

    assert said(compiled.check({"district": "north", "village": "a"}, CONTEXT)) == []
    assert said(compiled.check({"district": "south", "village": "a"}, CONTEXT)) == [(SURE, Rule.CHOICE, "village")]


def test_a_filter_inside_the_form_sees_the_question_by_current() -> None:
    choices = (Choice("a", {"": "A"}, {"d": "n"}), Choice("b", {"": "B"}, {"d": "s"}))
    definition = form(
        repeat(
            "r", ask("d"), ask("v", DataType.SELECT1, control="select1", itemset=Itemset("v", "d = current()/../d"))
        ),
        instances=[Instance("v", choices=choices)],
    )

    assert judged(definition, {"r": [{"d": "n", "v": "a"}, {"d": "n", "v": "b"}]}) == [(SURE, Rule.CHOICE, "r[2]/v")]


def test_a_list_that_lives_on_makes_a_verdict_doubtful() -> None:
    compiled = compile_form(villages(), {"villages": VILLAGES})
    moved = replace(CONTEXT, lists={"villages": Table(VILLAGES[:1])})

    assert said(compiled.check({"village": "b"}, CONTEXT)) == []
    assert said(compiled.check({"village": "b"}, moved)) == [(DOUBTFUL, Rule.CHOICE, "village")]


def test_without_its_list_a_choice_is_not_judged() -> None:
    (finding,) = compile_form(villages("district = /data/district")).check({"village": "b"}, CONTEXT)

    assert (finding.severity, finding.rule) == (Severity.INFO, Rule.UNDECIDABLE)
    assert finding.params == {"list": "villages"}


def test_choices_may_come_from_the_answers_in_a_repeat() -> None:
    select = Itemset("/data/person", "./age > 17", value_column="name")
    definition = form(
        repeat("person", ask("name"), ask("age", DataType.INT)),
        ask("head", DataType.SELECT1, control="select1", itemset=select),
    )
    people = [{"name": "ani", "age": "40"}, {"name": "budi", "age": "9"}]

    assert judged(definition, {"person": people, "head": "ani"}) == []
    assert judged(definition, {"person": people, "head": "budi"}) == [(SURE, Rule.CHOICE, "head")]


# Types


def test_a_wrongly_typed_answer_counts_as_blank_and_silences_what_reads_it() -> None:
    definition = form(
        ask("a", DataType.INT, required="true()", constraint=". > 0"),
        calculate("double", "/data/a * 2"),
        ask("why", relevant="/data/double > 5", required="true()"),
        ask("other", required="true()"),
    )

    assert judged(definition, {"a": "many", "double": "8", "why": "x"}) == [
        (SURE, Rule.TYPE, "a"),
        (SURE, Rule.REQUIRED, "other"),
    ]


def test_types_that_the_caller_has_judged_are_not_reported_again() -> None:
    definition = form(ask("a", DataType.INT, required="true()"), ask("b", required="true()"))

    findings = compile_form(definition).check({"a": "many"}, CONTEXT, wrong=frozenset({"a"}))

    assert said(findings) == [(SURE, Rule.REQUIRED, "b")]


def test_a_wrong_value_in_one_occurrence_silences_that_one_only() -> None:
    definition = form(repeat("r", ask("v", DataType.INT), calculate("double", "../v * 2")))
    answers = {"r": [{"v": "x", "double": "9"}, {"v": "2", "double": "9"}]}

    assert judged(definition, answers) == [(SURE, Rule.TYPE, "r[1]/v"), (SURE, Rule.CALCULATE, "r[2]/double")]


def test_what_looks_at_a_wrong_value_in_another_occurrence_is_not_held_against_the_record() -> None:
    whole = calculate("whole", "sum(../../r/v)")
    share = calculate("share", "../v div ../whole")
    before = ask("w", DataType.INT, constraint=". > indexed-repeat(/data/r/v, /data/r, position(..) - 1)")
    running = calculate("run", "../v + coalesce(indexed-repeat(/data/r/run, /data/r, position(..) - 1), 0)")
    double = calculate("double", "../v * 2")
    definition = form(repeat("r", ask("v", DataType.INT), whole, share, before, running, double))
    rows = [
        {"v": "2x", "whole": "9", "share": "0.1", "w": "5", "run": "7", "double": "4"},
        {"v": "3", "whole": "9", "share": "0.1", "w": "1", "run": "9", "double": "7"},
        {"v": "4", "whole": "9", "share": "0.1", "w": "2", "run": "9", "double": "8"},
    ]

    assert judged(definition, {"r": rows}) == [
        (SURE, Rule.TYPE, "r[1]/v"),
        (SURE, Rule.CALCULATE, "r[2]/double"),
    ]


def test_a_wrong_value_in_another_household_does_not_silence_the_sums_of_this_one() -> None:
    members = repeat("m", ask("age", DataType.INT))
    households = repeat("h", members, calculate("total", "sum(../m/age)"))
    definition = form(households, calculate("all", "sum(/data/h/total)"))
    answers = {
        "h": [{"m": [{"age": "5x"}, {"age": "7"}], "total": "12"}, {"m": [{"age": "3"}], "total": "4"}],
        "all": "16",
    }

    assert judged(definition, answers) == [(SURE, Rule.TYPE, "h[1]/m[1]/age"), (SURE, Rule.CALCULATE, "h[2]/total")]


def test_what_only_one_engine_takes_is_doubtful() -> None:
    assert judged(form(ask("a", DataType.INT)), {"a": "1.0"}) == [(DOUBTFUL, Rule.TYPE, "a")]


def test_a_number_that_only_one_engine_reads_leaves_nothing_certain_behind() -> None:
    """1,5 is a number for JavaRosa: what it shows and computes from it is not wrong, and no other rule is doubted."""
    definition = form(
        ask("t"),
        calculate("x", "number(/data/t) * 2"),
        group("g", ask("p"), ask("q"), relevant="number(/data/t) > 1"),
        ask("same", DataType.INT, constraint=". = /data/x"),
        ask("u", constraint="number(/data/t) > 1 or true()"),
        ask("b", DataType.INT, constraint=". > 5"),
    )
    answers = {"t": "1,5", "x": "3", "g": {"p": "a", "q": "b"}, "same": "3", "u": "a", "b": "3"}

    assert judged(definition, answers) == [(DOUBTFUL, Rule.CALCULATE, "x"), (SURE, Rule.CONSTRAINT, "b")]
    assert judged(definition, {"t": "1,5", "x": ""}) == []
    assert judged(definition, {"t": "one", "g": {"p": "a", "q": "b"}}) == [
        (SURE, Rule.RELEVANT, "g/p"),
        (SURE, Rule.RELEVANT, "g/q"),
    ]


# Controls


def test_a_repeat_is_as_long_as_its_count_says() -> None:
    definition = form(ask("n", DataType.INT), repeat("r", ask("v"), count="../n"))

    assert judged(definition, {"n": "2", "r": [{"v": "a"}, {"v": "b"}]}) == []
    (finding,) = compile_form(definition).check({"n": "3", "r": [{"v": "a"}]}, CONTEXT)
    assert (finding.severity, finding.rule, finding.path) == (SURE, Rule.REPEAT_COUNT, "r")
    assert (finding.params["count"], finding.params["expected"]) == ("1", "3")


def test_a_count_of_a_thousand_million_makes_nothing() -> None:
    definition = form(ask("n", DataType.INT), repeat("r", ask("v"), count="/data/n"))

    assert judged(definition, {"n": "999999999"}) == [(SURE, Rule.REPEAT_COUNT, "r")]
    assert compile_form(definition).complete({"n": "999999999"}, CONTEXT) == {"n": "999999999"}


def test_a_repeat_that_is_not_relevant_has_no_count() -> None:
    definition = form(ask("n", DataType.INT), repeat("r", ask("v"), count="../n", relevant="/data/n > 5"))

    assert judged(definition, {"n": "3"}) == []
    assert judged(definition, {"n": "6"}) == [(SURE, Rule.REPEAT_COUNT, "r")]


def test_a_blank_count_is_doubtful() -> None:
    definition = form(ask("n", DataType.INT), repeat("r", ask("v"), count="../n"))

    assert judged(definition, {"r": [{"v": "a"}]}) == [(DOUBTFUL, Rule.REPEAT_COUNT, "r")]


@pytest.mark.parametrize(
    ("value", "is_on_scale"), [("0", True), ("2.5", True), ("10", True), ("2.6", False), ("12.5", False)]
)
def test_a_range_takes_steps_from_its_start(value: str, is_on_scale: bool) -> None:
    definition = form(ask("x", DataType.DECIMAL, control="range", range=("0", "10", "2.5")))

    assert judged(definition, {"x": value}) == ([] if is_on_scale else [(SURE, Rule.RANGE, "x")])


@pytest.mark.parametrize("ranked", ["p", "p p", "p q q", "p z"])
def test_a_rank_holds_every_option_once(ranked: str) -> None:
    definition = form(ask("x", DataType.RANK, control="rank", itemset=SHORT))

    assert judged(definition, {"x": "q p"}) == []
    assert (SURE, Rule.RANK, "x") in judged(definition, {"x": ranked})


def test_a_trigger_says_ok() -> None:
    definition = form(ask("x", control="trigger"))

    assert judged(definition, {"x": "OK"}) == []
    assert judged(definition, {"x": "yes"}) == [(SURE, Rule.TRIGGER, "x")]


def test_what_nobody_may_change_keeps_its_default() -> None:
    definition = form(ask("x", readonly="true()", default="7"))

    assert judged(definition, {"x": "7"}) == []
    assert judged(definition, {"x": "8"}) == [(SURE, Rule.READONLY, "x")]
    assert judged(form(ask("x", readonly="true()", is_set_by_action=True)), {"x": "8"}) == []


def test_a_named_file_is_missed_when_the_last_part_has_come() -> None:
    definition = form(ask("photo", DataType.BINARY, control="upload"))

    assert judged(definition, {"photo": "a.jpg"}) == []
    assert judged(definition, {"photo": "a.jpg"}, replace(CONTEXT, attachments=frozenset({"a.jpg"}))) == []
    assert judged(definition, {"photo": "a.jpg"}, replace(CONTEXT, attachments=frozenset())) == [
        (SURE, Rule.ATTACHMENT, "photo")
    ]


def test_a_recording_that_nobody_asks_for_is_missed_as_well() -> None:
    definition = form(ask("recording", DataType.BINARY, control="", is_set_by_action=True))

    assert judged(definition, {"recording": "a.m4a"}, replace(CONTEXT, attachments=frozenset({"a.m4a"}))) == []
    assert judged(definition, {"recording": "a.m4a"}, replace(CONTEXT, attachments=frozenset())) == [
        (SURE, Rule.ATTACHMENT, "recording")
    ]


# Records and clients


def test_an_edited_record_is_doubted_not_condemned() -> None:
    definition = form(
        ask("age", DataType.INT, constraint=". > 17"), ask("n", DataType.INT), ask("s", DataType.SELECT1, itemset=SHORT)
    )
    edited = replace(CONTEXT, is_edited=True)

    assert judged(definition, {"age": "5", "n": "x", "s": "z"}, edited) == [
        (SURE, Rule.TYPE, "n"),
        (DOUBTFUL, Rule.CONSTRAINT, "age"),
        (SURE, Rule.CHOICE, "s"),
    ]


def test_the_same_record_gives_the_same_findings_in_every_thread() -> None:
    definition = form(
        ask("a", DataType.INT, constraint=". > 5"), repeat("r", ask("v", DataType.INT), calculate("w", "../v + 1"))
    )
    compiled = compile_form(definition)
    results: list[tuple[Finding, ...]] = []

    def work(number: int) -> None:
        for _ in range(200):
            results.append(compiled.check({"a": "1", "r": [{"v": str(number), "w": "0"}]}, CONTEXT))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(repr, results))) == 4
    assert len(results) == 800


def test_answers_that_are_not_shaped_like_the_form_are_judged_as_far_as_they_go() -> None:
    definition = form(ask("a", required="true()"), group("g", ask("b")), repeat("r", ask("v")))

    assert judged(definition, {"a": {"x": "y"}, "g": "text", "r": "text", "z": 1}) == [(SURE, Rule.REQUIRED, "a")]


def test_completing_fills_in_what_a_client_would_have_stored() -> None:
    definition = form(
        ask("a", DataType.INT, default="4"),
        calculate("double", "/data/a * 2"),
        ask("hidden", relevant="/data/a > 9"),
        ask("day", DataType.DATE, dynamic_default="today()"),
        replace(ask("start", DataType.DATETIME), preload="timestamp start", control=""),
        calculate("id", "once(uuid())"),
    )

    completed = compile_form(definition).complete({"hidden": "x"}, CONTEXT)

    assert completed["a"] == "4"
    assert completed["double"] == "8"
    assert "hidden" not in completed
    assert completed["day"] == "2026-11-23"
    assert completed["start"] == STARTED_AT.isoformat(timespec="milliseconds")
    assert len(completed["id"]) == 36


def test_completing_keeps_what_is_answered_even_when_it_is_blank() -> None:
    definition = form(ask("a", default="4"), calculate("id", "once(uuid())"))

    completed = compile_form(definition).complete({"a": None, "id": "kept"}, CONTEXT)

    assert completed == {"id": "kept"}


def test_a_completed_record_has_no_findings() -> None:
    definition = form(
        ask("n", DataType.INT, default="3"),
        repeat("r", ask("v", DataType.INT, default="2"), calculate("sum", "../v + position(..)")),
        calculate("total", "sum(/data/r/sum)"),
        calculate("ratio", "round(/data/total div /data/n, 2)"),
        calculate("is_big", "/data/total > 5"),
        calculate("day", "date('2024-03-01') + 1"),
        calculate("name", "concat(/data/n, '-', format-date(today(), '%Y'))"),
    )
    compiled = compile_form(definition)

    completed = compiled.complete({"r": [{}, {"v": "5"}]}, CONTEXT)

    assert [one["sum"] for one in completed["r"]] == ["3", "7"]
    assert (completed["total"], completed["ratio"], completed["is_big"]) == ("10", "3.33", "true")
    assert compiled.check(completed, CONTEXT) == ()


def test_a_record_is_named_as_the_form_says() -> None:
    compiled = compile_form(form(ask("name"), instance_name="concat('Wawancara ', /data/name)"))

    assert compiled.instance_name({"name": "Siti"}, CONTEXT) == "Wawancara Siti"
    assert compile_form(form(ask("name"))).instance_name({"name": "Siti"}, CONTEXT) == ""


def test_compiling_changes_nothing_and_gives_the_same_verdicts_again() -> None:
    definition = form(ask("a", DataType.INT, constraint=". > 5"))
    one, other = compile_form(definition), compile_form(definition)

    assert isinstance(one, CompiledForm)
    assert one.check({"a": "1"}, CONTEXT) == other.check({"a": "1"}, CONTEXT) == one.check({"a": "1"}, CONTEXT)


def test_an_instance_name_that_cannot_be_read_is_a_fault_of_the_form() -> None:
    with pytest.raises(BrokenForm) as refusal:
        compile_form(form(ask("name"), instance_name="concat('x', /data/other)"))

    assert refusal.value.members["column"] == "instance_name"


def test_an_interview_that_ended_before_it_began_is_still_judged() -> None:
    definition = form(ask("day", DataType.DATE, constraint=". <= today()"))

    assert judged(definition, {"day": "2026-11-23"}, Context(ENDED_AT, STARTED_AT)) == []


def test_choices_that_are_searched_on_the_device_are_not_judged() -> None:
    definition = form(
        ask("s", DataType.SELECT1, control="select1", itemset=SHORT, appearance="minimal search('people')")
    )

    assert judged(definition, {"s": "anyone"}) == []


def test_nothing_is_certain_below_a_list_that_is_missing_or_lives_on() -> None:
    asks = "pulldata('people', 'kind', 'id', /data/k) = 'core'"
    definition = form(ask("k"), ask("b", required="true()", relevant=asks))
    alive = replace(CONTEXT, lists={"people": Table([{"id": "x", "kind": "core"}])})

    assert judged(definition, {"k": "x"}) == [(DOUBTFUL, Rule.REQUIRED, "b"), (Severity.INFO, Rule.UNDECIDABLE, "")]
    assert judged(definition, {"k": "x"}, alive) == [(DOUBTFUL, Rule.REQUIRED, "b")]


def test_an_empty_list_that_lives_on_replaces_the_pinned_one() -> None:
    compiled = compile_form(villages(), {"villages": VILLAGES})

    findings = compiled.check({"village": "a"}, replace(CONTEXT, lists={"villages": Table([])}))

    assert said(findings) == [(DOUBTFUL, Rule.CHOICE, "village")]


def test_an_entity_in_a_repeat_reads_the_answers_around_it() -> None:
    entity = EntityDeclaration("trees", ("r", "meta", "entity"), create="../../../v != ''", label="../../../v")
    definition = replace(form(repeat("r", ask("v"))), entities=(entity,))

    assert isinstance(compile_form(definition), CompiledForm)


def test_a_form_says_which_of_its_rules_nobody_can_judge() -> None:
    compiled = compile_form(form(calculate("dice", "once(random())"), ask("n", constraint=". > 1")))

    assert compiled.undecidable == {"dice calculate": ("chance",)}


def test_a_form_that_is_filled_in_keeps_an_answer_that_is_not_of_its_type() -> None:
    members = repeat("r", ask("age", DataType.INT), ask("born", DataType.DATE, relevant="../age = 3"))
    whole = calculate("double", "/data/a * 2")
    compiled = compile_form(form(ask("a", DataType.INT), replace(whole, type=DataType.INT), members))
    answers = {"a": "4,5", "double": "much", "r": [{"age": "3", "born": "soon"}, {"age": "x" * 2000, "born": "soon"}]}

    completed = compiled.complete(answers, CONTEXT)

    assert completed == {"a": "4,5", "r": [{"age": "3", "born": "soon"}, {"age": "x" * 2000}]}
