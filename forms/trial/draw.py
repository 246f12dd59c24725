"""One answer of a type, drawn at random under a wish."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from random import Random

from forms.definition import DataType, Question
from forms.expression.dates import days, exact_days
from forms.expression.numbers import stored_number
from forms.lexical import INT_MAX, INT_MIN
from forms.trial.pattern import text_like
from forms.trial.wish import Range, Wish

WORDS = (
    "warung",
    "kelapa",
    "beras",
    "tepung",
    "gula",
    "kopi",
    "tempe",
    "tahu",
    "kain",
    "benang",
    "kayu",
    "bambu",
    "pasar",
    "jalan",
    "sawah",
    "musala",
    "rapat",
    "warga",
    "modal",
    "utang",
    "laba",
    "panen",
    "hujan",
    "pagi",
    "sore",
    "Siti",
    "Budi",
    "Ani",
    "Rukun",
    "Désa",
)
EDGES = 0.3
"""How often a number is one of its bounds: there mistakes show first."""
_EPOCH = date(1970, 1, 1).toordinal()
_PLACE = (-8.233, 114.360)
_COUNTED = {DataType.DATE: days, DataType.DATETIME: exact_days}
_SUFFIXES = {"image": "jpg", "audio": "wav", "video": "mp4"}


def number_of(type: DataType) -> Callable[[str], float]:
    """What a text of the type counts as in comparisons."""
    return _COUNTED.get(type, stored_number)


def is_counted(type: DataType) -> bool:
    return type in (DataType.INT, DataType.DECIMAL, DataType.DATE, DataType.DATETIME)


@dataclass(slots=True)
class Draw:
    """The dice and the day on which the form is filled in."""

    rng: Random
    now: datetime
    files: int = 0
    """Names given to files so far: each is another file."""

    def answer(self, question: Question, wish: Wish, choices: Sequence[str] | None, *, is_small: bool = False) -> str:
        """A text of the question's type, "" when there is none to give. `choices` are what a select offers, None
        when nobody knows; a small number is wanted where a repeat is counted by it."""
        if question.control == "trigger":
            return "OK"
        if question.range is not None:
            return self._on_scale(question.range, wish.value)
        if question.type in (DataType.SELECT1, DataType.SELECT, DataType.RANK):
            return self._chosen(question, wish, choices)
        if question.type in (DataType.INT, DataType.DECIMAL):
            return self._number(question.type, wish, is_small=is_small)
        if question.type is DataType.BINARY:
            return self._file(question)
        draw = _DRAWS.get(question.type, Draw._text)
        return draw(self, question, wish)

    # Numbers

    def _number(self, type: DataType, wish: Wish, *, is_small: bool) -> str:
        most = 5 if is_small else 100
        if type is DataType.INT or wish.step:
            low, high = wish.value.whole()
            low = max(low, INT_MIN) if low > -math.inf else min(0, high - most)
            high = min(high, INT_MAX) if high < math.inf else low + max(most, abs(low))
            if is_small:
                high = min(high, max(low, 0) + most)
            return str(self._stepped(int(low), int(high), int(wish.step) or 1)) if low <= high else ""
        return self._decimal(wish.value)

    def _stepped(self, low: int, high: int, step: int) -> int:
        first, last = -(-low // step), high // step
        return step * (self._between(first, last) if first <= last else first)

    def _between(self, low: int, high: int) -> int:
        """An edge, or as likely small as large: bounds of money span many powers of ten."""
        if self.rng.random() < EDGES:
            return self.rng.choice((low, high))
        if self.rng.random() < 0.5 or high - low < 20:
            return self.rng.randint(low, high)
        return low + min(high - low, int(10 ** self.rng.uniform(0, math.log10(high - low))))

    def _decimal(self, wanted: Range) -> str:
        low = wanted.low if wanted.low > -math.inf else min(0.0, wanted.high - 100)
        high = wanted.high if wanted.high < math.inf else low + max(100.0, abs(low))
        places = self.rng.choice((0, 1, 2, 4))
        unit = Decimal(1).scaleb(-places)
        found = Decimal(self._between(0, 10_000)) / 10_000 * (Decimal(high) - Decimal(low)) + Decimal(low)
        found = found.quantize(unit)
        if wanted.is_open_low and found <= wanted.low:
            found += unit
        if wanted.is_open_high and found >= wanted.high:
            found -= unit
        return format(found, "f")

    def _on_scale(self, bounds: tuple[str, str, str], wanted: Range) -> str:
        try:
            start, end, step = (Decimal(bound) for bound in bounds)
            steps = int((end - start) / step)
        except (InvalidOperation, ZeroDivisionError):
            return bounds[0]
        on_it = (start + step * self.rng.randint(min(0, steps), max(0, steps)) for _ in range(20))
        return format(next((one for one in on_it if wanted.low <= one <= wanted.high), start), "f")

    # Time and place

    def _date(self, question: Question, wish: Wish) -> str:
        low, high = wish.value.whole()
        today = self.now.date().toordinal() - _EPOCH
        high = high if high < math.inf else max(today, low)
        low = low if low > -math.inf else high - 700
        day = self._between(int(low), int(high)) if low <= high else int(low)
        return date.fromordinal(min(max(day + _EPOCH, 1), date.max.toordinal())).isoformat()

    def _moment(self, question: Question, wish: Wish) -> str:
        zone = self.now.tzinfo or UTC
        low, high = wish.value.low, wish.value.high
        now = exact_days(self.now.astimezone(UTC).isoformat())
        high = high if high < math.inf else max(now, low)
        low = low if low > -math.inf else high - 300
        found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=self.rng.uniform(low, high))
        return found.astimezone(zone).isoformat(timespec="milliseconds")

    def _time(self, question: Question, wish: Wish) -> str:
        offset = self.now.isoformat()[-6:] if self.now.tzinfo else ""
        return f"{self.rng.randrange(24):02d}:{self.rng.randrange(60):02d}:00.000{offset}"

    def _point(self, question: Question, wish: Wish) -> str:
        north, east = (centre + self.rng.uniform(-0.01, 0.01) for centre in _PLACE)
        return f"{north:.7f} {east:.7f} {self.rng.uniform(0, 300):.1f} {self.rng.uniform(1, 20):.1f}"

    def _trace(self, question: Question, wish: Wish) -> str:
        return "; ".join(self._point(question, wish) for _ in range(self.rng.randint(2, 6)))

    def _shape(self, question: Question, wish: Wish) -> str:
        corners = [self._point(question, wish) for _ in range(self.rng.randint(3, 6))]
        return "; ".join([*corners, corners[0]])

    # Words

    def _chosen(self, question: Question, wish: Wish, choices: Sequence[str] | None) -> str:
        names = list(dict.fromkeys(choices if choices is not None else ("a", "b", "c")))
        if question.type is DataType.RANK:
            self.rng.shuffle(names)
            return " ".join(names)
        wanted = [name for name in names if name not in wish.unchosen]
        equal = [name for name in wish.equal if name in names]
        if question.type is DataType.SELECT1:
            return self.rng.choice(equal or [name for name in names if name in wish.chosen] or wanted or [""])
        if equal:
            return self.rng.choice(equal)
        low, high = wish.count.whole()
        rest = [name for name in wanted if name not in wish.chosen]
        least, most = max(int(low) - len(wish.chosen), 0), min(high - len(wish.chosen), len(rest))
        more = self.rng.sample(rest, self.rng.randint(min(least, len(rest)), int(max(most, min(least, len(rest))))))
        picked = {*wish.chosen, *more}
        return " ".join(name for name in names if name in picked)

    def _text(self, question: Question, wish: Wish) -> str:
        if wish.equal:
            return self.rng.choice(wish.equal)
        made = text_like(wish.pattern, self.rng) if wish.pattern else None
        if made is not None:
            return made
        if "numbers" in question.appearance.split() or question.type is DataType.BARCODE:
            made = str(self.rng.randrange(10**8))
        low, high = wish.length.whole()
        high = int(min(high, max(low, 1) + 60))
        return self._of_length(made or self._words("multiline" in question.appearance), wish, max(int(low), 1), high)

    def _words(self, is_long: bool) -> str:
        return " ".join(self.rng.choices(WORDS, k=self.rng.randint(8, 20) if is_long else self.rng.randint(1, 3)))

    def _of_length(self, made: str, wish: Wish, low: int, high: int) -> str:
        made = f"{wish.begin}{made}{wish.inside}{wish.end}"
        if len(made) > high:
            made = (wish.begin + made[len(wish.begin) :])[: high - len(wish.end)].rstrip() + wish.end
        while len(made) < low:
            made = made.removesuffix(wish.end) + self.rng.choice(("a", "i", "u", "7")) + wish.end
        return made

    def _boolean(self, question: Question, wish: Wish) -> str:
        return self.rng.choice([one for one in wish.equal if one in ("true", "false")] or ["true", "false"])

    def _file(self, question: Question) -> str:
        self.files += 1
        kind = question.mediatype.partition("/")[0]
        stamp = f"{self.now:%Y%m%d%H%M}"
        return f"{question.name}-{stamp}-{self.files}.{_SUFFIXES.get(kind, 'txt')}"


_DRAWS: Mapping[DataType, Callable[[Draw, Question, Wish], str]] = {
    DataType.DATE: Draw._date,
    DataType.DATETIME: Draw._moment,
    DataType.TIME: Draw._time,
    DataType.GEOPOINT: Draw._point,
    DataType.GEOTRACE: Draw._trace,
    DataType.GEOSHAPE: Draw._shape,
    DataType.BOOLEAN: Draw._boolean,
}
