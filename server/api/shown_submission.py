"""A submission with the names of the people behind it, as the REST API shows it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from sync.models import Account, Device, Submission

SAME = (
    "instance_id",
    "instance_name",
    "device_id",
    "review_state",
    "version",
    "errors",
    "warnings",
    "conflicts",
    "attachments_missing",
    "received_at",
    "updated_at",
)


def in_rest(session: Session, row: Submission) -> dict[str, Any]:
    """The values of SubmissionSchema. The names are read once for each person: the session remembers them."""
    person = session.get(Account, row.account_id) if row.account_id else None
    device = session.get(Device, (row.project_id, row.device_id)) if row.device_id else None
    names = {
        "submitter_id": person.number if person else device.number if device else None,
        "submitter_name": person.name if person else device.name if device else "",
        "edits": row.revision - 1,
    }
    return {name: getattr(row, name) for name in SAME} | names
