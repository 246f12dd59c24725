"""Drafts become published versions, whose bytes never change again; and the files that a version needs."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from forms.check import compile_form
from forms.definition import FormDefinition, Question
from forms.errors import Problem
from forms.fault import Fault
from forms.form_file import FormFile
from forms.versions import conflicts
from forms.xform import read
from sync import attach, author
from sync.access import Actor
from sync.attach import BlobStore, Stored
from sync.definitions import compiled, definition, forget
from sync.entities import declare_list, entity_lists, list_rules
from sync.entities.scope import EntityScope
from sync.errors import NameTooLong, NoSuchForm, NoSuchVersion, NothingToPublish, VersionTaken
from sync.form_table import BadTable, check_table, is_table
from sync.lock import lock_project
from sync.models import EntityList, Form, FormAttachment, FormVersion, Project
from sync.record import record

__all__ = [
    "BadTable",
    "FormMedia",
    "NotNamed",
    "attach_form_file",
    "compiled",
    "definition",
    "discard_draft",
    "form_attachments",
    "publish",
    "save_draft",
    "save_file",
]

LONGEST = 255


class NotNamed(Problem):
    """The form does not name such a file. Look at its list of attachments for the names that it needs."""

    slug = "form/attachment-not-named"


class FieldTypeConflict(Problem):
    """A question is of another type than in an earlier version, so that their answers do not fit into one column. Give
    it its old type back, or another name."""

    slug = "form/field-type-conflict"


@dataclass(frozen=True, slots=True)
class FormMedia:
    """A file that a form version names. An entity list stands in for `<list>.csv` until a file is uploaded."""

    name: str
    sha256: str | None
    """Of the uploaded file; None when there is none."""
    md5: str
    """Of what devices download; "" when there is nothing yet."""
    media_type: str
    entity_list: str = ""
    needs_approval: bool = False
    """Devices may not add to the entity list by themselves: what a record registers waits for its approval."""
    """The list that stands in, "" when none does."""

    @property
    def is_filled(self) -> bool:
        return bool(self.sha256 or self.entity_list)


def save_draft(
    session: Session,
    project_id: str,
    xform: bytes,
    *,
    workbook: bytes | None = None,
    workbook_name: str = "",
    notices: Sequence[Fault] = (),
    actor: Actor,
    now: datetime,
) -> FormVersion:
    """The draft of its form, made or replaced; uploaded files are carried over by name.

    A version that is published with these very bytes is returned as it is, and the old draft stays. Refuses
    VersionTaken when it has other bytes, and what forms.xform.read and forms.check.compile_form refuse."""
    read_form = read(xform)
    compile_form(read_form)
    _refuse_long_names(read_form)
    _refuse_conflicts(session, project_id, read_form)
    form = _form(session, project_id, read_form, now)
    md5 = hashlib.md5(xform, usedforsecurity=False).hexdigest()
    known = session.get(FormVersion, (project_id, form.form_id, read_form.version))
    if known is not None and known.state == "published":
        if known.md5 != md5:
            raise VersionTaken(read_form.version, form_id=form.form_id, version=read_form.version)
        return known
    carried = _carried(session, form)
    _drop_draft(session, form)
    row = FormVersion(
        project_id=project_id,
        form_id=form.form_id,
        version=read_form.version,
        state="draft",
        title=read_form.title[:LONGEST],
        xform=xform,
        md5=md5,
        workbook=workbook,
        workbook_name=workbook_name[:LONGEST],
        notices=list(notices),
        created_at=now,
        published_at=None,
        account_id=actor.account_id,
    )
    session.add(row)
    session.flush()
    _add_slots(session, row, read_form.media, carried)
    form.updated_at = now
    if form.version is None:
        form.title = row.title
    _note(session, "form.draft", row, actor=actor, now=now)
    return row


def save_file(
    session: Session,
    blobs: BlobStore,
    project_id: str,
    file: FormFile,
    *,
    media: Mapping[str, Path] = MappingProxyType({}),
    actor: Actor,
    now: datetime,
) -> FormVersion:
    """The file as the draft of its form, with the attachments that were made with it and those of `media` that it
    names. Refuses what `save_draft` and `attach_form_file` refuse."""
    row = save_draft(
        session,
        project_id,
        file.xform,
        workbook=file.workbook,
        workbook_name=file.workbook_name,
        notices=file.notices,
        actor=actor,
        now=now,
    )
    given = {name: path.read_bytes() for name, path in media.items() if name in file.definition.media}
    for name, content in {**given, **file.files}.items():
        stored = blobs.write(project_id, [content], limit=len(content))
        media_type = mimetypes.guess_type(name)[0] or ""
        attach.keep(session, project_id, stored, media_type=media_type, now=now)
        key = (project_id, row.form_id, row.version)
        attach_form_file(session, *key, name, stored, media_type=media_type, actor=actor, now=now)
    return row


def publish(session: Session, project_id: str, form_id: str, *, actor: Actor, now: datetime) -> FormVersion:
    """The draft is the version that devices use from now on, and what was held for it applies.

    Its entity lists exist. Without a draft, the published version is returned unchanged, so that it is safe to
    repeat. Refuses NoSuchForm, NothingToPublish."""
    # The project first, as everybody does who changes its records: else two would wait for each other.
    lock_project(session, project_id)
    # The form's row is locked: of two who publish at once the second finds no draft.
    form = session.scalar(
        select(Form)
        .where(Form.project_id == project_id, Form.form_id == form_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if form is None:
        raise NoSuchForm(form_id)
    row = _draft(session, form)
    if row is None:
        return _current(session, form)
    row.state, row.published_at = "published", _after_others(session, form, now)
    form.version, form.title, form.updated_at = row.version, row.title, now
    forget(session, row)
    published = read(row.xform)
    for name, properties in declared_lists(published):
        entity_lists.ensure_list(session, project_id, name, properties, now=now)
    session.flush()
    _take_types(session, row, published, actor=actor, now=now)
    _tell(session, row, actor=actor, now=now)
    _note(session, "form.publish", row, actor=actor, now=now)
    return row


def _after_others(session: Session, form: Form, now: datetime) -> datetime:
    """What is published here comes after all that is known here, whatever the clocks of other servers say: which
    version is in use follows from these instants, on every server."""
    of_form = select(func.max(FormVersion.published_at)).where(
        FormVersion.project_id == form.project_id, FormVersion.form_id == form.form_id
    )
    last: datetime | None = session.scalar(of_form)
    return max(now, last + timedelta(milliseconds=1)) if last is not None else now


def discard_draft(session: Session, project_id: str, form_id: str, *, actor: Actor, now: datetime) -> None:
    """The form has no draft any more; a form that was never published goes with it. Refuses NoSuchForm."""
    form = session.get(Form, (project_id, form_id))
    row = _draft(session, form) if form is not None else None
    if form is None or row is None:
        raise NoSuchVersion("draft") if form is not None else NoSuchForm(form_id)
    _note(session, "form.discard", row, actor=actor, now=now)
    _drop_draft(session, form)
    if form.version is None:
        session.delete(form)
    session.flush()


def attach_form_file(
    session: Session,
    project_id: str,
    form_id: str,
    version: str,
    name: str,
    stored: Stored,
    *,
    media_type: str = "",
    actor: Actor,
    now: datetime,
) -> FormAttachment:
    """The uploaded file fills the slot of this name; its `blob` row must exist (`attach.keep`).

    A table (CSV, XML, GeoJSON up to 16 MiB) is copied into the row, where the checks read it without a blob store.
    In a published version an empty slot may be filled, a filled one never changes: VersionTaken. Refuses NotNamed,
    NoSuchVersion, BadTable."""
    row = session.get(FormVersion, (project_id, form_id, version))
    if row is None:
        raise NoSuchVersion(version)
    slot = session.get(FormAttachment, (project_id, form_id, version, name), with_for_update=True)
    if slot is None:
        raise NotNamed(name)
    if slot.sha256 == stored.sha256:
        return slot
    if row.state == "published" and slot.sha256 is not None:
        raise VersionTaken(name, form_id=form_id, version=version)
    content = table_content(session, row, name, stored)
    slot.sha256, slot.md5, slot.media_type, slot.content = stored.sha256, stored.md5, media_type[:LONGEST], content
    session.flush()
    forget(session, row)
    if row.state == "published":
        _tell(session, row, actor=actor, now=now)
    _note(session, "form.attach", row, actor=actor, now=now, file=name)
    return slot


def form_attachments(
    session: Session, project_id: str, form_id: str, version: str, *, scope: EntityScope = entity_lists.EVERYTHING
) -> list[FormMedia]:
    """The files that this version names, by name, filled or not; entity lists as somebody with this scope gets them."""
    slots = session.scalars(
        select(FormAttachment)
        .where(
            FormAttachment.project_id == project_id,
            FormAttachment.form_id == form_id,
            FormAttachment.version == version,
        )
        .order_by(FormAttachment.name)
    ).all()
    lists = session.scalars(select(EntityList).where(EntityList.project_id == project_id)).all() if slots else ()
    named = {one.name: one for one in lists}
    return [_media(session, slot, named, scope) for slot in slots]


def _media(session: Session, slot: FormAttachment, lists: Mapping[str, EntityList], scope: EntityScope) -> FormMedia:
    list_name = slot.name.removesuffix(".csv")
    if slot.sha256 is not None or list_name == slot.name or list_name not in lists:
        return FormMedia(slot.name, slot.sha256, slot.md5, slot.media_type)
    project = session.get_one(Project, slot.project_id)
    _content, md5 = entity_lists.csv(session, project, list_name, scope=scope)
    needs_approval = list_rules.read(lists[list_name].settings).needs_approval
    return FormMedia(slot.name, None, md5, "text/csv", entity_list=list_name, needs_approval=needs_approval)


def _form(session: Session, project_id: str, read_form: FormDefinition, now: datetime) -> Form:
    """The form, locked; made when it is new. Two who make it at once get the same."""
    key = (project_id, read_form.form_id)
    form = Form(
        project_id=project_id,
        form_id=read_form.form_id,
        title=read_form.title[:LONGEST],
        state="open",
        version=None,
        created_at=now,
        updated_at=now,
    )
    if session.get(Form, key) is None:
        try:
            with session.begin_nested():
                session.add(form)
                session.flush()
        except IntegrityError:
            pass
    return session.get_one(Form, key, with_for_update=True, populate_existing=True)


def _draft(session: Session, form: Form) -> FormVersion | None:
    return session.scalar(
        select(FormVersion).where(
            FormVersion.project_id == form.project_id,
            FormVersion.form_id == form.form_id,
            FormVersion.state == "draft",
        )
    )


def _current(session: Session, form: Form) -> FormVersion:
    if form.version is None:
        raise NothingToPublish(form.form_id)
    return session.get_one(FormVersion, (form.project_id, form.form_id, form.version))


def _drop_draft(session: Session, form: Form) -> None:
    row = _draft(session, form)
    if row is None:
        return
    forget(session, row)
    session.execute(
        delete(FormAttachment).where(
            FormAttachment.project_id == row.project_id,
            FormAttachment.form_id == row.form_id,
            FormAttachment.version == row.version,
        )
    )
    session.delete(row)
    session.flush()


def _carried(session: Session, form: Form) -> dict[str, dict[str, object]]:
    """The uploaded files of the draft, else of the published version, by name."""
    row = _draft(session, form) or (_current(session, form) if form.version is not None else None)
    if row is None:
        return {}
    columns = (FormAttachment.sha256, FormAttachment.md5, FormAttachment.media_type, FormAttachment.content)
    found = session.execute(
        select(FormAttachment.name, *columns).where(
            FormAttachment.project_id == row.project_id,
            FormAttachment.form_id == row.form_id,
            FormAttachment.version == row.version,
            FormAttachment.sha256.is_not(None),
        )
    )
    return {one.name: {column.key: getattr(one, column.key) for column in columns} for one in found}


def _add_slots(session: Session, row: FormVersion, names: Sequence[str], carried: dict[str, dict[str, object]]) -> None:
    key = {"project_id": row.project_id, "form_id": row.form_id, "version": row.version}
    for name in dict.fromkeys(names):
        session.add(FormAttachment(**key, name=name, **carried.get(name, {})))
    session.flush()


def declared_lists(form: FormDefinition) -> Iterator[tuple[str, list[str]]]:
    """Each entity list of the form with the properties that its answers fill: those that are nearest to it."""
    nearest: dict[tuple[str, ...], list[str]] = {one.path[:-2]: [] for one in form.entities}
    for question in form.questions():
        place = _nearest(nearest, question)
        if question.saveto and place is not None:
            nearest[place].append(question.saveto)
    for one in form.entities:
        yield one.dataset, nearest[one.path[:-2]]


def _nearest(places: dict[tuple[str, ...], list[str]], question: Question) -> tuple[str, ...] | None:
    around = [place for place in places if question.path[: len(place)] == place]
    return max(around, key=len, default=None)


def table_content(session: Session, row: FormVersion, name: str, stored: Stored) -> bytes | None:
    if stored.path is None or not is_table(name, stored.size):
        return None
    content = stored.path.read_bytes()
    asked = definition(session, row.project_id, row.form_id, row.version, with_draft=True)
    if asked is not None:
        check_table(asked, name, content)
    return content


def _refuse_long_names(form: FormDefinition) -> None:
    for name in (form.form_id, form.version, *form.media, *(one.dataset for one in form.entities)):
        if len(name) > LONGEST:
            raise NameTooLong(name[:LONGEST])


def _refuse_conflicts(session: Session, project_id: str, form: FormDefinition) -> None:
    """As ODK Central: every version's answers must fit into one table."""
    rows = session.scalars(
        select(FormVersion)
        .where(
            FormVersion.project_id == project_id,
            FormVersion.form_id == form.form_id,
            FormVersion.state == "published",
            FormVersion.version != form.version,
        )
        .order_by(FormVersion.published_at)
    )
    earlier = [definition(session, project_id, row.form_id, row.version) for row in rows]
    found = conflicts([one for one in earlier if one is not None], form)
    if found:
        faults = [change.as_fault() for change in found]
        raise FieldTypeConflict(", ".join(change.path for change in found), faults=faults)


def _take_types(session: Session, row: FormVersion, published: FormDefinition, *, actor: Actor, now: datetime) -> None:
    project = session.get_one(Project, row.project_id)
    lists = [one.dataset for one in published.entities]
    declare_list.take_types(session, project, published, lists, actor=actor, now=now)


def _tell(session: Session, row: FormVersion, *, actor: Actor, now: datetime) -> None:
    """The feed carries the version to devices."""
    author.write(
        session,
        session.get_one(Project, row.project_id),
        kind="form",
        record_id=row.form_id,
        changes={"version": row.version, "md5": row.md5, "title": row.title},
        actor=actor,
        now=now,
        form_id=row.form_id,
        version=row.version,
    )


def _note(session: Session, action: str, row: FormVersion, *, actor: Actor, now: datetime, **detail: str) -> None:
    record(
        session,
        action,
        actor=actor,
        at=now,
        project_id=row.project_id,
        target=("form", row.form_id),
        detail={"version": row.version, **detail},
    )
