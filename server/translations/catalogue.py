"""What can be said, gathered from the sources and templates, and how it is said in each language."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from forms.errors import Problem
from forms.finding import UNDECIDED
from forms.kind import KINDS
from forms.notice import SENTENCES
from forms.reworded import SENTENCES as CONVERSION
from forms.sentence import MEANT
from forms.versions import SENTENCES as CHANGES
from server.commands.device_words import REASONS, STAGES

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LANGUAGES = ("id",)
"""English needs no file: it is what the sources say."""

METHODS = [("server/**.py", "python"), ("forms/**.py", "python"), ("server/templates/**.html", "jinja2")]
KEYWORDS: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "lazy_ngettext": (1, 2),
    "BadExpression": None,
    "fault": None,
    "surprise": None,
}
OPTIONS = {"server/templates/**.html": {"trimmed": "true", "silent": "false"}}


def extracted() -> Catalog:
    """Every msgid that the program can ask for: what sources and forms say, and the titles of refusals."""
    found = Catalog(project="Lapangan", charset="utf-8")
    for name, line, message, comments, context in extract_from_dir(
        ROOT, METHODS, OPTIONS, keywords=KEYWORDS, comment_tags=("Translators:",), directory_filter=_is_ours
    ):
        found.add(message, locations=[(name, line)], auto_comments=comments, context=context)
    ours = (
        MEANT,
        *SENTENCES.values(),
        *CHANGES.values(),
        *KINDS.values(),
        *UNDECIDED.values(),
        *CONVERSION,
        *REASONS.values(),
        *STAGES.values(),
    )
    for sentence in ours:
        found.add(sentence, locations=[("forms/notice.py", 1)])
    for problem in refusals():
        found.add(problem.title(), locations=[(problem.__module__.replace(".", "/") + ".py", 1)])
    return found


def refusals() -> Iterator[type[Problem]]:
    """All that this program may refuse with: every module is loaded first, so that none is missed."""
    for package in ("forms", "schemas", "sync", "server"):
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.startswith("sync.migrations") and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    for problem in Problem.family():
        if problem is not Problem and problem.__module__.partition(".")[0] in ("forms", "schemas", "sync", "server"):
            yield problem


def catalogue(language: str) -> Catalog:
    """How it is said in this language, as kept."""
    with _file(language, "po").open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> int:
    """Bring the language's files up to date, keeping what is translated; how many messages have no translation."""
    kept, found = catalogue(language), extracted()
    found.creation_date = kept.creation_date  # the same sources give the same files
    kept.update(found, no_fuzzy_matching=True)
    kept.obsolete.clear()
    with _file(language, "po").open("wb") as file:
        write_po(file, kept, width=110, sort_output=True, omit_header=False, include_lineno=False)
    with _file(language, "mo").open("wb") as file:
        write_mo(file, kept)
    return sum(1 for message in kept if message.id and not is_translated(message.string))


def is_translated(string: object) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


def _is_ours(folder: str) -> bool:
    return Path(folder).name not in ("static", "pwa", "__pycache__")


def _file(language: str, ending: str) -> Path:
    return HERE / language / "LC_MESSAGES" / f"messages.{ending}"
