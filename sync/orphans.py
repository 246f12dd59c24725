"""Attachments that nothing names any more, or never did: kept for as long as the operator says, by default for ever."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.engine import in_transaction
from sync.lock import lock_project
from sync.models import Blob, FormAttachment, InboxItem, Operation, SubmissionAttachment
from sync.record import record

ACTION = "attachment.delete"


def drop_orphans(engine: Engine, blobs: BlobStore, project_id: str, *, before: datetime, now: datetime) -> list[str]:
    """The files that came before and that nothing names are gone, rows first and bytes last; which ones.

    A form, a submission, any operation, also a superseded one, and what lies in quarantine: each keeps its files. The
    audit log tells."""

    def act(session: Session) -> list[str]:
        lock_project(session, project_id)
        return _delete_rows(session, project_id, before=before, now=now)

    gone: list[str] = in_transaction(engine, act)
    for sha256 in gone:
        blobs.drop(project_id, sha256, before=before)
    return gone


def orphans(session: Session, project_id: str, *, before: datetime) -> set[str]:
    """The hashes of files that came before and that nothing names."""
    named = (
        select(table.sha256).where(table.project_id == project_id, table.sha256.is_not(None))
        for table in (SubmissionAttachment, FormAttachment)
    )
    found = select(Blob.sha256).where(Blob.project_id == project_id, Blob.created_at < before)
    for one in named:
        found = found.where(Blob.sha256.not_in(one))
    candidates = set(session.scalars(found))
    if candidates:
        candidates -= _announced(session, project_id)
    if candidates:
        candidates -= _in_inbox(session, project_id, candidates)
    return candidates


def _delete_rows(session: Session, project_id: str, *, before: datetime, now: datetime) -> list[str]:
    gone = sorted(orphans(session, project_id, before=before))
    for sha256 in gone:
        size = session.scalar(
            delete(Blob).where(Blob.project_id == project_id, Blob.sha256 == sha256).returning(Blob.size)
        )
        target = ("attachment", sha256)
        record(session, ACTION, actor=SYSTEM, at=now, project_id=project_id, target=target, detail={"size": size})
    return gone


def _announced(session: Session, project_id: str) -> set[str]:
    """By any operation, whatever has become of it."""
    rows = session.scalars(
        select(Operation.attachments).where(Operation.project_id == project_id).execution_options(yield_per=1000)
    )
    return {str(one["sha256"]) for attachments in rows for one in attachments if one.get("sha256")}


def _in_inbox(session: Session, project_id: str, wanted: Iterable[str]) -> set[str]:
    """What has landed, or was put aside, may name files too, readable or not."""
    rows = session.execute(
        select(InboxItem.raw, InboxItem.detail)
        .where(InboxItem.project_id == project_id)
        .execution_options(yield_per=100)
    )
    hashes = {sha256: sha256.encode() for sha256 in wanted}
    return {sha256 for raw, detail in rows for sha256, needle in hashes.items() if needle in raw or sha256 in detail}
