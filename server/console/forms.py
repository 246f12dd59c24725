"""Forms: the list, one form with its draft and its versions, uploading, publishing, opening and closing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage

from forms.errors import Kind, Problem
from forms.fault import as_kept, warnings_among
from forms.form_file import read_form_file
from forms.paper.words import code_of, languages_of
from server.api.form_files import workbook, xform
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.names import Names
from server.db import own_transactions, session, writing
from server.files import send_blob
from server.paper_response import send_paper
from server.problems import STATUS, InvalidRequest, fault_of
from server.projects import project
from server.services import services
from sync import attach, form_list, peers, publish
from sync.access import require
from sync.errors import NoSuchAttachment, NoSuchVersion
from sync.models import Form, FormVersion, Project, Submission

STATES: Mapping[str, tuple[str, str]] = {
    "open": (lazy_gettext("Open"), lazy_gettext("Devices get it and may send.")),
    "closing": (lazy_gettext("Closing"), lazy_gettext("Devices get it no more; what is filled in may still be sent.")),
    "closed": (lazy_gettext("Closed"), lazy_gettext("Devices drop it; what still arrives is kept in quarantine.")),
}

LARGEST_FILE = 100 * 2**20
LARGEST_FORM = 10 * 2**20


class NoFile(Problem):
    """No file was chosen. Choose the workbook or the XForm and send it again."""

    slug = "form/no-file-chosen"


class FormFileTooLarge(Problem):
    """A form of more than 10 MB is not read. Move long choice lists to a CSV attachment and send it again."""

    kind = Kind.TOO_LARGE
    slug = "form/file-too-large"


@dataclass(frozen=True, slots=True)
class Line:
    """A form in the list."""

    form: Form
    records: int
    draft: FormVersion | None


@bp.get("/projects/<int:number>/forms")
def forms(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.list", found.project_id)
    rows = (
        session()
        .scalars(select(Form).where(Form.project_id == found.project_id).order_by(Form.title, Form.form_id))
        .all()
    )
    counts, drafts = _counts(found), _drafts(found)
    lines = [Line(row, sum(counts.get(row.form_id, {}).values()), drafts.get(row.form_id)) for row in rows]
    return render_template("console/forms.html", project=found, lines=lines, states=STATES)


@bp.get("/projects/<int:number>/forms/new")
def new_form(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.create", found.project_id)
    return render_template("console/form_new.html", project=found, fault=None)


@bp.post("/projects/<int:number>/forms")
@own_transactions
def upload_form(number: int) -> ResponseReturnValue:
    """The file becomes the draft of its form; what is wrong with it is shown by sheet, row and column."""
    found = project(number)
    require(actor(), "form.create", found.project_id)
    try:
        row = _save(found, request.files.get("file"))
    except Problem as problem:
        fault = fault_of(problem)
        return render_template("console/form_new.html", project=found, fault=fault), STATUS[problem.kind]
    if row.state == "published":
        flash(gettext("This version is already published with the very same content; nothing was changed."), "info")
    return redirect(url_for("console.form", number=number, form_id=row.form_id), 303)


@bp.get("/projects/<int:number>/forms/<form_id>")
def form(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.read", found.project_id)
    return _form_page(found, form_list.form(session(), found, form_id, actor=actor()))


@bp.post("/projects/<int:number>/forms/<form_id>/publish")
@own_transactions
def publish_form(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.publish", found.project_id)
    kept = form_list.form(session(), found, form_id, actor=actor())
    draft = form_list.draft(session(), kept)
    if warnings_among(as_kept(draft.notices)) and request.form.get("confirmed") != "yes":
        return _form_page(found, kept, error=gettext("Confirm that you have read the warnings, then publish.")), 400
    with writing() as opened:
        row = publish.publish(opened, found.project_id, form_id, actor=actor(), now=now())
        version = row.version
    flash(gettext("Version %(version)s is published. Devices get it when they next connect.", version=version), "good")
    return redirect(url_for("console.form", number=number, form_id=form_id), 303)


@bp.post("/projects/<int:number>/forms/<form_id>/discard")
def discard_form_draft(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.create", found.project_id)
    was_published = form_list.form(session(), found, form_id, actor=actor()).version is not None
    publish.discard_draft(session(), found.project_id, form_id, actor=actor(), now=now())
    flash(gettext("The draft is gone. Published versions are as they were."), "good")
    there = url_for("console.form", number=number, form_id=form_id) if was_published else None
    return redirect(there or url_for("console.forms", number=number), 303)


@bp.post("/projects/<int:number>/forms/<form_id>/state")
def set_form_state(number: int, form_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.update", found.project_id)
    state = request.form.get("state", "")
    if state not in STATES:
        raise InvalidRequest(state, field="state")
    kept = form_list.form(session(), found, form_id, actor=actor())
    form_list.set_state(session(), kept, state, actor=actor(), now=now())
    flash(str(STATES[state][1]), "good")
    return redirect(url_for("console.form", number=number, form_id=form_id), 303)


@bp.post("/projects/<int:number>/forms/<form_id>/files")
@own_transactions
def upload_form_file(number: int, form_id: str) -> ResponseReturnValue:
    """A file that a version names: the bytes first, then the row."""
    found = project(number)
    require(actor(), "form.update", found.project_id)
    version, name, sent = request.form.get("version", ""), request.form.get("name", ""), request.files.get("file")
    if sent is None or not sent.filename:
        raise NoFile
    stored = services().blobs.write(found.project_id, iter(lambda: sent.stream.read(2**18), b""), limit=LARGEST_FILE)
    media_type = (sent.mimetype or "")[:255]
    with writing() as opened:
        attach.keep(opened, found.project_id, stored, media_type=media_type, now=now())
        key = (found.project_id, form_id, version, name)
        publish.attach_form_file(opened, *key, stored, media_type=media_type, actor=actor(), now=now())
    flash(gettext("%(name)s is in place.", name=name), "good")
    return redirect(url_for("console.form", number=number, form_id=form_id), 303)


@bp.get("/projects/<int:number>/forms/<form_id>/files/<name>")
def form_file(number: int, form_id: str, name: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "form.read", found.project_id)
    for one in publish.form_attachments(session(), found.project_id, form_id, request.args.get("version", "")):
        if one.name == name and one.sha256 is not None:
            return send_blob(found.project_id, one.sha256, name=name, media_type=one.media_type)
    raise NoSuchAttachment(name)


@bp.get("/projects/<int:number>/forms/<form_id>/download.<any(xml, xlsx, xls):kind>")
def download_form(number: int, form_id: str, kind: str) -> ResponseReturnValue:
    """The XForm or the workbook of the version in the query."""
    found = project(number)
    require(actor(), "form.read", found.project_id)
    row = version_of(found, form_id, request.args.get("version", ""))
    if kind != "xml":
        return workbook(row, kind)
    response = xform(row)
    response.headers.set("Content-Disposition", "attachment", filename=f"{row.form_id}.xml")
    return response


@bp.get("/projects/<int:number>/forms/<form_id>/paper.<any(pdf, docx):kind>")
def form_paper(number: int, form_id: str, kind: str) -> ResponseReturnValue:
    """The version in the query to print, in the language in the query."""
    found = project(number)
    require(actor(), "form.read", found.project_id)
    return send_paper(found, version_of(found, form_id, request.args.get("version", "")), kind)


def version_of(found: Project, form_id: str, version: str) -> FormVersion:
    """A version, also a draft for those who may make forms. Refuses NoSuchVersion."""
    row = session().get(FormVersion, (found.project_id, form_id, version))
    if row is None:
        raise NoSuchVersion(version)
    if row.state == "draft":
        require(actor(), "form.create", found.project_id)
    return row


def _save(found: Project, sent: FileStorage | None) -> FormVersion:
    if sent is None or not sent.filename:
        raise NoFile
    content = sent.stream.read(LARGEST_FORM + 1)
    if len(content) > LARGEST_FORM:
        raise FormFileTooLarge
    file = read_form_file(content, sent.filename)  # takes seconds: before the transaction
    with writing() as opened:
        return publish.save_file(opened, services().blobs, found.project_id, file, actor=actor(), now=now())


def _form_page(found: Project, kept: Form, *, error: str = "") -> str:
    versions = form_list.versions(session(), kept)
    draft = _drafts(found).get(kept.form_id)
    media = _media(found, kept, draft, versions)
    return render_template(
        "console/form.html",
        project=found,
        form=kept,
        draft=draft,
        notices=as_kept(draft.notices) if draft else [],
        versions=versions,
        workbook_kinds={row.version: _workbook_kind(row) for row in [*versions, *([draft] if draft else [])]},
        counts=_counts(found).get(kept.form_id, {}),
        media=media,
        lacking=[one.name for row, files in media if row is draft for one in files if not one.is_filled],
        papers=_papers(found, kept, draft, versions),
        states=STATES,
        has_servers=bool(peers.known(session(), found.project_id)),
        names=Names.of(session(), found),
        error=error,
    )


def _workbook_kind(row: FormVersion) -> str:
    """ "xlsx", "xls", or "" when it was not made from a workbook."""
    ending = row.workbook_name.rpartition(".")[2].lower()
    return ending if ending in ("xlsx", "xls") else ""


def _papers(
    found: Project, kept: Form, draft: FormVersion | None, versions: Sequence[FormVersion]
) -> list[tuple[FormVersion, list[tuple[str, str]]]]:
    """The draft and the version in use, each with the languages in which it can be printed: address and name."""
    shown = [*([draft] if draft else []), *(row for row in versions if row.version == kept.version)]
    listed: list[tuple[FormVersion, list[tuple[str, str]]]] = []
    for row in shown:
        definition = publish.definition(session(), found.project_id, kept.form_id, row.version, with_draft=True)
        if definition is not None:
            spoken = languages_of(definition)
            listed.append((row, [(code_of(one) or one, re.sub(r"\s*\([^()]*\)$", "", one)) for one in spoken]))
    return listed


def _media(
    found: Project, kept: Form, draft: FormVersion | None, versions: Sequence[FormVersion]
) -> list[tuple[FormVersion, list[publish.FormMedia]]]:
    """The files that the draft and the version in use name."""
    shown = [*([draft] if draft else []), *(row for row in versions if row.version == kept.version)]
    listed = [(row, publish.form_attachments(session(), found.project_id, kept.form_id, row.version)) for row in shown]
    return [(row, media) for row, media in listed if media]


def _drafts(found: Project) -> dict[str, FormVersion]:
    rows = session().scalars(
        select(FormVersion).where(FormVersion.project_id == found.project_id, FormVersion.state == "draft")
    )
    return {row.form_id: row for row in rows}


def _counts(found: Project) -> dict[str, dict[str, int]]:
    """Records by form and version."""
    rows = session().execute(
        select(Submission.form_id, Submission.version, func.count())
        .where(Submission.project_id == found.project_id, Submission.is_deleted.is_(False))
        .group_by(Submission.form_id, Submission.version)
    )
    counts: dict[str, dict[str, int]] = {}
    for form_id, version, count in rows:
        counts.setdefault(form_id, {})[version] = count
    return counts
