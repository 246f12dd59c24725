"""What stands on paper: numbers, conditions in words, room for answers, repeats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from forms.definition import FormDefinition
from forms.library import STUDY
from forms.paper.compose import compose
from forms.paper.paper import Advice, Ask, Boxes, Fields, Frame, Grid, Lines, Mark, Note, Paper, Section, Ticks, plain
from forms.paper.words import Voice, code_of, languages_of, styled
from server.translations import spoken
from tests.unit.forms.every_question import TABLE
from tests.unit.forms.sheet import form
from tests.unit.forms.test_library import definition as study_form

ENGLISH, INDONESIAN = "English (en)", "Bahasa Indonesia (id)"


def paper(definition: FormDefinition, language: str = ENGLISH) -> Paper:
    code = code_of(language) or "en"
    return compose(definition, Voice(language, definition.default_language, spoken(code).gettext, code), "A study")


@pytest.fixture(scope="module")
def every() -> FormDefinition:
    return form(TABLE)


def asks(found: Paper) -> Iterator[Ask]:
    for part in found.parts:
        if isinstance(part, Ask):
            yield part
        elif isinstance(part, Grid):
            yield from part.columns


def ask(found: Paper, label: str) -> Ask:
    return next(one for one in asks(found) if plain(one.label).startswith(label))


def section(found: Paper, title: str) -> Section:
    return next(one for one in found.parts if isinstance(one, Section) and plain(one.title) == title)


def survey(*rows: str) -> Paper:
    """Of questions written as "type | name | relevant"."""
    table = ["| survey |", "| | type | name | label | relevant |"]
    for row in rows:
        kind, name, relevant = (*(part.strip() for part in row.split("|")), "", "")[:3]
        table.append(f"| | {kind} | {name} | The {name} | {relevant} |")
    table += ["| choices |", "| | list_name | name | label |", "| | yn | yes | Yes |", "| | yn | no | No |"]
    table += ["| settings |", "| | form_id | version |", "| | small | 1 |"]
    return paper(form("\n".join(table)), "")


def condition(relevant: str, *questions: str) -> str:
    asked = questions or ("select_one yn | ok", "integer | age", "select_multiple yn | all", "date | day")
    return ask(survey(*asked, f"text | why | {relevant}"), "The why").only_if


# Numbers.


def test_questions_are_counted_through_the_form_and_sections_have_letters(every: FormDefinition) -> None:
    found = paper(every)

    once = list(dict.fromkeys(one.number for one in asks(found)))
    assert once == [str(number) for number in range(1, 32)]
    letters = [(one.letter, plain(one.title)) for one in found.parts if isinstance(one, Section) and one.letter]
    assert letters == [("A", "About you"), ("B", "Child"), ("C", "Trip"), ("D", "Visit")]


def test_sections_within_sections_have_numbers_behind_their_letter() -> None:
    found = survey("begin_group | a", "begin_group | b", "begin_group | c", "text | x", *["end_group"] * 3, "text | y")

    assert [one.letter for one in found.parts if isinstance(one, Section)] == ["A", "A1", "A1.1"]


def test_what_is_never_shown_is_not_on_paper(every: FormDefinition) -> None:
    labels = {plain(one.label) for one in asks(paper(every))}

    assert "Never" not in labels
    assert "about_sum" not in labels


# Conditions.


@pytest.mark.parametrize(
    ("relevant", "said"),
    [
        ("", ""),
        ("true()", ""),
        ("${ok} = 'yes'", "question 1 is “Yes”"),
        ("'yes' = ${ok}", "question 1 is “Yes”"),
        ("${ok} != 'no'", "question 1 is not “No”"),
        ("not(${ok} = 'no')", "question 1 is not “No”"),
        ("${ok} = ''", "question 1 is left blank"),
        ("string-length(${ok}) > 0", "question 1 is answered"),
        ("not(${ok} != '')", "question 1 is left blank"),
        ("${age} >= 18", "question 2 is 18 or more"),
        ("not(${age} >= 18)", "question 2 is less than 18"),
        ("18 < ${age}", "question 2 is more than 18"),
        ("${age} > 1500000", "question 2 is more than 1,500,000"),
        ("selected(${all}, 'yes')", "“Yes” is chosen in question 3"),
        ("not(selected(${all}, 'yes'))", "“Yes” is not chosen in question 3"),
        ("count-selected(${all}) > 1", "the number of choices in question 3 is more than 1"),
        ("${day} < date('2026-02-01')", "question 4 is less than 01/02/2026"),
        ("${day} < today()", "question 4 is less than the date of today"),
        ("format-date(${day}, '%Y') > 2000", "the year of question 4 is more than 2000"),
        ("${ok} = 'yes' and ${age} > 5", "question 1 is “Yes”, and question 2 is more than 5"),
        ("${ok} = 'yes' or ${ok} = 'no'", "question 1 is “Yes” or “No”"),
        ("${ok} = 'yes' or ${age} > 5", "question 1 is “Yes”, or question 2 is more than 5"),
        ("not(${ok} = 'yes' or ${age} > 5)", "question 1 is not “Yes”, and question 2 is 5 or less"),
        (
            "${ok} = 'yes' and (${age} < 5 or ${age} > 9)",
            "question 1 is “Yes”, and (question 2 is less than 5, or question 2 is more than 9)",
        ),
        ("${age} * 2 > 7", "question 2 × 2 is more than 7"),
        ("regex(${ok}, '^y')", "this holds: regex(question 1, '^y')"),
    ],
)
def test_a_condition_is_told_in_plain_words(relevant: str, said: str) -> None:
    assert condition(relevant) == (f"Only if {said}." if said else "")


def test_a_calculation_is_told_by_what_it_is_made_of(every: FormDefinition) -> None:
    note = next(part for part in paper(every).parts if isinstance(part, Note))

    assert note.only_if == "Only if question 2 + question 10 is more than 3."


def test_a_condition_within_a_calculation_is_told_with_it() -> None:
    table = """
    | survey |
    | | type | name | label | calculation | relevant |
    | | integer | a | A | | |
    | | calculate | part | | if(${a} > 5, ${a} * 2, 0) | |
    | | calculate | odd | | if(${a} > 5, 'x', 'y') | |
    | | text | why | Why? | | ${part} - ${a} > 1 |
    | | text | so | So? | | ${odd} = 'x' |
    """
    found = paper(form(table), "")

    where = "question 1 × 2 where question 1 is more than 5"
    assert ask(found, "Why?").only_if == f"Only if {where} − question 1 is more than 1."
    assert ask(found, "So?").only_if == "Only if what the tablet works out as “odd” is “x”."


def test_what_no_sentence_can_say_is_told_as_it_is_written() -> None:
    ring = """
    | survey |
    | | type | name | label | calculation | relevant |
    | | calculate | a | | ${b} + 1 | |
    | | calculate | b | | ${a} + 1 | |
    | | text | why | Why? | | ${a} > 1 |
    """
    assert ask(paper(form(ring), ""), "Why?").only_if == "Only if this holds: a > 1."
    deep = " or ".join(f"regex(${{ok}}, '{at}')" for at in range(500))
    assert condition(deep).startswith("Only if this holds: regex(question 1, '0')")
    assert condition("not(" * 300 + "${ok} = 'yes'" + ")" * 300) == "Only if question 1 is “Yes”."


def test_a_section_says_where_to_go_on_without_it() -> None:
    found = survey(
        "select_one yn | ok",
        "begin_group | a | ${ok} = 'yes'",
        "text | x",
        "end_group",
        "begin_group | b | ${ok} = 'yes' and ${x} != ''",
        "text | y",
        "end_group",
        "text | z",
        "begin_group | c | ${ok} = 'no'",
        "text | last",
        "end_group",
    )

    assert section(found, "The a").only_if == "Only if question 1 is “Yes”. Otherwise go on with question 4."
    assert section(found, "The c").only_if == "Only if question 1 is “No”. Otherwise the form ends here."


def test_a_group_without_a_label_passes_its_condition_on() -> None:
    table = """
    | survey |
    | | type | name | label | relevant |
    | | integer | age | Age | |
    | | begin_group | g | | ${age} > 5 |
    | | text | x | X | ${age} < 9 |
    | | end_group | g | | |
    """
    found = paper(form(table), "")

    assert ask(found, "X").only_if == "Only if question 1 is more than 5, and question 1 is less than 9."
    assert not [part for part in found.parts if isinstance(part, Section)]


# Room for answers.


def test_every_kind_of_question_has_its_room(every: FormDefinition) -> None:
    found = paper(every)
    spaces = {one.number: one.spaces for one in asks(found)}

    assert spaces["1"] == (Lines(1),)
    assert spaces["2"] == (Boxes((2,), after="years"),)
    assert spaces["4"] == (Boxes((2, 2, 4), "/", ("dd", "mm", "yyyy")),)
    assert isinstance(spaces["5"][0], Ticks)
    assert (spaces["5"][0].mark, [option.code for option in spaces["5"][0].options]) == (
        Mark.SQUARE,
        ["rice", "corn", "none"],
    )
    assert [space.mark for space in spaces["6"] if isinstance(space, Ticks)] == [Mark.NUMBER]
    assert isinstance(spaces["7"][0], Ticks)
    assert [plain(option.label) for option in spaces["7"][0].options] == ["1", "2", "3", "4", "5"]
    assert spaces["8"] == (Advice("A number from 0 to 100, in steps of 5"), Boxes((3,)))
    assert spaces["9"] == (Boxes((3, 2), ".", after="kg"),)
    assert spaces["10"] == (Boxes((3, 3, 3), ",", before="Rp"),)
    assert spaces["11"] == (Boxes((2, 2), ":", ("hour", "min")),)
    assert isinstance(spaces["13"][0], Fields)
    assert [field.label for field in spaces["15"][0].fields] == ["Photo taken", "File number"]  # type: ignore[union-attr]
    assert spaces["16"] == (Frame(25),)
    assert spaces["20"] == (Lines(4),)
    assert spaces["21"][0] == Advice("Only those that belong to question 22.")
    assert spaces["24"][0] == Advice("From the list people.csv")
    assert spaces["31"][0] == Advice("The tablet works this out.")


def test_numbers_and_days_are_written_as_the_language_writes_them(every: FormDefinition) -> None:
    found = paper(every, INDONESIAN)

    assert ask(found, "Pendapatan").spaces == (Boxes((3, 3, 3), ".", before="Rp"),)
    assert ask(found, "Berat").spaces == (Boxes((3, 2), ",", after="kg"),)
    assert ask(found, "Kapan?").spaces == (Boxes((2, 2, 4), "/", ("tgl", "bln", "tahun")),)


def test_what_an_interviewer_needs_stands_beside_the_question(every: FormDefinition) -> None:
    found = ask(paper(every), "What is your")

    assert [(run.text, run.bold) for run in found.label] == [
        ("What is your ", False),
        ("full", True),
        (" name?", False),
    ]
    assert (plain(found.hint), plain(found.guidance), found.is_required) == ("As on the card", "Spell it aloud", True)
    assert ask(paper(every), "Age (years)").rule == "Check: Between 17 and 99."


def test_an_answer_in_a_label_is_a_blank_with_the_number_of_its_question(every: FormDefinition) -> None:
    assert plain(ask(paper(every), "Tell me").label) == "Tell me, ____ (1)"


def test_a_long_list_stands_at_the_end(every: FormDefinition) -> None:
    found = paper(every)

    assert ask(found, "Town").spaces[0] == Advice("List A at the end of this paper")
    assert [(one.title, len(one.options)) for one in found.appendices] == [("List A", 40)]


# Repeats.


def test_a_repeat_of_short_answers_is_a_table(every: FormDefinition) -> None:
    found = next(part for part in paper(every).parts if isinstance(part, Grid))

    assert [plain(column.label) for column in found.columns] == ["Name", "Age", "At school?"]
    assert found.rows == 3
    assert found.columns[2].only_if == "Only if question 26 is 6 or more."


def test_other_repeats_are_printed_three_times_or_as_often_as_the_form_says(every: FormDefinition) -> None:
    titles = [plain(part.title) for part in paper(every).parts if isinstance(part, Section)]

    assert [title for title in titles if title.startswith("Trip")] == ["Trip", "Trip 1", "Trip 2"]
    assert [title for title in titles if title.startswith("Visit")] == ["Visit", "Visit 1", "Visit 2", "Visit 3"]
    assert section(paper(every), "Visit").note.startswith("As many as question 2 says.")


@pytest.mark.parametrize("count", ["999999999", "1e300"])
def test_an_endless_repeat_does_not_fill_a_thousand_pages(count: str) -> None:
    table = f"""
    | survey |
    | | type | name | label | repeat_count | appearance |
    | | begin_repeat | r | R | {count} | |
    | | text | x | X | | multiline |
    | | end_repeat | r | | | |
    """
    found = paper(form(table), "")

    assert len(list(asks(found))) <= 20


# Words.


@pytest.mark.parametrize(
    ("written", "runs"),
    [
        ("plain", [("plain", False, False)]),
        ("**all** of it", [("all", True, False), (" of it", False, False)]),
        ("__all__ _of_ *it*", [("all", True, False), (" ", False, False), ("of", False, True), (" ", False, False)]),
        ("<b>all</b><br>of it", [("all", True, False), ("\nof it", False, False)]),
        ("snake_case_name and 2*3*4", [("snake_case_name and 2*3*4", False, False)]),
        ("[the site](https://example.org)", [("the site (https://example.org)", False, False)]),
        ("# Heading", [("Heading", True, False)]),
        (r"\*no\*", [("*no*", False, False)]),
        ("a < b", [("a < b", False, False)]),
        ('<span style="color:red">red</span>', [("red", False, False)]),
    ],
)
def test_emphasis_in_a_label_becomes_a_style(written: str, runs: list[tuple[str, bool, bool]]) -> None:
    found = [(run.text, run.bold, run.italic) for run in styled(written)]

    assert found[: len(runs)] == runs


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("English (en)", "en"),
        ("Bahasa Indonesia (id)", "id"),
        ("English", "en"),
        ("fr", "fr"),
        ("", ""),
        ("Madura", ""),
    ],
)
def test_a_language_is_known_by_its_code(language: str, code: str) -> None:
    assert code_of(language) == code


# The study.


@pytest.mark.parametrize("one", STUDY, ids=[one.form_id for one in STUDY])
@pytest.mark.parametrize("language", [INDONESIAN, ENGLISH])
def test_the_study_is_told_in_words_throughout(one: object, language: str) -> None:
    definition = study_form(one.form_id)  # type: ignore[attr-defined]
    found = paper(definition, language)
    said = "\n".join(found.words())

    assert languages_of(definition) == (INDONESIAN, ENGLISH)
    assert "${" not in said
    untold = {part.only_if for part in found.parts if getattr(part, "only_if", "") and "(${" in part.only_if}  # type: ignore[union-attr]
    assert not untold
    assert len(list(asks(found))) > 10
