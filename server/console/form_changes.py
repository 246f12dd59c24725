"""What a draft changes, and what it would say to the records that exist."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from forms.finding import Severity
from forms.versions import compare
from server.auth import actor
from server.console.blueprint import bp
from server.console.findings import SENTENCES
from server.db import session
from server.projects import project
from sync import form_list, publish
from sync.access import may, require
from sync.errors import NoSuchVersion
from sync.outlook import outlook

PAGE = 100


@bp.get("/projects/<int:number>/forms/<form_id>/changes")
def form_changes(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.create", found.project_id)
    kept = form_list.form(session(), found, form_id, actor=actor())
    draft = form_list.draft(session(), kept)
    current = form_list.version(session(), kept, kept.version)
    old = publish.definition(session(), found.project_id, form_id, current.version)
    new = publish.compiled(session(), found.project_id, form_id, draft.version, with_draft=True)
    if old is None or new is None:
        raise NoSuchVersion(draft.version)
    changes = compare(old, new.definition)
    sees_records = may(actor(), "submission.list", found.project_id)
    after = request.args.get("after", "")
    records = outlook(session(), found, new, actor=actor(), after=after, limit=PAGE) if sees_records else None
    return render_template(
        "console/form_changes.html",
        project=found,
        form=kept,
        current=current,
        draft=draft,
        touching=[one.as_fault() for one in changes if one.severity is not Severity.INFO],
        others=[one.as_fault() for one in changes if one.severity is Severity.INFO],
        records=records,
        definition=new.definition,
        sentences=SENTENCES,
    )
