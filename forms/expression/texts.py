"""Texts and selections: the ODK functions on strings and on space-separated answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from forms.expression.numbers import NAN, number_text

_BLANKS = re.compile(r"[ \t\r\n]+")
DIGESTS = frozenset({"md5", "sha1", "sha256", "sha384", "sha512"})
_MARKS = re.compile(r"[^A-Za-z0-9]")


def substring(text: str, start: float, end: float = float("inf")) -> str:
    """substr(): from 0, the end is excluded, negatives count from the end (ODK XForms)."""
    size = len(text)
    first, last = (int(max(-size, min(size, bound))) if bound == bound else 0 for bound in (start, end))
    first, last = (bound + size if bound < 0 else bound for bound in (first, last))
    return text[first:last]


def length(text: str) -> float:
    """string-length(): in units of UTF-16, as every engine of the field counts; an emoji is two."""
    return float(len(text) if text.isascii() else len(text) + sum(letter > "\uffff" for letter in text))


def before(text: str, mark: str) -> str:
    head, found, _ = text.partition(mark) if mark else ("", "", "")
    return head if found else ""


def after(text: str, mark: str) -> str:
    return text.partition(mark)[2] if mark else text


def translated(text: str, old: str, new: str) -> str:
    table: dict[int, str | None] = {}
    for at, letter in enumerate(old):
        table.setdefault(ord(letter), new[at] if at < len(new) else None)
    return text.translate(table)


def normalized(text: str) -> str:
    """normalize-space(): no blank but single spaces between words."""
    is_plain = "  " not in text and "\n" not in text and "\t" not in text and "\r" not in text
    return text.strip(" ") if is_plain else _BLANKS.sub(" ", text).strip(" ")


def selected_at(text: str, index: float) -> str:
    values = text.split()
    return values[int(index)] if index == index and 0 <= index < len(values) else ""


def count_selected(text: str) -> float:
    return float(len(text.split()))


def is_said_true(text: str) -> bool:
    """boolean-from-string(): "1" or, in any case, "true"."""
    return text == "1" or text.lower() == "true"


def is_written_true(text: str) -> bool:
    """boolean-from-string() as Web Forms has it: in small letters only."""
    return text in ("1", "true")


def digest(text: str, algorithm: str, encoding: str = "base64") -> str:
    """digest(): MD5, SHA-1, SHA-256, SHA-384 or SHA-512 of the UTF-8 text, in hex or base64; blank of another name."""
    name = _MARKS.sub("", algorithm).lower()
    if name not in DIGESTS:
        return ""
    summed = hashlib.new(name, text.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return summed.hexdigest() if encoding.lower() == "hex" else base64.b64encode(summed.digest()).decode()


def base64_decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def checklist(least: float, most: float, answers: Sequence[bool]) -> bool:
    """checklist(): so many of the answers are true; -1 stands for no bound."""
    count = float(sum(answers))
    return (least < 0 or count >= least) and (most < 0 or count <= most)


def weighted_checklist(least: float, most: float, answers: Sequence[bool], weights: Sequence[float]) -> bool:
    """weighted-checklist(): the weights of the true answers add up to so much; at most -1 stands for no bound."""
    return bounded_checklist(least, most if most != -1 else float("inf"), answers, weights)


def bounded_checklist(least: float, most: float, answers: Sequence[bool], weights: Sequence[float]) -> bool:
    """weighted-checklist() as JavaRosa has it: -1 is a bound like any other."""
    return least <= sum(weight for answer, weight in zip(answers, weights, strict=False) if answer) <= most


def is_answered(values: Sequence[str]) -> list[bool]:
    """Of each text, whether it says anything."""
    return [value != "" for value in values]


def bool_text(value: bool) -> str:
    return "true" if value else "false"


def text(value: float | str | bool) -> str:
    """string() of a value whose type is known only now."""
    if isinstance(value, bool):
        return bool_text(value)
    return value if isinstance(value, str) else number_text(value)


def first(values: Sequence[str]) -> str:
    return values[0] if values else ""


def first_number(values: Sequence[float]) -> float:
    return values[0] if values else NAN


def coalesced(*values: str) -> str:
    return next((value for value in values if value != ""), "")


def count_filled(values: Sequence[str]) -> float:
    return float(sum(1 for value in values if value != ""))
