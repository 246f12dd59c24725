"""The read side: one filter for console, API and exports, and all that belongs to one record."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.orm import Session, aliased

from sync import access
from sync.access import Actor
from sync.assignments.progress import records_of
from sync.day import Day, DayLine, day
from sync.errors import NoSuchSubmission
from sync.history import HistoryLine, history, versions
from sync.models import (
    Batch,
    Comment,
    Conflict,
    Device,
    Event,
    InboxItem,
    Operation,
    Project,
    RemovedBlob,
    Submission,
    SubmissionAlias,
    SubmissionAttachment,
    SubmissionFinding,
)
from sync.rows import INBOX
from sync.verdict import Outcome, Why

__all__ = [
    "Day",
    "DayLine",
    "Filter",
    "HistoryLine",
    "Page",
    "attachments",
    "batches",
    "comments",
    "conflicts",
    "count_held",
    "day",
    "each",
    "findings",
    "held",
    "history",
    "quarantine",
    "quarantine_reasons",
    "reason",
    "set_aside",
    "submission",
    "submissions",
    "versions",
    "weigh_quarantine",
    "xml",
]

CHUNK = 500

# Made once: every request of a device asks it.
_ASIDE = select(func.count(), func.coalesce(func.sum(func.length(INBOX.c.raw)), 0)).where(
    INBOX.c.project_id == bindparam("of_project"),
    INBOX.c.device_id == bindparam("of_device"),
    INBOX.c.state.in_(("landed", "quarantined")),
)

STATES: Mapping[str, tuple[str, ...]] = {
    "undecided": ("received", "edited"),
    "standing": ("received", "edited", "has_issues", "approved"),
}
"""Words for several review states: nobody has decided yet; all but the rejected ones."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which submissions; None and "" leave a question open. The newest come first."""

    form_id: str | None = None
    review_state: str | None = None
    """One of the states, or a word for several of them: see STATES."""
    device_id: str | None = None
    account_id: str | None = None
    has_errors: bool | None = None
    has_warnings: bool | None = None
    has_conflicts: bool | None = None
    has_missing: bool | None = None
    """Attachments that have not arrived."""
    assignment_id: str | None = None
    """Records that count for this assignment."""
    text: str = ""
    """Somewhere in the instance ID, the instance name or an answer, in either case."""
    day_from: datetime | None = None
    """Received at this instant or later ..."""
    day_to: datetime | None = None
    """... and before this one."""
    is_deleted: bool = False
    after: tuple[datetime, str] | None = None
    """(received_at, instance_id) of the last row that the reader has: the page continues behind it."""
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """`total` counts all rows of the filter, on whichever page."""

    rows: Sequence[Submission]
    total: int


def submissions(session: Session, project: Project, wanted: Filter, *, actor: Actor) -> Page:
    """One page. Refuses NotAllowed."""
    access.require(actor, "submission.list", project.project_id)
    conditions = _conditions(session, project, wanted)
    rows = session.scalars(_page(conditions, wanted)).all()
    whole = and_(*_conditions(session, project, replace(wanted, after=None)))
    return Page(rows, session.scalar(select(func.count()).select_from(Submission).where(whole)) or 0)


def each(session: Session, project: Project, wanted: Filter, *, actor: Actor) -> Iterator[Submission]:
    """All of them, whatever the filter's limit and offset, in constant memory: for exports."""
    access.require(actor, "submission.list", project.project_id)
    wanted = replace(wanted, limit=CHUNK, offset=0)
    while rows := session.scalars(_page(_conditions(session, project, wanted), wanted)).all():
        yield from rows
        wanted = replace(wanted, after=(rows[-1].received_at, rows[-1].instance_id))
        for row in rows:
            session.expunge(row)


def submission(
    session: Session, project: Project, instance_id: str, *, actor: Actor, form_id: str | None = None
) -> Submission:
    """The record of this instance ID, or of an edit's. Refuses NotAllowed, NoSuchSubmission."""
    access.require(actor, "submission.read", project.project_id)
    found = session.get(Submission, (project.project_id, instance_id))
    if found is None:
        alias = session.get(SubmissionAlias, (project.project_id, instance_id))
        found = session.get(Submission, (project.project_id, alias.instance_id)) if alias is not None else None
    if found is None or (form_id is not None and found.form_id != form_id):
        raise NoSuchSubmission(instance_id)
    return found


def findings(session: Session, found: Submission) -> list[SubmissionFinding]:
    """Open ones first, then by path."""
    order = (SubmissionFinding.state.desc(), SubmissionFinding.path, SubmissionFinding.rule, SubmissionFinding.position)
    mine = SubmissionFinding.project_id == found.project_id, SubmissionFinding.instance_id == found.instance_id
    return list(session.scalars(select(SubmissionFinding).where(*mine).order_by(*order)))


def attachments(session: Session, found: Submission) -> list[SubmissionAttachment]:
    """By name; `arrived_at` is None while the bytes are missing."""
    mine = SubmissionAttachment.project_id == found.project_id, SubmissionAttachment.instance_id == found.instance_id
    return list(session.scalars(select(SubmissionAttachment).where(*mine).order_by(SubmissionAttachment.name)))


def removals(session: Session, found: Submission) -> dict[str, RemovedBlob]:
    """Name -> what is known of a file of the record that had come, and was deleted on purpose."""
    file, gone = SubmissionAttachment, RemovedBlob
    mine = file.project_id == found.project_id, file.instance_id == found.instance_id, file.arrived_at.is_not(None)
    same = (gone.project_id == file.project_id) & (gone.sha256 == file.sha256)
    return dict(session.execute(select(file.name, gone).join(gone, same).where(*mine)).all())


def comments(session: Session, found: Submission) -> list[Comment]:
    """The oldest first."""
    mine = Comment.project_id == found.project_id, Comment.instance_id == found.instance_id
    return list(session.scalars(select(Comment).where(*mine).order_by(Comment.created_at, Comment.comment_id)))


def conflicts(
    session: Session, project: Project, kind: str | None = None, record_id: str | None = None
) -> list[Conflict]:
    """The open ones, the oldest first."""
    wanted = select(Conflict).where(Conflict.project_id == project.project_id)
    if kind is not None:
        wanted = wanted.where(Conflict.kind == kind)
    if record_id is not None:
        wanted = wanted.where(Conflict.record_id == record_id)
    return list(session.scalars(wanted.order_by(Conflict.opened_at, Conflict.record_id, Conflict.path)))


def xml(session: Session, found: Submission) -> str:
    """The instance: the merge's when it wrote one, else exactly as its author sent it."""
    if found.xml is not None:
        return found.xml
    sent = select(Operation.xml).where(Operation.project_id == found.project_id, Operation.op_id == found.op_id)
    return session.scalar(sent) or ""


def quarantine(
    session: Session,
    project: Project,
    *,
    why: str | None = None,
    state: str = "quarantined",
    limit: int = 500,
    offset: int = 0,
) -> list[InboxItem]:
    """What arrived but could not be placed, the newest first; or, "discarded", what somebody has taken out of that."""
    wanted = select(InboxItem).where(InboxItem.project_id == project.project_id, InboxItem.state == state)
    if why is not None:
        wanted = wanted.where(InboxItem.why == why)
    newest = wanted.order_by(InboxItem.landed_at.desc(), InboxItem.item_id.desc())
    return list(session.scalars(newest.limit(limit).offset(offset)))


def quarantine_reasons(session: Session, project: Project) -> dict[str, int]:
    """How many items are in quarantine for each reason, the most frequent first."""
    wanted = (
        select(InboxItem.why, func.count())
        .where(InboxItem.project_id == project.project_id, InboxItem.state == "quarantined")
        .group_by(InboxItem.why)
        .order_by(func.count().desc(), InboxItem.why)
    )
    return dict(session.execute(wanted).all())


def weigh_quarantine(session: Session, device: Device) -> tuple[int, int]:
    """How many items of this device have landed or are in quarantine now, and how many bytes these are."""
    mine = {"of_project": device.project_id, "of_device": device.device_id}
    count, size = session.connection().execute(_ASIDE, mine).one()
    return int(count), int(size)


def held(
    session: Session, project: Project, *, kind: str = "", record_id: str = "", limit: int = 500
) -> list[Operation]:
    """What waits for something that has not arrived, the oldest first; `why` says for what. All, or of one record."""
    wanted = select(Operation).where(Operation.project_id == project.project_id, Operation.state == "held")
    if record_id:
        wanted = wanted.where(Operation.kind == kind, Operation.record_id == record_id)
    return list(session.scalars(wanted.order_by(Operation.received_at, Operation.op_id).limit(limit)))


def set_aside(session: Session, project: Project, *, limit: int = 500) -> list[Operation]:
    """What waited until somebody discarded it, the oldest first."""
    released = aliased(Operation)
    is_applied = exists().where(
        released.project_id == Operation.project_id,
        released.cause_id == Operation.op_id,
        released.origin.like("r~%"),
    )
    wanted = select(Operation).where(
        Operation.project_id == project.project_id,
        Operation.state == "void",
        Operation.why == Why.SET_ASIDE.value,
        # Only what waited here: of what waited at another server there is but the number.
        Operation.verdict == Outcome.HELD.value,
        ~is_applied,
    )
    return list(session.scalars(wanted.order_by(Operation.received_at, Operation.op_id).limit(limit)))


def reason(session: Session, project: Project, action: str, target_id: str) -> str:
    """What somebody wrote who did this last, such as discarding an item."""
    wanted = select(Event.detail).where(
        Event.project_id == project.project_id, Event.action == action, Event.target_id == target_id
    )
    detail = session.scalar(wanted.order_by(Event.at.desc(), Event.event_id.desc()).limit(1))
    return str((detail or {}).get("note", ""))


def count_held(session: Session, project: Project, *, before: datetime) -> int:
    """How many operations that came before still wait."""
    mine = Operation.project_id == project.project_id, Operation.state == "held", Operation.received_at <= before
    return session.scalar(select(func.count()).select_from(Operation).where(*mine)) or 0


def batches(
    session: Session, project: Project, *, device_id: str | None = None, limit: int = 50, offset: int = 0
) -> list[Batch]:
    """What was pushed, the newest first."""
    wanted = select(Batch).where(Batch.project_id == project.project_id)
    if device_id is not None:
        wanted = wanted.where(Batch.device_id == device_id)
    newest = wanted.order_by(Batch.received_at.desc(), Batch.batch_id.desc())
    return list(session.scalars(newest.limit(limit).offset(offset)))


def _page(conditions: Sequence[ColumnElement[bool]], wanted: Filter) -> Select[Submission]:
    newest = (Submission.received_at.desc(), Submission.instance_id.desc())
    return select(Submission).where(*conditions).order_by(*newest).limit(wanted.limit).offset(wanted.offset)


def _conditions(session: Session, project: Project, wanted: Filter) -> list[ColumnElement[bool]]:
    return [
        Submission.project_id == project.project_id,
        Submission.is_deleted.is_(wanted.is_deleted),
        *_equalities(wanted),
        *_state(wanted.review_state),
        *(records_of(session, project.project_id, wanted.assignment_id) if wanted.assignment_id else ()),
        *_counts(wanted),
        *_times(wanted),
        *(_says(session, wanted.text.strip()) if wanted.text.strip() else ()),
    ]


def _equalities(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    for column, value in (
        (Submission.form_id, wanted.form_id),
        (Submission.device_id, wanted.device_id),
        (Submission.account_id, wanted.account_id),
    ):
        if value:
            yield column == value


def _state(word: str | None) -> Iterator[ColumnElement[bool]]:
    if word:
        yield Submission.review_state.in_(STATES.get(word, (word,)))


def _counts(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    for column, is_positive in (
        (Submission.errors, wanted.has_errors),
        (Submission.warnings, wanted.has_warnings),
        (Submission.conflicts, wanted.has_conflicts),
        (Submission.attachments_missing, wanted.has_missing),
    ):
        if is_positive is not None:
            yield column > 0 if is_positive else column == 0


def _times(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.day_from is not None:
        yield Submission.received_at >= wanted.day_from
    if wanted.day_to is not None:
        yield Submission.received_at < wanted.day_to
    if wanted.after is not None:
        at, instance_id = wanted.after
        yield tuple_(Submission.received_at, Submission.instance_id) < tuple_(
            literal(at, Submission.received_at.type), literal(instance_id)
        )


def _says(session: Session, words: str) -> Iterator[ColumnElement[bool]]:
    """The words stand in the record's id, its name, or the value of an answer (not in a question's name)."""
    if "\x00" in words:
        yield false()
        return
    written = orjson.dumps(words).decode()[1:-1]
    # The whole text first: it is cheap, and spares most records the walk through their answers.
    is_near = cast(Submission.answers, Text).icontains(written, autoescape=True)
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    in_an_answer = _in_jsonb(words) if is_postgresql else _in_json(words)
    yield or_(
        Submission.instance_id.icontains(words, autoescape=True),
        Submission.instance_name.icontains(words, autoescape=True),
        and_(is_near, in_an_answer),
    )


def _in_json(words: str) -> ColumnElement[bool]:
    pattern = "%" + re.sub(r"([%_\\])", r"\\\1", words) + "%"
    walked = text(
        "EXISTS (SELECT 1 FROM json_tree(submission.answers) AS answer WHERE answer.type = 'text'"
        " AND answer.atom LIKE :pattern ESCAPE '\\')"
    )
    return walked.bindparams(pattern=pattern)  # type: ignore[return-value]  # a text clause is a condition


def _in_jsonb(words: str) -> ColumnElement[bool]:
    path = f'$.** ? (@.type() == "string" && @ like_regex {orjson.dumps(words).decode()} flag "iq")'
    return func.jsonb_path_exists(Submission.answers, cast(path, JSONPATH))
