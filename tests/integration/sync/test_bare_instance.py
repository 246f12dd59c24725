"""Bare instances, as ODK Collect posts them: the same XML is the same operation, by whichever way it comes."""

from __future__ import annotations

from sync.models import InboxItem, Operation, Submission, SubmissionAttachment, SubmissionFinding
from sync.verdict import Outcome, SentFile, Why
from tests.integration.sync.field import FORM, PHOTO, Field, Tablet, instance, new_id

FILE = SentFile("rumah.jpg", PHOTO, 5, "image/jpeg")


def test_an_instance_is_accepted(field: Field) -> None:
    record = new_id()

    line = field.post(instance(record, nama="Siti", umur="41"))

    assert (line.outcome, line.instance_id, line.instance_name) == (Outcome.ACCEPTED, record, "Siti")
    assert field.answers(record) == {"nama": "Siti", "umur": "41"}


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
