"""Whatever an author writes, it is printed or refused in plain words."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from forms.definition import DataType, FormDefinition
from forms.paper.compose import compose
from forms.paper.pdf import pdf
from forms.paper.pdf_font import LettersMissing
from forms.paper.word import word
from forms.paper.words import Voice
from tests.property.form_strategy import TEXT, forms
from tests.unit.forms.study_form import ask, form, repeat

EXPRESSIONS = st.recursive(
    st.sampled_from(
        ["/data/a", "/data/r/b", "'yes'", "3", "today()", "..", "position(..)", "/data/nothing", "'2026-01-02'"]
    ),
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, st.sampled_from(["=", "!=", "<", ">=", "and", "or", "+", "div"]), inner),
        st.builds("({})".format, inner),
        st.builds(
            "{}({})".format,
            st.sampled_from(["not", "count", "sum", "number", "string-length", "coalesce", "if"]),
            inner,
        ),
        st.builds("{}({}, {})".format, st.sampled_from(["selected", "regex", "format-date", "if"]), inner, inner),
        st.builds("if({}, {}, 0)".format, inner, inner),
    ),
    max_leaves=12,
)


def printed(definition: FormDefinition) -> bytes | None:
    """The PDF, None where its fonts lack the letters; Word takes everything."""
    paper = compose(definition, Voice("", ""))
    assert word(paper).startswith(b"PK")
    try:
        return pdf(paper)
    except LettersMissing:
        return None


@settings(max_examples=20)
@given(label=TEXT, hint=TEXT, relevant=EXPRESSIONS | TEXT, constraint=EXPRESSIONS | TEXT, count=EXPRESSIONS | TEXT)
def test_any_words_and_any_rules_can_be_printed(
    label: str, hint: str, relevant: str, constraint: str, count: str
) -> None:
    rules = {"label": {"": label}, "hint": {"": hint}, "constraint": constraint, "constraint_message": {"": hint}}
    definition = form(
        ask("a", DataType.INT, **rules),
        repeat("r", ask("b", DataType.STRING, relevant=relevant, **rules), count=count, relevant=relevant),
    )

    content = printed(definition)

    assert content is None or content.startswith(b"%PDF")
    assert content is None or content == printed(definition)


@settings(max_examples=10)
@given(forms())
def test_any_form_can_be_printed(definition: FormDefinition) -> None:
    content = printed(replace(definition, title=definition.title or "Form"))

    assert content is None or content.startswith(b"%PDF")
