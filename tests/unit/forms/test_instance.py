"""A submission is opened, read and written; what does not fit is found, never refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from forms.errors import MalformedXml, UnsafeXml
from forms.finding import Rule, Severity
from forms.instance import (
    MAX_REPEATS,
    EntityElement,
    attachment_names,
    entity_elements,
    open_instance,
    read_answers,
    write,
)
from forms.xform import read
from tests.unit.forms.sheet import form, xform

FORM = form("""
| survey | | | |
| | type | name | label |
| | text | who | Who? |
| | image | photo | Photo |
| | begin_group | income | Income |
| | integer | after | After |
| | end_group | | |
| | begin_repeat | business | Business |
| | text | kind | Kind |
| | file | paper | Paper |
| | begin_repeat | month | Month |
| | decimal | sales | Sales |
| | end_repeat | | |
| | end_repeat | | |
| settings | | |
| | form_id | version |
| | visit | 3 |
""")
BLANK = {"who": None, "photo": None, "income": {"after": None}, "business": []}
NAMESPACES = 'xmlns:orx="http://openrosa.org/xforms" xmlns:jr="http://openrosa.org/javarosa"'


def sent(inside: str, meta: str = "<orx:instanceID>uuid:1</orx:instanceID>") -> str:
    return f'<data {NAMESPACES} id="visit" version="3">{inside}<orx:meta>{meta}</orx:meta></data>'


def found(inside: str) -> list[tuple[Rule, str, str]]:
    reading = read_answers(FORM, open_instance(sent(inside)))
    assert all(finding.severity is Severity.ERROR and finding.certain for finding in reading.findings)
    return [(finding.rule, finding.path, finding.value) for finding in reading.findings]


def test_the_envelope_says_what_the_submission_says_of_itself() -> None:
    meta = (
        "<orx:deprecatedID>uuid:0</orx:deprecatedID><orx:instanceID> uuid:1 </orx:instanceID>"
        "<orx:instanceName>Ibu Siti</orx:instanceName><orx:audit>audit.csv</orx:audit>"
    )

    envelope = open_instance(sent("<end>2026-11-23T09:00:00+07:00</end>", meta))

    assert (envelope.form_id, envelope.version) == ("visit", "3")
    assert (envelope.instance_id, envelope.deprecated_id) == ("uuid:1", "uuid:0")
    assert envelope.instance_name == "Ibu Siti"
    assert envelope.audit == "audit.csv"
    assert envelope.started_at is None
    assert envelope.ended_at == datetime(2026, 11, 23, 9, tzinfo=timezone(timedelta(hours=7)))


@pytest.mark.parametrize(
    "content",
    [
        '<data id="visit" version="3"><meta><instanceID>uuid:1</instanceID></meta></data>',
        '<data xmlns="http://www.w3.org/2002/xforms" id="visit" version="3">'
        "<meta><instanceID>uuid:1</instanceID></meta></data>",
        '<data id="visit" version="3" instanceID="uuid:1"/>',
        '<data xmlns="visit" version="3">'
        '<meta xmlns="http://openrosa.org/xforms"><instanceID>uuid:1</instanceID></meta></data>',
    ],
)
def test_the_ids_are_found_as_every_client_writes_them(content: str) -> None:
    envelope = open_instance(content.encode())

    assert (envelope.form_id, envelope.version, envelope.instance_id) == ("visit", "3", "uuid:1")


def test_ids_that_are_missing_are_empty() -> None:
    envelope = open_instance("<data/>")

    assert (envelope.form_id, envelope.version, envelope.instance_id, envelope.deprecated_id) == ("", "", "", "")


def test_what_is_not_xml_is_refused() -> None:
    with pytest.raises(MalformedXml):
        open_instance(b"<data")
    with pytest.raises(UnsafeXml):
        open_instance('<!DOCTYPE data [<!ENTITY a "b">]><data>&a;</data>')
    with pytest.raises(UnsafeXml):
        open_instance(b"<data>" + b"x" * 10_000_000 + b"</data>")


def test_answers_have_the_full_shape_of_the_form() -> None:
    reading = read_answers(FORM, open_instance(sent("<who>Siti</who><income><after>  </after></income>")))

    assert reading.answers == BLANK | {"who": "Siti"}
    assert list(reading.answers) == ["who", "photo", "income", "business"]
    assert reading.findings == ()


def test_repeats_become_lists() -> None:
    reading = read_answers(
        FORM,
        open_instance(
            sent(
                '<business jr:template=""><kind>no</kind></business>'
                "<business><kind>tempe</kind><month><sales>1</sales></month><month><sales>2</sales></month></business>"
                "<who>Siti</who><business/>"
            )
        ),
    )

    assert reading.answers["business"] == [
        {"kind": "tempe", "paper": None, "month": [{"sales": "1"}, {"sales": "2"}]},
        {"kind": None, "paper": None, "month": []},
    ]
    assert reading.findings == ()


def test_two_readings_do_not_share_what_they_hold() -> None:
    one, other = (read_answers(FORM, open_instance(sent(""))).answers for _ in range(2))

    one["business"].append({})
    one["income"]["after"] = "1"

    assert other == BLANK


def test_an_unknown_node_is_found_with_what_it_says() -> None:
    assert found("<ghost>boo <b>hoo</b></ghost>") == [(Rule.UNKNOWN_NODE, "ghost", "boo hoo")]
    assert found("<business/><business><ghost/></business>") == [(Rule.UNKNOWN_NODE, "business[2]/ghost", "")]
    assert found("<who><inner>x</inner></who>") == [(Rule.UNKNOWN_NODE, "who/inner", "x")]


def test_another_root_than_the_forms_is_found() -> None:
    reading = read_answers(FORM, open_instance('<visit id="study"><who>A</who></visit>'))

    (wrong,) = reading.findings
    assert (wrong.rule, wrong.path, wrong.value, wrong.certain) == (Rule.MALFORMED, "", "visit", True)
    assert wrong.params == {"expected": "data"}


def test_a_node_that_comes_twice_is_found_and_the_first_counts() -> None:
    inside = "<who>A</who><who>B</who><income/><income><after>1</after></income>"

    assert found(inside) == [(Rule.DUPLICATE_NODE, "who", "B"), (Rule.DUPLICATE_NODE, "income", "1")]
    assert read_answers(FORM, open_instance(sent(inside))).answers == BLANK | {"who": "A"}


def test_instances_beyond_the_limit_are_found_once_and_not_read() -> None:
    envelope = open_instance(sent("<business/>" * (MAX_REPEATS + 10)))

    reading = read_answers(FORM, envelope)

    assert len(reading.answers["business"]) == MAX_REPEATS
    assert [(finding.rule, finding.path) for finding in reading.findings] == [(Rule.REPEAT_COUNT, "business")]


def test_what_is_written_is_read_again() -> None:
    answers = {
        "who": 'Siti & "Co" <x>\r\n\t é 日本',
        "photo": "a.jpg",
        "income": {"after": "5"},
        "business": [{"kind": None, "paper": "b.pdf", "month": [{"sales": "1"}]}],
    }

    text = write(FORM, answers, instance_id="uuid:1", instance_name="A & B", deprecated_id="uuid:0")
    envelope = open_instance(text)

    assert read_answers(FORM, envelope).answers == answers
    assert (envelope.instance_id, envelope.deprecated_id) == ("uuid:1", "uuid:0")
    assert (envelope.form_id, envelope.version, envelope.instance_name) == ("visit", "3", "A & B")
    assert text == write(FORM, answers, instance_id="uuid:1", instance_name="A & B", deprecated_id="uuid:0")


def test_what_was_not_asked_is_not_written_and_what_was_left_blank_is() -> None:
    text = write(FORM, {"who": None, "income": {}}, instance_id="uuid:1")

    assert "<who/><income></income><orx:meta>" in text
    assert "photo" not in text


def test_characters_that_xml_cannot_hold_do_not_spoil_the_record() -> None:
    text = write(FORM, {"who": "a\x00b\ud800c\ufffe"}, instance_id="uuid:\x01", instance_name="\x02")

    envelope = open_instance(text)
    assert read_answers(FORM, envelope).answers["who"] == "a\ufffdb\ufffdc\ufffd"
    assert envelope.instance_id == "uuid:\ufffd"


def test_a_form_with_a_namespace_of_its_own_is_written_in_it() -> None:
    definition = read(xform(root='<data xmlns="http://example.org/s" version="1">'))

    envelope = open_instance(write(definition, {"name": "A"}, instance_id="uuid:1"))

    assert envelope.form_id == "http://example.org/s"
    assert read_answers(definition, envelope).answers == {"name": "A"}
    assert read_answers(definition, envelope).findings == ()


def test_every_file_that_an_answer_names_is_listed_once() -> None:
    answers = {"photo": "a.jpg", "business": [{"paper": "b.pdf"}, {"paper": "a.jpg"}, {"paper": None}]}
    envelope = open_instance(sent("", "<orx:audit>audit.csv</orx:audit>"))

    assert attachment_names(FORM, answers) == ("a.jpg", "b.pdf")
    assert attachment_names(FORM, {}, envelope) == ("audit.csv",)


def test_a_default_picture_is_not_awaited() -> None:
    assert attachment_names(FORM, {"photo": "jr://images/map.png"}) == ()


PEOPLE = form("""
| survey | | | | |
| | type | name | label | save_to |
| | text | code | Code | code |
| | begin_group | contact | Contact | |
| | text | phone | Phone | phone |
| | text | street | Street | street |
| | end_group | | | |
| entities | | | | |
| | list_name | label | entity_id | update_if |
| | people | ${code} | ${code} | true() |
""")
HOUSE = form("""
| survey | | | | |
| | type | name | label | save_to |
| | begin_group | house | House | |
| | begin_repeat | person | Person | |
| | text | full | Name | full_name |
| | end_repeat | | | |
| | end_group | | | |
| entities | | |
| | list_name | label |
| | people | ${full} |
""")
ENTITY = EntityElement("people", "id-1", create=True, label="Ibu <A>")


def test_an_entity_element_is_read_with_the_answers_saved_to_it() -> None:
    envelope = open_instance(
        "<data><code>INF-03</code><contact><phone/></contact><meta>"
        '<entity dataset="people" id="id-3" update="1" baseVersion="3" trunkVersion="2" branchId="b-1"/></meta></data>'
    )

    (element,) = entity_elements(PEOPLE, envelope)

    assert element == EntityElement(
        "people",
        "id-3",
        update=True,
        base_version=3,
        trunk_version=2,
        branch_id="b-1",
        properties={"code": "INF-03", "phone": ""},
    )


@pytest.mark.parametrize("version", ["", "x", "-1", "1.0", "9" * 50, "٣"])
def test_a_version_that_is_no_number_is_none(version: str) -> None:
    envelope = open_instance(f'<data><meta><entity id="a" create="true" baseVersion="{version}"/></meta></data>')

    (element,) = entity_elements(PEOPLE, envelope)

    assert (element.base_version, element.create, element.dataset) == (None, True, "people")


def test_an_entity_written_is_read_again() -> None:
    element = EntityElement(
        "people", 'i"d', create=True, update=True, base_version=0, trunk_version=1, branch_id="b", label="Ibu <A>"
    )

    text = write(PEOPLE, {}, instance_id="uuid:1", entities=[element])

    assert entity_elements(PEOPLE, open_instance(text)) == (element,)


def test_entities_in_a_repeat_keep_their_instance() -> None:
    people = [{"full": "Ani"}, {"full": "Budi"}]
    elements = [
        EntityElement("people", f"id-{number}", create=True, label=name, scope=f"house/person[{number}]")
        for number, name in ((1, "Ani"), (2, "Budi"))
    ]

    envelope = open_instance(write(HOUSE, {"house": {"person": people}}, instance_id="uuid:1", entities=elements))

    assert read_answers(HOUSE, envelope).findings == ()
    read_again = entity_elements(HOUSE, envelope)
    assert [(one.id, one.scope, one.properties) for one in read_again] == [
        ("id-1", "house/person[1]", {"full_name": "Ani"}),
        ("id-2", "house/person[2]", {"full_name": "Budi"}),
    ]


def test_a_form_without_entities_says_nothing_about_them() -> None:
    envelope = open_instance('<data><meta><entity dataset="people" id="a" create="1"/></meta></data>')

    assert entity_elements(FORM, envelope) == ()
