"""Edits merge by question; nothing that somebody wrote without being seen is lost."""

from __future__ import annotations

import itertools
import random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import review
from sync.engine import in_transaction
from sync.models import Conflict, Submission, SubmissionAttachment, SubmissionFinding
from sync.verdict import Outcome
from tests.integration.sync.field import PHOTO, Field, Tablet, instance, new_id, outcomes

OTHER_PHOTO = "b" * 64


def a_record(field: Field, tablet: Tablet, **answers: str) -> tuple[str, dict[str, int]]:
    """A record and the vector of what everybody sees of it."""
    record = new_id()
    field.push(tablet, tablet.fill_in(record, **({"nama": "Siti", "umur": "41"} | answers)))
    return record, field.shown(record).vector


def test_two_devices_that_changed_different_answers_are_merged(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet)

    one = field.push(tablet, tablet.op(record, context=seen, set={"nama": "Siti Aminah"}))
    two = field.push(other_tablet, other_tablet.op(record, context=seen, set={"umur": "42"}))

    assert outcomes(one) + outcomes(two) == [Outcome.ACCEPTED, Outcome.MERGED]
    assert field.answers(record) == {"nama": "Siti Aminah", "umur": "42"}
    assert field.conflicts(record) == {}
    assert field.shown(record).revision == 3
    assert "<umur>42</umur>" in (field.shown(record).xml or "")


def test_two_devices_that_changed_the_same_answer_clash_and_both_values_are_shown(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet)

    field.push(tablet, tablet.op(record, context=seen, set={"umur": "42"}))
    late = other_tablet.op(record, context=seen, set={"umur": "43"}, at="ffffffffffff-0000")
    receipt = field.push(other_tablet, late)

    assert (receipt.lines[0].outcome, receipt.lines[0].conflicts) == (Outcome.CONFLICT, 1)
    assert field.conflicts(record) == {"umur": ["43", "42"]}
    (row,) = field.all(Conflict)
    assert row.base == "41"
    assert [sibling["device"] for sibling in row.siblings] == ["d-budi", "d-siti"]
    assert [sibling["is_shown"] for sibling in row.siblings] == [True, False]
    assert field.shown(record).conflicts == 1


def test_the_same_change_by_two_is_no_conflict(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    record, seen = a_record(field, tablet)

    for one in (tablet, other_tablet):
        field.push(one, one.op(record, context=seen, set={"umur": "42"}))

    assert field.conflicts(record) == {}


def test_a_resolution_closes_the_conflict_and_a_late_edit_opens_it_again(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet)
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "42"}))
    field.push(other_tablet, other_tablet.op(record, context=seen, set={"umur": "43"}))

    def resolve(session: Session) -> None:
        conflict = session.scalars(select(Conflict)).one()
        review.resolve(session, conflict, "44", actor=field.supervisor, now=field.now)

    in_transaction(field.engine, resolve)
    assert (field.answers(record)["umur"], field.conflicts(record)) == ("44", {})
    field.push(other_tablet, other_tablet.op(record, context=seen, set={"umur": "45"}))

    assert field.conflicts(record) == {"umur": ["44", "45"]}


def test_sums_of_merged_answers_are_worked_out_again_and_never_clash(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet, before="100", after="150")

    field.push(tablet, tablet.op(record, context=seen, set={"before": "110", "change": "40"}))
    field.push(other_tablet, other_tablet.op(record, context=seen, set={"after": "200", "change": "100"}))

    assert field.conflicts(record) == {}
    assert field.answers(record)["change"] == "90"
    assert field.rules(record) == []


def test_an_instance_without_a_list_of_changes_changes_what_differs_from_its_base(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet, after="5", before="1")
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "42"}))

    edit = instance(new_id(), corrects=record, nama="Siti Aminah", umur="41", before="1", after="5")
    receipt = field.push(other_tablet, other_tablet.op(record, context=seen, xml=edit))

    assert outcomes(receipt) == [Outcome.MERGED]
    assert field.operation(receipt.lines[0].op_id).changes == {"nama": "Siti Aminah"}
    assert (field.answers(record)["nama"], field.answers(record)["umur"]) == ("Siti Aminah", "42")


def test_an_edit_by_a_whole_instance_is_shown_as_that_instance(field: Field, tablet: Tablet) -> None:
    record, seen = a_record(field, tablet)
    edit_id = new_id()

    field.push(tablet, tablet.op(record, context=seen, xml=instance(edit_id, corrects=record, nama="Siti", umur="42")))

    shown = field.shown(record)
    assert shown.xml is None
    assert field.operation(shown.op_id).instance_id == edit_id


def test_a_repeat_is_one_answer_and_never_merged_by_position(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record = new_id()
    xml = instance(record, nama="Siti").replace("<meta>", "<usaha><jenis>tempe</jenis></usaha><meta>")
    field.push(tablet, tablet.op(record, xml=xml))
    seen = field.shown(record).vector

    for one, kind in ((tablet, "tahu"), (other_tablet, "keripik")):
        field.push(one, one.op(record, context=seen, set={"usaha": f'[{{"jenis":"{kind}"}}]'}))

    assert sorted(str(value) for value in field.conflicts(record)["usaha"]) == [
        '[{"jenis":"keripik"}]',
        '[{"jenis":"tahu"}]',
    ]


def test_an_edit_opens_an_approved_review_again(field: Field, tablet: Tablet) -> None:
    record, seen = a_record(field, tablet)

    def approve(session: Session) -> None:
        shown = session.scalars(select(Submission)).one()
        review.approve(session, shown, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, approve)
    assert field.shown(record).review_state == "approved"
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "42"}))

    assert field.shown(record).review_state == "edited"


def test_a_dismissed_finding_stays_dismissed_while_the_answer_is_the_same(field: Field, tablet: Tablet) -> None:
    record, seen = a_record(field, tablet, umur="410")

    def dismiss(session: Session) -> None:
        finding = session.scalars(select(SubmissionFinding)).one()
        review.dismiss(session, finding, "tertua di desa", actor=field.supervisor, now=field.now)

    in_transaction(field.engine, dismiss)
    field.push(tablet, tablet.op(record, context=seen, set={"nama": "Siti Aminah"}))
    same = field.all(SubmissionFinding)
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "411"}))
    other = field.all(SubmissionFinding)

    assert [(row.state, row.note) for row in same] == [("dismissed", "tertua di desa")]
    assert [row.state for row in other] == ["open"]
    shown = field.shown(record)
    assert shown.errors + shown.warnings == 1


def test_a_file_is_missing_until_its_bytes_are_here(field: Field, tablet: Tablet) -> None:
    record = new_id()
    photo = {"name": "rumah.jpg", "sha256": PHOTO, "size": 5, "type": "image/jpeg"}
    op = tablet.op(record, xml=instance(record, nama="Siti", foto="rumah.jpg"), attachments=[photo])

    receipt = field.push(tablet, op)
    before = field.shown(record).attachments_missing
    field.arrive(PHOTO)

    assert receipt.lines[0].missing == (PHOTO,)
    assert (before, field.shown(record).attachments_missing) == (1, 0)
    assert field.push(tablet, op).lines[0].missing == ()


def test_an_edit_carries_files_over_by_name(field: Field, tablet: Tablet) -> None:
    record = new_id()
    photo = {"name": "rumah.jpg", "sha256": PHOTO, "size": 5, "type": "image/jpeg"}
    field.arrive(PHOTO)
    field.push(tablet, tablet.op(record, xml=instance(record, nama="Siti", foto="rumah.jpg"), attachments=[photo]))
    seen = field.shown(record).vector

    field.push(tablet, tablet.op(record, context=seen, set={"nama": "Siti Aminah"}))

    (row,) = field.all(SubmissionAttachment)
    assert (row.name, row.sha256, row.is_expected, row.arrived_at is not None) == ("rumah.jpg", PHOTO, True, True)
    assert field.shown(record).attachments_missing == 0


def test_a_file_that_no_answer_names_is_kept_and_noted(field: Field, tablet: Tablet) -> None:
    record = new_id()
    photo = {"name": "lain.jpg", "sha256": OTHER_PHOTO, "size": 5, "type": "image/jpeg"}

    field.push(tablet, tablet.op(record, xml=instance(record, nama="Siti"), attachments=[photo]))

    (row,) = field.all(SubmissionAttachment)
    assert not row.is_expected
    assert field.rules(record) == [("attachment", "")]


def test_the_record_depends_on_what_arrived_and_not_on_the_order(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    def history(record: str) -> list[tuple[Tablet, dict[str, object]]]:
        first = tablet.fill_in(record, nama="Siti", umur="41")
        seen = {tablet.origin: first["n"]}
        return [
            (tablet, first),
            (tablet, tablet.op(record, context=seen, set={"umur": "42"})),
            (other_tablet, other_tablet.op(record, context=seen, set={"umur": "43", "before": "5"})),
            (other_tablet, other_tablet.op(record, context=seen, set={"nama": "Siti Aminah"})),
        ]

    seen_outcomes = set()
    for order in random.Random(5).sample(list(itertools.permutations(range(4))), 8):
        record = new_id()
        ops = history(record)
        for at in order:
            field.push(*ops[at])
        shown = field.shown(record)
        seen_outcomes.add((str(field.answers(record)), str(field.conflicts(record)), shown.revision, shown.conflicts))

    assert len(seen_outcomes) == 1


@pytest.mark.parametrize("is_early", [False, True])
def test_a_record_that_was_made_by_its_answers_alone_can_be_corrected_in_collect(
    field: Field, tablet: Tablet, is_early: bool
) -> None:
    record = new_id()
    made, edit = tablet.op(record, set={"nama": "Siti", "umur": "41"}), instance(new_id(), corrects=record, nama="Tuti")

    for is_edit in (is_early, not is_early):
        field.post(edit) if is_edit else field.push(tablet, made)

    assert field.answers(record) == {"nama": "Tuti"}
    assert field.conflicts(record) == {}
