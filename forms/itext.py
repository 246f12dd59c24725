"""The words of a form: its translations, and labels that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from forms import xml
from forms.definition import Text

_REFERENCE = re.compile(r"\s*jr:itext\(\s*(['\"])(.*)\1\s*\)\s*", re.DOTALL)
_WORDS = frozenset({"", "long"})
_GUIDANCE = "guidance"
UNNAMED = "default"
"""What pyxform calls the language of a form without languages."""
PLACEHOLDER = "-"


@dataclass(frozen=True, slots=True)
class Itext:
    """Every translation of a form: text id -> form ("" for the words, "image", "guidance" ...) -> words by language."""

    languages: tuple[str, ...] = ()
    default_language: str = ""
    texts: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)

    def words(self, element: etree._Element | None) -> Text:
        """What a label or hint says: its translations, or its own words under ""."""
        if element is None:
            return {}
        reference = element.get("ref")
        if reference is None:
            return _literal(element)
        named = text_id(reference)
        return self.by_id(named) if named else {}

    def message(self, attribute: str | None) -> Text:
        """What a message in a bind says: `jr:itext('id')`, or the words themselves."""
        if not attribute:
            return {}
        named = text_id(attribute)
        return self.by_id(named) if named else {"": attribute}

    def by_id(self, id: str) -> Text:
        return self.texts.get(id, {}).get("", {})

    def guidance(self, element: etree._Element | None) -> Text:
        return self._forms(element).get(_GUIDANCE, {})

    def media(self, element: etree._Element | None) -> Mapping[str, Text]:
        """File names by kind (image, audio, video, big-image), each by language."""
        return media_of(self._forms(element))

    def media_by_id(self, id: str) -> Mapping[str, Text]:
        return media_of(self.texts.get(id, {}))

    def file_names(self) -> Iterator[str]:
        for forms in self.texts.values():
            for files in media_of(forms).values():
                yield from files.values()

    def _forms(self, element: etree._Element | None) -> Mapping[str, Text]:
        reference = element.get("ref") if element is not None else None
        return self.texts.get(text_id(reference), {}) if reference else {}


def read_itext(model: etree._Element) -> Itext:
    """The translations in a model; one without names is the language ""."""
    itext = xml.child(model, "itext")
    translations = [] if itext is None else xml.children(itext, "translation")
    names = [translation.get("lang", "") for translation in translations]
    if names == [UNNAMED]:
        names = [""]
    default = next((i for i, translation in enumerate(translations) if translation.get("default") is not None), 0)
    texts: dict[str, dict[str, dict[str, str]]] = {}
    for language, translation in zip(names, translations, strict=True):
        _read_translation(translation, language, texts)
    for forms in texts.values():
        for words in forms.values():
            _drop_placeholders(words)
    languages = tuple(name for name in names if name)
    return Itext(languages, names[default] if names else "", texts)


def text_id(reference: str) -> str:
    """The id in `jr:itext('id')`, "" for anything else."""
    match = _REFERENCE.fullmatch(reference)
    return match[2] if match else ""


def spoken(element: etree._Element) -> str:
    """The words of an element; what an <output> shows stands as ${XPath} among them."""
    parts = [element.text or ""]
    for part in element:
        if xml.local_name(part) == "output":
            parts.append(f"${{{(part.get('value') or part.get('ref') or '').strip()}}}")
        else:
            parts.append(spoken(part))
        parts.append(part.tail or "")
    return "".join(parts).strip()


def file_name(address: str) -> str:
    """The attachment that a jr:// address names, "" when it names none: jr://images/a.png -> a.png."""
    kind, _, name = address.removeprefix("jr://").partition("/")
    return name if address.startswith("jr://") and kind != "instance" else ""


def media_of(forms: Mapping[str, Text]) -> Mapping[str, Text]:
    named = {
        kind: {language: file_name(address.strip()) or address.strip() for language, address in words.items()}
        for kind, words in forms.items()
        if kind and kind not in {_GUIDANCE, "short"}
    }
    return {kind: words for kind, words in named.items() if words}


def _read_translation(translation: etree._Element, language: str, texts: dict[str, dict[str, dict[str, str]]]) -> None:
    for text in xml.children(translation, "text"):
        forms = texts.setdefault(text.get("id", ""), {})
        for value in xml.children(text, "value"):
            form = value.get("form", "")
            forms.setdefault("" if form in _WORDS else form, {})[language] = spoken(value)


def _drop_placeholders(words: dict[str, str]) -> None:
    """pyxform writes "-" where a translation is missing; the words of another language say more."""
    if set(words.values()) - {PLACEHOLDER}:
        for language in [language for language, said in words.items() if said == PLACEHOLDER]:
            del words[language]


def _literal(element: etree._Element) -> Text:
    words = spoken(element)
    return {"": words} if words else {}
