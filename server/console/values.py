"""One answer as people read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time

from babel.dates import format_date, format_time
from babel.numbers import format_decimal

from forms.definition import Choice, DataType, FormDefinition, Question, say
from server.console.words import number, rupiah


@dataclass(frozen=True, slots=True)
class Option:
    """A chosen answer: its label, the name that is stored, and the entity it stands for, if any."""

    label: str
    name: str
    entity_id: str = ""
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Value:
    """`kind`: "blank", "text", "number", "money", "moment", "choices", "place", "line", "file"."""

    kind: str
    text: str = ""
    raw: str = ""
    options: tuple[Option, ...] = ()
    latitude: str = ""
    longitude: str = ""
    accuracy: str = ""

    @property
    def is_blank(self) -> bool:
        return self.kind == "blank"


NOTHING = Value("blank")


def shown(
    definition: FormDefinition, question: Question, raw: str | None, language: str, names: Mapping[str, str]
) -> Value:
    """The answer in words; one that cannot be read as its type is shown exactly as it was sent."""
    if raw is None or raw == "":
        return NOTHING
    if question.control in ("select1", "select", "rank") and question.itemset is not None:
        names_of = raw.split() if question.control != "select1" else [raw]
        options = tuple(_option(definition, question, name, language, names) for name in names_of)
        return Value("choices", ", ".join(option.label for option in options), raw, options)
    if question.control == "trigger":
        return Value("text", "✓", raw)
    try:
        return _READERS.get(question.type, _text)(question, raw, language)
    except (ValueError, ArithmeticError):
        return Value("text", raw, raw)


def _option(
    definition: FormDefinition, question: Question, name: str, language: str, names: Mapping[str, str]
) -> Option:
    if name in names:
        return Option(names[name], name, entity_id=name)
    for choice in _choices(definition, question):
        if choice.name == name:
            return Option(say(choice.label, language, definition.default_language) or name, name)
    return Option(name, name, is_known=False)


def _choices(definition: FormDefinition, question: Question) -> Iterator[Choice]:
    assert question.itemset is not None  # noqa: S101  # the caller has looked
    yield from question.itemset.choices
    instance = definition.instances.get(question.itemset.instance)
    yield from instance.choices if instance is not None else ()


def _text(question: Question, raw: str, language: str) -> Value:
    return Value("text", raw, raw)


def _integer(question: Question, raw: str, language: str) -> Value:
    value = int(raw)
    if is_money(question):
        return Value("money", rupiah(value), raw)
    # A year or a house number must not be grouped; the form's author says so by the appearance.
    return Value("number", number(value) if "thousands-sep" in question.appearance else raw, raw)


def _decimal(question: Question, raw: str, language: str) -> Value:
    value = float(raw)
    if is_money(question):
        return Value("money", rupiah(value), raw)
    return Value("number", format_decimal(value, format="#,##0.####", locale=language), raw)


def is_money(question: Question) -> bool:
    """Money by its label: "... (Rp)"."""
    return any(re.search(r"\(Rp\b|\bRp\)", words) for words in question.label.values())


def _date(question: Question, raw: str, language: str) -> Value:
    return Value("moment", format_date(date.fromisoformat(raw[:10]), "EEEE, d MMMM y", locale=language), raw)


def _time(question: Question, raw: str, language: str) -> Value:
    return Value("moment", _clock(time.fromisoformat(raw), language), raw)


def _datetime(question: Question, raw: str, language: str) -> Value:
    # As the device wrote it: its own clock and its own zone.
    moment = datetime.fromisoformat(raw)
    day = format_date(moment.date(), "EEEE, d MMMM y", locale=language)
    return Value("moment", f"{day}, {_clock(moment.time(), language)}", raw)


def _clock(value: time, language: str) -> str:
    return str(format_time(value, "HH.mm" if language == "id" else "HH:mm", locale=language))


def _place(question: Question, raw: str, language: str) -> Value:
    parts = raw.split()
    latitude, longitude = float(parts[0]), float(parts[1])
    accuracy = format_decimal(float(parts[3]), format="#,##0.#", locale=language) if len(parts) > 3 else ""
    return Value("place", f"{latitude:.6f}, {longitude:.6f}", raw, (), parts[0], parts[1], accuracy)


def _line(question: Question, raw: str, language: str) -> Value:
    return Value("line", raw.replace(";", "; "), raw)


def _file(question: Question, raw: str, language: str) -> Value:
    return Value("file", raw, raw)


_READERS: Mapping[DataType, Callable[[Question, str, str], Value]] = {
    DataType.INT: _integer,
    DataType.DECIMAL: _decimal,
    DataType.DATE: _date,
    DataType.TIME: _time,
    DataType.DATETIME: _datetime,
    DataType.GEOPOINT: _place,
    DataType.GEOTRACE: _line,
    DataType.GEOSHAPE: _line,
    DataType.BINARY: _file,
}
