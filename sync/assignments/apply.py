"""Assignments, applied: an operation of kind "assignment" on a record of its own.

It sets "form", "assignee", "entity", "due", "target", "note" and "state". Two supervisors who wrote different things
without seeing each other have a conflict as with any record: which day the informant expects somebody is not for a
clock to decide. Until one of them settles it, the device is told one of the two."""

from __future__ import annotations

import re
from datetime import date

from sync.clashes import lay_clashes, made_at
from sync.ledger import Act, Ledger, Record
from sync.merge import View
from sync.rows import ASSIGNMENT

OPEN, WITHDRAWN = "open", "withdrawn"
MOST_RECORDS = 10_000


def settle_assignment(ledger: Ledger, record: Record) -> View:
    """The assignment stands as its operations say."""
    view = record.folded()
    first = min(record.ready, key=lambda act: (made_at(act.op, act.row["received_at"]), act.op_id))
    said = {path: value or "" for path, value in view.values.items()}
    row = {
        "project_id": ledger.project_id,
        "assignment_id": record.record_id[:64],
        "form_id": said.get("form", "")[:255],
        "assignee_id": said.get("assignee", "")[:64],
        "entity_id": said.get("entity", "")[:64],
        "due": day_of(said.get("due", "")),
        "target": number_of(said.get("target", "")) or 1,
        "note": said.get("note", ""),
        "state": WITHDRAWN if view.is_deleted or said.get("state") == WITHDRAWN else OPEN,
        "account_id": first.row["account_id"],
        "assigned_at": made_at(first.op, first.row["received_at"]),
        "vector": dict(view.vector),
        "op_id": _shown(view, first),
        "conflicts": len(view.clashes),
        "updated_at": ledger.now,
        "seq": ledger.head,
    }
    waiting = ledger.inserts[ASSIGNMENT]
    waiting[:] = [other for other in waiting if other["assignment_id"] != row["assignment_id"]]
    waiting.append(row)
    if len(record.acts) > 1:
        ledger.cleared[ASSIGNMENT].add((record.kind, row["assignment_id"]))
    lay_clashes(ledger, record, view)
    return view


def day_of(text: str) -> str:
    """A day as YYYY-MM-DD, "" for anything else."""
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else ""
    except ValueError:
        return ""


def number_of(text: str) -> int | None:
    """How many records are wanted, from 1 to MOST_RECORDS; None for anything else."""
    number = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    return number if 1 <= number <= MOST_RECORDS else None


def _shown(view: View, first: Act) -> str:
    return view.shown.op_id if view.shown is not None else first.op_id
