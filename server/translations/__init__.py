"""The words of pages, messages and refusals, by language. `python -m server.translations` brings them up to date."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent


@cache
def spoken(language: str) -> gettext.NullTranslations:
    """Our words in a language, "id" or "en"; English for any other."""
    return gettext.translation("messages", HERE, languages=[language], fallback=True)
