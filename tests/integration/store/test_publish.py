"""Drafts and published versions, and the files that they need."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.check import Context
from forms.errors import BrokenForm, MalformedXml, UnsafeXml
from forms.form_file import read_form_file
from sync import attach, publish
from sync.attach import BlobStore
from sync.engine import in_transaction
from sync.entities import entity_lists
from sync.errors import NameTooLong, NoSuchForm, NoSuchVersion, NothingToPublish, VersionTaken
from sync.models import EntityList, FeedRow, Form, FormVersion, Operation, Submission
from sync.receive import Sender, receive_submission
from tests.conftest import Team
from tests.integration.store.races import at_once
from tests.integration.store.records import FORM, xform

RT = b"name,label\n01,RT 01\n02,RT 02\n"


class Desk:
    """What a manager does with forms, each act in a transaction of its own."""

    def __init__(self, engine: Engine, team: Team, now: datetime, folder: Path) -> None:
        self.engine, self.team, self.now = engine, team, now
        self.blobs = BlobStore(folder, reserve=0)

    def draft(self, content: bytes) -> FormVersion:
        return in_transaction(  # type: ignore[no-any-return]
            self.engine,
            lambda session: publish.save_draft(
                session, self.team.project_id, content, actor=self.team.manager, now=self.now
            ),
        )

    def publish(self, form_id: str = FORM) -> FormVersion:
        return in_transaction(  # type: ignore[no-any-return]
            self.engine,
            lambda session: publish.publish(
                session, self.team.project_id, form_id, actor=self.team.manager, now=self.now
            ),
        )

    def attach(self, content: bytes, *, name: str = "rt.csv", version: str = "1") -> None:
        stored = self.blobs.write(self.team.project_id, [content], limit=2**20)

        def act(session: Session) -> None:
            attach.keep(session, self.team.project_id, stored, media_type="text/csv", now=self.now)
            publish.attach_form_file(
                session, self.team.project_id, FORM, version, name, stored, actor=self.team.manager, now=self.now
            )

        in_transaction(self.engine, act)

    def media(self, version: str = "1") -> dict[str, publish.FormMedia]:
        with Session(self.engine) as session:
            return {one.name: one for one in publish.form_attachments(session, self.team.project_id, FORM, version)}

    def choices(self, who: str, version: str = "1") -> list[str]:
        """The rules that an answer to "who" breaks."""
        with Session(self.engine) as session:
            compiled = publish.compiled(session, self.team.project_id, FORM, version)
            assert compiled is not None
            found = compiled.check({"who": who, "age": "41"}, Context(self.now, self.now, self.now))
            return [one.rule.value for one in found if one.severity.value == "error"]


@pytest.fixture
def desk(engine: Engine, a_project: Team, now: datetime, tmp_path: Path) -> Desk:
    return Desk(engine, a_project, now, tmp_path / "blobs")


def test_a_draft_is_not_there_for_devices_until_it_is_published(desk: Desk) -> None:
    desk.draft(xform())
    with Session(desk.engine) as session:
        before = publish.definition(session, desk.team.project_id, FORM, "1")
        as_draft = publish.definition(session, desk.team.project_id, FORM, "1", with_draft=True)

    desk.publish()

    with Session(desk.engine) as session:
        after = publish.definition(session, desk.team.project_id, FORM, "1")
        form = session.get_one(Form, (desk.team.project_id, FORM))
    assert before is None
    assert as_draft is not None
    assert after is as_draft
    assert (form.version, form.title) == ("1", "Wawancara")


def test_a_draft_may_be_replaced_freely(desk: Desk) -> None:
    desk.draft(xform())
    desk.draft(xform(title="Other words"))
    desk.draft(xform(version="2"))

    with Session(desk.engine) as session:
        rows = session.execute(select(FormVersion.version, FormVersion.state)).all()
    assert [tuple(row) for row in rows] == [("2", "draft")]


def test_a_published_version_never_changes(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()

    with pytest.raises(VersionTaken):
        desk.draft(xform(title="Other words"))

    with Session(desk.engine) as session:
        row = session.get_one(FormVersion, (desk.team.project_id, FORM, "1"))
        assert (row.xform, row.state) == (xform(), "published")


def test_the_same_bytes_published_again_change_nothing(desk: Desk) -> None:
    desk.draft(xform())
    first = desk.publish()

    again = (desk.draft(xform()), desk.publish())

    assert [(row.md5, row.published_at) for row in again] == [(first.md5, first.published_at)] * 2
    with Session(desk.engine) as session:
        assert len(session.scalars(select(FeedRow).where(FeedRow.kind == "form")).all()) == 1


def test_every_version_stays(desk: Desk) -> None:
    for version in ("1", "2"):
        desk.draft(xform(version=version))
        desk.publish()

    with Session(desk.engine) as session:
        old = publish.compiled(session, desk.team.project_id, FORM, "1")
        assert old is not None
        assert old.definition.version == "1"
        assert session.get_one(Form, (desk.team.project_id, FORM)).version == "2"


def test_publishing_goes_into_the_feed(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()

    with Session(desk.engine) as session:
        (row,) = session.scalars(select(FeedRow).where(FeedRow.kind == "form")).all()
        operation = session.get_one(Operation, (row.project_id, row.op_id))
        assert (row.kind, row.record_id, operation.version) == ("form", FORM, "1")


def test_publishing_makes_the_lists_that_the_form_declares(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()
    desk.draft(xform(version="2", question="income"))
    desk.publish()

    with Session(desk.engine) as session:
        made = session.get_one(EntityList, (desk.team.project_id, "informan"))
        assert made.properties == ["age", "income"]


def test_an_entity_list_stands_in_for_its_csv(desk: Desk) -> None:
    desk.draft(xform())
    before = desk.media()
    desk.publish()

    media = desk.media()

    assert [name for name, one in before.items() if one.is_filled] == []
    assert media["informan.csv"].entity_list == "informan"
    assert len(media["informan.csv"].md5) == 32
    assert not media["rt.csv"].is_filled


def test_answers_are_checked_against_the_uploaded_table(desk: Desk) -> None:
    desk.draft(xform())
    desk.attach(RT)
    desk.publish()

    assert desk.choices("01") == []
    assert desk.choices("03") == ["choice"]


def test_a_table_that_comes_after_the_publication_is_used(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()
    before = desk.choices("03")

    desk.attach(RT)

    assert before == []
    assert desk.choices("03") == ["choice"]


def test_a_file_of_a_published_version_never_changes(desk: Desk) -> None:
    desk.draft(xform())
    desk.attach(RT)
    desk.publish()

    desk.attach(RT)
    with pytest.raises(VersionTaken):
        desk.attach(RT + b"03,RT 03\n")

    assert desk.choices("03") == ["choice"]


def test_a_new_draft_takes_the_uploaded_files_along(desk: Desk) -> None:
    desk.draft(xform())
    desk.attach(RT)
    desk.publish()

    desk.draft(xform(version="2"))
    desk.publish()

    assert desk.choices("03", "2") == ["choice"]
    assert desk.media("2")["rt.csv"].sha256 == desk.media("1")["rt.csv"].sha256


def test_each_version_is_judged_with_the_very_bytes_that_it_was_published_with(desk: Desk) -> None:
    desk.draft(xform())
    desk.attach(RT)
    desk.publish()
    desk.draft(xform(version="2"))

    desk.attach(b"name,label\n03,RT 03\n", version="2")
    desk.publish()

    assert (desk.choices("01", "1"), desk.choices("03", "1")) == ([], ["choice"])
    assert (desk.choices("01", "2"), desk.choices("03", "2")) == (["choice"], [])


@pytest.mark.parametrize(
    ("name", "content", "refusal"),
    [("other.csv", RT, publish.NotNamed), ("rt.csv", b"name\n\xff\xfe", publish.BadTable)],
)
def test_a_file_that_does_not_fit_is_refused(desk: Desk, name: str, content: bytes, refusal: type[Exception]) -> None:
    desk.draft(xform())

    with pytest.raises(refusal):
        desk.attach(content, name=name)


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        (b"", MalformedXml),
        (b"<data/>", BrokenForm),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><data>&a;</data>', UnsafeXml),
        (xform(version="x" * 256), NameTooLong),
        (xform().replace(b'type="int"', b'type="int" constraint=". &gt;"'), BrokenForm),
    ],
)
def test_a_form_that_cannot_work_leaves_no_trace(desk: Desk, content: bytes, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        desk.draft(content)

    with Session(desk.engine) as session:
        assert session.scalars(select(Form)).all() == []


def test_what_is_not_there_cannot_be_published(desk: Desk) -> None:
    with pytest.raises(NoSuchForm):
        desk.publish("nothing")


def test_a_discarded_draft_takes_an_unpublished_form_along(desk: Desk) -> None:
    desk.draft(xform())

    def discard(session: Session) -> None:
        publish.discard_draft(session, desk.team.project_id, FORM, actor=desk.team.manager, now=desk.now)

    in_transaction(desk.engine, discard)

    with Session(desk.engine) as session:
        assert session.scalars(select(Form)).all() == []
    with pytest.raises((NoSuchForm, NoSuchVersion, NothingToPublish)):
        desk.publish()


def test_two_who_publish_at_once_publish_once(desk: Desk) -> None:
    desk.draft(xform())

    rows = at_once(2, desk.publish)

    assert [row.version for row in rows] == ["1", "1"]
    with Session(desk.engine) as session:
        assert len(session.scalars(select(FeedRow).where(FeedRow.kind == "form")).all()) == 1


def test_drafts_saved_at_once_leave_one_draft(desk: Desk) -> None:
    versions = [str(number) for number in range(4)]

    at_once(4, lambda: desk.draft(xform(version=versions.pop())))

    with Session(desk.engine) as session:
        assert [row.state for row in session.scalars(select(FormVersion)).all()] == ["draft"]


def test_a_draft_saved_and_published_at_once_is_never_half_of_both(desk: Desk) -> None:
    desk.draft(xform())
    acts: list[Callable[[], FormVersion]] = [desk.publish, lambda: desk.draft(xform(version="2"))]

    at_once(2, lambda: acts.pop()())

    with Session(desk.engine) as session:
        form = session.get_one(Form, (desk.team.project_id, FORM))
        states = {row.version: row.state for row in session.scalars(select(FormVersion)).all()}
    assert (form.version, states) in [("1", {"1": "published", "2": "draft"}), ("2", {"2": "published"})]


def test_a_version_is_read_once_in_a_process(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()

    def compiled() -> object:
        with Session(desk.engine) as session:
            return publish.compiled(session, desk.team.project_id, FORM, "1")

    first, *others = at_once(4, compiled)

    assert first is not None
    assert all(other is first for other in others)


def test_a_list_that_changes_is_asked_at_each_check(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()

    with Session(desk.engine) as session:
        compiled = publish.compiled(session, desk.team.project_id, FORM, "1")
        assert compiled is not None
        tables = entity_lists.tables(session, desk.team.project_id, compiled.definition)
        assert list(tables) == ["informan"]
        assert list(tables["informan"].rows) == []


def test_published_at_is_the_moment_of_the_publication(desk: Desk) -> None:
    desk.draft(xform())
    desk.now += timedelta(days=1)

    assert desk.publish().published_at == desk.now


def test_what_waited_for_a_version_applies_when_it_is_published(desk: Desk) -> None:
    desk.draft(xform())
    desk.publish()
    early = send(desk, "uuid:early", "2")
    desk.draft(xform(version="2"))
    as_draft = send(desk, "uuid:draft", "2")

    desk.publish()

    assert (early, as_draft) == ("held", "held")
    with Session(desk.engine) as session:
        shown = session.execute(select(Submission.instance_id, Submission.version)).all()
    assert sorted(map(tuple, shown)) == [("uuid:draft", "2"), ("uuid:early", "2")]


def send(desk: Desk, instance_id: str, version: str) -> str:
    """The verdict on a record of this version."""
    xml = (
        f'<data id="{FORM}" version="{version}"><who>01</who><age>41</age>'
        f"<meta><instanceID>{instance_id}</instanceID></meta></data>"
    )
    sender = Sender(desk.team.project_id, desk.team.enumerator, "openrosa", account_id=desk.team.enumerator.id)
    return receive_submission(desk.engine, sender, xml.encode(), [], form_id=FORM, now=desk.now).outcome.value


EXTERNAL = """
| survey |
| | type | name | label | choice_filter |
| | text | state | State | |
| | select_one_external city | city | City | state=${state} |
| | select_one_from_file rt.csv | rt | RT | |
| external_choices |
| | list_name | name | label | state |
| | city | a | A | east |
| settings |
| | form_id | version |
| | luar | 1 |
"""


def test_the_files_made_with_a_form_and_those_beside_it_come_with_it(desk: Desk, tmp_path: Path) -> None:
    file = read_form_file(EXTERNAL.encode(), "luar.md")
    (tmp_path / "rt.csv").write_bytes(RT)
    (tmp_path / "other.csv").write_bytes(RT)
    media = {name: tmp_path / name for name in ("rt.csv", "other.csv")}

    def act(session: Session) -> str:
        team = desk.team
        row = publish.save_file(
            session, desk.blobs, team.project_id, file, media=media, actor=team.manager, now=desk.now
        )
        return row.version

    first, again = in_transaction(desk.engine, act), in_transaction(desk.engine, act)
    desk.publish("luar")
    published = in_transaction(desk.engine, act)

    assert first == again == published == "1"
    with Session(desk.engine) as session:
        here = publish.form_attachments(session, desk.team.project_id, "luar", "1")
        assert [(one.name, one.is_filled) for one in here] == [("itemsets.csv", True), ("rt.csv", True)]
        compiled = publish.compiled(session, desk.team.project_id, "luar", "1")
        assert compiled is not None
        context = Context(desk.now, desk.now, desk.now)
        assert compiled.check({"state": "east", "city": "a", "rt": "01"}, context) == ()
        wrong = compiled.check({"state": "west", "city": "a", "rt": "09"}, context)
        assert [(one.path, one.rule.value, one.certain) for one in wrong] == [
            ("city", "choice", True),
            ("rt", "choice", True),
        ]
