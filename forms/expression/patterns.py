"""regex(): an author's pattern meets a stranger's text, so it runs in linear time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import re2

_GROUPS_OR_LOOKS = re.compile(r"\)[*+{]|\\[1-9]|\(\?|\\[pPhRXQEGkK]|\[\[|&&|[*+}?]\+")
_UNBOUNDED = re.compile(r"[*+]|\{[0-9]*,\}")
_HALVES = re.compile("[\ud800-\udfff]")
_CHOICES = re.compile(r"[?|]|\{([0-9]+),([0-9]+)\}")
_MOST_WAYS = 256
"""Ways through the bounded parts of a pattern that Python's own engine may have to try one after the other."""
_MOST = 1_000
"""Characters of a pattern that Python's own engine may run; beyond it, RE2 does."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """`is_whole` matches the whole text (JavaRosa), `is_inside` finds it anywhere (Web Forms)."""

    is_whole: Callable[[str], bool]
    is_inside: Callable[[str], bool]


class BadPattern(ValueError):
    """The pattern is not one that RE2 accepts."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Pattern:
    """The pattern, run by Python's `re` where that is safe and by RE2 elsewhere. BadPattern when RE2 refuses it."""
    try:
        safe = re2.compile(pattern, _options())
    except (re2.error, UnicodeError) as refusal:
        raise BadPattern(_reason(refusal)) from refusal
    inside, whole = _found_by(safe.search), _found_by(safe.fullmatch)
    if not _is_harmless(pattern):
        return Pattern(whole, inside)
    fast = re.compile(pattern, re.ASCII).fullmatch
    # What matches as a whole is found inside as well; nearly every answer does.
    return Pattern(lambda text: fast(text) is not None, lambda text: fast(text) is not None or inside(text))


def _found_by(find: Callable[[str], object]) -> Callable[[str], bool]:
    """RE2 reads UTF-8, in which half of a surrogate pair cannot be written: it stands for any unknown character."""

    def is_found(text: str) -> bool:
        try:
            return find(text) is not None
        except UnicodeEncodeError:
            return find(_HALVES.sub("\ufffd", text)) is not None

    return is_found


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _reason(refusal: Exception) -> str:
    said = refusal.args[0] if refusal.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)


def _is_harmless(pattern: str) -> bool:
    """No group is repeated, nothing looks around or back, at most one part has no upper bound, and the others leave
    few ways to try: then matching the whole text costs little more than the text is long, and `re` is 30 times faster
    than a call into RE2."""
    if len(pattern) > _MOST or _GROUPS_OR_LOOKS.search(pattern) or len(_UNBOUNDED.findall(pattern)) > 1:
        return False
    if _ways(pattern) > _MOST_WAYS:
        return False
    try:
        re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _ways(pattern: str) -> int:
    """How often matching may have to begin again: `a?` may be there or not, `a{2,5}` four times, `a|b` either."""
    ways = 1
    for least, most in _CHOICES.findall(pattern):
        ways *= abs(int(most) - int(least)) + 1 if most else 2
        if ways > _MOST_WAYS:
            break
    return ways


def matches(text: str, pattern: str) -> bool:
    """regex() with a pattern that is known only now; one that cannot be read matches nothing."""
    try:
        return compiled(pattern).is_whole(text)
    except BadPattern:
        return False


def is_inside(text: str, pattern: str) -> bool:
    """As `matches`, anywhere in the text."""
    try:
        return compiled(pattern).is_inside(text)
    except BadPattern:
        return False
