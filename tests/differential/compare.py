"""What our engine and another say of the same record, and where they differ."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

from forms.definition import Answers, Repeat
from forms.expression.scope import Reading
from forms.finding import Rule
from forms.instance import open_instance, read_answers, write
from forms.program.run import Run
from forms.trial.fill import fill
from forms.trial.probe import Probe, Spot
from forms.trial.spoil import RULES, Unbreakable, spoil
from tests.differential.node import Engine
from tests.differential.samples import CONTEXT, Sample

_POSITION = re.compile(r"\[[0-9]+\]")
DROPPED = (Rule.CHOICE, Rule.RANK, Rule.RANGE, Rule.TRIGGER)
"""Rules of controls: an engine that holds answers in controls cannot hold what breaks them."""
NOT_THERE = "not there"
INSTANCE_ID = "uuid:5a5e0bd4-7f7e-4a0e-9e5e-2f6c0c3f3a11"
_TRUTHS = {"true": "1", "false": "0"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about one node that the engines see differently; `example` is one record in which they do."""

    form: str
    path: str
    """Without positions."""
    aspect: str
    rule: str = ""
    """The rule that the record breaks, "" for a valid one."""
    is_broken: bool = False
    """The node is the one that breaks it."""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Answers, and the rule that they break, if any."""

    answers: Answers
    rule: Rule | None = None
    path: str = ""
    text: str = ""

    @property
    def name(self) -> str:
        return self.rule.value if self.rule else ""

    def keeps_counts(self, probe: Probe) -> bool:
        """Whether every repeat has the occurrences that it should. Where not, the other engine makes or removes some;
        we judge those that came."""
        plain = tuple(_POSITION.sub("", self.path).split("/"))
        return self.rule is not Rule.REPEAT_COUNT and plain not in probe.counting


@dataclass(frozen=True, slots=True)
class Trial:
    """A form, and our two readings of it: what we adopt, and what the other of the field's two engines does."""

    sample: Sample
    worlds: tuple[Probe, Probe]

    @classmethod
    def of(cls, sample: Sample) -> Trial:
        return cls(sample, (Probe(sample.compiled), Probe(sample.compiled, Reading.OTHER)))

    def records(self, rng: Random, *, invalid: bool = True) -> Iterator[Record]:
        """A valid record, then one for each rule that can be broken."""
        yield Record(fill(self.worlds[0], rng, CONTEXT))
        for rule in RULES if invalid else ():
            try:
                broken = spoil(self.worlds[0], rng, CONTEXT, rule)
            except Unbreakable:
                continue
            yield Record(broken.answers, rule, broken.path, broken.value or "")


Facts: TypeAlias = dict[tuple[str, str], object]
"""What is so about a record: (path, aspect) -> value."""


def differences(engine: Engine, trial: Trial, record: Record) -> Iterator[Difference]:
    """Everything in which the other engine agrees with neither of our readings, and every certain error that we find
    in what it would send."""
    sample = trial.sample
    told = engine.ask(
        form=sample.file.xform.decode(),
        attachments={name: content.decode() for name, content in sample.attachments.items()},
        record=_whole(sample, record.answers),
    )
    if "error" in told:
        yield Difference(sample.name, "", "error", record.name, example=told["error"])
        return
    theirs = _theirs(told["nodes"])
    held = theirs.get((record.path, "value"))
    if record.rule in DROPPED and isinstance(held, str) and held != record.text:
        # What follows from an answer that the engine does not hold is compared without it.
        example = f"{record.path}: {record.text!r} here, {held!r} there ({record.name})"
        yield Difference(sample.name, _POSITION.sub("", record.path), "value", record.name, True, example)
        record = replace(record, answers=_changed(record.answers, record.path, held))
    ours = [_ours(probe, record) for probe in trial.worlds]
    for (path, aspect), value in ours[0].items():
        other = theirs.get((path, aspect), NOT_THERE)
        if not any(_agree(world.get((path, aspect), NOT_THERE), other) for world in ours):
            example = f"{path}: {value!r} here, {other!r} there ({record.name or 'valid'})"
            place = _POSITION.sub("", path)
            yield Difference(sample.name, place, aspect, record.name, path == record.path, example)
    if record.rule is None:
        yield from _errors(sample, told["nodes"], record)


def _whole(sample: Sample, answers: Answers) -> str:
    """The record with an element for every question, as clients keep it while it is filled in."""
    definition = sample.compiled.definition
    sent = write(definition, answers, instance_id=INSTANCE_ID)
    return write(definition, read_answers(definition, open_instance(sent)).answers, instance_id=INSTANCE_ID)


def _errors(sample: Sample, nodes: list[dict[str, Any]], record: Record) -> Iterator[Difference]:
    """Certain errors that we find in the valid record as the other engine holds it."""
    answers = copy.deepcopy(record.answers)
    for node in nodes:
        path = _below_root(node["path"])
        if node["kind"] != "repeat" and not path.startswith("meta/"):
            _put(answers, path, node["value"])
    for finding in sample.compiled.check(answers, CONTEXT):
        if finding.certain:
            example = f"{finding.path}: {finding.value!r}, {dict(finding.params)}"
            place, aspect = _POSITION.sub("", finding.path), f"finds {finding.rule.value}"
            yield Difference(sample.name, place, aspect, example=example)


def _changed(answers: Answers, path: str, text: str) -> Answers:
    changed = copy.deepcopy(answers)
    _put(changed, path, text)
    return changed


def _put(answers: Answers, path: str, text: str) -> None:
    *above, name = path.split("/")
    holder: Any = answers
    for step in above:
        inside = _POSITION.sub("", step)
        if step == inside:
            holder = holder.setdefault(inside, {})
        else:
            number = int(step[len(inside) + 1 : -1])
            if len(holder.get(inside, ())) < number:
                return  # an occurrence that the record does not have: not relevant there
            holder = holder[inside][number - 1]
    holder[name] = text or None


def _below_root(reference: str) -> str:
    return reference.strip("/").partition("/")[2]


def _theirs(nodes: list[dict[str, Any]]) -> Facts:
    facts: Facts = {}
    for node in nodes:
        path = _below_root(node["path"])
        named = {"count": "count", "relevant": "relevant"}
        if not node["relevant"]:
            facts[path, "value"] = ""  # whatever it remembers, nobody sees or sends it
        else:
            named |= {"value": "value"} | {"isAllowed": "constraint", "required": "required", "options": "choices"}
        facts |= {(path, aspect): node[name] for name, aspect in named.items() if name in node}
        if node.get("options") is not None:
            facts[path, "choices"] = frozenset(filter(None, node["options"]))
    return facts


def _ours(probe: Probe, record: Record) -> Facts:
    run = probe.compiled.filling(CONTEXT, is_beginning=False)
    slots = probe.loaded(record.answers)
    probe.settle(run, slots)
    facts: Facts = {}
    for spot in probe.spots(slots):
        if isinstance(spot.place.node, Repeat):
            count = probe.count(run, spot)
            if count is not None and probe.is_relevant(run, spot):
                facts[spot.path, "count"] = count
        elif record.keeps_counts(probe):
            facts |= {(spot.path, aspect): value for aspect, value in _about(probe, run, spot)}
    if record.keeps_counts(probe) and probe.definition.instance_name:
        facts["meta/instanceName", "value"] = probe.compiled.instance_name(record.answers, CONTEXT)
    return facts


def _about(probe: Probe, run: Run, spot: Spot) -> Iterator[tuple[str, object]]:
    node = spot.place.node
    is_relevant = probe.is_relevant(run, spot)
    yield "relevant", is_relevant
    if not probe.is_hidden(node, "calculate"):
        yield "value", spot.text
    if not is_relevant:
        return
    rule = probe.rule(node, "constraint")
    yield "constraint", rule is None or not spot.text or probe.is_true(run, spot, rule)
    yield "required", probe.is_required(run, spot)
    offered = probe.offered(run, spot)
    if offered is not None:
        yield "choices", frozenset(offered)


def _agree(one: object, other: object) -> bool:
    return same(one, other) if isinstance(one, str) and isinstance(other, str) else one == other


def same(one: str, other: str) -> bool:
    """Whether two texts are one value: engines write numbers, truths, blanks and places in their own ways."""
    one, other = ("" if text == "NaN" else _TRUTHS.get(text, text) for text in (one, other))
    if one == other:
        return True
    try:
        pairs = zip(_numbers(one), _numbers(other), strict=True)
        return all(math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9) for left, right in pairs)
    except ValueError:
        return False


def _numbers(text: str) -> list[float]:
    """One number, or those of a place or a line of places."""
    return [float(part) for part in text.replace(";", " ; ").split() if part != ";"] or [math.nan]
