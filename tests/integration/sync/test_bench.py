"""The bench of the doors prepares what it measures; nobody else would notice that it has fallen behind."""

from __future__ import annotations

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from sync.engine import in_transaction
from sync.models import Device, Form
from tests.bench import doors


def test_the_bench_prepares_a_form_and_its_devices(engine: Engine) -> None:
    tokens, _collect = in_transaction(engine, lambda session: doors.prepare(session, "b" * 64))

    with Session(engine) as session:
        assert session.scalars(select(Form.form_id)).all() == ["questionnaire"]
        assert session.scalar(select(func.count()).select_from(Device)) == len(tokens) + 1
