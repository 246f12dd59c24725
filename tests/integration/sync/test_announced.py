"""What a device is asked for: each file once, and found among many by an index of those that wait."""

from __future__ import annotations

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from sync import announced
from sync.engine import in_transaction
from sync.models import Blob, Device, SubmissionAttachment
from tests.integration.sync.field import Field, Tablet, instance, new_id

MANY = 5000


@pytest.mark.parametrize("has_looked", [True, False])
def test_a_pull_finds_what_waits_by_an_index(field: Field, tablet: Tablet, has_looked: bool) -> None:
    record, photo = new_id(), "a" * 64
    files = [{"name": "rumah.jpg", "sha256": photo, "size": 5}]
    field.push(tablet, tablet.op(record, xml=instance(record, foto="rumah.jpg"), attachments=files))
    _arrived(field, record)
    if has_looked or field.engine.dialect.name == "postgresql":  # which looks by itself
        with field.engine.connect() as connection:
            connection.execute(text("ANALYZE"))
            connection.commit()
    with Session(field.engine) as session:
        device = session.get_one(Device, (field.project_id, tablet.device_id))
        question = announced.lacking(device).compile(field.engine, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if field.engine.dialect.name == "sqlite" else "EXPLAIN"
        plan = "\n".join(str(row[-1]) for row in session.execute(text(f"{explain} {question}".replace(":", r"\:"))))

        assert "ix_submission_attachment_waiting" in plan
        assert announced.needed(session, device) == [photo]
        assert session.scalar(select(func.count()).select_from(SubmissionAttachment)) == MANY + 1


def _arrived(field: Field, record: str) -> None:
    """Many files have arrived already."""
    shared = {"project_id": field.project_id, "instance_id": record, "arrived_at": field.now, "is_expected": False}
    rows = [shared | {"name": f"{number}.jpg", "sha256": f"{number:064x}"} for number in range(MANY)]
    in_transaction(field.engine, lambda session: session.execute(insert(SubmissionAttachment), rows))


def test_one_photo_of_several_records_comes_once(field: Field, tablet: Tablet) -> None:
    photo = "a" * 64
    files = [{"name": "rumah.jpg", "sha256": photo, "size": 5}]
    records = [new_id() for _ in range(3)]
    ops = [tablet.op(one, xml=instance(one, foto="rumah.jpg"), attachments=files) for one in records]

    first = field.push(tablet, *ops[:2]).lines
    asked = _needed(field, tablet)
    field.arrive(photo)
    later = field.push(tablet, ops[2]).lines

    assert [line.missing for line in (*first, *later)] == [(photo,), (photo,), ()]
    assert (asked, _needed(field, tablet)) == ([photo], [])
    assert [field.shown(one).attachments_missing for one in records] == [0, 0, 0]
    assert len(field.all(Blob)) == 1


def _needed(field: Field, tablet: Tablet) -> list[str]:
    with Session(field.engine) as session:
        return announced.needed(session, session.get_one(Device, (field.project_id, tablet.device_id)))
