"""What makes a form pleasant to work with for years: names, versions, languages, words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from forms.definition import DataType, FormDefinition, Question, Text
from forms.finding import Severity
from forms.notice import Notice, notice

_VERSION = re.compile(r"20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d\d")
_MONEY = re.compile(r"\bRp\b|\brupiah\b|\bIDR\b", re.IGNORECASE)
_PERSONAL_NAMES = frozenset(
    {"nik", "ktp", "phone", "hp", "telp", "telepon", "whatsapp", "wa", "email", "alamat", "address", "surname"}
)
_PERSONAL_WORDS = re.compile(
    r"\bNIK\b|\bKTP\b|\bnomor (hp|telepon|ponsel|wa|whatsapp)\b|\bnama (lengkap|informan|responden|kepala|orang|anda)\b"
    r"|\b(full|first|last|family) name\b|\bname of (the |your )?(informant|respondent|head|person)"
    r"|\b(informant|respondent|person)('s)? name\b|\b(phone|mobile) number\b|\be-?mail\b|\b(home )?address\b|\balamat\b"
    r"|\bdate of birth\b|\btanggal lahir\b|\b(id|identity|national) (card )?number\b",
    re.IGNORECASE,
)
_TYPED = frozenset({"input", "upload"})


def conventions(definition: FormDefinition) -> Iterator[Notice]:
    """What a form can do without, and had better not."""
    yield from _about_settings(definition)
    yield from _about_languages(definition)
    for question in definition.questions():
        yield from _about_question(question)


def _about_settings(definition: FormDefinition) -> Iterator[Notice]:
    if not definition.version:
        yield notice("no-version", sheet="settings", column="version")
    elif not _VERSION.fullmatch(definition.version):
        yield _info("version-format", sheet="settings", column="version", version=definition.version)
    if not definition.instance_name:
        yield _info("no-instance-name", sheet="settings", column="instance_name")
    preloads = {question.preload for question in definition.questions()}
    if not {"timestamp start", "timestamp end"} <= preloads:
        yield _info("no-clock", sheet="survey", column="type")


def _about_languages(definition: FormDefinition) -> Iterator[Notice]:
    for language in definition.languages:
        missing = [place for place, text in _texts(definition) if text and not text.get(language)]
        if missing:
            yield _info(
                "missing-translation",
                column=f"label::{language}",
                sheet="survey",
                count=str(len(missing)),
                language=language,
                place=missing[0],
            )


def _texts(definition: FormDefinition) -> Iterator[tuple[str, Text]]:
    """Everything that is said to people, by the name of what says it."""
    for node in definition.walk():
        yield node.name, node.label
        if isinstance(node, Question):
            for text in (node.hint, node.guidance, node.constraint_message, node.required_message):
                yield node.name, text
    for instance in definition.instances.values():
        for choice in instance.choices:
            yield f"{instance.id}: {choice.name}", choice.label


def _about_question(question: Question) -> Iterator[Notice]:
    if question.control and question.constraint and not question.constraint_message:
        yield _info("no-constraint-message", question, column="constraint_message")
    if question.control in _TYPED and not (question.pii or question.readonly) and _is_personal(question):
        yield _info("pii-unmarked", question, column="pii")
    if question.type is DataType.INT and "<" not in question.constraint and _says(_MONEY, question.label):
        yield notice("money-without-bound", question.path, column="constraint")


def _is_personal(question: Question) -> bool:
    parts = set(re.split(r"[_.\-\d]+", question.name.lower()))
    return bool(parts & _PERSONAL_NAMES) or _says(_PERSONAL_WORDS, question.label)


def _says(words: re.Pattern[str], text: Mapping[str, str]) -> bool:
    return any(words.search(said) for said in text.values())


def _info(code: str, question: Question | None = None, *, column: str, sheet: str = "", **params: str) -> Notice:
    path = question.path if question is not None else ()
    return notice(code, path, Severity.INFO, column=column, sheet=sheet, params=params)
