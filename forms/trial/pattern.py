"""Text that a regular expression describes, for the patterns that authors write."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TypeAlias

Maker: TypeAlias = Callable[[Random], str]

_COUNT = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_MORE = 4
"""How often at most something is repeated that may be repeated without end."""
_WORD = string.ascii_letters + string.digits + "_"
_ANY = string.ascii_letters + string.digits + " .-"
_PRINTED = string.ascii_letters + string.digits + string.punctuation + " "
_SETS = {"d": string.digits, "w": _WORD, "s": " "}
_OTHERS = {"D": string.ascii_letters, "W": "-. ", "S": _WORD}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}
_STRAYS = frozenset(")]}*+?|")


class Unknown(ValueError):
    """The pattern says something that is not made up here: a look-around, a back-reference."""


def text_like(pattern: str, rng: Random) -> str | None:
    """A text that the pattern should describe, to be tried; None when the pattern is beyond what is read here."""
    try:
        return _maker(pattern)(rng)
    except Unknown:
        return None


@lru_cache(maxsize=256)
def _maker(pattern: str) -> Maker:
    reader = _Reader(pattern)
    made = reader.choice()
    if reader.rest:
        raise Unknown(pattern)
    return made


@dataclass(slots=True)
class _Reader:
    """Reads a pattern from its beginning; `rest` is what has not been read."""

    rest: str

    def choice(self) -> Maker:
        branches = [self._sequence()]
        while self.rest[:1] == "|":
            self.rest = self.rest[1:]
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else lambda rng: rng.choice(branches)(rng)

    def _sequence(self) -> Maker:
        parts: list[Maker] = []
        while self.rest and self.rest[0] not in "|)":
            if self.rest[0] in "^$":
                self.rest = self.rest[1:]
            else:
                parts.append(self._repeated(self._atom()))
        return lambda rng: "".join(part(rng) for part in parts)

    def _repeated(self, once: Maker) -> Maker:
        least, most = self._counts()
        if (least, most) == (1, 1):
            return once
        return lambda rng: "".join(once(rng) for _ in range(rng.randint(least, most)))

    def _counts(self) -> tuple[int, int]:
        counted = _COUNT.match(self.rest)
        sign = self.rest[:1]
        if counted:
            self.rest = self.rest[counted.end() :]
            least = int(counted[1])
            found = (least, int(counted[3]) if counted[3] else least if counted[2] is None else least + _MORE)
        elif sign and sign in "*+?":
            self.rest = self.rest[1:]
            found = {"*": (0, _MORE), "+": (1, _MORE), "?": (0, 1)}[sign]
        else:
            return 1, 1
        self.rest = self.rest.removeprefix("?")  # a lazy repetition describes the same texts
        if max(found) > 1000 or found[0] > found[1]:
            raise Unknown(self.rest)
        return found

    def _atom(self) -> Maker:
        letter, self.rest = self.rest[0], self.rest[1:]
        if letter == "(":
            return self._group()
        if letter in _STRAYS:
            raise Unknown(letter)
        letters = self._set() if letter == "[" else self._escaped() if letter == "\\" else letter
        letters = _ANY if letter == "." else letters
        return lambda rng: rng.choice(letters)

    def _group(self) -> Maker:
        if self.rest.startswith("?"):
            if not self.rest.startswith("?:"):
                raise Unknown(self.rest)
            self.rest = self.rest[2:]
        inside = self.choice()
        if not self.rest.startswith(")"):
            raise Unknown(self.rest)
        self.rest = self.rest[1:]
        return inside

    def _escaped(self) -> str:
        if not self.rest:
            raise Unknown("\\")
        letter, self.rest = self.rest[0], self.rest[1:]
        known = _SETS.get(letter) or _OTHERS.get(letter) or _CONTROLS.get(letter)
        if known is None and letter.isalnum():
            raise Unknown(letter)
        return known or letter

    def _set(self) -> str:
        is_negated = self.rest.startswith("^")
        self.rest = self.rest.removeprefix("^")
        letters: list[str] = []
        while not self.rest.startswith("]") or not letters:
            letters += self._members()
        self.rest = self.rest[1:]
        if is_negated:
            letters = [letter for letter in _PRINTED if letter not in letters]
        if not letters:
            raise Unknown("[]")
        return "".join(letters)

    def _members(self) -> str:
        """One member of a set: a letter, a class, or a range."""
        if not self.rest or self.rest.startswith("[:"):
            raise Unknown("[")
        first, self.rest = self.rest[0], self.rest[1:]
        letters = self._escaped() if first == "\\" else first
        if len(letters) > 1 or self.rest[:1] != "-" or self.rest[1:2] in ("", "]"):
            return letters
        last = self.rest[1]
        self.rest = self.rest[2:]
        last = self._escaped() if last == "\\" else last
        if len(last) > 1 or last < letters:
            raise Unknown(last)
        return "".join(map(chr, range(ord(letters), min(ord(last), ord(letters) + 255) + 1)))
