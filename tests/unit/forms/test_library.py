"""The shipped workbooks are what a researcher would call well-made forms."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest
from openpyxl import load_workbook

from forms.check import CompiledForm, Context, compile_form
from forms.definition import Answers, DataType, FormDefinition, Group, Question, Text
from forms.finding import Rule
from forms.library import ENTITY_LIST, STUDY, TITLE, StudyForm
from forms.xform import read
from forms.xlsform import convert

INDONESIAN, ENGLISH = "Bahasa Indonesia (id)", "English (en)"
WORKBOOKS = [(form, name) for form in STUDY for name in form.files]

_conversions: dict[str, tuple[FormDefinition, tuple[str, ...]]] = {}


def converted(form: StudyForm, name: str) -> tuple[FormDefinition, tuple[str, ...]]:
    """Converting takes a process of its own: once for each workbook is enough."""
    if name not in _conversions:
        conversion = convert(form.read(name), name)
        _conversions[name] = (read(conversion.xform), conversion.warnings)
    return _conversions[name]


def definition(form_id: str, name: str = "") -> FormDefinition:
    form = next(form for form in STUDY if form.form_id == form_id)
    return converted(form, name or form.files[-1])[0]


def words_of(form: FormDefinition) -> list[tuple[str, Text]]:
    texts: list[tuple[str, Text]] = []
    for node in form.walk():
        texts.append(("/".join(node.path), node.label))
        if isinstance(node, Question):
            texts += [
                ("/".join(node.path), text) for text in (node.hint, node.constraint_message, node.required_message)
            ]
    for instance in form.instances.values():
        texts += [(f"{instance.id}: {choice.name}", choice.label) for choice in instance.choices]
    return [(where, text) for where, text in texts if text]


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_a_workbook_converts_without_a_warning(form: StudyForm, name: str) -> None:
    definition, warnings = converted(form, name)

    assert warnings == ()
    assert definition.form_id == form.form_id


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_the_form_s_logic_compiles(form: StudyForm, name: str) -> None:
    assert isinstance(compile_form(converted(form, name)[0]), CompiledForm)


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_every_word_is_there_in_both_languages(form: StudyForm, name: str) -> None:
    definition, _ = converted(form, name)

    assert definition.default_language == INDONESIAN
    assert set(definition.languages) == {INDONESIAN, ENGLISH}
    half = [where for where, text in words_of(definition) if not (text.get(INDONESIAN) and text.get(ENGLISH))]
    assert half == []


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_every_question_on_the_screen_has_a_label_and_every_rule_a_message(form: StudyForm, name: str) -> None:
    questions = [question for question in converted(form, name)[0].questions() if question.control]

    assert [question.name for question in questions if not question.label] == []
    assert [question.name for question in questions if question.constraint and not question.constraint_message] == []
    assert [question.name for question in questions if question.required and not question.required_message] == []


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_nothing_is_asked_about_the_informant_before_consent(form: StudyForm, name: str) -> None:
    definition, _ = converted(form, name)
    before = ("visit", "opening")
    sections = [node for node in definition.root.children if not isinstance(node, Question) and node.name not in before]
    sections = [node for node in sections if not (isinstance(node, Group) and node.name == "meta")]

    assert sections
    assert [node.name for node in sections if "consent" not in node.relevant] == []


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_money_fits_what_collect_can_type(form: StudyForm, name: str) -> None:
    whole = [question for question in converted(form, name)[0].questions() if question.type is DataType.INT]
    money = [question for question in whole if question.appearance == "thousands-sep" and question.control]

    unbounded = [question.name for question in money if "<= " not in question.constraint]
    assert unbounded == []


@pytest.mark.parametrize(("form", "name"), WORKBOOKS, ids=[name for _, name in WORKBOOKS])
def test_a_workbook_opens_with_a_styled_and_frozen_header(form: StudyForm, name: str) -> None:
    book = load_workbook(BytesIO(form.read(name)))

    for title in ("survey", "choices", "settings"):
        sheet = book[title]
        assert sheet.freeze_panes
        assert sheet["A1"].font.bold
        assert sheet.column_dimensions["B"].width > 15


def test_registration_creates_the_entity_and_the_others_follow_it_up() -> None:
    registration = definition("pendaftaran")
    properties = {question.saveto for question in registration.questions() if question.saveto}

    assert properties == {"code", "full_name", "role", "lingkungan", "rt", "rw", "phone", "business", "status"}
    assert [entity.dataset for entity in registration.entities] == [ENTITY_LIST]
    assert registration.entities[0].create
    for form_id in ("wawancara", "wawancara_kelurahan", "observasi"):
        assert [entity.dataset for entity in definition(form_id).entities] == [ENTITY_LIST]
        assert definition(form_id).entities[0].update
        assert f"{ENTITY_LIST}.csv" in definition(form_id).media


def test_the_newest_version_of_a_form_is_named_last() -> None:
    for form in STUDY:
        versions = [converted(form, name)[0].version for name in form.files]
        assert versions == sorted(versions)
        assert len(set(versions)) == len(versions)


def test_the_earlier_interview_asks_less_and_admits_younger_informants() -> None:
    earlier = {question.path: question for question in definition("wawancara", "wawancara.2026100101.xlsx").questions()}
    current = {question.path: question for question in definition("wawancara").questions()}

    assert set(current) - set(earlier) == {
        ("opening", "refusal_thanks"),
        ("aid", "received", "infra_other"),
        ("credit", "repayment", "service_pct"),
        ("income", "income_told"),
        ("income", "income_check"),
        ("open_questions", "q_more"),
    }
    assert set(earlier) < set(current)
    changed = [path for path in earlier if earlier[path].constraint != current[path].constraint]
    assert changed == [("identity", "age")]


@pytest.mark.parametrize("form", STUDY, ids=[form.form_id for form in STUDY])
def test_what_tells_who_somebody_is_is_marked_as_personal_data(form: StudyForm) -> None:
    marked = {question.name: question.pii for question in definition(form.form_id).questions() if question.pii}
    asked = {question.name for question in definition(form.form_id).questions()}
    personal = {"interviewer", "name", "phone", "new_phone", "rt", "rw", "new_rt", "new_rw", "location", "recording"}

    assert personal & asked <= set(marked)
    assert set(marked.values()) <= {"name", "contact", "address", "place", "other"}


@pytest.mark.parametrize("form", STUDY, ids=[form.form_id for form in STUDY])
def test_who_declines_is_thanked_and_asked_nothing_more(form: StudyForm) -> None:
    compiled = compile_form(definition(form.form_id))
    visit = {
        "visited_on": "2026-11-23",
        "interviewer": "Rina",
        "observed_from": "09:00:00.000+07:00",
        "place": "Gang III",
    }
    visit |= {"subject": "programme" if form.form_id == "dokumentasi" else "infrastructure", "informant": "x"}
    asked = {question.name for question in definition(form.form_id).questions() if question.path[0] == "visit"}
    answers: Answers = {
        "visit": {name: value for name, value in visit.items() if name in asked},
        "opening": {"consent": "no"},
    }
    if form.form_id in ("observasi", "dokumentasi"):
        del answers["visit"]["informant"]
    moment = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)

    found = compiled.check(answers, Context(moment, moment, moment))

    assert [finding for finding in found if finding.rule is Rule.REQUIRED] == []
    thanks = definition(form.form_id).at(("opening", "refusal_thanks"))
    assert thanks is not None
    assert "consent" in thanks.relevant


def test_nobody_must_tell_what_the_business_earns() -> None:
    interview = {question.name: question for question in definition("wawancara").questions()}
    amounts = [name for name in interview if name.endswith(("_before", "_after")) and interview[name].control]

    assert len(amounts) == 6
    assert all("income_told" in interview[name].relevant for name in amounts)
    told = definition("wawancara").instances["told"]
    assert [choice.name for choice in told.choices] == ["yes", "unknown", "refused"]


def test_a_workbook_that_is_not_shipped_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"wawancara has no workbook 'lain\.xlsx'"):
        next(form for form in STUDY if form.form_id == "wawancara").read("lain.xlsx")


def test_the_study_is_named_in_both_languages() -> None:
    for text in (TITLE, *(form.title for form in STUDY)):
        assert text["id"]
        assert text["en"]
        assert text["id"] != text["en"]
