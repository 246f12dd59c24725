"""Form versions between servers: the published bytes, the workbook and the names of the files that belong to them.

A parcel goes ahead of the operation that tells of the version; the files themselves travel as attachments do."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.check import compile_form
from forms.errors import Kind, Problem
from forms.xform import read
from sync.attach import BlobStore, Stored
from sync.entities import entity_lists
from sync.errors import NoSuchVersion
from sync.models import Blob, Form, FormAttachment, FormVersion
from sync.publish import declared_lists, table_content


class BrokenParcel(Problem):
    """This form did not arrive as it was sent. Nothing was changed; synchronise again."""

    slug = "peer/broken-parcel"


class OtherContent(Problem):
    """Both servers have this version of the form, with different content. Publish one of them under a new version."""

    kind = Kind.CONFLICT
    slug = "peer/other-form-content"


def pack(session: Session, project_id: str, form_id: str, version: str) -> dict[str, Any]:
    """The parcel of a published version. Refuses NoSuchVersion."""
    row = session.get(FormVersion, (project_id, form_id, version))
    if row is None or row.state != "published":
        raise NoSuchVersion(version)
    slots = session.scalars(
        select(FormAttachment)
        .where(
            FormAttachment.project_id == project_id,
            FormAttachment.form_id == form_id,
            FormAttachment.version == version,
        )
        .order_by(FormAttachment.name)
    )
    return {
        "form": form_id,
        "version": version,
        "title": row.title,
        "xform": _text(row.xform),
        "workbook": _text(row.workbook) if row.workbook is not None else None,
        "workbook_name": row.workbook_name,
        "notices": list(row.notices),
        "created_at": row.created_at.isoformat(),
        "published_at": (row.published_at or row.created_at).isoformat(),
        "files": [{"name": one.name, "sha256": one.sha256, "md5": one.md5, "type": one.media_type} for one in slots],
    }


def files_of(parcel: Mapping[str, Any]) -> list[str]:
    """The hashes of the files that the version needs."""
    return [str(file["sha256"]) for file in parcel.get("files", ()) if file.get("sha256")]


def take(session: Session, blobs: BlobStore, project_id: str, parcel: Mapping[str, Any], *, now: datetime) -> None:
    """The version is here, published; its operation says from when on it counts. Safe to repeat.

    Files that are here fill their slots. Refuses BrokenParcel, OtherContent, and what makes a form unreadable."""
    try:
        xform, form_id, version = base64.b64decode(parcel["xform"]), str(parcel["form"]), str(parcel["version"])
        created_at, published_at = (datetime.fromisoformat(parcel[name]) for name in ("created_at", "published_at"))
        workbook = base64.b64decode(parcel["workbook"]) if parcel.get("workbook") else None
        files = [(str(file["name"]), file.get("sha256"), str(file.get("type") or "")) for file in parcel["files"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenParcel(str(error)) from error
    definition = read(xform)
    if (definition.form_id, definition.version) != (form_id, version):
        raise BrokenParcel(form_id)
    compile_form(definition)
    md5 = hashlib.md5(xform, usedforsecurity=False).hexdigest()
    known = session.get(FormVersion, (project_id, form_id, version))
    if known is not None and known.md5 != md5:
        raise OtherContent(f"{form_id} {version}".strip())
    if known is None or known.state != "published":
        _ensure_form(session, project_id, form_id, definition.title, now)
        row = known or FormVersion(project_id=project_id, form_id=form_id, version=version, created_at=created_at)
        row.state, row.title, row.xform, row.md5 = "published", definition.title[:255], xform, md5
        row.workbook, row.workbook_name = workbook, str(parcel.get("workbook_name") or "")[:255]
        row.notices, row.published_at = list(parcel.get("notices") or ()), published_at
        session.add(row)
        session.flush()
        for name, properties in declared_lists(definition):
            entity_lists.ensure_list(session, project_id, name, properties, now=now)
    for name, sha256, media_type in files:
        _fill(session, blobs, (project_id, form_id, version, name), sha256, media_type)
    session.flush()


def _ensure_form(session: Session, project_id: str, form_id: str, title: str, now: datetime) -> None:
    if session.get(Form, (project_id, form_id)) is None:
        row = Form(project_id=project_id, form_id=form_id, title=title[:255], state="open", version=None)
        row.created_at = row.updated_at = now
        session.add(row)
        session.flush()


def _fill(session: Session, blobs: BlobStore, key: tuple[str, ...], sha256: str | None, media_type: str) -> None:
    project_id, form_id, version, name = key
    slot = session.get(FormAttachment, key)
    if slot is None:
        slot = FormAttachment(project_id=project_id, form_id=form_id, version=version, name=name)
        session.add(slot)
    here = session.get(Blob, (project_id, sha256)) if sha256 else None
    path = blobs.local(project_id, here.sha256) if here is not None and slot.sha256 is None else None
    if here is not None and path is not None:
        stored = Stored(here.sha256, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), here.size, path)
        slot.sha256, slot.md5, slot.media_type = stored.sha256, stored.md5, media_type[:255]
        slot.content = table_content(session, session.get_one(FormVersion, key[:3]), name, stored)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
