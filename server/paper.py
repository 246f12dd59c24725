"""A form on paper, for the command line, the console and the REST API: PDF or Word, in one language of the form."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from forms.definition import FormDefinition
from forms.errors import Kind, Problem
from forms.paper.compose import compose
from forms.paper.paper import Paper
from forms.paper.words import Voice, code_of, languages_of
from server.translations import spoken

KINDS = ("pdf", "docx")
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
OURS = ("en", "id")
"""The languages of our own words."""
LAYOUT = "1"
"""Goes up when the same form gives another paper: who has kept the old one gets the new one."""


class NotSpoken(Problem):
    """The form does not speak this language. Choose one of its own, or leave the language out."""

    kind = Kind.NOT_FOUND
    slug = "form/language-not-spoken"


@dataclass(frozen=True, slots=True)
class Printed:
    """A file to print."""

    name: str
    content: bytes


def language_of(definition: FormDefinition, wanted: str, reader: str) -> str:
    """The form's language that is wanted, by its name or its code; else the reader's, else the form's first one.

    Refuses NotSpoken."""
    languages = languages_of(definition)
    for language in languages:
        if wanted and wanted.lower() in (language.lower(), code_of(language)):
            return language
    if wanted:
        raise NotSpoken(", ".join(languages))
    return next((language for language in languages if code_of(language) == reader), languages[0])


def printed(definition: FormDefinition, kind: str, language: str, *, reader: str, study: str = "") -> Printed:
    """The paper in a language of the form; our own words in the same one where we speak it, else in the reader's."""
    code = code_of(language)
    ours = code if code in OURS else reader
    paper = compose(definition, Voice(language, definition.default_language, spoken(ours).gettext, ours), study)
    return Printed(file_name(definition, code or language, kind), _writer(kind)(paper))


def fingerprint(definition: FormDefinition, md5: str, kind: str, language: str, reader: str, study: str) -> str:
    """The same for the same paper, known before it is made."""
    parts = (LAYOUT, definition.form_id, md5, kind, language, reader, study)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def file_name(definition: FormDefinition, language: str, kind: str) -> str:
    parts = [definition.form_id, definition.version, language]
    safe = (re.sub(r"[^\w-]+", "_", part).strip("_") for part in parts)
    return ".".join([*(part for part in safe if part), kind])


def _writer(kind: str) -> Callable[[Paper], bytes]:
    # Loaded when it is needed: a server that prints nothing keeps the memory.
    module, name = {"pdf": ("forms.paper.pdf", "pdf"), "docx": ("forms.paper.word", "word")}[kind]
    writer: Callable[[Paper], bytes] = getattr(importlib.import_module(module), name)
    return writer
