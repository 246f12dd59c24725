"""Made-up answers keep what they promise: valid ones break no rule, invalid ones exactly the one that is told."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from forms.finding import Rule
from forms.trial.fill import fill
from forms.trial.probe import Probe
from forms.trial.spoil import RULES, Unbreakable, spoil
from tests.differential.samples import CONTEXT, Sample, samples

SEEDS = range(40)
FEWER = range(6)


@pytest.fixture(params=samples(), ids=lambda sample: sample.name, scope="module")
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


@pytest.fixture(scope="module")
def probe(sample: Sample) -> Probe:
    return Probe(sample.compiled)


def test_valid_answers_break_no_rule_and_raise_no_doubt(sample: Sample, probe: Probe) -> None:
    made = [fill(probe, Random(seed), CONTEXT) for seed in SEEDS]

    assert [finding for answers in made for finding in sample.compiled.check(answers, CONTEXT)] == []


def test_valid_answers_are_already_complete(sample: Sample, probe: Probe) -> None:
    made = [fill(probe, Random(seed), CONTEXT) for seed in SEEDS]

    assert [sample.compiled.calculate(answers, CONTEXT) for answers in made] == made


def test_over_many_seeds_every_question_that_can_be_asked_is_answered(sample: Sample, probe: Probe) -> None:
    reached = {
        spot.place.node.path
        for seed in range(150)
        for spot in probe.spots(probe.loaded(fill(probe, Random(seed), CONTEXT)))
        if spot.place.node.path in probe.asked and spot.text
    }

    assert probe.asked - reached == frozenset()


def test_the_same_seed_gives_the_same_answers(probe: Probe) -> None:
    assert fill(probe, Random(7), CONTEXT) == fill(probe, Random(7), CONTEXT)
    assert fill(probe, Random(7), CONTEXT) != fill(probe, Random(8), CONTEXT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.value)
def test_invalid_answers_have_exactly_the_promised_finding(sample: Sample, probe: Probe, rule: Rule) -> None:
    outcomes: Counter[bool] = Counter()
    for seed in FEWER:
        try:
            broken = spoil(probe, Random(seed), CONTEXT, rule)
        except Unbreakable:
            break
        found = sample.compiled.check(broken.answers, CONTEXT)
        assert [(one.rule, one.path) for one in found] == [(broken.rule, broken.path)], broken
        outcomes[found[0].certain] += 1

    assert outcomes or rule not in COMMON[sample.name]


COMMON = {
    sample.name: {
        rule
        for rule, is_there in {
            Rule.TYPE: True,
            Rule.REQUIRED: True,
            Rule.CONSTRAINT: True,
            Rule.RELEVANT: any(node.relevant for node in sample.file.definition.walk()),
            Rule.CALCULATE: any(question.calculate for question in sample.file.definition.questions()),
            Rule.CHOICE: any(question.itemset for question in sample.file.definition.questions()),
            Rule.REPEAT_COUNT: any(repeat.count for repeat in sample.file.definition.repeats()),
            Rule.RANGE: any(question.range for question in sample.file.definition.questions()),
        }.items()
        if is_there
    }
    for sample in samples()
}
"""What must be breakable in each form."""
