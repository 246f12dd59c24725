"""A submission with the names of the people behind it, as the REST API shows it."""

from __future__ import annotations

from dataclasses import dataclass
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
    by = submitter(session, row.project_id, row.account_id, row.device_id)
    names = {"submitter_id": by.number, "submitter_name": by.name, "edits": row.revision - 1}
    return {name: getattr(row, name) for name in SAME} | names


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who wrote something, by the number and the name that they have here."""

    number: int
    name: str


def submitter(session: Session, project_id: str, account_id: str | None, device_id: str | None) -> Submitter:
    """The person; else the device. The session remembers whom it has read."""
    by: Account | Device | None = session.get(Account, account_id) if account_id else None
    if by is None and device_id:
        by = session.get(Device, (project_id, device_id))
    # Whoever works at another server has no number here, and clients of ODK Central refuse a list where one is missing.
    return Submitter(by.number, by.name) if by is not None else Submitter(0, "")
