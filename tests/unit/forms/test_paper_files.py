"""The paper as PDF and as Word: everything that stands on it can be read back."""

from __future__ import annotations

import re
from io import BytesIO
from zipfile import ZipFile

import pytest
from docx import Document
from pypdf import PdfReader

from forms.library import STUDY
from forms.paper.paper import Paper
from forms.paper.pdf import pdf
from forms.paper.pdf_font import LettersMissing
from forms.paper.word import word
from tests.unit.forms.every_question import TABLE
from tests.unit.forms.sheet import form
from tests.unit.forms.test_library import definition as study_form
from tests.unit.forms.test_paper import ENGLISH, INDONESIAN, paper


def squeezed(text: str) -> str:
    """Without white space: lines are broken where the page ends."""
    return re.sub(r"\s+", "", text)


def in_pdf(content: bytes) -> tuple[str, int]:
    reader = PdfReader(BytesIO(content))
    return squeezed(" ".join(page.extract_text() for page in reader.pages)), len(reader.pages)


def in_word(content: bytes) -> str:
    # Everything between the tags, in the document's order; python-docx alone leaves out what is in tables' tables.
    body = Document(BytesIO(content)).element.body
    return squeezed("".join(str(part.text) for part in body.iter() if str(part.tag).endswith("}t") and part.text))


def said(found: Paper) -> list[str]:
    return [squeezed(words) for words in found.words() if words.strip() and words not in (found.page, found.edition)]


@pytest.mark.parametrize("language", [ENGLISH, INDONESIAN])
def test_both_files_hold_everything_that_stands_on_the_paper(language: str) -> None:
    found = paper(form(TABLE), language)
    printed, pages = in_pdf(pdf(found))
    written = in_word(word(found))

    # The letters of sections, and units before boxes, stand apart from what is around them.
    assert [words for words in said(found) if words not in printed] == []
    assert [words for words in said(found) if words not in written] == []
    assert pages >= 4


@pytest.mark.parametrize("one", STUDY, ids=[one.form_id for one in STUDY])
@pytest.mark.parametrize("language", [INDONESIAN, ENGLISH])
def test_the_study_s_forms_are_whole_on_paper(one: object, language: str) -> None:
    found = paper(study_form(one.form_id), language)  # type: ignore[attr-defined]
    printed, pages = in_pdf(pdf(found))
    written = in_word(word(found))

    assert [words for words in said(found) if words not in printed] == []
    assert [words for words in said(found) if words not in written] == []
    of = "of" if language == ENGLISH else "dari"
    assert all(f"{number}{of}{pages}" in printed for number in range(1, pages + 1))
    assert printed.count(squeezed(found.edition)) >= pages


def test_the_same_form_gives_the_same_bytes() -> None:
    found = paper(form(TABLE))

    assert pdf(found) == pdf(found)
    assert word(found) == word(found)


def test_the_page_numbers_of_word_are_word_s_own() -> None:
    with ZipFile(BytesIO(word(paper(form(TABLE))))) as parts:
        foot = next(parts.read(name).decode() for name in parts.namelist() if "footer" in name)

    assert "NUMPAGES" in foot
    assert "every · version 2026112601 · English" in foot


def _speaking(label: str) -> Paper:
    return paper(form(f"| survey |\n| | type | name | label |\n| | text | x | {label} |"), "")


@pytest.mark.parametrize(
    "label", ["Tên của bạn là gì?", "Как вас зовут?", "Πώς σε λένε;", "आपका नाम क्या है?", "Ça va ✅?"]
)
def test_letters_of_other_scripts_are_embedded(label: str) -> None:
    fonts = {
        str(font["/BaseFont"])
        for page in PdfReader(BytesIO(pdf(_speaking(label)))).pages
        for font in (one.get_object() for one in page["/Resources"]["/Font"].values())  # type: ignore[index]
    }

    assert any("NotoSans" in font for font in fonts)
    assert ("Devanagari" in "".join(fonts)) is ("नाम" in label)


@pytest.mark.parametrize("label", ["ما اسمك؟", "您叫什么名字？", "이름이 무엇입니까?", "ስምህ ማን ነው?"])
def test_a_pdf_that_would_show_boxes_is_refused_and_word_is_not(label: str) -> None:
    found = _speaking(label)

    with pytest.raises(LettersMissing):
        pdf(found)
    assert squeezed(label) in in_word(word(found))


@pytest.mark.parametrize(
    "label", ["x" * 3000, "word " * 800, "&lt;b&gt; &amp; <b>open", "____", "${", "**", "a\u00a0b ​ c"]
)
def test_no_label_stops_the_printer(label: str) -> None:
    found = _speaking(label)

    assert pdf(found).startswith(b"%PDF")
    assert word(found).startswith(b"PK")
