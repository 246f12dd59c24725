"""Before a version is published, its author sees which records it would find something in."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from sync import definitions, publish
from sync.access import SYSTEM
from sync.models import Project, Submission
from sync.outlook import Outlook, outlook
from tests.integration.sync.field import FORM, Field, Tablet, new_id, xform

STRICT = xform("2").replace(b". &lt; 120", b". &lt; 60")


def look(field: Field, *, after: str = "", limit: int = 10) -> Outlook:
    """By a draft in which nobody may be sixty."""
    with Session(field.engine) as session:
        publish.save_draft(session, field.project_id, STRICT, actor=SYSTEM, now=field.now)
        project = session.get_one(Project, field.project_id)
        new = definitions.compiled(session, field.project_id, FORM, "2", with_draft=True)
        assert new is not None
        return outlook(session, project, new, actor=SYSTEM, after=after, limit=limit)


def test_records_that_a_new_rule_would_notice_are_named_with_the_answer(field: Field, tablet: Tablet) -> None:
    young, old = new_id(), new_id()
    field.push(tablet, tablet.fill_in(young, nama="Siti", umur="41"), tablet.fill_in(old, nama="Budi", umur="77"))

    found = look(field)

    assert (found.total, found.checked, found.after) == (2, 2, "")
    assert [(one.instance_id, one.instance_name, one.version) for one in found.failing] == [(old, "Budi", "1")]
    assert [(one.rule.value, one.path, one.value) for one in found.failing[0].findings] == [
        ("constraint", "umur", "77")
    ]


def test_what_its_own_version_has_noticed_already_is_not_news(field: Field, tablet: Tablet) -> None:
    field.push(tablet, tablet.fill_in(new_id(), nama="Siti", umur="121"))

    assert look(field).failing == []


def test_records_are_looked_at_page_by_page_and_never_changed(field: Field, tablet: Tablet) -> None:
    field.push(tablet, *(tablet.fill_in(new_id(), nama=f"P{n}", umur="70") for n in range(5)))
    before = {row.instance_id: (row.seq, row.errors, row.updated_at) for row in field.all(Submission)}

    pages, after = [], ""
    while not pages or after:
        page = look(field, after=after, limit=2)
        pages.append(len(page.failing))
        after = page.after

    assert pages == [2, 2, 1]
    assert {row.instance_id: (row.seq, row.errors, row.updated_at) for row in field.all(Submission)} == before


def test_a_number_that_becomes_a_decimal_is_refused_as_odk_central_does(field: Field) -> None:
    changed = xform("2").replace(b'"/data/umur" type="int"', b'"/data/umur" type="decimal"')

    with pytest.raises(publish.FieldTypeConflict) as refusal, Session(field.engine) as session:
        publish.save_draft(session, field.project_id, changed, actor=SYSTEM, now=field.now)

    (fault,) = refusal.value.members["faults"]
    assert (fault["path"], fault["params"]) == ("umur", {"was": "whole number", "becomes": "number"})
