"""The room for an answer: boxes for digits, circles and squares for choices, lines for words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from forms.definition import Choice, DataType, Itemset, Path, Question
from forms.expression.syntax import Binary, Expression, Number
from forms.expression.syntax import Path as Way
from forms.paper.condition import Told, claims_in
from forms.paper.number import letters
from forms.paper.paper import Advice, Appendix, Boxes, Field, Fields, Frame, Lines, Mark, Option, Space, Ticks, plain
from forms.paper.words import Voice, styled

MOST_CHOICES = 30
"""A longer list stands at the end of the paper."""
LONGEST_LIST = 600
"""A still longer one is not printed."""
MOST_STEPS = 11
"""A range of no more values is a scale to tick."""
WIDEST = 15
"""Boxes side by side."""

_MARKS: Mapping[str, Mark] = {"select1": Mark.CIRCLE, "select": Mark.SQUARE, "rank": Mark.NUMBER}
_EXACT = re.compile(r"(?:\[0-9\]|\\d)\{(\d{1,2})\}\$?['\"]")
_UNIT = re.compile(r"\(([^()]{1,16})\)\s*[?:.]?\s*$")
_MONEY = re.compile(r"(Rp|IDR|USD|US\$|\$|€|£)\b")


@dataclass(slots=True)
class Room:
    """Makes room for answers; lists that are too long are collected for the end of the paper."""

    told: Told
    appendices: dict[str, Appendix] = field(default_factory=dict)

    @property
    def voice(self) -> Voice:
        return self.told.voice

    def spaces(self, question: Question) -> tuple[Space, ...]:
        """Where the answer is written."""
        voice = self.voice
        if question.calculate:
            return (Advice(voice.gettext("The tablet works this out.")), Lines(1))
        if question.readonly.replace(" ", "") == "true()":
            return (Advice(question.default),) if question.default else (Lines(1),)
        if question.control in _MARKS:
            return self._choices(question)
        if question.control == "range":
            return self._range(question)
        if question.control == "trigger":
            return (Ticks(Mark.SQUARE, (Option(styled(voice.gettext("Done, or agreed"))),)),)
        if question.control == "upload":
            return self._file(question)
        return self._typed(question)

    def _typed(self, question: Question) -> tuple[Space, ...]:
        makers: Mapping[DataType, Callable[[Question], tuple[Space, ...]]] = {
            DataType.INT: self._whole,
            DataType.DECIMAL: self._decimal,
            DataType.DATE: self._date,
            DataType.TIME: self._time,
            DataType.DATETIME: self._moment,
            DataType.GEOPOINT: self._place,
            DataType.GEOTRACE: self._points,
            DataType.GEOSHAPE: self._points,
            DataType.BOOLEAN: self._yes_no,
        }
        return makers.get(question.type, self._text)(question)

    def _text(self, question: Question) -> tuple[Space, ...]:
        if "numbers" in question.appearance.split():
            return (Boxes((_counted(question.constraint) or 12,)),)
        rows = question.parameters.get("rows", "")
        if rows.isdigit():
            return (Lines(max(1, min(int(rows), 12))),)
        return (Lines(4 if "multiline" in question.appearance else 1),)

    def _whole(self, question: Question) -> tuple[Space, ...]:
        before, after = self._unit(question)
        is_grouped = bool(before) or "thousands-sep" in question.appearance
        digits = self._digits(question) or (9 if is_grouped else 6)
        if not is_grouped:
            return (Boxes((digits,), before=before, after=after),)
        first = digits % 3
        groups = ((first,) if first else ()) + (3,) * (digits // 3)
        return (Boxes(groups, self._separators()[0], before=before, after=after),)

    def _decimal(self, question: Question) -> tuple[Space, ...]:
        before, after = self._unit(question)
        digits = self._digits(question) or 6
        return (Boxes((digits, 2), self._separators()[1], before=before, after=after),)

    def _digits(self, question: Question, depth: int = 0) -> int:
        """How many digits the largest number has that the constraint allows; 0 when it sets no bound."""
        least = 0
        for claim in claims_in(question.constraint):
            if not isinstance(claim, Binary) or not _is_self(claim.left):
                continue
            if claim.operator in ("<", "<=") and isinstance(claim.right, Number):
                return _length(claim.right.value)
            other = self.told.nodes.get(self.told.at(claim.right, question.path) or ())
            if isinstance(other, Question) and depth < 2:
                return self._digits(other, depth + 1)
            if claim.operator in (">", ">=") and isinstance(claim.right, Number):
                least = int(claim.right.value)
        # From a year on: up to this one, most often.
        return 4 if 1800 <= least <= 2100 else 0

    def _separators(self) -> tuple[str, str]:
        return (".", ",") if self.voice.code == "id" else (",", ".")

    def _unit(self, question: Question) -> tuple[str, str]:
        """What stands before and after the boxes: (Rp) and other units at the end of a label."""
        match = _UNIT.search(plain(styled(self.voice.said(question.label))))
        if match is None:
            return "", ""
        return (_money(match[1]), "") if _money(match[1]) else ("", match[1])

    def _date(self, question: Question) -> tuple[Space, ...]:
        looks = question.appearance.split()
        if "year" in looks:
            return (Boxes((4,), captions=(self.voice.gettext("yyyy"),)),)
        if "month-year" in looks:
            return (Boxes((2, 4), "/", self._captions()[1:]),)
        return (self.day(),)

    def day(self) -> Boxes:
        return Boxes((2, 2, 4), "/", self._captions())

    def hour(self) -> Boxes:
        return Boxes((2, 2), "." if self.voice.code == "id" else ":", self._clock())

    def _captions(self) -> tuple[str, str, str]:
        return self.voice.gettext("dd"), self.voice.gettext("mm"), self.voice.gettext("yyyy")

    def _clock(self) -> tuple[str, str]:
        return self.voice.gettext("hour"), self.voice.gettext("min")

    def _time(self, question: Question) -> tuple[Space, ...]:
        return (self.hour(),)

    def _moment(self, question: Question) -> tuple[Space, ...]:
        return self.day(), self.hour()

    def _place(self, question: Question) -> tuple[Space, ...]:
        voice = self.voice
        latitude, longitude = Field(voice.gettext("Latitude"), share=3), Field(voice.gettext("Longitude"), share=3)
        return (Fields((latitude, longitude, Field(voice.gettext("Accuracy (m)"), share=2))),)

    def _points(self, question: Question) -> tuple[Space, ...]:
        voice = self.voice
        point = Fields((Field(voice.gettext("Latitude")), Field(voice.gettext("Longitude"))))
        return (Advice(voice.gettext("Write each point, or draw a sketch on the back.")), point, point, point, point)

    def _yes_no(self, question: Question) -> tuple[Space, ...]:
        yes, no = self.voice.gettext("Yes"), self.voice.gettext("No")
        return (Ticks(Mark.CIRCLE, (Option(styled(yes), "true"), Option(styled(no), "false")), 2),)

    def _file(self, question: Question) -> tuple[Space, ...]:
        looks = question.appearance.split()
        if "signature" in looks:
            return (Frame(25),)
        if "draw" in looks or "annotate" in looks:
            return (Frame(60),)
        voice = self.voice
        taken = {
            "image": voice.gettext("Photo taken"),
            "audio": voice.gettext("Recording made"),
            "video": voice.gettext("Video made"),
        }.get(question.mediatype.partition("/")[0], voice.gettext("File collected"))
        return (Fields((Field(taken, is_tick=True), Field(voice.gettext("File number"), share=2))),)

    def _range(self, question: Question) -> tuple[Space, ...]:
        start, end, step = question.range or ("", "", "")
        values = _steps(start, end, step)
        if values and len(values) <= MOST_STEPS:
            options = tuple(Option(styled(self.voice.number(value))) for value in values)
            return (Ticks(Mark.CIRCLE, options, len(options)),)
        told = self.voice.gettext("A number from {start} to {end}, in steps of {step}", start=start, end=end, step=step)
        return Advice(told), Boxes((max(len(start), len(end), 1),) if len(end) <= WIDEST else (6,))

    def _choices(self, question: Question) -> tuple[Space, ...]:
        itemset, voice = question.itemset, self.voice
        if itemset is None:
            return (Lines(1),)
        if itemset.instance.startswith("/"):
            return self._from_repeat(question, itemset)
        instance = self.told.form.instances.get(itemset.instance)
        if instance is not None and instance.src:
            file = instance.src.rpartition("/")[2]
            return Advice(voice.gettext("From the list {file}", file=file)), self._written(question)
        choices = itemset.choices or (instance.choices if instance else ())
        if len(choices) > MOST_CHOICES:
            return self._from_appendix(question, itemset.instance, choices)
        ticks = self._ticks(_MARKS[question.control], choices)
        told = self._told_of(question, itemset)
        return (*told, ticks) if choices else (Lines(1),)

    def _ticks(self, mark: Mark, choices: tuple[Choice, ...]) -> Ticks:
        options = tuple(self._option(choice) for choice in choices)
        longest = max((len(plain(option.label)) + 0.7 * len(option.code) for option in options), default=0)
        fitting = 4 if longest <= 14 else 3 if longest <= 26 else 2 if longest <= 44 else 1
        return Ticks(mark, options, min(fitting, len(options)) or 1)

    def _option(self, choice: Choice) -> Option:
        label = styled(self.voice.said(choice.label))
        return Option(label or styled(choice.name), choice.name)

    def _told_of(self, question: Question, itemset: Itemset) -> tuple[Space, ...]:
        voice = self.voice
        found: list[Space] = []
        if question.control == "rank":
            found.append(Advice(voice.gettext("Write 1 before the first, 2 before the second, and so on.")))
        path = _filtering(itemset.predicate, self.told, question.path)
        if path is not None:
            found.append(Advice(voice.gettext("Only those that belong to {what}.", what=self.told.named(path))))
        return tuple(found)

    def _from_repeat(self, question: Question, itemset: Itemset) -> tuple[Space, ...]:
        path = self.told.resolved(itemset.instance, question.path)
        told = self.voice.gettext("One of the entries of {what}", what=self.told.named(path)) if path else ""
        return (Advice(told), Lines(1)) if told else (Lines(1),)

    def _from_appendix(self, question: Question, id_: str, choices: tuple[Choice, ...]) -> tuple[Space, ...]:
        if len(choices) > LONGEST_LIST:
            told = self.voice.gettext("One of {count} choices, which the tablet lists", count=str(len(choices)))
            return Advice(told), self._written(question)
        key = id_ or "/".join(question.path)
        if key not in self.appendices:
            title = self.voice.gettext("List {letter}", letter=letters(len(self.appendices)))
            self.appendices[key] = Appendix(title, tuple(self._option(choice) for choice in choices))
        title = self.appendices[key].title
        told = self.voice.gettext("{list} at the end of this paper", list=title)
        return Advice(told), self._written(question)

    def _written(self, question: Question) -> Space:
        if question.control != "select1":
            return Lines(2)
        return Fields((Field(self.voice.gettext("Name"), share=2), Field(self.voice.gettext("Code"))))


def _money(unit: str) -> str:
    match = _MONEY.match(unit)
    return match[1] if match else ""


def _counted(constraint: str) -> int:
    """How many digits a pattern asks for: regex(., '^[0-9]{3}$') -> 3; 0 when it does not say."""
    match = _EXACT.search(constraint)
    return min(int(match[1]), WIDEST) if match else 0


def _steps(start: str, end: str, step: str) -> list[float]:
    try:
        first, last, by = float(start), float(end), float(step)
    except ValueError:
        return []
    if not by or not 0 <= (last - first) / by < MOST_STEPS:
        return []
    return [round(first + at * by, 10) for at in range(int((last - first) / by + 1e-9) + 1)]


def _filtering(predicate: str, told: Told, path: Path) -> Path | None:
    """The question whose answer narrows a list: `column = ${question}`."""
    for claim in claims_in(predicate) if predicate else ():
        if isinstance(claim, Binary) and claim.operator == "=":
            for side in (claim.left, claim.right):
                found = told.at(side, path)
                if found is not None and found in told.numbering.numbers:
                    return found
    return None


def _is_self(way: Expression) -> bool:
    return isinstance(way, Way) and way.start is None and [step.axis for step in way.steps] == ["self"]


def _length(value: float) -> int:
    return min(len(f"{max(abs(value), 1):.0f}"), WIDEST)
