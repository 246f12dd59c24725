"""An XForm is read completely, and what does not hold together is named."""

from __future__ import annotations

import pytest

from forms.bind import literal
from forms.definition import Choice, DataType, Group, Instance, Itemset, Question, Repeat
from forms.errors import BrokenForm, MalformedXml, UnsafeXml
from forms.lint import lint
from forms.xform import read
from tests.unit.forms.remarked import REMARKED
from tests.unit.forms.sheet import form, question, xform

HOUSEHOLD = form("""
| survey | | | | | | | | |
| | type | name | label::id | label::en | hint::en | guidance_hint::en | relevant | calculation |
| | start | start | | | | | | |
| | deviceid | deviceid | | | | | | |
| | select_one yesno | consent | Setuju? | Agreed? | Ask first | Never press | | |
| | begin_group | income | Pendapatan | Income | | | ${consent} = 'yes' | |
| | integer | before | Sebelum | Before | | | | |
| | integer | after | Sesudah | After ${before} | | | | |
| | calculate | change | | | | | | ${after} - ${before} |
| | end_group | | | | | | | |
| | begin_repeat | business | Usaha | Business | | | | |
| | text | kind | Jenis | Kind | | | | |
| | begin_group | costs | Biaya | Costs | | | | |
| | decimal | rent | Sewa | Rent | | | | |
| | end_group | | | | | | | |
| | end_repeat | | | | | | | |
| choices | | | | |
| | list_name | name | label::id | label::en |
| | yesno | yes | Ya | Yes |
| | yesno | no | Tidak | No |
| settings | | | | |
| | form_id | version | form_title | instance_name | default_language |
| | household | 2026 | Rumah tangga | concat('R ', ${consent}) | id |
""")


def test_the_head_names_the_form() -> None:
    assert (HOUSEHOLD.form_id, HOUSEHOLD.version, HOUSEHOLD.title) == ("household", "2026", "Rumah tangga")
    assert HOUSEHOLD.root_name == "data"
    assert HOUSEHOLD.namespace == ""
    assert HOUSEHOLD.languages == ("id", "en")
    assert HOUSEHOLD.default_language == "id"
    assert HOUSEHOLD.instance_name == "concat('R ',  /data/consent )"
    assert HOUSEHOLD.model.startswith("<data ")


def test_groups_and_repeats_nest_as_in_the_sheet_and_meta_is_not_asked() -> None:
    assert [(type(node), "/".join(node.path)) for node in HOUSEHOLD.walk()] == [
        (Question, "start"),
        (Question, "deviceid"),
        (Question, "consent"),
        (Group, "income"),
        (Question, "income/before"),
        (Question, "income/after"),
        (Question, "income/change"),
        (Repeat, "business"),
        (Question, "business/kind"),
        (Group, "business/costs"),
        (Question, "business/costs/rent"),
    ]


def test_words_are_kept_by_language() -> None:
    consent = question(HOUSEHOLD, "consent")

    assert consent.label == {"id": "Setuju?", "en": "Agreed?"}
    assert consent.hint["en"] == "Ask first"
    assert consent.guidance["en"] == "Never press"
    assert HOUSEHOLD.at(("business",)).label["en"] == "Business"  # type: ignore[union-attr]


def test_what_a_label_shows_of_other_answers_stands_in_braces() -> None:
    assert question(HOUSEHOLD, "income", "after").label["en"] == "After ${/data/income/before}"


def test_choices_carry_names_words_and_columns() -> None:
    consent = question(HOUSEHOLD, "consent")
    yes, no = HOUSEHOLD.instances["yesno"].choices

    assert consent.type is DataType.SELECT1
    assert consent.itemset is not None
    assert (consent.itemset.instance, consent.itemset.value_column) == ("yesno", "name")
    assert (yes.name, no.name) == ("yes", "no")
    assert yes.label == {"id": "Ya", "en": "Yes"}
    assert yes.columns["name"] == "yes"


def test_rules_are_kept_as_written() -> None:
    assert HOUSEHOLD.at(("income",)).relevant == "/data/consent  = 'yes'"  # type: ignore[union-attr]
    change = question(HOUSEHOLD, "income", "change")
    assert change.calculate == "/data/income/after  -  /data/income/before"
    assert change.control == ""


def test_the_device_fills_some_answers_itself() -> None:
    assert question(HOUSEHOLD, "start").preload == "timestamp start"
    assert question(HOUSEHOLD, "start").type is DataType.DATETIME
    assert question(HOUSEHOLD, "deviceid").preload == "property deviceid"


def test_messages_limits_ranges_and_lists_are_read() -> None:
    read_form = form("""
| survey | | | | | | | | | |
| | type | name | label | required | required_message | constraint | constraint_message | parameters | choice_filter |
| | range | score | Score | | | | | start=1 end=10 step=2 | |
| | integer | age | Age | yes | Say it | . < 120 | Too old | | |
| | select_one city | city | City | | | | | randomize=true | region = 'east' and contains(name, '[,]') |
| | rank city | best | Best | | | | | | |
| | select_one_from_file villages.csv | village | Village | | | | | value=code label=title | |
| | image | photo | Photo | | | | | max-pixels=800 | |
| | acknowledge | ok | OK? | | | | | | |
| | geoshape | field | Field | | | | | | |
| choices | | | | |
| | list_name | name | label | region |
| | city | a | A | east |
| | city | b | B | west |
""")

    assert question(read_form, "score").range == ("1", "10", "2")
    age = question(read_form, "age")
    assert (age.required, age.constraint) == ("true()", ". < 120")
    assert (age.required_message, age.constraint_message) == ({"": "Say it"}, {"": "Too old"})
    city = question(read_form, "city").itemset
    assert city is not None
    assert (city.instance, city.predicate, city.randomized) == (
        "city",
        "region = 'east' and contains(name, '[,]')",
        True,
    )
    assert question(read_form, "best").type is DataType.RANK
    village = question(read_form, "village").itemset
    assert village is not None
    assert (village.instance, village.value_column, village.label_column) == ("villages", "code", "title")
    assert read_form.instances["villages"].src == "jr://file-csv/villages.csv"
    assert read_form.media == ("villages.csv",)
    assert question(read_form, "photo").type is DataType.BINARY
    assert question(read_form, "photo").mediatype == "image/*"
    assert question(read_form, "ok").control == "trigger"
    assert question(read_form, "field").type is DataType.GEOSHAPE
    assert read_form.instances["city"].choices[1].columns["region"] == "west"


def test_pictures_in_labels_are_attachments_of_the_form() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label | media::image |
| | select_one kind | kind | Kind | which.png |
| choices | | | | |
| | list_name | name | label | media::audio |
| | kind | a | A | a.mp3 |
""")

    assert set(read_form.media) == {"which.png", "a.mp3"}
    assert question(read_form, "kind").media == {"image": {"": "which.png"}}
    assert question(read_form, "kind").label == {"": "Kind"}
    assert read_form.instances["kind"].choices[0].media == {"audio": {"": "a.mp3"}}
    assert read_form.languages == ()


def test_a_translation_that_is_missing_is_not_a_dash() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label::id | label::en | hint::id |
| | text | who | Siapa? | | Nama |
| | image | map | - | - | Peta |
""")

    assert question(read_form, "who").label == {"id": "Siapa?"}
    assert question(read_form, "map").label == {"id": "-", "en": "-"}


def test_a_default_picture_is_an_attachment_of_the_form() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label | default |
| | image | map | Map | village.png |
""")

    assert read_form.media == ("village.png",)


def test_an_answer_that_an_action_sets_is_known() -> None:
    read_form = form("""
| survey | | | | | | |
| | type | name | label | default | calculation | trigger |
| | date | day | Day | today() | | |
| | text | city | City | Banyuwangi | | |
| | dateTime | at | At | | now() | ${city} |
""")

    assert (question(read_form, "day").is_set_by_action, question(read_form, "day").dynamic_default) == (
        True,
        "today()",
    )
    assert (question(read_form, "at").is_set_by_action, question(read_form, "at").dynamic_default) == (True, "")
    city = question(read_form, "city")
    assert (city.default, city.is_set_by_action) == ("Banyuwangi", False)


def test_a_counted_repeat_says_how_often() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label | repeat_count |
| | integer | n | How many? | |
| | begin_repeat | child | Child | ${n} |
| | text | first | Name | |
| | begin_repeat | toy | Toy | 2 |
| | text | toy_name | Toy | |
| | end_repeat | | | |
| | end_repeat | | | |
""")

    counts = {repeat.name: repeat.count for repeat in read_form.repeats()}
    assert counts == {"child": "/data/n", "toy": "../toy_count"}
    assert question(read_form, "child", "toy_count").calculate == "2"


def test_choices_can_come_from_a_repeat() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label | choice_filter |
| | begin_repeat | person | Person | |
| | text | who | Name | |
| | end_repeat | | | |
| | select_one ${who} | head | Head | ${who} != '' |
""")

    itemset = question(read_form, "head").itemset
    assert itemset is not None
    assert itemset.instance == "/data/person"
    assert itemset.value_column == "who"


def test_entities_say_what_they_do() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label | save_to |
| | text | code | Code | code |
| | text | full | Name | full_name |
| entities | | | |
| | list_name | label | create_if |
| | people | ${full} | ${code} != '' |
""")

    (entity,) = read_form.entities
    assert (entity.dataset, entity.path) == ("people", ("meta", "entity"))
    assert (entity.create, entity.update) == ("/data/code  != ''", "")
    assert entity.label == "/data/full"
    assert entity.id == "uuid()"
    assert question(read_form, "full").saveto == "full_name"


def test_entities_can_live_in_a_repeat() -> None:
    read_form = form("""
| survey | | | | |
| | type | name | label | save_to |
| | begin_repeat | person | Person | |
| | text | full | Name | full_name |
| | end_repeat | | | |
| entities | | |
| | list_name | label |
| | people | ${full} |
""")

    assert [entity.path for entity in read_form.entities] == [("person", "meta", "entity")]
    assert [node.name for node in read_form.walk()] == ["person", "full"]


def test_a_form_written_by_hand_is_read() -> None:
    definition = read(
        xform(
            "<a>1</a><g><b/><c/></g>",
            root='<data xmlns="http://example.org/survey" version="7">',
            binds='<bind nodeset="/data/a" type="xsd:int"/><bind nodeset="/data/g/b" type="odd"/>',
            body="""<group><label>Page</label>
              <input ref="/data/a"><label>A</label></input></group>
              <group ref="/data/g"><label>G</label>
                <select1 ref="b"><label>B</label><item><label>One</label><value>1</value></item></select1>
                <select ref="/data/g/c"><item><label>Two</label><value>2</value></item></select></group>""",
        )
    )

    assert (definition.form_id, definition.namespace) == ("http://example.org/survey", "http://example.org/survey")
    assert (question(definition, "a").type, question(definition, "a").default) == (DataType.INT, "1")
    chosen = question(definition, "g", "b").itemset
    assert chosen is not None
    assert [(choice.name, choice.label) for choice in chosen.choices] == [("1", {"": "One"})]
    assert question(definition, "g", "c").type is DataType.SELECT


def test_a_form_without_a_body_only_calculates() -> None:
    definition = read(xform("<n/>", binds='<bind nodeset="/data/n" type="int" calculate="1 + 1"/>', body=""))

    assert (question(definition, "n").calculate, question(definition, "n").control) == ("1 + 1", "")


def test_a_repeat_is_known_from_the_body_even_when_it_has_one_instance() -> None:
    definition = read(
        xform(
            '<r jr:template=""><a/><b/></r><r><a/></r>',
            body="""<group ref="/data/r"><label>R</label>
              <repeat nodeset="/data/r"><input ref="/data/r/a"/></repeat></group>""",
        )
    )

    (repeat,) = definition.repeats()
    assert [child.name for child in repeat.children] == ["a", "b"]
    assert repeat.label == {"": "R"}


def test_an_action_in_a_repeat_names_its_question_from_there() -> None:
    definition = read(
        xform(
            '<age/><r jr:template=""><age/><place/></r>',
            binds='<bind nodeset="/data/r/place" type="geopoint"/>',
            body="""<repeat nodeset="/data/r">
              <setvalue event="odk-new-repeat" ref="age" value="../../age + 2"/>
              <odk:setgeopoint event="odk-new-repeat" ref="place"/>
              <input ref="age"/><trigger ref="place"/></repeat>""",
        )
    )

    assert question(definition, "r", "age").dynamic_default == "../../age + 2"
    assert question(definition, "r", "place").is_set_by_action
    assert question(definition, "r", "place").type is DataType.GEOPOINT
    assert not question(definition, "age").is_set_by_action


def test_what_stands_in_meta_is_never_a_question() -> None:
    definition = read(
        xform(
            "<name/>",
            binds='<bind nodeset="/data/orx:meta/orx:audit" type="binary"/><instance src="jr://file/a.xml"/>',
            body='<group appearance="field-list"><input ref="/data/meta/instanceID"/></group>',
        )
    )

    assert [node.name for node in definition.walk()] == ["name"]
    assert definition.media == ("a.xml",)


def test_the_last_saved_record_is_no_attachment() -> None:
    definition = read(xform(binds='<instance id="last-saved" src="jr://instance/last-saved"/>'))

    assert definition.media == ()
    assert definition.instances["last-saved"].src == "jr://instance/last-saved"


@pytest.mark.parametrize("name", ["class", "__proto__", "lambda", "Meta", "désa", "日本", "a.b-c", "_"])
def test_any_name_is_only_a_name(name: str) -> None:
    definition = read(xform(f"<{name}/>", body=f'<input ref="/data/{name}"/>'))

    assert question(definition, name).control == "input"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html/>", "not an XForm"),
        (xform(root="<data>"), "no id"),
        (xform(body='<input ref="/data/ghost"/>'), "asks 'ghost'"),
        (xform(body='<group ref="/data/ghost"/>'), "about 'ghost'"),
        (xform(body="<input><label>Which?</label></input>"), "does not say which"),
        (xform("<a/><a/>", body=""), "this name"),
        (xform(binds='<instance id="x" src="jr://file-csv/../x.csv"/>'), "plain file name"),
        (xform(binds='<setvalue ref="/data/gone" event="odk-instance-first-load" value="1"/>'), "sets 'gone'"),
    ],
)
def test_a_form_that_does_not_hold_together_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(BrokenForm, match=says) as refusal:
        read(content)

    assert refusal.value.members["faults"][0]["message"] == refusal.value.detail


def test_every_unknown_question_is_named_at_once() -> None:
    with pytest.raises(BrokenForm) as refusal:
        read(xform(body='<input ref="/data/x"/><input ref="/data/y"/>'))

    assert [fault["question"] for fault in refusal.value.members["faults"]] == ["x", "y"]


def test_an_xform_is_xml_like_any_other() -> None:
    with pytest.raises(MalformedXml):
        read(b"<h:html>")
    with pytest.raises(UnsafeXml):
        read(b'<!DOCTYPE a [<!ENTITY x "y">]>' + xform()[22:])


@pytest.mark.parametrize(("code", "path", "parts"), REMARKED, ids=[code for code, _, _ in REMARKED])
def test_what_no_check_acts_on_is_remarked(code: str, path: tuple[str, ...], parts: dict[str, str]) -> None:
    definition = read(xform(**parts))

    assert [(remark.code, remark.path) for remark in definition.remarks] == [(code, path)]
    assert [notice.code for notice in lint(definition) if notice.code == code] == [code]
    assert all("{" not in notice.message for notice in lint(definition))


def test_what_only_the_device_acts_on_is_kept_with_its_question() -> None:
    definition = read(
        xform(
            "<photo/>",
            binds='<bind nodeset="/data/photo" type="binary" orx:max-pixels="1000"/>'
            '<bind nodeset="/data/meta/audit" type="binary" odk:location-priority="balanced"/>',
            body='<upload ref="/data/photo" mediatype="image/*" accept=".jpg" autoplay="audio"/>',
        ).replace(b"<instanceID/>", b"<instanceID/><audit/>")
    )

    photo = question(definition, "photo")
    assert photo.parameters == {"max-pixels": "1000", "accept": ".jpg", "autoplay": "audio"}
    assert photo.mediatype == "image/*"
    assert definition.audit == {"location-priority": "balanced"}
    assert read(xform()).audit is None


def test_a_control_may_name_its_bind_instead_of_its_question() -> None:
    definition = read(
        xform(
            "<g><r><a/></r></g>",
            binds='<bind id="r" nodeset="/data/g/r"/><bind id="a" nodeset="/data/g/r/a" type="int"/>',
            body='<repeat bind="r"><input bind="a"><label>A</label></input></repeat>',
        )
    )

    assert question(definition, "g", "r", "a").label == {"": "A"}
    assert [repeat.path for repeat in definition.repeats()] == [("g", "r")]


def test_the_words_beside_the_ticks_of_a_range_are_no_choices() -> None:
    definition = form(
        """
        | survey |
        | | type | name | label | parameters |
        | | range | r | R | start=1 end=5 step=1 tick_interval=2 placeholder=3 tick_labelset=ticks |
        | choices |
        | | list_name | name | label |
        | | ticks | 1 | Little |
        | | ticks | 5 | Much |
        """
    )

    r = question(definition, "r")
    assert (r.range, r.itemset) == (("1", "5", "1"), None)
    assert r.parameters == {"tick-interval": "2", "placeholder": "3"}


@pytest.mark.parametrize(("attribute", "count"), [("true()", "2"), ("false()", "")])
def test_a_repeat_that_may_not_grow_is_as_long_as_in_the_blank_form(attribute: str, count: str) -> None:
    definition = read(
        xform(
            '<r jr:template=""><a/></r><r><a>1</a></r><r><a>2</a></r>',
            body=f'<repeat nodeset="/data/r" jr:noAddRemove="{attribute}"><input ref="/data/r/a"/></repeat>',
        )
    )

    assert [repeat.count for repeat in definition.repeats()] == [count]


def test_the_choices_of_select_one_external_come_from_their_list_in_itemsets_csv() -> None:
    definition = read(
        xform(
            "<state/><city/>",
            body="""<input ref="/data/city" query="instance('cities')/root/item[state=/data/state]"/>""",
        )
    )

    assert definition.media == ("itemsets.csv",)
    assert definition.instances["cities"] == Instance("cities", "jr://file-csv/itemsets.csv", list_name="cities")
    assert question(definition, "city").itemset == Itemset("cities", "state=/data/state")


@pytest.mark.parametrize(
    ("words", "xpath"),
    [
        ("hello", "'hello'"),
        ("it's", '"it\'s"'),
        ('say "yes"', "'say \"yes\"'"),
        ("""it's "so\"""", """concat("it's ", '"', "so", '"', "")"""),
    ],
)
def test_words_that_an_action_sets_become_xpath_whatever_their_quotation_marks(words: str, xpath: str) -> None:
    assert literal(words) == xpath


def test_a_label_may_name_its_translation_in_any_column() -> None:
    definition = read(
        xform(
            model='<itext><translation lang="id"><text id="l1"><value>Ya</value></text></translation></itext>',
            binds='<instance id="yn"><root><item><value>y</value><words>l1</words></item></root></instance>',
            body="""<select1 ref="/data/name"><itemset nodeset="instance('yn')/root/item"><value ref="value"/>
            <label ref="jr:itext(words)"/></itemset></select1>""",
        )
    )

    assert definition.instances["yn"].choices == (Choice("y", {"id": "Ya"}, {"value": "y", "words": "l1"}),)
