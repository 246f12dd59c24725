"""What the draft of a form changes, and which records it would find something in."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from forms.versions import compare
from schemas.form import FormChangesSchema, FormOutlookQuerySchema, FormOutlookSchema
from server.api.blueprint import bp, query, shown
from server.auth import actor
from server.db import session
from server.projects import project
from sync import access, form_list, publish
from sync.errors import NoSuchVersion
from sync.models import FormVersion
from sync.outlook import outlook


@bp.get("/projects/<int:number>/forms/<form_id>/draft/changes")
def show_changes(number: int, form_id: str) -> ResponseReturnValue:
    """Beside the version that is in use."""
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    draft = _draft(number, form_id)
    kept = form_list.form(session(), found, form_id, actor=actor())
    old = publish.definition(session(), found.project_id, form_id, kept.version or "")
    new = publish.definition(session(), found.project_id, form_id, draft.version, with_draft=True)
    if old is None or new is None:
        raise NoSuchVersion(kept.version or "")
    changes = [change.as_fault() for change in compare(old, new)]
    return shown(FormChangesSchema(), {"old": old.version, "new": new.version, "changes": changes})


@bp.get("/projects/<int:number>/forms/<form_id>/draft/outlook")
def show_outlook(number: int, form_id: str) -> ResponseReturnValue:
    """One page of records, judged by the draft; ask again with `after` until it is ""."""
    found = project(number)
    access.require(actor(), "form.read", found.project_id)
    draft, wanted = _draft(number, form_id), query(FormOutlookQuerySchema())
    new = publish.compiled(session(), found.project_id, form_id, draft.version, with_draft=True)
    if new is None:
        raise NoSuchVersion(draft.version)
    return shown(FormOutlookSchema(), outlook(session(), found, new, actor=actor(), **wanted))


def _draft(number: int, form_id: str) -> FormVersion:
    return form_list.draft(session(), form_list.form(session(), project(number), form_id, actor=actor()))
