"""The name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest, "" when none is near."""
    found = get_close_matches(name[:100], list(known), n=1, cutoff=0.6)
    return found[0] if found else ""
