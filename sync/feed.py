"""The change feed: what a device or another server reads by cursor, each record once in its latest state."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from sync import access
from sync.access import Actor
from sync.epochs import Standing, standing
from sync.models import (
    Account,
    Assignment,
    Comment,
    Device,
    Entity,
    FeedRow,
    Form,
    FormVersion,
    Operation,
    Project,
    RemoteName,
    Submission,
    SubmissionAttachment,
)

CURSOR = re.compile(r"e(\d{1,9})(?:\.s([a-z0-9]{1,12})(?:\.(\d{1,18}))?)?\.(\d{1,18})")
"""epoch, the reader's scope, and seq; while all is read again after a change of scope, before the seq also how far that
reaches which the reader may have."""
ROWS_AT_ONCE = 1000

Record: TypeAlias = dict[str, Any]


class BadCursor(Problem):
    """This cursor is not one of this server's. Pull without a cursor to read everything again."""

    slug = "feed/bad-cursor"


class CursorGone(Problem):
    """The server cannot go on from this cursor. Pull without a cursor to read everything again; send what you have."""

    kind = Kind.GONE
    slug = "feed/cursor-gone"


@dataclass(frozen=True, slots=True)
class Page:
    """`needs` are the hashes of files that the server lacks for this device's records."""

    records: list[Record]
    cursor: str
    has_more: bool
    """There are records after these."""
    head: int
    durable_seq: int
    durable_by: str
    epoch: int
    forks: list[Mapping[str, int]]
    needs: list[str]
    drop: list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads: what is in his or her scope."""

    session: Session
    project: Project
    actor: Actor
    device: Device | None

    @property
    def sees_all(self) -> bool:
        return access.may(self.actor, "submission.list", self.project.project_id)

    @property
    def scope(self) -> str:
        """What it may see, in a word: another word is another scope."""
        if self.sees_all:
            return "all"
        who = f"{self.device.device_id if self.device else ''} {self.actor.account_id or ''}"
        return hashlib.sha256(who.encode()).hexdigest()[:8]

    def is_own(self, submission: Submission) -> bool:
        if self.device is not None and submission.device_id == self.device.device_id:
            return True
        return self.actor.account_id is not None and submission.account_id == self.actor.account_id

    def is_assignee(self, assignee_id: str) -> bool:
        own = self.device.device_id if self.device is not None else None
        return assignee_id in (own, self.actor.account_id)


def pull(
    session: Session,
    project: Project,
    *,
    device: Device | None,
    actor: Actor,
    cursor: str,
    limit: int,
    now: datetime,
) -> Page:
    """What changed since the cursor ("" is the beginning), at most `limit` records. Safe to repeat.

    A device sees the forms that are open, the entities, what is assigned to it or to its person, and its own
    submissions with their reviews and comments; who may list submissions sees all of them. When that changes, all is
    read again, and what is not its business any more is dropped. Refuses BadCursor, CursorGone."""
    access.require(actor, "sync", project.project_id)
    told = standing(session, project.project_id)
    reader = _Reader(session, project, actor, device)
    since, known = _since(cursor, told, reader.scope)
    records: dict[tuple[str, str], Record] = {}
    drop: dict[tuple[str, str], dict[str, str]] = {}
    while len(records) < limit and (rows := _rows(reader, since, min(limit - len(records), ROWS_AT_ONCE))):
        since = rows[-1].seq
        for kind, record_id in _told_by(reader, rows):
            for key, record in _states(reader, kind, record_id, may_know=since <= known):
                if record is None:
                    drop[key] = {"kind": key[0], "record": key[1]}
                else:
                    records[key] = record
    return Page(
        records=list(records.values()),
        cursor=f"e{told.epoch}.s{reader.scope}.{f'{known}.' if since < known else ''}{since}",
        has_more=since < told.head,
        head=told.head,
        durable_seq=told.durable_seq,
        durable_by=told.durable_by,
        epoch=told.epoch,
        forks=list(told.forks),
        needs=_needs(session, project, device),
        drop=list(drop.values()),
    )


def _since(cursor: str, told: Standing, scope: str) -> tuple[int, int]:
    """Where to go on, and up to where the reader may know what is outside its scope now."""
    if not cursor:
        return 0, 0
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise BadCursor(cursor)
    if not told.continues(int(found[1]), int(found[4])):
        raise CursorGone(cursor)
    since, known = int(found[4]), int(found[3] or 0)
    return (since, known) if found[2] in (None, scope) else (0, max(since, known))


def _rows(reader: _Reader, since: int, limit: int) -> Sequence[FeedRow]:
    found = (
        select(FeedRow)
        .where(FeedRow.project_id == reader.project.project_id, FeedRow.seq > since)
        .order_by(FeedRow.seq)
        .limit(limit)
    )
    return reader.session.scalars(found).all()


def _told_by(reader: _Reader, rows: Sequence[FeedRow]) -> Iterator[tuple[str, str]]:
    """The records that these rows are about; of an entity list, the entities that came out different by it."""
    yield from dict.fromkeys((row.kind, row.record_id) for row in rows if row.kind != "list")
    settings = [row.seq for row in rows if row.kind == "list"]
    if settings:
        moved = select(Entity.entity_id).where(Entity.project_id == reader.project.project_id, Entity.seq.in_(settings))
        yield from (("entity", entity_id) for entity_id in reader.session.scalars(moved.order_by(Entity.entity_id)))


def _states(
    reader: _Reader, kind: str, record_id: str, *, may_know: bool
) -> Iterator[tuple[tuple[str, str], Record | None]]:
    """The latest state of what a row of the feed tells of; None where it is not in scope any more."""
    if kind == "form":
        yield (kind, record_id), _form(reader, record_id)
    elif kind == "entity":
        yield (kind, record_id), _entity(reader, record_id)
    elif kind == "assignment":
        yield from _assignment(reader, record_id, may_know=may_know)
    elif kind == "comment":
        comment = reader.session.get(Comment, (reader.project.project_id, record_id))
        if comment is not None:
            yield from _in_scope(reader, comment.instance_id, comment, may_know=may_know)
    else:
        yield from _in_scope(reader, record_id, None, may_know=may_know)


def _in_scope(
    reader: _Reader, instance_id: str, comment: Comment | None, *, may_know: bool
) -> Iterator[tuple[tuple[str, str], Record | None]]:
    shown = reader.session.get(Submission, (reader.project.project_id, instance_id))
    if shown is None or not (reader.sees_all or reader.is_own(shown)):
        if may_know:
            yield ("submission", instance_id), None
        return
    yield ("submission", shown.instance_id), _submission(reader, shown)
    if comment is not None:
        yield ("comment", comment.comment_id), _comment(reader, comment)


def _form(reader: _Reader, form_id: str) -> Record | None:
    form = reader.session.get(Form, (reader.project.project_id, form_id))
    if form is None or form.version is None:
        return None
    version = reader.session.get_one(FormVersion, (form.project_id, form_id, form.version))
    return {
        "kind": "form",
        "record": form_id,
        "version": version.version,
        "title": version.title,
        "state": form.state,
        "md5": version.md5,
        "deleted": False,
    }


def _entity(reader: _Reader, entity_id: str) -> Record | None:
    entity = reader.session.get(Entity, (reader.project.project_id, entity_id))
    if entity is None:
        return None
    return {
        "kind": "entity",
        "record": entity_id,
        "list": entity.list_name,
        "label": entity.label,
        "data": entity.data,
        "version": entity.version,
        "vector": entity.vector,
        "conflicts": entity.conflicts,
        "deleted": entity.is_deleted,
        "seq": entity.seq,
    }


def _assignment(
    reader: _Reader, assignment_id: str, *, may_know: bool
) -> Iterator[tuple[tuple[str, str], Record | None]]:
    """Whose it is gets it; whose it was hears that it is gone."""
    key = ("assignment", assignment_id)
    found = reader.session.get(Assignment, (reader.project.project_id, assignment_id))
    if found is not None and found.state == "open" and (reader.sees_all or reader.is_assignee(found.assignee_id)):
        yield key, _assigned(found)
    elif may_know or reader.sees_all or _was_assigned(reader, assignment_id):
        yield key, None


def _assigned(found: Assignment) -> Record:
    return {
        "kind": "assignment",
        "record": found.assignment_id,
        "form": found.form_id,
        "assignee": found.assignee_id,
        "entity": found.entity_id,
        "due": found.due,
        "target": found.target,
        "note": found.note,
        "at": found.assigned_at.isoformat(),
        "conflicts": found.conflicts,
        "deleted": False,
        "seq": found.seq,
    }


def _was_assigned(reader: _Reader, assignment_id: str) -> bool:
    changes = reader.session.scalars(
        select(Operation.changes).where(
            Operation.project_id == reader.project.project_id,
            Operation.kind == "assignment",
            Operation.record_id == assignment_id,
            Operation.state == "ready",
        )
    )
    return any(reader.is_assignee(str(one.get("assignee") or "")) for one in changes)


def _submission(reader: _Reader, shown: Submission) -> Record:
    latest = reader.session.scalar(
        select(Operation.instance_id).where(Operation.project_id == shown.project_id, Operation.op_id == shown.op_id)
    )
    files = reader.session.scalars(
        select(SubmissionAttachment)
        .where(
            SubmissionAttachment.project_id == shown.project_id,
            SubmissionAttachment.instance_id == shown.instance_id,
        )
        .order_by(SubmissionAttachment.name)
    )
    return {
        "kind": "submission",
        "record": shown.instance_id,
        "latest_id": latest or shown.instance_id,
        "form": shown.form_id,
        "version": shown.version,
        "name": shown.instance_name,
        "review_state": shown.review_state,
        "answers": shown.answers,
        "vector": shown.vector,
        "conflicts": shown.conflicts,
        "errors": shown.errors,
        "warnings": shown.warnings,
        "attachments": [
            {"name": file.name, "sha256": file.sha256, "size": file.size, "type": file.media_type} for file in files
        ],
        "deleted": shown.is_deleted,
        "seq": shown.seq,
    }


def _comment(reader: _Reader, comment: Comment) -> Record:
    author: Account | RemoteName | None = None
    if comment.account_id:
        author = reader.session.get(Account, comment.account_id) or reader.session.get(
            RemoteName, (comment.project_id, comment.account_id)
        )
    return {
        "kind": "comment",
        "record": comment.comment_id,
        "about": comment.instance_id,
        "path": comment.path,
        "body": comment.body,
        "author": author.name if author else "",
        "at": comment.created_at.isoformat(),
    }


def _needs(session: Session, project: Project, device: Device | None) -> list[str]:
    if device is None:
        return []
    found = (
        select(SubmissionAttachment.sha256)
        .join(
            Submission,
            (Submission.project_id == SubmissionAttachment.project_id)
            & (Submission.instance_id == SubmissionAttachment.instance_id),
        )
        .where(
            SubmissionAttachment.project_id == project.project_id,
            Submission.device_id == device.device_id,
            SubmissionAttachment.sha256.is_not(None),
            SubmissionAttachment.arrived_at.is_(None),
        )
        .distinct()
        .order_by(SubmissionAttachment.sha256)
    )
    return [str(sha256) for sha256 in session.scalars(found)]
