"""Where the form says how to merge, it is merged; what was written stays to be seen."""

from __future__ import annotations

import pytest

from sync.models import SubmissionFinding
from sync.verdict import Outcome
from tests.integration.sync.field import Field, Tablet, instance, new_id, outcomes, xform

MERGE = b'xmlns:lapangan="urn:lapangan:forms" lapangan:merge='


@pytest.fixture
def field(field: Field) -> Field:
    """Its age is merged by the larger number, its name by all that was written."""
    with_age = xform("2").replace(b'nodeset="/data/umur"', b'nodeset="/data/umur" ' + MERGE + b'"max"')
    field.publish(with_age.replace(b'nodeset="/data/nama"', b'nodeset="/data/nama" ' + MERGE + b'"append"'))
    return field


def a_record(field: Field, tablet: Tablet) -> tuple[str, dict[str, int]]:
    record = new_id()
    xml = instance(record, version="2", nama="Siti", umur="41", before="1", after="2")
    field.push(tablet, tablet.op(record, version="2", xml=xml))
    return record, field.shown(record).vector


def test_different_answers_are_merged_as_the_form_says_and_noted(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet)

    field.push(tablet, tablet.op(record, version="2", context=seen, set={"umur": "44", "nama": "Siti A."}))
    late = other_tablet.op(record, version="2", context=seen, set={"umur": "43", "nama": "Siti B.", "before": "7"})
    receipt = field.push(other_tablet, late)

    assert outcomes(receipt) == [Outcome.MERGED]
    assert field.conflicts(record) == {}
    assert (field.answers(record)["umur"], field.answers(record)["nama"]) == ("44", "Siti A.\nSiti B.")
    noted = {row.path: row.params for row in field.all(SubmissionFinding) if row.rule == "merged"}
    assert {path: params["policy"] for path, params in noted.items()} == {"umur": "max", "nama": "append"}
    assert sorted(noted["umur"]["written"].split(" | ")) == ["43", "44"]


def test_who_goes_on_from_the_merged_answer_has_not_written_it(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet)
    field.push(tablet, tablet.op(record, version="2", context=seen, set={"nama": "Siti A."}))
    field.push(other_tablet, other_tablet.op(record, version="2", context=seen, set={"nama": "Siti B."}))

    edit = instance(new_id(), version="2", nama="Siti A.\nSiti B.", umur="50", before="1", after="2")
    last = tablet.op(record, version="2", context=field.shown(record).vector, xml=edit)
    field.push(tablet, last)

    assert field.operation(last["op"]).changes == {"umur": "50"}
    assert ("merged", "nama") in field.rules(record)


def test_what_the_policy_cannot_compare_is_shown_to_a_person(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet)

    field.push(tablet, tablet.op(record, version="2", context=seen, set={"umur": "sekitar 40"}))
    field.push(other_tablet, other_tablet.op(record, version="2", context=seen, set={"umur": "43"}))

    assert set(field.conflicts(record)) == {"umur"}
