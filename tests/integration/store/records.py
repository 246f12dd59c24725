"""Records laid straight into the tables, for what only reads them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlalchemy.orm import Session

from sync.engine import in_transaction
from sync.models import Form, Submission

FORM = "wawancara"


def add_form(session: Session, project_id: str, now: datetime, form_id: str = FORM) -> None:
    session.add(
        Form(
            project_id=project_id,
            form_id=form_id,
            title=form_id.capitalize(),
            state="open",
            version="1",
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()


def row(project_id: str, number: int, now: datetime, **columns: Any) -> dict[str, Any]:
    """The `number`th record, received so many seconds after `now`."""
    at = now + timedelta(seconds=number)
    return {
        "project_id": project_id,
        "instance_id": f"uuid:{number:06}",
        "form_id": FORM,
        "version": "1",
        "instance_name": f"INF-{number:02}",
        "answers": {},
        "op_id": f"op-{number}",
        "vector": {},
        "revision": 1,
        "review_state": "received",
        "is_deleted": False,
        "account_id": None,
        "device_id": None,
        "received_at": at,
        "updated_at": at,
        "errors": 0,
        "warnings": 0,
        "conflicts": 0,
        "attachments_missing": 0,
        "seq": number,
    } | columns


def add_records(engine: Engine, project_id: str, now: datetime, rows: list[dict[str, Any]]) -> None:
    """A form and these records of it."""

    def add(session: Session) -> None:
        add_form(session, project_id, now)
        session.execute(insert(Submission), rows)

    in_transaction(engine, add)
