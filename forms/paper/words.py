"""What stands on paper, in one language: the form's own words, and ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from forms.definition import FormDefinition, Text, say
from forms.paper.paper import Run, Words
from forms.sentence import fill

BLANK = "____"
LONGEST = 4000
"""Characters of one label; what is longer was not written to be read."""

_CODE = re.compile(r"\(([A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*)\)\s*$")
_NAMES: Mapping[str, str] = {
    "english": "en",
    "inggris": "en",
    "indonesia": "id",
    "indonesian": "id",
    "bahasa indonesia": "id",
    "bahasa": "id",
}
_STYLED = re.compile(
    r"\*\*(?P<b>(?=\S)[^\n]+?(?<=\S))\*\*|(?<!\w)__(?P<u>(?=\S)[^\n]+?(?<=\S))__(?!\w)"
    r"|(?<!\w)\*(?P<i>(?=\S)[^\n*]+?(?<=\S))\*|(?<!\w)_(?P<j>(?=\S)[^\n_]+?(?<=\S))_(?!\w)"
)
_BOLD, _ITALIC = ("b", "u"), ("i", "j")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_LINE_TAG = re.compile(r"<\s*(?:br|/p|/div|/li)\s*/?>", re.IGNORECASE)
_STRONG_TAG = re.compile(r"<\s*(/?)\s*(b|strong|i|em)\s*>", re.IGNORECASE)
_LINK = re.compile(r"\[([^\]\n]{1,300})\]\(([^)\s]{1,500})\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_ESCAPED = re.compile(r"\\([\\*_#<>\[\]])")
_PRIVATE = 0xE000
"""Where a character that was escaped waits until emphasis is told (Unicode's private use area)."""
_HIDDEN = re.compile("[\ue000-\ue07f]")
_OUTPUT = re.compile(r"\$\{([^{}]*)\}")


def code_of(language: str) -> str:
    """ "Bahasa Indonesia (id)" -> "id"; "" for a language that does not say its code."""
    match = _CODE.search(language)
    if match:
        return match[1].lower().replace("_", "-")
    name = language.strip().lower()
    return _NAMES.get(name, name if re.fullmatch(r"[a-z]{2}", name) else "")


@dataclass(frozen=True, slots=True)
class Voice:
    """Who reads: a language of the form, and how our own words are said in it."""

    language: str
    """As the form names it; "" for a form without languages."""
    default: str
    translate: Callable[[str], str] = str
    code: str = "en"
    """Of our own words."""

    def said(self, text: Text) -> str:
        return say(text, self.language, self.default)

    def gettext(self, words: str, **params: str) -> str:
        return fill(words, params, self.translate)

    def number(self, value: float) -> str:
        """Grouped as the language groups, without a fraction that says nothing."""
        written = f"{value:,.10g}" if abs(value) >= 10_000 or value % 1 else f"{value:.10g}"
        return written.translate(str.maketrans(",.", ".,")) if self.code == "id" else written


def languages_of(definition: FormDefinition) -> tuple[str, ...]:
    """The languages of a form, its default first; ("",) when it has none."""
    named = sorted(definition.languages, key=lambda name: name != definition.default_language)
    return tuple(named) or ("",)


def styled(words: str, blank: Callable[[str], str] = lambda source: BLANK) -> Words:
    """Words as an author marks them up (Markdown's emphasis, a few HTML tags) as runs. What an <output> would show is
    what `blank` makes of its XPath source."""
    text = _ESCAPED.sub(lambda found: chr(_PRIVATE + ord(found[1])), words[:LONGEST])
    text = _LINE_TAG.sub("\n", text).replace("\r\n", "\n")
    text = _STRONG_TAG.sub(lambda tag: "**" if tag[2].lower() in ("b", "strong") else "*", text)
    text = _LINK.sub(lambda link: link[1] if link[1] == link[2] else f"{link[1]} ({link[2]})", _TAG.sub("", text))
    text = _HEADING.sub(r"**\1**", text)
    return tuple(_filled(run, blank) for run in _runs(text) if run.text)


def _runs(text: str, *, bold: bool = False, italic: bool = False) -> list[Run]:
    found: list[Run] = []
    at = 0
    for match in _STYLED.finditer(text):
        group = match.lastgroup or ""
        if _inside_output(text, match.start()):
            continue
        found.append(Run(text[at : match.start()], bold, italic))
        found += _runs(match[group], bold=bold or group in _BOLD, italic=italic or group in _ITALIC)
        at = match.end()
    return [*found, Run(text[at:], bold, italic)]


def _inside_output(text: str, at: int) -> bool:
    return any(match.start() < at < match.end() for match in _OUTPUT.finditer(text))


def _filled(run: Run, blank: Callable[[str], str]) -> Run:
    text = _OUTPUT.sub(lambda found: blank(found[1]), run.text)
    return Run(_HIDDEN.sub(lambda found: chr(ord(found[0]) - _PRIVATE), text), run.bold, run.italic)
