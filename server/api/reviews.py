"""What people decide and say about a submission, and what the server found in it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from flask import request
from flask.typing import ResponseReturnValue

from schemas.review import CommentSchema, ReviewSchema
from schemas.submission import FindingSchema, HistoryLineSchema, SubmissionSchema
from server.api.blueprint import body, bp, shown
from server.api.shown_submission import in_rest
from server.api.submissions import SUBMISSION, submission
from server.auth import actor
from server.clock import now
from server.db import session
from sync import find, review
from sync.models import Account, Comment


@bp.patch(SUBMISSION)
def review_submission(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    """The review state; the header X-Action-Notes says why, percent-encoded (ODK Central decodes it in audits.js)."""
    _found, row = submission(number, form_id, instance_id, "submission.review")
    state, note = body(ReviewSchema())["review_state"], unquote(request.headers.get("X-Action-Notes", ""))
    review.set_state(session(), row, state, actor=actor(), now=now(), note=note)
    return shown(SubmissionSchema(), in_rest(session(), row))


@bp.get(SUBMISSION + "/comments")
def list_comments(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id)
    return shown(CommentSchema(), [_said(comment) for comment in find.comments(session(), row)], many=True)


@bp.post(SUBMISSION + "/comments")
def create_comment(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id, "comment.create")
    wanted = body(CommentSchema())
    made = review.comment(session(), row, wanted["body"], path=wanted["path"], actor=actor(), now=now())
    return shown(CommentSchema(), _said(made))


@bp.get(SUBMISSION + "/findings")
def list_findings(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    """The rules of the form that its answers do not meet. Ours: ODK Central does not check."""
    _found, row = submission(number, form_id, instance_id)
    return shown(FindingSchema(), find.findings(session(), row), many=True)


@bp.get(SUBMISSION + "/audits")
def list_submission_events(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    """What happened to it, the newest first."""
    _found, row = submission(number, form_id, instance_id)
    return shown(HistoryLineSchema(), find.history(session(), row), many=True)


def _said(comment: Comment) -> dict[str, Any]:
    person = session().get(Account, comment.account_id) if comment.account_id else None
    return {
        "comment_id": comment.comment_id,
        "body": comment.body,
        "path": comment.path,
        "actor_id": person.number if person else None,
        "actor_name": person.name if person else "",
        "created_at": comment.created_at,
    }
