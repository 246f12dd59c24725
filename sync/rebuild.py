"""Make everything that follows from the operations again: records, findings, conflicts, entities, comments ...

The operations are gone through in the order in which they took part, each at its own instant, by the very steps that
the first time took them. What people did beside the operations stays: dismissed findings, and when files arrived."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Row as Result
from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.orm import Session

from sync.ledger import Act, Record, Row, open_ledger
from sync.merge import union
from sync.models import FeedRow, Form, Submission, SubmissionFinding
from sync.place import SETTLE
from sync.rows import (
    ASSIGNMENT,
    COMMENT,
    CONFLICT,
    ENTITY,
    ENTITY_LIST,
    ENTITY_VERSION,
    SUBMISSION,
    SUBMISSION_ALIAS,
    SUBMISSION_ATTACHMENT,
    SUBMISSION_FINDING,
)

CHUNK = 200
"""Operations between two writes."""

DERIVED = (
    SUBMISSION,
    SUBMISSION_ALIAS,
    SUBMISSION_FINDING,
    SUBMISSION_ATTACHMENT,
    CONFLICT,
    COMMENT,
    ENTITY,
    ENTITY_VERSION,
    ASSIGNMENT,
)
"""Every table that follows from the operations; what others refer to comes first."""

COMPARED = (*DERIVED, ENTITY_LIST)
"""Of a list its settings follow; the list itself, and the names of its properties, may come from elsewhere."""

Key: TypeAlias = tuple[Any, ...]

Versions: TypeAlias = dict[str, str | None]
"""Form -> the version that was in use at the time."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it: for each table its rows, and those that were not as they are now."""

    operations: int
    rows: Mapping[str, int]
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Table -> the keys of rows that differ, were missing, or should not have been there."""

    @property
    def is_same(self) -> bool:
        return not any(self.changed.values())


@dataclass(frozen=True, slots=True)
class _Kept:
    """What people and uploads did, which no operation tells."""

    dismissed: list[Row]
    arrived: list[Row]


def rebuild(session: Session, project_id: str, *, now: datetime) -> Rebuilt:
    """The derived rows of the project are made anew. Roll back to only learn whether they would be the same."""
    # Nobody writes to the project meanwhile.
    head = open_ledger(session, project_id, now=now).head
    before = {table.name: dict(_digests(session, table, project_id)) for table in COMPARED}
    kept = _keep(session, project_id)
    for table in reversed(DERIVED):
        session.execute(delete(table).where(table.c.project_id == project_id))
    session.execute(update(ENTITY_LIST).where(ENTITY_LIST.c.project_id == project_id).values(settings={}))
    session.expire_all()
    forms = session.scalars(select(Form.form_id).where(Form.project_id == project_id))
    versions: Versions = dict.fromkeys(forms)
    for first in range(0, head, CHUNK):
        _replay(session, project_id, range(first + 1, min(first + CHUNK, head) + 1), versions, now)
    _bring_back(session, project_id, kept)
    session.expire_all()
    after = {table.name: dict(_digests(session, table, project_id)) for table in COMPARED}
    return Rebuilt(
        operations=head,
        rows={name: len(rows) for name, rows in after.items()},
        changed={name: _different(before[name], rows) for name, rows in after.items()},
    )


def _replay(session: Session, project_id: str, numbers: range, versions: Versions, now: datetime) -> None:
    rows = session.execute(
        select(FeedRow.seq, FeedRow.op_id, FeedRow.kind, FeedRow.record_id, FeedRow.at)
        .where(FeedRow.project_id == project_id, FeedRow.seq.between(numbers[0], numbers[-1]))
        .order_by(FeedRow.seq)
    ).all()
    ledger = open_ledger(session, project_id, now=now)
    ledger.forms = {form_id: {"state": "open", "version": version} for form_id, version in versions.items()}
    for kind in dict.fromkeys(row.kind for row in rows):
        ledger.load_records([kind], [row.record_id for row in rows if row.kind == kind])
    states = {act.op_id: act.state for act in ledger.acts.values()}
    for row in rows:
        record = ledger.record(row.kind, row.record_id)
        _stand_at(record, row.seq, states)
        act = ledger.acts[row.op_id]
        if row.kind in ("review", "comment"):
            about = act.row["changes"]["submission"] if row.kind == "comment" else row.record_id
            ledger.submission(ledger.root(str(about)))
        ledger.now, ledger.head, ledger.first = row.at, row.seq, row.seq
        if row.kind != "form":
            SETTLE[row.kind](ledger, record, act, None)
            continue
        versions[row.record_id], _title = ledger.newest_version(row.record_id)
        ledger.forms[row.record_id] = {"state": "open", "version": versions[row.record_id]}
    ledger.write()


def _stand_at(record: Record, seq: int, states: dict[str, str]) -> None:
    """The record's operations as they were when the feed had come to this number."""
    record.forget()
    there: list[Act] = []
    later: list[Act] = []
    for act in record.acts:
        state = states.setdefault(act.op_id, act.state)
        number = act.row["seq"]
        # A void marker has no number of its own: it came after the one that it carries.
        is_there = number is None or (number < seq if state == "void" else number <= seq)
        (there if is_there else later).append(act)
        act.stand(state if is_there else "held")
    seen = union({**act.op.context, act.op.origin: act.op.prev} for act in there if later and act.state == "ready")
    for act in later:
        if act.op.n <= seen.get(act.op.origin, 0):
            # Who goes on from it was let through by a marker, which has given way since.
            act.stand("void")


def _keep(session: Session, project_id: str) -> _Kept:
    findings, files = SUBMISSION_FINDING.c, SUBMISSION_ATTACHMENT.c
    dismissed = select(SUBMISSION_FINDING).where(findings.project_id == project_id, findings.state != "open")
    arrived = select(SUBMISSION_ATTACHMENT).where(files.project_id == project_id, files.arrived_at.is_not(None))
    return _Kept(*([dict(row) for row in session.execute(rows).mappings()] for rows in (dismissed, arrived)))


def _bring_back(session: Session, project_id: str, kept: _Kept) -> None:
    for row in kept.arrived:
        same = _same(SUBMISSION_ATTACHMENT, row, "instance_id", "name", "sha256")
        session.execute(update(SUBMISSION_ATTACHMENT).where(*same).values(arrived_at=row["arrived_at"]))
    _count_missing(session, project_id)
    for row in kept.dismissed:
        same = _same(SUBMISSION_FINDING, row, "instance_id", "rule", "path", "position", "value")
        review = {name: row[name] for name in ("state", "note", "account_id", "reviewed_at")}
        session.execute(update(SUBMISSION_FINDING).where(*same).values(review))
    for instance_id in sorted({row["instance_id"] for row in kept.dismissed}):
        _count(session, project_id, instance_id)


def _same(table: Table, row: Row, *names: str) -> list[Any]:
    return [table.c[name] == row[name] for name in ("project_id", *names)]


def _count(session: Session, project_id: str, instance_id: str) -> None:
    """A dismissed finding is not counted."""
    found = select(SubmissionFinding.severity, func.count()).where(
        SubmissionFinding.project_id == project_id,
        SubmissionFinding.instance_id == instance_id,
        SubmissionFinding.state == "open",
    )
    counts = Counter(dict(session.execute(found.group_by(SubmissionFinding.severity)).all()))
    session.execute(
        update(Submission)
        .where(Submission.project_id == project_id, Submission.instance_id == instance_id)
        .values(errors=counts["error"], warnings=counts["warning"])
    )


def _count_missing(session: Session, project_id: str) -> None:
    """A file that came once is not missing, though it may have been deleted since."""
    files = SUBMISSION_ATTACHMENT.c
    missing = (
        select(func.count())
        .where(files.project_id == SUBMISSION.c.project_id, files.instance_id == SUBMISSION.c.instance_id)
        .where(files.is_expected, files.arrived_at.is_(None))
    )
    counted = update(SUBMISSION).where(SUBMISSION.c.project_id == project_id, SUBMISSION.c.attachments_missing > 0)
    session.execute(counted.values(attachments_missing=missing.scalar_subquery()))


def _digests(session: Session, table: Table, project_id: str) -> Iterator[tuple[Key, bytes]]:
    own = [column.name for column in table.primary_key if column.name != "project_id"]
    rows = session.execute(select(table).where(table.c.project_id == project_id).execution_options(yield_per=1000))
    for row in rows:
        yield tuple(getattr(row, name) for name in own), _digest(row)


def _digest(row: Result[Any]) -> bytes:
    return hashlib.sha256(orjson.dumps(list(row), option=orjson.OPT_SORT_KEYS)).digest()


def _different(before: Mapping[Key, bytes], after: Mapping[Key, bytes]) -> tuple[str, ...]:
    keys = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return tuple(sorted(" ".join(str(part) for part in key) for key in keys))
