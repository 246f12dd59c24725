"""English words with places to fill, so that the same can be said in another language."""

from __future__ import annotations

from collections.abc import Callable, Mapping

OURS = ("wanted", "was", "becomes")
"""Params that are said in the reader's language as well."""
MEANT = "; did you mean {meant}?"
"""Said after a sentence whose params hold `meant`."""


def fill(words: str, params: Mapping[str, str], translate: Callable[[str], str] = str) -> str:
    """The words with their places filled. OURS are words of ours themselves; without params, braces mean nothing."""
    said = translate(words)
    if not params:
        return said
    known = {name: translate(value) if name in OURS else value for name, value in params.items()}
    said = said.format_map(known)
    return said.removesuffix(".") + translate(MEANT).format_map(known) if known.get("meant") else said
