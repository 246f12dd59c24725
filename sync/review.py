"""Review: deciding on records, commenting, dismissing findings, settling conflicts.

Decisions and comments are operations, so that they reach devices and other servers like everything else; each also
stands in the audit log. A dismissed finding is only kept here: findings are made anew by every server."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import func, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from forms.finding import Severity
from forms.flat import is_mark
from sync import access, author
from sync.access import Actor
from sync.apply_reviews import SEEN, seen_by_reviewer
from sync.errors import NoReason, NoSuchConflict, NoSuchFinding, NoSuchMove, StaleEdit
from sync.identity import uuid7
from sync.lock import lock_project
from sync.merge import is_whole
from sync.models import Assignment, Comment, Conflict, Entity, Operation, Project, Submission, SubmissionFinding
from sync.namesakes import is_file
from sync.record import record

RECEIVED, EDITED, HAS_ISSUES, REJECTED, APPROVED = "received", "edited", "has_issues", "rejected", "approved"

MOVES: Mapping[str, frozenset[str]] = {
    RECEIVED: frozenset({HAS_ISSUES, REJECTED, APPROVED}),
    EDITED: frozenset({RECEIVED, HAS_ISSUES, REJECTED, APPROVED}),
    HAS_ISSUES: frozenset({RECEIVED, HAS_ISSUES, REJECTED, APPROVED}),
    REJECTED: frozenset({RECEIVED, HAS_ISSUES, REJECTED, APPROVED}),
    APPROVED: frozenset({RECEIVED, HAS_ISSUES, REJECTED}),
}
"""Where people may move a review from each state. Only a later edit of the record makes it "edited"."""

ACTIONS: Mapping[str, str] = {
    RECEIVED: "submission.receive",
    HAS_ISSUES: "submission.return",
    REJECTED: "submission.reject",
    APPROVED: "submission.approve",
}

KEEP, DELETE = "keep", "delete"
"""The values that settle an edit against a delete."""

LONGEST_BODY = 10_000

Shown: TypeAlias = Submission | Entity | Assignment
"""What a conflict can be about."""


def set_state(
    session: Session,
    submission: Submission,
    state: str,
    *,
    actor: Actor,
    now: datetime,
    note: str = "",
    revision: int | None = None,
) -> None:
    """The review is in this state; the same state again with no note changes nothing.

    `revision` is the one that the reviewer had before the eyes, None whichever stands now: nobody approves an edit
    that came while the page was open.

    Open conflicts and findings do not stand in the way of an approval: the page warns, and a later answer to the
    conflict is an edit, which opens the review again. Refuses NotAllowed, NoSuchMove, StaleEdit."""
    access.require(actor, "submission.review", submission.project_id)
    lock_project(session, submission.project_id)
    session.refresh(submission)
    if revision not in (None, submission.revision):
        raise StaleEdit
    before, note = submission.review_state, note.strip()[:LONGEST_BODY]
    if state == before and not note:
        return
    if state not in MOVES[before]:
        raise NoSuchMove(f"{before} → {state}", before=before, state=state)
    written = author.write(
        session,
        session.get_one(Project, submission.project_id),
        kind="review",
        record_id=submission.instance_id,
        changes={"state": state, "note": note or None, SEEN: seen_by_reviewer(submission.vector)},
        actor=actor,
        now=now,
        form_id=submission.form_id,
    )
    session.refresh(submission)
    detail = {"before": before, "state": state} | ({"note": note} if note else {})
    _note(session, ACTIONS[state], submission, written, actor=actor, now=now, detail=detail)


def approve(session: Session, submission: Submission, *, actor: Actor, now: datetime, note: str = "") -> None:
    """The record counts in exports and indicators until somebody edits it."""
    set_state(session, submission, APPROVED, actor=actor, now=now, note=note)


def reject(session: Session, submission: Submission, *, actor: Actor, now: datetime, note: str = "") -> None:
    """The record stays, but does not count."""
    set_state(session, submission, REJECTED, actor=actor, now=now, note=note)


def return_(session: Session, submission: Submission, *, actor: Actor, now: datetime, note: str = "") -> None:
    """The record goes back to the enumerator's device, with the note and its comments."""
    set_state(session, submission, HAS_ISSUES, actor=actor, now=now, note=note)


def comment(
    session: Session, submission: Submission, body: str, *, path: str = "", actor: Actor, now: datetime
) -> Comment:
    """Words about the record, or about the question at `path`. Refuses NotAllowed, NoReason when there are none."""
    access.require(actor, "comment.create", submission.project_id)
    words = body.strip()[:LONGEST_BODY]
    if not words:
        raise NoReason(field="body")
    comment_id = uuid7()
    written = author.write(
        session,
        session.get_one(Project, submission.project_id),
        kind="comment",
        record_id=comment_id,
        changes={"submission": submission.instance_id, "path": path[:255] or None, "body": words},
        actor=actor,
        now=now,
        form_id=submission.form_id,
    )
    detail = {"path": path, "body": words}
    _note(session, "comment.create", submission, written, actor=actor, now=now, detail=detail)
    return session.get_one(Comment, (submission.project_id, comment_id))


def dismiss(session: Session, finding: SubmissionFinding, note: str, *, actor: Actor, now: datetime) -> None:
    """The finding no longer counts as open, for this reason. Refuses NotAllowed, NoReason, NoSuchFinding."""
    if not note.strip():
        raise NoReason(field="note")
    _judge_finding(session, finding, "dismissed", note.strip()[:LONGEST_BODY], actor=actor, now=now)


def reopen(session: Session, finding: SubmissionFinding, *, actor: Actor, now: datetime) -> None:
    """The finding counts as open again."""
    _judge_finding(session, finding, "open", "", actor=actor, now=now)


def resolve(
    session: Session,
    conflict: Conflict,
    value: str | None,
    *,
    sides: Collection[str] | None = None,
    actor: Actor,
    now: datetime,
) -> None:
    """The path holds `value` (None clears it) and the conflict is closed: its siblings stay in the history.

    An operation whose author has seen all of them; what somebody wrote without seeing it opens the conflict again.
    For an edit against a delete (of the record, path "", or of an entry of a repeat) the value is KEEP or
    DELETE. `sides` are the operations that the author had before the eyes, None all that there are. Refuses NotAllowed,
    StaleEdit when there are others by now, and NoSuchConflict when somebody settled it meanwhile or the value settles
    nothing."""
    access.require(actor, "conflict.resolve", conflict.project_id)
    if is_whole(conflict.path) and value not in (KEEP, DELETE):
        raise NoSuchConflict
    lock_project(session, conflict.project_id)
    try:
        session.refresh(conflict)
    except InvalidRequestError:
        raise NoSuchConflict from None
    if sides is not None and set(sides) != {side.get("op") for side in conflict.siblings}:
        raise StaleEdit
    shown = _shown(session, conflict)
    is_delete = not conflict.path and value == DELETE
    written = author.write(
        session,
        session.get_one(Project, conflict.project_id),
        kind=conflict.kind,
        record_id=conflict.record_id,
        changes=_settling(conflict, value),
        attachments=_chosen_file(conflict, value),
        is_delete=is_delete,
        actor=actor,
        now=now,
        form_id=_form_of(shown),
        version=shown.version if isinstance(shown, Submission) else "",
        context={str(origin): int(n) for origin, n in shown.vector.items()},
    )
    detail = {"path": conflict.path, "value": value, "siblings": [side.get("op") for side in conflict.siblings]}
    session.expunge(conflict)
    session.refresh(shown)
    _note(session, "conflict.resolve", shown, written, actor=actor, now=now, detail=detail)


def keep_shown(session: Session, conflict: Conflict, *, actor: Actor, now: datetime) -> None:
    """The conflict is closed by the value that is shown. Refuses as `resolve` does."""
    value = conflict.siblings[0].get("value") if conflict.siblings else None
    resolve(session, conflict, KEEP if is_whole(conflict.path) else value, actor=actor, now=now)


def _chosen_file(conflict: Conflict, value: str | None) -> list[dict[str, Any]]:
    """Of two files with one name, that with this hash is announced once more, by one who has seen both."""
    if not is_file(conflict.path):
        return []
    found = [side["file"] for side in conflict.siblings if side.get("value") == value]
    if not found:
        raise NoSuchConflict
    return found[:1]


def _settling(conflict: Conflict, value: str | None) -> dict[str, str | None]:
    if is_file(conflict.path):
        return {}
    if not is_whole(conflict.path):
        return {conflict.path: value}
    if not conflict.path:
        return {}
    inside = {path for side in conflict.siblings for path in side["changes"] if is_mark(path)}
    stays = conflict.base or "1"
    return dict.fromkeys([conflict.path, *sorted(inside)], stays if value == KEEP else None)


def _shown(session: Session, conflict: Conflict) -> Shown:
    key = (conflict.project_id, conflict.record_id)
    shown: Shown | None
    if conflict.kind == "entity":
        shown = session.get(Entity, key, populate_existing=True)
    elif conflict.kind == "assignment":
        shown = session.get(Assignment, key, populate_existing=True)
    else:
        shown = session.get(Submission, key, populate_existing=True)
    if shown is None:
        raise NoSuchConflict
    return shown


def _form_of(shown: Shown) -> str:
    """As its operations name the form: of an entity that is the list; an assignment says it among its values."""
    if isinstance(shown, Entity):
        return shown.list_name
    return shown.form_id if isinstance(shown, Submission) else ""


def _target_of(shown: Shown) -> tuple[str, str]:
    if isinstance(shown, Entity):
        return "entity", shown.entity_id
    return ("submission", shown.instance_id) if isinstance(shown, Submission) else ("assignment", shown.assignment_id)


def _judge_finding(
    session: Session, finding: SubmissionFinding, state: str, note: str, *, actor: Actor, now: datetime
) -> None:
    access.require(actor, "finding.dismiss", finding.project_id)
    lock_project(session, finding.project_id)
    try:
        session.refresh(finding)
    except InvalidRequestError:
        raise NoSuchFinding from None
    finding.state, finding.note = state, note
    finding.account_id, finding.reviewed_at = actor.account_id, now
    session.flush()
    submission = session.get_one(Submission, (finding.project_id, finding.instance_id), populate_existing=True)
    submission.errors = _open(session, submission, Severity.ERROR)
    submission.warnings = _open(session, submission, Severity.WARNING)
    session.flush()
    detail = {"rule": finding.rule, "path": finding.path, "value": finding.value, "note": note}
    action = "finding.dismiss" if state == "dismissed" else "finding.reopen"
    _note(session, action, submission, None, actor=actor, now=now, detail=detail)


def _open(session: Session, submission: Submission, severity: Severity) -> int:
    count = session.scalar(
        select(func.count()).where(
            SubmissionFinding.project_id == submission.project_id,
            SubmissionFinding.instance_id == submission.instance_id,
            SubmissionFinding.severity == severity.value,
            SubmissionFinding.state == "open",
        )
    )
    return count or 0


def _note(
    session: Session,
    action: str,
    target: Shown,
    written: Operation | None,
    *,
    actor: Actor,
    now: datetime,
    detail: dict[str, Any],
) -> None:
    told = detail | ({"op": written.op_id} if written is not None else {})
    record(session, action, actor=actor, at=now, project_id=target.project_id, target=_target_of(target), detail=told)
