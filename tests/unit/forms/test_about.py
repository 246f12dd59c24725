"""Whom a record is about: where a form asks for an entry of a list, which it offers, and what was answered."""

from __future__ import annotations

import pytest

from forms.about import asks_about, before_repeat, names_in, offers, placed_about, said_about
from forms.definition import FormDefinition
from forms.xform import read

XFORM = """<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:jr="http://openrosa.org/javarosa">
  <h:head><h:title>x</h:title><model>
    <instance><data id="x" version="1"><g><who/></g><r jr:template=""><g><other/></g></r><sex/><plain/></data>
    </instance>
    <instance id="warga" src="jr://file-csv/warga.csv"/>
    <instance id="sexes"><root><item><name>f</name><label>F</label></item></root></instance>
    <bind nodeset="/data/g/who" type="string"/><bind nodeset="/data/r/g/other" type="string"/>
  </model></h:head>
  <h:body>
    <select1 ref="/data/g/who"><label>w</label><itemset nodeset="instance('warga')/root/item[{filter}]">
      <value ref="name"/><label ref="label"/></itemset></select1>
    <group ref="/data/r"><label>r</label><repeat nodeset="/data/r"><select ref="/data/r/g/other"><label>o</label>
      <itemset nodeset="instance('warga')/root/item[rt = '9']"><value ref="name"/><label ref="label"/></itemset>
    </select></repeat></group>
    <select1 ref="/data/sex"><label>s</label><itemset nodeset="instance('sexes')/root/item"><value ref="name"/>
      <label ref="label"/></itemset></select1>
    <input ref="/data/plain"><label>p</label></input>
  </h:body></h:html>"""

WHO, OTHER = ("g", "who"), ("r", "g", "other")


def form(filter_: str = "true()") -> FormDefinition:
    return read(XFORM.replace("{filter}", filter_).encode())


def test_only_lists_that_come_as_a_csv_are_asked_about() -> None:
    assert asks_about(form()) == asks_about(form(), "warga") == (WHO, OTHER)
    assert asks_about(form(), "rga") == ()


def test_answers_name_entries_in_groups_and_repeats() -> None:
    answers = {"g": {"who": "a"}, "r": [{"g": {"other": "b c"}}, {"g": {"other": None}}], "sex": "f", "plain": "d"}

    assert said_about(form(), answers) == {"a", "b", "c"}
    assert said_about(form(), {"g": None, "r": None}) == frozenset()
    assert before_repeat(form(), OTHER) == ("r",)
    assert before_repeat(form(), WHO) == WHO
    assert sorted(names_in([{"x": "a"}, "b c", None, 3])) == ["a", "b", "c"]


def test_an_entry_is_put_where_it_is_asked_for_and_nothing_was_answered() -> None:
    assert placed_about(form(), {"sex": "f"}, "warga", "a") == {"sex": "f", "g": {"who": "a"}}
    assert placed_about(form(), {"g": {"who": None}}, "warga", "a") == {"g": {"who": "a"}}
    assert placed_about(form(), {"g": {"who": "b"}}, "warga", "a") == {"g": {"who": "b"}}
    assert placed_about(form(), {}, "rumah", "a") == {}


@pytest.mark.parametrize(
    ("filter_", "is_offered"),
    [
        ("true()", True),
        ("role = 'core'", True),
        ("'core' = role", True),
        ("role='core' and rt = '3'", True),
        ("role='core' and rt = '4'", False),
        ("role = 'additional'", False),
        ("role = 'core' and rt = /data/plain", True),
        ("role = 'x' or rt = '3'", True),
        ("role != 'core'", True),
        ("missing = 'x'", False),
        ("/data/plain = 'x'", True),
    ],
)
def test_what_no_answer_can_change_about_a_filter_is_known_beforehand(filter_: str, is_offered: bool) -> None:
    assert offers(form(filter_), "warga", {"role": "core", "rt": "3"}) is is_offered


def test_one_question_that_can_offer_an_entry_is_enough() -> None:
    assert offers(form("role = 'nobody'"), "warga", {"rt": "9"})
    assert not offers(form(), "rumah", {"rt": "9"})
