"""Bring the translations up to date with the sources: `python -m server.translations`."""

from __future__ import annotations

from server.translations.catalogue import LANGUAGES, update

if __name__ == "__main__":
    for language in LANGUAGES:
        print(f"{language}: {update(language)} without a translation")
