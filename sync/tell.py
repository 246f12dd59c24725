"""What a reader of the feed is told of each record, within his or her scope: many at once, in a few queries."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session

from sync import access
from sync.access import Actor
from sync.apply_reviews import decision
from sync.entities import list_rules
from sync.entities.scope import EntityScope, scope_of
from sync.ledger import op_of
from sync.models import (
    Account,
    Assignment,
    Comment,
    Device,
    Entity,
    EntityList,
    EntityVersion,
    Form,
    FormVersion,
    Operation,
    Project,
    RemoteName,
    Submission,
    SubmissionAttachment,
)
from sync.rows import OPERATION

Record: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""(kind, record ID)."""

RETURNED = ("has_issues", "rejected")

KINDS = frozenset({"form", "entity", "comment", "assignment"})
"""All others are about a submission."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: what is in his or her scope."""

    session: Session
    project: Project
    actor: Actor
    device: Device | None
    entities: EntityScope
    lists: Mapping[str, EntityList]
    """All entity lists of the project, by name."""

    @property
    def sees_all(self) -> bool:
        return access.may(self.actor, "submission.list", self.project.project_id)

    @property
    def scope(self) -> str:
        """What it may see, in a word: another word is another scope."""
        rules = self.entities.word(self.lists.values())
        if self.sees_all and not rules:
            return "all"
        who = "" if self.sees_all else f"{self.device.device_id if self.device else ''} {self.actor.account_id or ''}"
        who += rules
        return hashlib.sha256(who.encode()).hexdigest()[:8]

    def is_assignee(self, assignee_id: str) -> bool:
        own = self.device.device_id if self.device is not None else None
        return assignee_id in (own, self.actor.account_id)

    @property
    def own(self) -> ColumnElement[bool]:
        """The submissions in scope."""
        if self.sees_all:
            return true()
        device_id, account_id = self.device.device_id if self.device else None, self.actor.account_id
        return or_(
            Submission.device_id == device_id if device_id is not None else false(),
            Submission.account_id == account_id if account_id is not None else false(),
        )


def reader_of(session: Session, project: Project, actor: Actor, device: Device | None) -> Reader:
    """The reader, with what is in scope at this moment."""
    lists = session.scalars(select(EntityList).where(EntityList.project_id == project.project_id))
    scope = scope_of(session, project.project_id, actor, device)
    return Reader(session, project, actor, device, scope, {one.name: one for one in lists})


def tell(reader: Reader, keys: Iterable[Key], *, may_know: bool) -> Iterator[tuple[Key, Record | None]]:
    """The latest state of what rows of the feed tell of, in their order; None where it is not in scope any more.

    Of what is outside the scope nothing is said, except to who `may_know` it from earlier; and nothing of what was
    deleted so long ago that nobody needs to be told any more."""
    wanted = list(keys)
    ids: dict[str, list[str]] = defaultdict(list)
    for kind, record_id in wanted:
        ids[kind if kind in KINDS else "submission"].append(record_id)
    comments = _by_id(comments_among(reader, Comment.comment_id.in_(ids["comment"])) if ids["comment"] else ())
    about = [*ids["submission"], *(one["about"] for one in comments.values())]
    found: dict[str, Mapping[str, Record]] = {
        "form": _by_id(forms_among(reader, Form.form_id.in_(ids["form"])) if ids["form"] else ()),
        "entity": _by_id(entities_among(reader, Entity.entity_id.in_(ids["entity"])) if ids["entity"] else ()),
        "submission": _by_id(submissions_among(reader, Submission.instance_id.in_(about)) if about else ()),
    }
    found["assignment"] = _by_id(assignments_among(reader, ids["assignment"]) if ids["assignment"] else ())
    gone = {
        "assignment": _ended(reader, ids["assignment"], may_know=may_know) if ids["assignment"] else frozenset(),
        "entity": _lost(reader, set(ids["entity"]) - found["entity"].keys(), may_know=may_know),
    }
    for kind, record_id in wanted:
        if kind in gone:
            told = found[kind].get(record_id)
            if _is_told(reader.project, told) or (told is None and record_id in gone[kind]):
                yield (kind, record_id), told
        elif kind != "comment":
            key = kind if kind in found else "submission", record_id
            yield from _state(reader.project, found, key, may_know=may_know)
        elif (comment := comments.get(record_id)) is not None:
            yield from _with_comment(reader.project, found, comment, may_know=may_know)


def _with_comment(
    project: Project, found: Mapping[str, Mapping[str, Record]], comment: Record, *, may_know: bool
) -> Iterator[tuple[Key, Record | None]]:
    about = comment["about"]
    yield from _state(project, found, ("submission", about), may_know=may_know)
    if _is_told(project, found["submission"].get(about)):
        yield ("comment", comment["record"]), comment


def _state(
    project: Project, found: Mapping[str, Mapping[str, Record]], key: Key, *, may_know: bool
) -> Iterator[tuple[Key, Record | None]]:
    told = found[key[0]].get(key[1])
    if _is_told(project, told) or (told is None and (may_know or key[0] != "submission")):
        yield key, told


def _is_told(project: Project, told: Record | None) -> bool:
    return told is not None and not (told["deleted"] and told["seq"] <= project.forgotten_seq)


def _by_id(records: Iterable[Record]) -> dict[str, Record]:
    return {record["record"]: record for record in records}


def forms_among(reader: Reader, chosen: ColumnElement[bool]) -> list[Record]:
    """The forms that have a published version."""
    rows = reader.session.execute(
        select(Form.form_id, Form.state, FormVersion.version, FormVersion.title, FormVersion.md5)
        .join(
            FormVersion,
            (FormVersion.project_id == Form.project_id)
            & (FormVersion.form_id == Form.form_id)
            & (FormVersion.version == Form.version),
        )
        .where(Form.project_id == reader.project.project_id, chosen)
    )
    return [
        {
            "kind": "form",
            "record": row.form_id,
            "version": row.version,
            "title": row.title,
            "state": row.state,
            "md5": row.md5,
            "deleted": False,
        }
        for row in rows
    ]


def entities_among(reader: Reader, chosen: ColumnElement[bool]) -> list[Record]:
    """Those of them that are in scope."""
    rows = reader.session.scalars(select(Entity).where(Entity.project_id == reader.project.project_id, chosen))
    return [
        {
            "kind": "entity",
            "record": entity.entity_id,
            "list": entity.list_name,
            "label": entity.label,
            "data": entity.data,
            "version": entity.version,
            "vector": entity.vector,
            "conflicts": entity.conflicts,
            "deleted": entity.is_deleted,
            "seq": entity.seq,
        }
        for entity in rows
        if reader.entities.includes(list_rules.read(reader.lists[entity.list_name].settings), entity)
    ]


def _lost(reader: Reader, ids: Set[str], *, may_know: bool) -> Set[str]:
    """Entities outside the scope that this reader may have from a time when they were in it."""
    if may_know or not ids:
        return ids
    entity, version = Entity, EntityVersion
    rows = reader.session.execute(
        select(entity, version)
        .join(version, (version.project_id == entity.project_id) & (version.entity_id == entity.entity_id))
        .where(entity.project_id == reader.project.project_id, entity.entity_id.in_(sorted(ids)))
    )
    rules = {name: list_rules.read(one.settings) for name, one in reader.lists.items()}
    return {
        one.entity_id for one, earlier in rows if reader.entities.may_have_had(rules[one.list_name], one, [earlier])
    }


def assignments_among(reader: Reader, ids: Iterable[str] | None = None) -> list[Record]:
    """The open ones that are in scope, of all or of these."""
    rows = reader.session.scalars(
        select(Assignment).where(
            Assignment.project_id == reader.project.project_id,
            Assignment.state == "open",
            true() if ids is None else Assignment.assignment_id.in_(ids),
        )
    )
    return [_assigned(one) for one in rows if reader.sees_all or reader.is_assignee(one.assignee_id)]


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


def _ended(reader: Reader, ids: Sequence[str], *, may_know: bool) -> Set[str]:
    """Those of which this reader may have to hear that they are gone: whose it was hears that it is not any more."""
    if may_know or reader.sees_all:
        return frozenset(ids)
    changes = reader.session.execute(
        select(Operation.record_id, Operation.changes).where(
            Operation.project_id == reader.project.project_id,
            Operation.kind == "assignment",
            Operation.record_id.in_(ids),
            Operation.state == "ready",
        )
    )
    return frozenset(one for one, told in changes if reader.is_assignee(str(told.get("assignee") or "")))


def submissions_among(reader: Reader, chosen: ColumnElement[bool]) -> list[Record]:
    """Those of them that are in scope."""
    rows = reader.session.execute(
        select(Submission, Operation.instance_id)
        .outerjoin(Operation, (Operation.project_id == Submission.project_id) & (Operation.op_id == Submission.op_id))
        .where(Submission.project_id == reader.project.project_id, chosen, reader.own)
    ).all()
    files = _files(reader, chosen) if rows else {}
    notes = _notes(reader, [shown.instance_id for shown, _latest in rows if shown.review_state in RETURNED])
    return [
        _shown(shown, latest_id, files.get(shown.instance_id, ())) | notes.get(shown.instance_id, {})
        for shown, latest_id in rows
    ]


def _notes(reader: Reader, instance_ids: Sequence[str]) -> Mapping[str, Record]:
    """What whoever returned or rejected these records wrote to it, by instance ID."""
    if not instance_ids:
        return {}
    about = OPERATION.c.project_id == reader.project.project_id, OPERATION.c.record_id.in_(instance_ids)
    rows = reader.session.execute(
        select(OPERATION, func.coalesce(Account.name, RemoteName.name, "").label("author"))
        .outerjoin(Account, Account.account_id == OPERATION.c.account_id)
        .outerjoin(
            RemoteName,
            (RemoteName.project_id == OPERATION.c.project_id) & (RemoteName.id == OPERATION.c.account_id),
        )
        .where(*about, OPERATION.c.kind == "review", OPERATION.c.state == "ready")
    ).mappings()
    reviews: dict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        reviews[row["record_id"]][row["op_id"]] = dict(row)
    told: dict[str, Record] = {}
    for instance_id, found in reviews.items():
        stands = decision([op_of(row) for row in found.values()])
        if stands is not None and stands.set.get("note"):
            written = found[stands.op_id]
            at = written["received_at"].isoformat()
            told[instance_id] = {"review_note": stands.set["note"], "review_by": written["author"], "review_at": at}
    return told


def _shown(shown: Submission, latest_id: str | None, files: Sequence[Record]) -> Record:
    return {
        "kind": "submission",
        "record": shown.instance_id,
        "latest_id": latest_id or shown.instance_id,
        "form": shown.form_id,
        "version": shown.version,
        "name": shown.instance_name,
        "review_state": shown.review_state,
        "answers": shown.answers,
        "vector": shown.vector,
        "conflicts": shown.conflicts,
        "errors": shown.errors,
        "warnings": shown.warnings,
        "attachments": list(files),
        "deleted": shown.is_deleted,
        "received": shown.received_at.isoformat(),
        "seq": shown.seq,
    }


def _files(reader: Reader, chosen: ColumnElement[bool]) -> Mapping[str, list[Record]]:
    """The attachments of the chosen submissions in scope, by instance ID."""
    file = SubmissionAttachment
    rows = reader.session.execute(
        select(file.instance_id, file.name, file.sha256, file.size, file.media_type)
        .join(Submission, (Submission.project_id == file.project_id) & (Submission.instance_id == file.instance_id))
        .where(Submission.project_id == reader.project.project_id, chosen, reader.own)
        .order_by(file.instance_id, file.name)
    )
    found: dict[str, list[Record]] = defaultdict(list)
    for row in rows:
        told = {"name": row.name, "sha256": row.sha256, "size": row.size, "type": row.media_type}
        found[row.instance_id].append(told)
    return found


def comments_among(reader: Reader, chosen: ColumnElement[bool]) -> list[Record]:
    """Comments on submissions, whether or not those are in scope."""
    rows = reader.session.execute(
        select(Comment, Account.name, RemoteName.name)
        .outerjoin(Account, Account.account_id == Comment.account_id)
        .outerjoin(RemoteName, (RemoteName.project_id == Comment.project_id) & (RemoteName.id == Comment.account_id))
        .where(Comment.project_id == reader.project.project_id, chosen)
    )
    return [
        {
            "kind": "comment",
            "record": comment.comment_id,
            "about": comment.instance_id,
            "path": comment.path,
            "body": comment.body,
            "author": here or elsewhere or "",
            "at": comment.created_at.isoformat(),
        }
        for comment, here, elsewhere in rows
    ]
