"""Valid answers: a form filled in at random, question by question, as its rules allow at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from forms.check import Context
from forms.definition import Answers, DataType, Node, Question, Repeat
from forms.errors import Kind, Problem
from forms.finding import Finding, Severity
from forms.program.load import unload
from forms.program.run import Run, Slots
from forms.trial.draw import Draw, is_counted, number_of
from forms.trial.probe import Probe, Spot
from forms.trial.wish import Wisher

BLANK = 0.25
"""How often a question that may stay blank does."""
DRAWS = 40
"""Values tried for one question before it is given up."""
RECORDS = 60
"""Records tried before the form is given up."""
MOST_OCCURRENCES = 3
LARGEST_COUNT = 500
"""A form that counts a repeat higher is not filled in."""


class Unanswerable(Problem):
    """No answers to this form were found that keep all its rules. Look at the question that is named."""

    kind = Kind.INVALID
    slug = "form/unanswerable"


def fill(probe: Probe, rng: Random, context: Context) -> Answers:
    """One record as a client would send it, calculations and irrelevant answers settled; nothing in it breaks a rule
    for certain, and nothing is doubtful as far as the form allows. Refuses Unanswerable."""
    best: Answers | None = None
    stuck: Finding | str = ""
    for _ in range(RECORDS):
        filling = Filling(probe, rng, context)
        answers = filling.whole()
        findings = probe.compiled.check(answers, context)
        if not findings:
            return answers
        wrong = [finding for finding in findings if finding.severity is Severity.ERROR]
        best = best if wrong or best is not None else answers
        stuck = next(iter(wrong), stuck)
    if best is None:
        raise Unanswerable(stuck.path if isinstance(stuck, Finding) else stuck)
    return best


@dataclass(slots=True)
class Filling:
    """One record while it is filled in."""

    probe: Probe
    rng: Random
    context: Context
    run: Run = field(init=False)
    slots: Slots = field(init=False)
    draw: Draw = field(init=False)
    is_first: bool = True
    """The first time through; the second time only mends what later answers have changed."""

    def __post_init__(self) -> None:
        self.run = self.probe.compiled.filling(self.context, is_beginning=True)
        self.slots = self.probe.begin(self.run, self.context)
        self.draw = Draw(self.rng, moment(self.context))

    def whole(self) -> Answers:
        for is_first in (True, False):
            self.is_first = is_first
            self._visit(self.probe.definition.root.children, (self.slots,), ())
            self._settle()
        return unload(self.probe.layout, self.slots)

    def _visit(self, nodes: Sequence[Node], frames: tuple[Slots, ...], positions: tuple[int, ...]) -> None:
        for node in nodes:
            if isinstance(node, Question):
                self._question(Spot(self.probe.layout.places[node.path], frames, positions), node)
            elif isinstance(node, Repeat):
                self._repeat(Spot(self.probe.layout.places[node.path], frames, positions), node)
            else:
                self._visit(node.children, frames, positions)

    def _repeat(self, spot: Spot, repeat: Repeat) -> None:
        if not self.probe.is_relevant(self.run, spot):
            return
        wanted = self._wanted(spot)
        there = spot.frame[spot.place.slot]
        if len(there) > wanted:
            spot.frame[spot.place.slot] = there[:wanted]
        for number in range(1, wanted + 1):
            if number > len(spot.frame[spot.place.slot]):
                self._add(spot)
            listed = spot.frame[spot.place.slot]
            if number > len(listed):
                return  # its relevance asks for its position, and says no
            self._occurrence(spot, repeat, listed[number - 1], number)

    def _add(self, spot: Spot) -> None:
        self.run.is_beginning = True
        self.probe.add(spot, self.context)
        self._settle()
        self.run.is_beginning = False

    def _occurrence(self, spot: Spot, repeat: Repeat, frame: Slots, number: int) -> None:
        frames, positions = (*spot.frames, frame), (*spot.positions, number)
        self._visit(repeat.children, frames, positions)
        if not any(unload(self.probe.layout, frame, repeat.path).values()):
            # One that holds nothing cannot be told from one that is not there, in a table.
            for inner in self.probe.spots_of(repeat.children, frames, positions):
                if isinstance(inner.place.node, Question) and self._is_asked(inner, inner.place.node):
                    self._answer(inner, inner.place.node)
                    return

    def _wanted(self, spot: Spot) -> int:
        counted = self.probe.count(self.run, spot)
        there = len(spot.frame[spot.place.slot])
        if counted is None:
            return self.rng.randint(0, MOST_OCCURRENCES) if self.is_first else there
        if counted > LARGEST_COUNT:
            raise Unanswerable(f"{spot.path}: {counted:,.0f}")
        return max(0, int(counted)) if counted == counted else 0

    def _question(self, spot: Spot, question: Question) -> None:
        if not self._is_asked(spot, question):
            return
        is_good = bool(spot.text) and self.probe.is_allowed(self.run, spot) and self._is_offered(spot, question)
        if is_good and (not self.is_first or self.rng.random() < 0.5):
            return
        is_required = self.probe.is_required(self.run, spot)
        if not is_required and (not self.is_first or self.rng.random() < BLANK):
            self._put(spot, "" if self.is_first or not is_good else spot.text)
            return
        self._answer(spot, question)

    def _is_asked(self, spot: Spot, question: Question) -> bool:
        """Whether a person answers it, and now."""
        if question.path not in self.probe.asked:
            return False
        readonly = self.probe.rule(question, "readonly")
        is_fixed = readonly is not None and self.probe.is_true(self.run, spot, readonly)
        return not is_fixed and self.probe.is_relevant(self.run, spot)

    def _is_offered(self, spot: Spot, question: Question) -> bool:
        offered = self.probe.offered(self.run, spot)
        if offered is None:
            return True
        chosen = [spot.text] if question.type is DataType.SELECT1 else spot.text.split()
        return set(chosen) <= set(offered)

    def _answer(self, spot: Spot, question: Question) -> None:
        offered = self.probe.offered(self.run, spot)
        for _ in range(DRAWS):
            wish = wisher(self.probe, self.run, spot, question, self.rng).wish(self.probe.rule(question, "constraint"))
            text = self.draw.answer(question, wish, offered, is_small=question.path in self.probe.counting)
            self._put(spot, text)
            if text and self.probe.is_allowed(self.run, spot):
                return
        self._put(spot, "")

    def _put(self, spot: Spot, text: str) -> None:
        if text == spot.text:
            return
        self.probe.put(spot, text)
        if spot.place.node.path in self.probe.read:
            self._settle()

    def _settle(self) -> None:
        self.probe.settle(self.run, self.slots)


def wisher(probe: Probe, run: Run, spot: Spot, question: Question, rng: Random) -> Wisher:
    """Who reads the wishes out of the constraint of the question at this spot."""
    return Wisher(
        probe.definition.root_name,
        question.path,
        rng,
        lambda expression: probe.value(run, spot, expression),
        number_of(question.type),
        is_counted(question.type),
    )


def moment(context: Context) -> datetime:
    """When the form is filled in."""
    found = context.ended_at or context.received_at or context.started_at
    if found is None:
        raise ValueError("answers are made for a moment")
    return found
