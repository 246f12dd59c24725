"""Bare instances, as ODK Collect posts them: the same XML is the same operation, by whichever way it comes."""

from __future__ import annotations

from sqlalchemy.orm import Session

from sync import receive, review
from sync.access import Actor, Role
from sync.engine import in_transaction
from sync.models import Batch, InboxItem, Operation, Submission, SubmissionAttachment, SubmissionFinding
from sync.rebuild import rebuild
from sync.verdict import Outcome, Sender, SentFile, Why
from tests.integration.sync.field import FORM, PHOTO, Field, Tablet, instance, new_id, outcomes

FILE = SentFile("rumah.jpg", PHOTO, 5, "image/jpeg")


def test_an_instance_is_accepted(field: Field) -> None:
    record = new_id()

    line = field.post(instance(record, nama="Siti", umur="41"))

    assert (line.outcome, line.instance_id, line.instance_name) == (Outcome.ACCEPTED, record, "Siti")
    assert field.answers(record) == {"nama": "Siti", "umur": "41"}


def test_the_same_instance_again_is_answered_from_what_is_kept_and_noted(field: Field) -> None:
    xml = instance(new_id(), nama="Siti", umur="410")
    first = field.post(xml)

    again = field.post(xml)

    assert (again.outcome, again.first, again.seq) == (Outcome.DUPLICATE, Outcome.ACCEPTED, first.seq)
    assert (again.instance_name, again.errors) == ("Siti", 1)
    assert sorted(str(batch.verdicts) for batch in field.all(Batch)) == ["{'accepted': 1}", "{'duplicate': 1}"]


def test_the_same_xml_with_more_files_continues_the_submission(field: Field) -> None:
    record = new_id()
    xml = instance(record, nama="Siti", foto="rumah.jpg")
    first = field.post(xml)

    again = field.post(xml, FILE)

    assert first.missing == ("rumah.jpg",)
    assert (again.outcome, again.first, again.seq) == (Outcome.DUPLICATE, Outcome.ACCEPTED, first.seq)
    assert again.missing == ()
    assert field.shown(record).attachments_missing == 0
    assert [row.sha256 for row in field.all(SubmissionAttachment)] == [PHOTO]
    assert field.shown(record).review_state == "received"


def test_other_xml_under_the_same_instance_id_is_a_conflict_and_nothing_is_lost(field: Field) -> None:
    record = new_id()
    field.post(instance(record, nama="Siti", umur="41"))

    line = field.post(instance(record, nama="Siti", umur="42"))

    assert line.outcome is Outcome.CONFLICT
    assert sorted(str(value) for value in field.conflicts(record)["umur"]) == ["41", "42"]
    assert len(field.all(Submission)) == 1


def test_a_correction_names_what_it_replaces(field: Field) -> None:
    record, edit = new_id(), new_id()
    field.post(instance(record, nama="Siti", umur="41"))

    line = field.post(instance(edit, corrects=record, nama="Siti", umur="42"))
    second = field.post(instance(new_id(), corrects=edit, nama="Siti", umur="43"))

    assert [line.outcome, second.outcome] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    assert (line.instance_id, second.instance_id) == (record, record)
    assert field.answers(record)["umur"] == "43"
    assert field.conflicts(record) == {}
    assert field.shown(record).review_state == "edited"


def test_two_corrections_of_one_version_clash(field: Field) -> None:
    record = new_id()
    field.post(instance(record, nama="Siti", umur="41"))

    field.post(instance(new_id(), corrects=record, nama="Siti", umur="42"))
    line = field.post(instance(new_id(), corrects=record, nama="Siti", umur="43"))

    assert line.outcome is Outcome.CONFLICT
    assert sorted(str(value) for value in field.conflicts(record)["umur"]) == ["42", "43"]


def test_a_correction_of_something_unknown_waits_for_it(field: Field) -> None:
    record, edit = new_id(), new_id()
    last = field.post(instance(new_id(), corrects=edit, nama="Siti", umur="43"))
    middle = field.post(instance(edit, corrects=record, nama="Siti", umur="42"))
    held = [last.outcome, last.why, middle.outcome, field.all(Submission)]

    field.post(instance(record, nama="Siti", umur="41"))

    assert held == [Outcome.HELD, Why.WAITS_FOR_BASE, Outcome.HELD, []]
    assert field.answers(record)["umur"] == "43"
    assert len(field.all(Submission)) == 1
    assert {row.record_id for row in field.all(Operation) if row.kind == "submission"} == {record}


def test_an_instance_known_from_its_device_is_a_duplicate(field: Field, tablet: Tablet) -> None:
    record = new_id()
    op = tablet.fill_in(record, nama="Siti")
    field.push(tablet, op)

    line = field.post(op["xml"])

    assert (line.outcome, line.op_id) == (Outcome.DUPLICATE, op["op"])
    assert len(field.feed()) == 2


def test_an_instance_that_came_bare_is_a_duplicate_when_its_device_sends_it(field: Field, tablet: Tablet) -> None:
    record = new_id()
    op = tablet.fill_in(record, nama="Siti")
    field.post(op["xml"])

    first, again = field.push(tablet, op).lines[0], field.push(tablet, op).lines[0]

    told = (Outcome.DUPLICATE, op["op"], Why.SAME_INSTANCE, Outcome.ACCEPTED)
    assert [(line.outcome, line.op_id, line.why, line.first) for line in (first, again)] == [told, told]
    assert len(field.feed()) == 2
    assert (field.shown(record).review_state, field.shown(record).revision) == ("received", 1)
    kept = [field.operation(row.op_id) for row in field.all(Operation) if row.kind == "submission"]
    assert sorted((row.state, row.xml or "") for row in kept) == [("ready", op["xml"]), ("void", "")]


def test_who_goes_on_after_it_has_seen_what_came_bare(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    record = new_id()
    op = tablet.fill_in(record, nama="Siti", umur="41")
    edit = tablet.op(record, set={"umur": "42"})
    field.post(op["xml"])
    seen = field.shown(record).vector

    receipt = field.push(tablet, op, edit)
    other = field.push(other_tablet, other_tablet.op(record, set={"nama": "Siti A."}, context=seen))

    assert outcomes(receipt) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert outcomes(other) == [Outcome.MERGED]
    assert field.answers(record) == {"nama": "Siti A.", "umur": "42"}
    assert field.conflicts(record) == {}
    assert in_transaction(field.engine, lambda session: rebuild(session, field.project_id, now=field.now)).is_same


def test_an_edit_by_both_ways_is_one_edit(field: Field, tablet: Tablet) -> None:
    record, own = new_id(), new_id()
    made = tablet.fill_in(record, nama="Siti", umur="41")
    edit = tablet.op(record, xml=instance(own, corrects=record, nama="Siti", umur="42"))
    after = tablet.op(record, xml=instance(new_id(), corrects=own, nama="Siti", umur="43"))
    field.push(tablet, made)
    field.post(edit["xml"])

    receipt = field.push(tablet, edit, after)

    assert outcomes(receipt) == [Outcome.DUPLICATE, Outcome.ACCEPTED]
    assert field.answers(record) == {"nama": "Siti", "umur": "43"}
    assert field.conflicts(record) == {}
    assert field.operation(after["op"]).changes == {"umur": "43"}


def test_the_files_that_its_device_announces_are_awaited(field: Field, tablet: Tablet) -> None:
    record = new_id()
    photo = {"name": "rumah.jpg", "sha256": PHOTO, "size": 5}
    op = tablet.op(record, xml=instance(record, foto="rumah.jpg"), attachments=[photo])
    field.post(op["xml"])

    line = field.push(tablet, op).lines[0]

    assert line.missing == (PHOTO,)
    assert field.shown(record).attachments_missing == 1
    field.arrive(PHOTO)
    assert field.shown(record).attachments_missing == 0


def test_a_decision_on_what_came_bare_stands_when_its_device_sends_it(field: Field, tablet: Tablet) -> None:
    record = new_id()
    op = tablet.fill_in(record, nama="Siti")
    field.post(op["xml"])

    def approve(session: Session) -> None:
        shown = session.get_one(Submission, (field.project_id, record))
        review.approve(session, shown, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, approve)
    field.push(tablet, op)
    state = field.shown(record).review_state
    field.push(tablet, tablet.op(record, set={"umur": "42"}))

    assert (state, field.shown(record).review_state) == ("approved", "edited")


def test_two_servers_that_took_the_two_ways_show_the_same(field: Field, tablet: Tablet) -> None:
    """Here the device's own operation came first, and another server forwards what came bare there."""
    record = new_id()
    op, edit = tablet.fill_in(record, nama="Siti", umur="41"), tablet.op(record, set={"umur": "42"})
    field.push(tablet, op)
    bare = receive.derive(field.project_id, op["xml"].encode(), (), None)
    assert bare is not None
    server = Actor("device", id="s-centre", serves="s-centre", roles={field.project_id: Role.ENUMERATOR})

    sender = Sender(field.project_id, server, "server")
    line = receive.receive(field.engine, sender, [bare.line()], size=1, now=field.now).lines[0]
    far = field.tablet("d-jauh")
    later = far.op(record, set={"umur": "50"}, context={bare.origin: 1})
    field.push(far, later)
    field.push(tablet, edit)

    assert (line.outcome, field.operation(bare.op_id).state) == (Outcome.DUPLICATE, "void")
    assert sorted(str(value) for value in field.conflicts(record)["umur"]) == ["42", "50"]


def test_bytes_that_are_no_xml_are_kept_as_they_came(field: Field) -> None:
    line = field.post("<data")

    (item,) = field.all(InboxItem)
    assert (line.outcome, line.why, item.raw) == (Outcome.QUARANTINED, Why.MALFORMED_XML, b"<data")


def test_an_instance_without_an_id_is_put_aside(field: Field) -> None:
    assert field.post(instance("", nama="Siti")).why is Why.NO_INSTANCE_ID


def test_sealed_answers_are_kept_with_their_files_and_not_judged(field: Field) -> None:
    record = new_id()
    sealed = f"""<data xmlns="http://opendatakit.org/submissions" id="{FORM}" version="1" encrypted="yes">
    <base64EncryptedKey>a2V5</base64EncryptedKey>
    <meta xmlns="http://openrosa.org/xforms"><instanceID>{record}</instanceID></meta>
    <media><file>rumah.jpg.enc</file></media><encryptedXmlFile>submission.xml.enc</encryptedXmlFile>
    <base64EncryptedElementSignature>c2ln</base64EncryptedElementSignature></data>"""

    line = field.post(sealed, SentFile("submission.xml.enc", PHOTO, 5, "application/octet-stream"))

    assert (line.outcome, line.missing) == (Outcome.ACCEPTED, ("rumah.jpg.enc",))
    assert [(row.rule, row.severity) for row in field.all(SubmissionFinding)] == [("sealed", "info")]
    assert {row.name for row in field.all(SubmissionAttachment)} == {"rumah.jpg.enc", "submission.xml.enc"}
    assert field.shown(record).errors == 0
    assert field.answers(record) == {}


def test_the_log_of_an_interview_is_a_file_that_was_to_come(field: Field) -> None:
    record = new_id()
    xml = instance(record, nama="Siti", umur="41").replace("<meta>", "<meta><audit>audit.csv</audit>")

    field.post(xml, SentFile("audit.csv", PHOTO, 5, "text/csv"))

    assert field.all(SubmissionFinding) == []
