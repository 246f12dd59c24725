"""Out of the quarantine: as a new operation that can surface, and never overwrite."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import release
from sync.access import NotAllowed
from sync.engine import in_transaction
from sync.errors import NoReason
from sync.models import Form, InboxItem
from tests.integration.sync.field import Field, Tablet, new_id, xform


def released(field: Field) -> Any:
    def act(session: Session) -> str:
        item = session.scalars(select(InboxItem)).one()
        return release.release(session, item, actor=field.supervisor, now=field.now)

    return in_transaction(field.engine, act)


def test_what_a_revoked_device_sent_is_released_as_a_new_operation(field: Field, tablet: Tablet) -> None:
    record = new_id()
    op = tablet.fill_in(record, nama="Siti")
    field.push(tablet, op, is_revoked=True)

    op_id = released(field)

    made = field.operation(op_id)
    assert (made.cause_id, made.device_id, made.rank, made.state) == (op["op"], "d-siti", 0, "ready")
    assert field.answers(record) == {"nama": "Siti"}
    assert field.all(InboxItem)[0].state == "released"


def test_a_release_never_overwrites_what_happened_since(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.fill_in(record, nama="Siti", umur="41"))
    seen = field.shown(record).vector
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "42"}), is_revoked=True)
    field.push(tablet, tablet.op(record, context=seen, set={"umur": "43"}))

    released(field)

    assert sorted(str(value) for value in field.conflicts(record)["umur"]) == ["42", "43"]


def test_a_form_must_be_known_before_its_submissions_are_released(field: Field, tablet: Tablet) -> None:
    record = new_id()
    field.push(tablet, tablet.op(record, form="lain", set={"nama": "Siti"}))

    with pytest.raises(release.StillInQuarantine):
        released(field)
    field.publish(xform(form_id="lain"))
    released(field)

    assert field.answers(record) == {"nama": "Siti"}


def test_a_closed_form_is_opened_before_its_submissions_are_released(field: Field, tablet: Tablet) -> None:
    def set_state(state: str) -> None:
        def act(session: Session) -> None:
            session.scalars(select(Form)).one().state = state

        in_transaction(field.engine, act)

    record = new_id()
    set_state("closed")
    field.push(tablet, tablet.fill_in(record, nama="Siti"))
    (item,) = field.all(InboxItem)

    set_state("open")
    released(field)

    assert item.why == "form_closed"
    assert field.answers(record) == {"nama": "Siti"}


def test_what_cannot_be_read_is_discarded_with_a_reason_and_its_bytes_stay(field: Field, tablet: Tablet) -> None:
    field.push(tablet, b"{not json")

    def discard(session: Session, note: str) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.discard(session, item, note=note, actor=field.supervisor, now=field.now)

    with pytest.raises(NoReason):
        in_transaction(field.engine, lambda session: discard(session, " "))
    in_transaction(field.engine, lambda session: discard(session, "percobaan"))

    (item,) = field.all(InboxItem)
    assert (item.state, item.raw) == ("discarded", b"{not json")


def test_only_who_may_releases(field: Field, tablet: Tablet) -> None:
    field.push(tablet, b"{not json")

    def act(session: Session) -> None:
        item = session.scalars(select(InboxItem)).one()
        release.release(session, item, actor=field.sender(tablet).actor, now=field.now)

    with pytest.raises(NotAllowed):
        in_transaction(field.engine, act)
