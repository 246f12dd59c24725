"""What a supervisor does with a record: decide, comment, dismiss a finding, settle a conflict."""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.submissions import query
from server.db import session
from server.projects import project
from sync import find, review
from sync.access import require
from sync.errors import NoSuchConflict, NoSuchFinding, StaleEdit
from sync.merge import is_whole
from sync.models import Conflict, Project, Submission, SubmissionFinding


@bp.post("/projects/<int:number>/submissions/<path:instance_id>/review")
def review_submission(number: int, instance_id: str) -> ResponseReturnValue:
    found, record = _record(number, instance_id)
    state, note = request.form.get("decision", ""), request.form.get("note", "").strip()
    seen = request.form.get("revision", type=int)
    try:
        review.set_state(session(), record, state, actor=actor(), now=now(), note=note, revision=seen)
        flash(_done(state), "good")
    except StaleEdit:
        flash(gettext("The record was changed while you had it open. Look at it again, then decide."), "warn")
        if note:
            flash(gettext("Your note was: %(note)s", note=note), "info")
    return _back(found, record)


@bp.post("/projects/<int:number>/submissions/<path:instance_id>/comments")
def comment_on_submission(number: int, instance_id: str) -> ResponseReturnValue:
    found, record = _record(number, instance_id)
    path, body = request.form.get("path", ""), request.form.get("body", "").strip()
    if body:
        review.comment(session(), record, body, path=path, actor=actor(), now=now())
        flash(gettext("Your comment is kept."), "good")
    return _back(found, record, f"q-{path}" if path else "comments")


@bp.post("/projects/<int:number>/submissions/<path:instance_id>/findings")
def dismiss_finding(number: int, instance_id: str) -> ResponseReturnValue:
    found, record = _record(number, instance_id)
    position = request.form.get("position", 0, type=int)
    key = (record.project_id, record.instance_id, request.form.get("rule", ""), request.form.get("path", ""), position)
    finding = session().get(SubmissionFinding, key)
    if finding is None:
        raise NoSuchFinding
    review.dismiss(session(), finding, request.form.get("note", "").strip(), actor=actor(), now=now())
    flash(gettext("The finding is dismissed; the reason is kept with the record."), "good")
    return _back(found, record, "findings")


@bp.post("/projects/<int:number>/submissions/<path:instance_id>/conflicts")
def resolve_submission_conflict(number: int, instance_id: str) -> ResponseReturnValue:
    found, record = _record(number, instance_id)
    resolve(found, "submission", record.instance_id)
    return _back(found, record, "conflicts")


def resolve(found: Project, kind: str, record_id: str) -> None:
    """Settle the conflict that this request's form names, with the value that it chooses or types."""
    conflict = session().get(Conflict, (found.project_id, kind, record_id, request.form.get("path", "")))
    if conflict is None:
        raise NoSuchConflict
    sides = request.form["sides"].split() if "sides" in request.form else None
    try:
        review.resolve(session(), conflict, _chosen(conflict), sides=sides, actor=actor(), now=now())
        flash(gettext("The conflict is resolved. Both values stay in the history."), "good")
    except StaleEdit:
        flash(gettext("Another value has come since you opened the page. Look at all of them, then choose."), "warn")


def _chosen(conflict: Conflict) -> str | None:
    choice = request.form.get("choice", "")
    if is_whole(conflict.path):
        return choice
    if choice == "other":
        return request.form.get("value", "").strip() or None
    for side in conflict.siblings:
        if side.get("op") == choice:
            return None if side.get("value") is None else str(side["value"])
    raise NoSuchConflict


def _record(number: int, instance_id: str) -> tuple[Project, Submission]:
    found = project(number)
    require(actor(), "submission.read", found.project_id)
    return found, find.submission(session(), found, instance_id, actor=actor())


def _done(state: str) -> str:
    words = {
        "approved": gettext("Approved. The record now counts in exports and indicators."),
        "has_issues": gettext("Returned. The enumerator gets it back with your comments at the next sync."),
        "rejected": gettext("Rejected. The record stays here but does not count."),
        "received": gettext("Put back to be reviewed."),
    }
    return str(words.get(state, ""))


def _back(found: Project, record: Submission, anchor: str = "") -> ResponseReturnValue:
    position = request.form.get("n", "")
    there = url_for(
        "console.submission",
        number=found.number,
        instance_id=record.instance_id,
        n=position if position.isdigit() else None,
        _anchor=anchor or None,
        **query(),  # type: ignore[arg-type]  # the filter's own keys, none of which url_for takes for itself
    )
    return redirect(there, 303)
