"""Everything that can be said is said in Indonesian too."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo

from forms.errors import Problem
from server.translations import catalogue


@pytest.fixture(scope="module")
def indonesian() -> Catalog:
    return catalogue.catalogue("id")


@pytest.fixture(scope="module")
def sources() -> Catalog:
    return catalogue.extracted()


def test_every_message_of_the_sources_has_a_translation(indonesian: Catalog, sources: Catalog) -> None:
    missing = [message.id for message in sources if message.id and not _said(indonesian, message)]

    assert not missing, "run `python -m server.translations` and translate what is new"


def test_every_refusal_has_a_translation(indonesian: Catalog) -> None:
    refusals: list[type[Problem]] = list(catalogue.refusals())
    missing = [refusal.slug for refusal in refusals if not _said(indonesian, Message(refusal.title()))]

    assert len(refusals) > 50
    assert not missing


def test_no_translation_loses_or_invents_a_value(indonesian: Catalog) -> None:
    wrong = [message.id for message in indonesian if message.id and _values(message.id) != _values(message.string)]

    assert not wrong


def test_the_compiled_file_is_the_kept_one(indonesian: Catalog) -> None:
    compiled = read_mo(BytesIO((catalogue.HERE / "id/LC_MESSAGES/messages.mo").read_bytes()))

    assert _pairs(compiled) == _pairs(indonesian)


def _pairs(kept: Catalog) -> set[tuple[str, str]]:
    return {(_last(message.id), _last(message.string)) for message in kept if message.id}


def _last(said: object) -> str:
    return str(said[-1] if isinstance(said, tuple | list) else said)


def _said(kept: Catalog, message: Message) -> bool:
    found = kept.get(message.id)
    return found is not None and catalogue.is_translated(found.string)


def _values(said: object) -> set[str]:
    return set(re.findall(r"%\(\w+\)", _last(said)))
