"""What happened to a record, told from its operations, comments and the audit log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from sync import removed
from sync.models import Comment, Event, Operation, RemovedBlob, Submission
from sync.operations import names_of

LATER: Mapping[str, str] = {"merged": "merged", "conflict": "conflict"}
REVIEWS: Mapping[str, str] = {
    "received": "submission.receive",
    "has_issues": "submission.return",
    "rejected": "submission.reject",
    "approved": "submission.approve",
}


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """`what` is an action such as "submission.create", "submission.edit", "merged", "conflict", "held",
    "submission.approve", "comment.create", "finding.dismiss", "attachment.delete"; `detail` has paths, state, note,
    body, files, those of them that were removed since, and the rule by which, as they apply."""

    at: datetime
    who: str
    what: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    op_id: str = ""


def versions(session: Session, found: Submission) -> list[Operation]:
    """All that was written on the record itself, held or not, the oldest first."""
    return list(
        session.scalars(
            select(Operation)
            .where(
                Operation.project_id == found.project_id,
                Operation.kind == "submission",
                Operation.record_id == found.instance_id,
            )
            .order_by(Operation.received_at, Operation.seq, Operation.op_id)
        )
    )


def history(session: Session, found: Submission) -> list[HistoryLine]:
    """The newest first. An event that tells of an operation makes one line with it."""
    written = _operations(session, found)
    told = {str(event.detail.get("op") or event.event_id): event for event in _events(session, found)}
    names = names_of(session, found.project_id, written)
    gone = removed.among(session, found.project_id, [one["sha256"] for act in written for one in act.attachments])
    first = next((one.op_id for one in written if one.kind == "submission"), "")
    lines = [_line(one, told.pop(one.op_id, None), names, gone, is_first=one.op_id == first) for one in written]
    lines += _removals(written, gone)
    lines += [HistoryLine(one.at, one.actor_name, one.action, dict(one.detail)) for one in told.values()]
    return sorted(lines, key=lambda line: line.at, reverse=True)


def _operations(session: Session, found: Submission) -> list[Operation]:
    mine = select(Comment.comment_id).where(
        Comment.project_id == found.project_id, Comment.instance_id == found.instance_id
    )
    on_record = Operation.kind.in_(("submission", "review")) & (Operation.record_id == found.instance_id)
    in_words = (Operation.kind == "comment") & Operation.record_id.in_(mine)
    return list(
        session.scalars(
            select(Operation)
            .where(Operation.project_id == found.project_id, or_(on_record, in_words))
            .order_by(Operation.received_at, Operation.seq, Operation.op_id)
        )
    )


def _events(session: Session, found: Submission) -> list[Event]:
    return list(
        session.scalars(
            select(Event).where(
                Event.project_id == found.project_id,
                Event.target_id == found.instance_id,
                Event.target_kind == "submission",
            )
        )
    )


def _removals(written: Iterable[Operation], gone: Mapping[str, RemovedBlob]) -> Iterator[HistoryLine]:
    """When files of the record were deleted, and by which rule."""
    named: dict[tuple[datetime, str], dict[str, None]] = defaultdict(dict)
    for file in (file for one in written for file in one.attachments if file["sha256"] in gone):
        row = gone[file["sha256"]]
        named[row.removed_at, row.rule][str(file["name"])] = None
    for (at, rule), files in named.items():
        yield HistoryLine(at, "", "attachment.delete", {"files": list(files), "removed": list(files), "rule": rule})


def _line(
    one: Operation,
    event: Event | None,
    names: Mapping[str, str],
    gone: Mapping[str, RemovedBlob],
    *,
    is_first: bool,
) -> HistoryLine:
    who = names.get(one.account_id or "") or names.get(one.device_id or "") or (event.actor_name if event else "")
    detail = _detail(one, gone) | (dict(event.detail) if event is not None else {})
    what = event.action if event is not None else _what(one, is_first=is_first)
    return HistoryLine(one.received_at, who, what, detail, one.op_id)


def _what(one: Operation, *, is_first: bool) -> str:
    if one.kind == "comment":
        return "comment.create"
    if one.kind == "review":
        return REVIEWS.get(str(one.changes.get("state")), "submission.review")
    if one.state == "held":
        return "held"
    if one.is_delete:
        return "submission.delete"
    return "submission.create" if is_first else LATER.get(one.verdict, "submission.edit")


def _detail(one: Operation, gone: Mapping[str, RemovedBlob]) -> dict[str, Any]:
    if one.kind in ("comment", "review"):
        return {key: value for key, value in one.changes.items() if value and key not in ("submission", "seen")}
    detail: dict[str, Any] = {"paths": sorted(one.changes), "version": one.version, "verdict": one.verdict}
    if one.attachments:
        detail["files"] = [str(file["name"]) for file in one.attachments]
    if without := [str(file["name"]) for file in one.attachments if file["sha256"] in gone]:
        detail["removed"] = without
    return detail | ({"why": one.why} if one.why else {})
