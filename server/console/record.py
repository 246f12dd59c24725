"""One record: its answers by question, what was noticed, what clashes, what was said, and what to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from server.auth import actor
from server.console.answers import EMPTY_SHEET, Reader, Sheet, sheet
from server.console.attachments import media_kind
from server.console.blueprint import bp
from server.console.findings import Told, told
from server.console.history import Deed, deeds
from server.console.names import Names
from server.console.siblings import Clash, clash
from server.console.submissions import place, query
from server.console.words import language
from server.db import session
from server.headers import CONTENT_SECURITY_POLICY
from server.projects import project
from sync import find, publish
from sync.access import require
from sync.entities import list_rules
from sync.models import (
    Comment,
    Entity,
    EntityList,
    EntityVersion,
    Form,
    Project,
    RemovedBlob,
    Submission,
    SubmissionAttachment,
)

WITH_MEDIA = f"{CONTENT_SECURITY_POLICY}; media-src 'self'"
"""This page alone plays what was recorded."""


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as the page shows it."""

    row: SubmissionAttachment
    kind: str
    """ "image", "audio", "video", "" for a download."""
    is_here: bool
    removed: RemovedBlob | None
    """What is known of it when it was deleted on purpose, after it had come."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that a page says about one record."""

    record: Submission
    form: Form | None
    sheet: Sheet
    findings: Sequence[Told]
    clashes: Sequence[Clash]
    comments: Sequence[Comment]
    files: Mapping[str, File]
    history: Sequence[Deed]
    names: Names
    has_definition: bool
    waiting: list[Entity]
    """Entries of registries that wait for the record's approval."""

    def findings_at(self, path: str) -> list[Told]:
        return [one for one in self.findings if one.row.path == path]

    def comments_at(self, path: str) -> list[Comment]:
        return [one for one in self.comments if one.path == path]

    def clashes_at(self, path: str) -> list[Clash]:
        return [one for one in self.clashes if one.at == path]

    @property
    def open_findings(self) -> list[Told]:
        return [one for one in self.findings if one.is_open]

    @property
    def dismissed(self) -> list[Told]:
        return [one for one in self.findings if not one.is_open]

    @property
    def loose_files(self) -> list[File]:
        """Files that no visible answer names."""
        shown = {line.value.raw for line in self.sheet.lines if line.value.kind == "file"}
        return [file for name, file in self.files.items() if name not in shown]

    @property
    def missing_files(self) -> list[File]:
        return [file for file in self.files.values() if not file.is_here]


@bp.get("/projects/<int:number>/submissions/<path:instance_id>")
def submission(number: int, instance_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "submission.read", found.project_id)
    record = find.submission(session(), found, instance_id, actor=actor())
    at = request.args.get("n", "")
    page = render_template(
        "console/submission.html",
        project=found,
        dossier=dossier(found, record),
        record=record,
        query=query(),
        place=place(found, record, int(at)) if at.isascii() and at.isdigit() and len(at) < 9 else None,
        all=request.args.get("all") == "yes",
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = WITH_MEDIA
    return response


@bp.get("/projects/<int:number>/submissions/<path:instance_id>/xml")
def submission_xml(number: int, instance_id: str) -> ResponseReturnValue:
    """The record as its author wrote it, for those who want to see the bytes."""
    found = project(number)
    require(actor(), "submission.read", found.project_id)
    record = find.submission(session(), found, instance_id, actor=actor())
    response = Response(find.xml(session(), record), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = "attachment; filename=submission.xml"
    return response


def dossier(found: Project, record: Submission) -> Dossier:
    """Everything about the record that the reader may see."""
    names = Names.of(session(), found)
    reader = reader_of(found, record)
    findings = told(reader, find.findings(session(), record), language())
    comments = find.comments(session(), record)
    clashes = [
        clash(row, reader, names, answers=record.answers)
        for row in find.conflicts(session(), found, "submission", record.instance_id)
    ]
    keep = frozenset([one.row.path for one in findings] + [one.path for one in comments] + [one.at for one in clashes])
    with_blanks = request.args.get("all") == "yes"
    return Dossier(
        record=record,
        form=session().get(Form, (record.project_id, record.form_id)),
        sheet=sheet(reader, record.answers, keep=keep, with_blanks=with_blanks) if reader else EMPTY_SHEET,
        findings=findings,
        clashes=clashes,
        comments=comments,
        files=_files(record),
        history=deeds(find.history(session(), record), reader),
        names=names,
        has_definition=reader is not None,
        waiting=_waiting(record) if reader is not None and reader.definition.entities else [],
    )


def _waiting(record: Submission) -> list[Entity]:
    """The entries that devices do not get before this record is approved."""
    lists = session().scalars(select(EntityList).where(EntityList.project_id == record.project_id))
    asking = [one.name for one in lists if list_rules.read(one.settings).needs_approval]
    rows = (
        select(Entity)
        .join(
            EntityVersion,
            (EntityVersion.project_id == Entity.project_id) & (EntityVersion.entity_id == Entity.entity_id),
        )
        .where(
            Entity.project_id == record.project_id,
            Entity.list_name.in_(asking),
            Entity.is_approved.is_(False),
            EntityVersion.version == 1,
            EntityVersion.instance_id == record.instance_id,
        )
        .order_by(Entity.label, Entity.entity_id)
    )
    return list(session().scalars(rows))


def reader_of(found: Project, record: Submission) -> Reader | None:
    """How to read the record's answers; None when its form version is not here."""
    definition = publish.definition(session(), found.project_id, record.form_id, record.version)
    if definition is None:
        return None
    return Reader(definition, language(), _entity_names(found, record.answers), record.answers or {})


def _entity_names(found: Project, answers: object) -> dict[str, str]:
    """The labels of the entities that the answers choose."""
    ids = {text for text in _leaves(answers) if len(text) == 36}
    if not ids:
        return {}
    rows = session().execute(
        select(Entity.entity_id, Entity.label).where(
            Entity.project_id == found.project_id, Entity.entity_id.in_(sorted(ids)[:500])
        )
    )
    return {row[0]: row[1] for row in rows}


def _leaves(answers: object) -> list[str]:
    if isinstance(answers, dict):
        return [leaf for below in answers.values() for leaf in _leaves(below)]
    if isinstance(answers, list):
        return [leaf for below in answers for leaf in _leaves(below)]
    return answers.split() if isinstance(answers, str) else []


def _files(record: Submission) -> dict[str, File]:
    gone = find.removals(session(), record)
    return {
        row.name: File(row, media_kind(row.name), row.arrived_at is not None, gone.get(row.name))
        for row in find.attachments(session(), record)
    }
