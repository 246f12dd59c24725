"""Submissions: listed, read, sent, corrected."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from forms.instance import open_instance
from schemas.submission import SubmissionFilterSchema, SubmissionSchema
from server.api.blueprint import bp, query, shown
from server.api.shown_submission import in_rest
from server.api.verdict import require_shown
from server.auth import actor
from server.clock import now
from server.db import engine, own_transactions, reading, session
from server.openrosa.multipart import whole
from server.projects import project
from server.sender import require_sender, sender
from sync import access, find, form_list, receive, refuse
from sync.models import Form, Project, Submission

SUBMISSIONS = "/projects/<int:number>/forms/<form_id>/submissions"
SUBMISSION = SUBMISSIONS + "/<instance_id>"


@bp.get(SUBMISSIONS)
def list_submissions(number: int, form_id: str) -> ResponseReturnValue:
    found, form = _form(number, form_id, "submission.list")
    asked = query(SubmissionFilterSchema())
    wanted = find.Filter(
        form_id=form.form_id,
        review_state=asked["review_state"] or None,
        limit=asked["limit"],
        offset=asked["offset"],
    )
    rows = find.submissions(session(), found, wanted, actor=actor()).rows
    return shown(SubmissionSchema(), [in_rest(session(), row) for row in rows], many=True)


@bp.get(SUBMISSION)
def show_submission(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    _found, row = submission(number, form_id, instance_id)
    return shown(SubmissionSchema(), in_rest(session(), row))


@bp.get(SUBMISSION + ".xml")
def download_submission(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    """The instance as it stands now; exactly as it was sent while nobody has changed it."""
    _found, row = submission(number, form_id, instance_id)
    return Response(find.xml(session(), row), content_type="application/xml; charset=utf-8")


@bp.post(SUBMISSIONS)
@own_transactions
def create_submission(number: int, form_id: str) -> ResponseReturnValue:
    """The body is the instance. The same instance once more is answered as the first time."""
    found, form = _writable(number, form_id)
    xml = whole(request.stream)
    refuse.new_submission(session(), form, open_instance(xml), xml)
    return _receive(found, form, xml)


@bp.put(SUBMISSION)
@own_transactions
def edit_submission(number: int, form_id: str, instance_id: str) -> ResponseReturnValue:
    """The body is the corrected instance, with an ID of its own and the latest one as its deprecatedID."""
    found, form = _writable(number, form_id)
    row = find.submission(session(), found, instance_id, actor=actor(), form_id=form_id)
    xml = whole(request.stream)
    refuse.edit(session(), form, row, open_instance(xml), xml)
    return _receive(found, form, xml)


def submission(
    number: int, form_id: str, instance_id: str, verb: str = "submission.read"
) -> tuple[Project, Submission]:
    """The submission that an address names, for who may do `verb`."""
    found, form = _form(number, form_id, verb)
    return found, find.submission(session(), found, instance_id, actor=actor(), form_id=form.form_id)


def _form(number: int, form_id: str, verb: str) -> tuple[Project, Form]:
    found = project(number)
    access.require(actor(), verb, found.project_id)
    return found, form_list.form(session(), found, form_id, actor=actor())


def _writable(number: int, form_id: str) -> tuple[Project, Form]:
    found = project(number)
    require_sender(found, "submission.create")
    return found, form_list.form(session(), found, form_id, actor=actor())


def _receive(found: Project, form: Form, xml: bytes) -> Response:
    by, form_id = sender(found, "rest"), form.form_id
    line = receive.receive_submission(engine(), by, xml, [], form_id=form_id, now=now(), reading=session())
    require_shown(line)
    # What has been written is newer than what this request's own session sees.
    with reading() as fresh:
        return shown(
            SubmissionSchema(), in_rest(fresh, fresh.get_one(Submission, (found.project_id, line.instance_id)))
        )
