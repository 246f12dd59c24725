"""The fonts of the PDF, and words as the markup of its paragraphs: each character in a font that has it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import groupby
from xml.sax.saxutils import escape

from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from forms.errors import Kind, Problem
from forms.paper.paper import Words

PLAIN, BOLD, ITALIC = "Noto", "Noto-Bold", "Noto-Italic"
DEVANAGARI = "Noto-Devanagari"
_FILES = {
    PLAIN: "NotoSans-Regular.ttf",
    BOLD: "NotoSans-Bold.ttf",
    ITALIC: "NotoSans-Italic.ttf",
    DEVANAGARI: "NotoSansDevanagari-Regular.ttf",
}
_VARIANTS = frozenset(map(chr, range(0xFE00, 0xFE10)))
_FROM_RIGHT = frozenset({"R", "AL", "AN"})
_WORD = re.compile(r"\s+|\S+")


class LettersMissing(Problem):
    """The PDF's fonts do not have the letters of this language. Make a Word document (docx) and print that."""

    kind = Kind.UNSUPPORTED
    slug = "form/letters-missing"


@cache
def load() -> None:
    """Make the fonts known, once."""
    for name, file in _FILES.items():
        content = files("forms.paper").joinpath("fonts", file)
        pdfmetrics.registerFont(TTFont(name, str(content), shapable=True))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=ITALIC, boldItalic=BOLD)
    pdfmetrics.registerFontFamily(DEVANAGARI, DEVANAGARI, DEVANAGARI, DEVANAGARI, DEVANAGARI)


def markup(words: Words) -> str:
    """The words for a paragraph in PLAIN."""
    said = []
    for run in words:
        text = "".join(_in_fonts(run.text))
        text = f"<b>{text}</b>" if run.bold else text
        said.append(f"<i>{text}</i>" if run.italic else text)
    return "".join(said)


def fitting(words: Words, style: ParagraphStyle) -> ParagraphStyle:
    """The style that these words need: letters that join are shaped. Others are not: a ligature is not found again."""
    if all(_font_of(letter) != DEVANAGARI for run in words for letter in run.text):
        return style
    return ParagraphStyle(f"{style.name}-shaped", parent=style, shaping=1)


def drawn(text: str) -> str:
    """One line as it can be drawn in PLAIN, without what is no letter of it."""
    return "".join(letter for letter in text if _has(PLAIN, ord(letter)))


def require_letters(text: str) -> None:
    """Refuses LettersMissing for letters of no font, and for those that run from right to left."""
    for letter in dict.fromkeys(text):
        category = unicodedata.category(letter)
        if category[0] not in "LMN" or letter in _VARIANTS:
            continue
        if unicodedata.bidirectional(letter) in _FROM_RIGHT or not _font_of(letter):
            raise LettersMissing(f"{letter} ({unicodedata.name(letter, '?')})")


def _in_fonts(text: str) -> Iterator[str]:
    words = ((word, _font_of_word(word)) for word in _WORD.findall(text))
    for one, found in groupby(words, key=lambda pair: pair[1]):
        said = "".join(word for word, _font in found)
        if one:
            yield _set(said, one)
        else:
            for font, letters in groupby(said, key=lambda letter: _font_of(letter)):
                yield _set("".join(letters), font)


def _set(text: str, font: str) -> str:
    said = escape(text).replace("\n", "<br/>")
    return said if font == PLAIN else f'<font name="{font}">{said}</font>' if font else ""


def _font_of_word(word: str) -> str:
    """One font for a whole word, with its punctuation, so that its letters join; "" when none has it all."""
    fonts = {_font_of(letter) for letter in word}
    if fonts == {PLAIN}:
        return PLAIN
    return DEVANAGARI if DEVANAGARI in fonts and all(_has(DEVANAGARI, ord(letter)) for letter in word) else ""


def _font_of(letter: str) -> str:
    """ "" for a letter that no font has."""
    code = ord(letter)
    if letter in "\n\t " or _has(PLAIN, code):
        return PLAIN
    return DEVANAGARI if _has(DEVANAGARI, code) else ""


def _has(font: str, code: int) -> bool:
    load()
    return code in pdfmetrics.getFont(font).face.charToGlyph
