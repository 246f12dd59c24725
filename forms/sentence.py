"""English words with places to fill, so that the same can be said in another language."""

from __future__ import annotations

from collections.abc import Callable, Mapping

MEANT = "; did you mean {meant}?"
"""Said after a sentence whose params hold `meant`."""


def fill(words: str, params: Mapping[str, str], translate: Callable[[str], str] = str) -> str:
    """The words with their places filled. `wanted` is words of ours itself; without params, braces mean nothing."""
    said = translate(words)
    if not params:
        return said
    known = dict(params)
    if "wanted" in known:
        known["wanted"] = translate(known["wanted"])
    said = said.format_map(known)
    return said.removesuffix(".") + translate(MEANT).format_map(known) if known.get("meant") else said
