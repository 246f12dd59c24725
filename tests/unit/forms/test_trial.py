"""What is made up follows the shape of the rules, and forms that cannot be answered are refused."""

from __future__ import annotations

from random import Random

import pytest

from forms.check import compile_form
from forms.definition import DataType, FormDefinition, Instance, Itemset
from forms.finding import Rule
from forms.trial.fill import Unanswerable, fill
from forms.trial.probe import Probe
from forms.trial.spoil import Unbreakable, spoil
from tests.unit.forms.study_form import CONTEXT, SHORT, ask, calculate, form, group, repeat


def probe(*nodes: object) -> Probe:
    return Probe(compile_form(form(*nodes)))  # type: ignore[arg-type]


def made(definition: FormDefinition, name: str, seeds: int = 60) -> set[str]:
    trial = Probe(compile_form(definition))
    return {fill(trial, Random(seed), CONTEXT).get(name, "") for seed in range(seeds)}


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (". > 2 and . < 5", {"3", "4"}),
        ("2 * . - 1 = 7", {"4"}),
        ("10 - . >= 8 and . >= 1", {"1", "2"}),
        (". = 3 or . = 900", {"3", "900"}),
        ("not(. < 7 or . > 7)", {"7"}),
        (". mod 400 = 0 and . >= 1 and . <= 1000", {"400", "800"}),
        (". >= ../low and . <= ../low + 1", {"40", "41"}),
        (". + ../low = 45", {"5"}),
        ("if(../low > 3, . = 1, . = 2)", {"1"}),
        ("string-length(.) = 3 and . > 997", {"998", "999"}),
    ],
)
def test_a_number_is_drawn_where_its_constraint_leaves_room(constraint: str, expected: set[str]) -> None:
    definition = form(
        ask("low", DataType.INT, constraint=". = 40", required="true()"),
        ask("i", DataType.INT, constraint=constraint, required="true()"),
    )

    assert made(definition, "i") == expected


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("selected(., 'p')", {"p", "p q"}),
        ("not(selected(., 'p'))", {"q"}),
        ("count-selected(.) = 2", {"p q"}),
        (". != 'p' and count-selected(.) = 1", {"q"}),
        ("not(selected(., 'q') and count-selected(.) > 1)", {"p", "q"}),
    ],
)
def test_choices_are_picked_as_the_constraint_asks(constraint: str, expected: set[str]) -> None:
    question = ask("s", DataType.SELECT, control="select", itemset=SHORT, constraint=constraint, required="true()")

    assert made(form(question), "s") == expected


def test_a_later_answer_that_makes_an_earlier_question_due_is_mended() -> None:
    definition = form(
        ask("early", relevant="/data/late = 'b'", required="true()"),
        ask("late", required="true()", constraint=". = 'a' or . = 'b'"),
    )
    trial = Probe(compile_form(definition))

    records = [fill(trial, Random(seed), CONTEXT) for seed in range(20)]

    assert {record["late"] for record in records} == {"a", "b"}
    assert all(bool(record.get("early")) is (record["late"] == "b") for record in records)


def test_answers_that_must_add_up_are_found_by_starting_again() -> None:
    trial = probe(
        ask("all", DataType.INT, required="true()", constraint=". >= 10 and . <= 20"),
        repeat("r", ask("v", DataType.INT, required="true()", constraint=". >= 1 and . <= /data/all"), count="2"),
        calculate("used", "sum(/data/r/v)"),
        ask("rest", DataType.INT, required="true()", constraint=". >= 0 and . + /data/used = /data/all"),
    )

    for seed in range(20):
        record = fill(trial, Random(seed), CONTEXT)
        assert int(record["all"]) == int(record["rest"]) + sum(int(one["v"]) for one in record["r"])


def test_a_question_that_has_no_answer_is_named() -> None:
    with pytest.raises(Unanswerable, match="g/i"):
        fill(
            probe(group("g", ask("i", DataType.INT, required="true()", constraint=". > 5 and . < 5"))),
            Random(1),
            CONTEXT,
        )


def test_a_repeat_is_never_made_from_a_huge_count() -> None:
    with pytest.raises(Unanswerable, match="999,999,999"):
        fill(probe(repeat("r", ask("v"), count="999999999")), Random(1), CONTEXT)


def test_a_rule_that_a_form_does_not_have_cannot_be_broken() -> None:
    with pytest.raises(Unbreakable):
        spoil(probe(ask("t")), Random(1), CONTEXT, Rule.CONSTRAINT)


def test_a_list_that_is_not_at_hand_is_no_hindrance() -> None:
    question = ask("s", DataType.SELECT1, control="select1", itemset=Itemset("far"), required="true()")

    assert made(form(question, instances=[Instance("far", "jr://file-csv/far.csv")]), "s", 5) != {""}
