"""Reviews of submissions and comments on them, applied.

A review is an operation of kind "review" whose record is the submission's; it sets "state". A comment is one of kind
"comment" with a record ID of its own; it sets "submission", "path" and "body"."""

from __future__ import annotations

from sync.ledger import Act, Ledger, Record
from sync.merge import View
from sync.rows import COMMENT


def settle_review(ledger: Ledger, record: Record, act: Act) -> View:
    """The submission is in the state that was decided last."""
    view = record.folded()
    row = ledger.submissions[ledger.root(record.record_id)]
    state = view.values.get("state")
    if state and "state" in act.row["changes"]:
        row["review_state"] = state
    _touch(ledger, row["instance_id"])
    return view


def settle_comment(ledger: Ledger, record: Record, act: Act) -> View:
    """The comment stands under its submission."""
    view = record.folded()
    instance_id = ledger.root(str(view.values["submission"]))
    if len(record.ready) == 1:
        ledger.inserts[COMMENT].append(
            {
                "project_id": ledger.project_id,
                "comment_id": record.record_id[:64],
                "instance_id": instance_id,
                "path": (view.values.get("path") or "")[:255],
                "body": view.values.get("body") or "",
                "account_id": act.row["account_id"],
                "created_at": act.row["received_at"],
            }
        )
    _touch(ledger, instance_id)
    return view


def _touch(ledger: Ledger, instance_id: str) -> None:
    row = ledger.submissions[instance_id]
    row["seq"], row["updated_at"] = ledger.head, ledger.now
    ledger.touched.add(instance_id)
