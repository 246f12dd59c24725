"""Reviews of submissions and comments on them, applied.

A review is an operation of kind "review" whose record is the submission's; it sets "state", and "seen", the version
vector of the submission that its author judged. A comment is one of kind "comment" with a record ID of its own; it sets
"submission", "path" and "body"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from sync.ledger import NO_TWINS, Act, Ledger, Record
from sync.merge import Op, Twins, View, covers, fold, with_twins
from sync.rows import COMMENT

SEEN = "seen"
DECISIONS = frozenset({"received", "has_issues", "rejected", "approved"})
NOT_JUDGED = frozenset({SEEN})
"""Paths on which two reviews never clash."""


def seen_by_reviewer(vector: Mapping[str, int]) -> str:
    """What a review says of the version that it judges."""
    return orjson.dumps(dict(vector), option=orjson.OPT_SORT_KEYS).decode()


def decision(reviews: Sequence[Op]) -> Op | None:
    """The review that stands, of all on one submission; None when nobody has decided anything."""
    return fold(reviews, derived=NOT_JUDGED).writers.get("state") if reviews else None


def review_state(written: Iterable[Op], reviews: Sequence[Op], twins: Twins = NO_TWINS) -> str:
    """The state that operations on a submission and on its review come to: of the set, in whatever order they came.

    What was decided stands as long as whoever decided it had seen all that is written."""
    ops = [op for op in written if not op.is_void]
    judged = decision(reviews)
    state = judged.set["state"] if judged is not None else None
    if judged is None or not state:
        return "received" if len(ops) == 1 else "edited"
    # ODK Central's word: whatever had been decided was decided about another version, or in a word of another program.
    return state if state in DECISIONS and _has_judged(judged, ops, twins) else "edited"


def _has_judged(judged: Op, ops: Sequence[Op], twins: Twins) -> bool:
    told = judged.set.get(SEEN)
    if told is None:
        # Its author could not say, and no clock can: it is about the record as it was sent, and about no edit of it.
        return len(ops) == 1
    vector = with_twins(_vector(told), twins)
    return all(covers(vector, op) for op in ops)


def _vector(told: str) -> Mapping[str, int]:
    try:
        vector: Any = orjson.loads(told)
    except orjson.JSONDecodeError:
        return {}
    items = vector.items() if isinstance(vector, dict) else ()
    return {origin: n for origin, n in items if isinstance(n, int)}


def stands(ledger: Ledger, record: Record) -> str:
    """The state of this submission's review."""
    reviews = ledger.record("review", record.record_id).acts
    judged = [act.op for act in reviews if act.state != "held"]
    return review_state((act.op for act in record.ready), judged, record.twins)


def was_approved(ledger: Ledger, instance_id: str) -> bool:
    """Whether somebody has approved the record, and it is not rejected now. Later edits do not matter."""
    ops = ledger.record("review", ledger.root(instance_id)).standing(ledger.head)
    has_been = any(op.set.get("state") == "approved" for op in ops)
    return has_been and fold(ops, derived=NOT_JUDGED).values.get("state") != "rejected"


def settle_review(ledger: Ledger, record: Record) -> View:
    """The submission is in the state that was decided."""
    view = record.folded(derived=NOT_JUDGED)
    row = ledger.submissions[ledger.root(record.record_id)]
    row["review_state"] = stands(ledger, ledger.record("submission", row["instance_id"]))
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
