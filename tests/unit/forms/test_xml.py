"""XML from strangers is parsed in bounded memory or refused."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor

import pytest

from forms.errors import MalformedXml, Problem, UnsafeXml
from forms.xml import MAX_DEPTH, MAX_NODES, local_name, parse

LAUGHS = b"""<?xml version="1.0"?><!-- ha --><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
<!ENTITY lol2 "&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;&lol1;">
<!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">
<!ENTITY lol4 "&lol3;&lol3;&lol3;&lol3;&lol3;&lol3;&lol3;&lol3;&lol3;&lol3;">
<!ENTITY lol5 "&lol4;&lol4;&lol4;&lol4;&lol4;&lol4;&lol4;&lol4;&lol4;&lol4;">
<!ENTITY lol6 "&lol5;&lol5;&lol5;&lol5;&lol5;&lol5;&lol5;&lol5;&lol5;&lol5;">
<!ENTITY lol7 "&lol6;&lol6;&lol6;&lol6;&lol6;&lol6;&lol6;&lol6;&lol6;&lol6;">
]><data id="a" name="&lol7;">&lol7;</data>"""


def peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_a_billion_laughs_are_refused_in_constant_memory() -> None:
    before = peak_kb()

    with pytest.raises(UnsafeXml):
        parse(LAUGHS)

    assert peak_kb() - before < 2_000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_document_type_is_found_in_any_encoding(encoding: str) -> None:
    with pytest.raises(UnsafeXml):
        parse(LAUGHS.decode().removeprefix('<?xml version="1.0"?>').encode(encoding))


def test_a_document_type_without_entities_is_refused_too() -> None:
    with pytest.raises(UnsafeXml):
        parse(b'<!DOCTYPE data SYSTEM "http://example.org/x.dtd"><data/>')


@pytest.mark.parametrize(
    "content",
    [
        b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-<a/>',
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        "<a/>".encode("utf-32"),
    ],
)
def test_an_encoding_that_hides_what_it_says_is_refused(content: bytes) -> None:
    with pytest.raises(MalformedXml):
        parse(content)


def test_words_about_a_document_type_are_only_words() -> None:
    root = parse(b"<data><note><![CDATA[<!DOCTYPE html>]]></note></data>")

    assert root[0].text == "<!DOCTYPE html>"


def test_an_entity_that_nobody_declared_is_malformed() -> None:
    with pytest.raises(MalformedXml):
        parse(b"<data>&nbsp;</data>")


@pytest.mark.parametrize(
    "content", [b"", b"   ", b"hello", b"<data>", b"<a></b>", b"\x00\x01", b"<a/><b/>", b"\xff\xfe\xff"]
)
def test_what_is_not_well_formed_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedXml):
        parse(content)


def test_as_deep_as_allowed_is_read_and_one_deeper_is_refused() -> None:
    def nested(depth: int) -> bytes:
        return b"<a>" * depth + b"</a>" * depth

    assert local_name(parse(nested(MAX_DEPTH))) == "a"
    with pytest.raises(UnsafeXml):
        parse(nested(MAX_DEPTH + 1))


def test_a_hundred_thousand_levels_are_refused_without_harm() -> None:
    with pytest.raises((UnsafeXml, MalformedXml)):
        parse(b"<a>" * 100_000 + b"</a>" * 100_000)


def test_a_crowd_of_elements_is_refused_before_a_tree_is_built() -> None:
    before = peak_kb()

    with pytest.raises(UnsafeXml):
        parse(b"<data>" + b"<a/>" * 2_000_000 + b"</data>")

    assert peak_kb() - before < 30_000


def test_as_many_elements_as_allowed_are_read() -> None:
    assert len(parse(b"<data>" + b"<a></a>" * (MAX_NODES - 1) + b"</data>")) == MAX_NODES - 1


def test_a_crowd_of_attributes_is_refused() -> None:
    attributes = b" ".join(b'a%d=""' % number for number in range(200_001))

    with pytest.raises(UnsafeXml):
        parse(b"<data " + attributes + b"/>")


def test_comments_and_instructions_are_not_in_the_tree() -> None:
    root = parse(b"<?php no ?><data><!-- note --><a/><?do it?></data>")

    assert [local_name(child) for child in root] == ["a"]


def test_utf_16_is_read_as_what_it_says() -> None:
    root = parse('<?xml version="1.0" encoding="utf-16"?><data>Désa</data>'.encode("utf-16"))

    assert root.text == "Désa"


@pytest.mark.parametrize("bad", [b"<data>", b"<data>\xff</data>", b"<a:b/>", b"", b"<data>" + b"<x>" * 300])
def test_what_is_refused_leaves_nothing_behind_for_the_next_record(bad: bytes) -> None:
    with pytest.raises(Problem):
        parse(bad)

    assert [element.text for element in parse(b"<data><a>\xc3\xa9</a><b/></data>")] == ["\u00e9", None]


def test_threads_parse_side_by_side() -> None:
    contents = [f"<data><n>{number}</n>{'<x/>' * (number % 50)}</data>".encode() for number in range(400)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda content: parse(content)[0].text, contents))

    assert found == [str(number) for number in range(400)]
