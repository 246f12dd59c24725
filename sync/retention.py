"""How long attachments are kept: after so many days the bytes of those go that their rule is over for.

Only bytes go. The operations, the records and what is known of the file stay: its names, its size, its hash, when it
was deleted and by which rule. By default everything is kept for ever. Rows first, bytes last: what a crash leaves on
disk the next run deletes."""

from __future__ import annotations

import enum
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Engine, Row, Text, and_, cast, delete, func, select
from sqlalchemy.orm import Session

from sync import attach
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.engine import in_transaction, reader
from sync.lock import lock_project
from sync.models import (
    Blob,
    Event,
    FormAttachment,
    InboxItem,
    Operation,
    Project,
    RemovedBlob,
    Submission,
    SubmissionAlias,
    SubmissionAttachment,
)
from sync.namesakes import mentions
from sync.record import record
from sync.verdict import Why

ACTION = "attachment.delete"
AT_ONCE = 500
GRACE = timedelta(days=1)
"""A request may take hours from the first byte of a file to its row: what is younger than this is not deleted."""
HASH = re.compile(rb"(?=([0-9a-f]{64}))")
"""Wherever one begins: what lies in quarantine need not be readable."""

Scope: TypeAlias = tuple[int, str, str]
"""(number of a project, form ID, rule); 0 and "" are all of them."""


class Rule(enum.Enum):
    """Why a file is not kept any more."""

    ORPHAN = "orphan"
    """Nothing names it, or ever did."""
    DELETED = "deleted"
    """The record was deleted."""
    REJECTED = "rejected"
    """The record was rejected; or what named it was discarded, from quarantine or while it waited."""
    SUPERSEDED = "superseded"
    """The record names another file now in its place, or none."""
    APPROVED = "approved"
    """The record is done with."""


@dataclass(frozen=True, slots=True)
class Terms:
    """After how many days attachments go."""

    days: Mapping[Scope, int] = field(default_factory=dict)
    """0 is never; of several that fit the one counts that says most exactly for which records it is."""

    def days_of(self, number: int, form_id: str, rule: Rule) -> int:
        """For how many days this rule must have held."""
        scopes = ((number, form_id), (number, ""), (0, ""))
        return next((self.days[key] for one in scopes if (key := (*one, rule.value)) in self.days), 0)

    def before(self, number: int, form_id: str, rule: Rule, now: datetime) -> datetime | None:
        """What this rule holds of since before then goes; None while it is never."""
        days = self.days_of(number, form_id, rule)
        return now - timedelta(days=days) if days else None


KEPT = Terms()
"""Everything, for ever."""


@dataclass(frozen=True, slots=True)
class Due:
    """A file that goes. `form_id` is that of a record that names it, "" when there is none."""

    sha256: str
    size: int
    media_type: str
    rule: Rule
    form_id: str


def remove_due(
    engine: Engine, blobs: BlobStore, project: Project, terms: Terms, *, as_of: datetime, now: datetime
) -> list[Due]:
    """The files whose time was over at `as_of` are gone; which ones. The audit log tells of each."""

    def act(session: Session) -> list[Due]:
        lock_project(session, project.project_id)
        return _delete_rows(session, project, due(session, project, terms, now=as_of), now=now)

    with Session(reader(engine)) as session:
        # Nobody has to wait for a night on which there is nothing to do.
        is_any = bool(due(session, project, terms, now=as_of))
    gone: list[Due] = in_transaction(engine, act) if is_any else []
    for sha256 in _on_disk(engine, project.project_id):
        in_transaction(engine, partial(_drop, blobs=blobs, key=(project.project_id, sha256), before=now - GRACE))
    return gone


def due(session: Session, project: Project, terms: Terms, *, now: datetime) -> list[Due]:
    """The files that would go now, in the order of their hashes."""
    if not any(terms.days.values()):
        return []
    look = _Look(session, project, terms, now)
    found = look.over()
    kept = look.kept(found) if found else set()
    found = {sha256: why for sha256, why in found.items() if sha256 not in kept}
    before = terms.before(project.number, "", Rule.ORPHAN, now)
    for sha256 in orphans(session, project.project_id, before=before) if before is not None else ():
        found.setdefault(sha256, (Rule.ORPHAN, ""))
    rows = _blobs(session, project.project_id, found)
    gone = (Due(row.sha256, row.size, row.media_type, *found[row.sha256]) for row in rows)
    return sorted(gone, key=lambda one: one.sha256)


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
        candidates -= {str(one["sha256"]) for row in session.execute(_named(project_id)) for one in row.attachments}
    if candidates:
        candidates -= {one for item in _inbox(session, project_id) for one in _hashes(item)}
    return candidates


@dataclass(slots=True)
class _Look:
    """One look at all that names a file in a project."""

    session: Session
    project: Project
    terms: Terms
    now: datetime
    busy: frozenset[str] = frozenset()
    """Records for which something waits."""
    discarded_at: Mapping[str, datetime] = field(default_factory=dict)
    """Operations that somebody has discarded while they waited."""

    def __post_init__(self) -> None:
        self.busy = frozenset(_waited_for(self.session, self.project.project_id))
        thrown = select(Event.target_id, func.max(Event.at)).where(
            Event.project_id == self.project.project_id, Event.action == "held.discard"
        )
        self.discarded_at = dict(self.session.execute(thrown.group_by(Event.target_id)).all())

    def over(self) -> dict[str, tuple[Rule, str]]:
        """The files of which a rule is over where something names them, with that rule and the form."""
        found: dict[str, tuple[Rule, str]] = {}
        for sha256, rule, form_id in self._namings():
            if rule is not None:
                found.setdefault(sha256, (rule, form_id))
        here: dict[str, tuple[Rule, str]] = {}
        for row in _blobs(self.session, self.project.project_id, found):
            here[row.sha256] = found[row.sha256]
        return here

    def kept(self, wanted: Iterable[str]) -> set[str]:
        """Those of them that something else names for which no rule is over, and what a form needs."""
        asked = set(wanted)
        kept = {sha256 for sha256, rule, _form_id in self._namings() if rule is None and sha256 in asked}
        of_forms = select(FormAttachment.sha256).where(FormAttachment.project_id == self.project.project_id)
        return kept | (asked & set(self.session.scalars(of_forms)))

    def _namings(self) -> Iterator[tuple[str, Rule | None, str]]:
        """Wherever a file is named: its hash, the rule that is over there, if any, and the form."""
        rows = self.session.execute(_named(self.project.project_id)).partitions(AT_ONCE)
        for part in rows:
            shown = _shown(self.session, self.project.project_id, {row.record_id for row in part})
            for row in part:
                for one in row.attachments:
                    if row.state != "void" or row.why == Why.SET_ASIDE.value:
                        rule = self._rule(row, one, shown[row.record_id])
                        yield str(one["sha256"]), rule, row.of_form or row.form_id
        for item in _inbox(self.session, self.project.project_id):
            if item.state != "released":
                is_over = item.state == "discarded" and self._is_over(Rule.REJECTED, "", item.judged_at)
                yield from ((sha256, Rule.REJECTED if is_over else None, "") for sha256 in _hashes(item))

    def _rule(self, row: Row[Any], file: Mapping[str, Any], shown: Mapping[str, bool]) -> Rule | None:
        """The rule that is over for a file where this operation names it."""
        if row.state == "void":
            thrown_at = self.discarded_at.get(row.op_id, row.received_at)
            return Rule.REJECTED if self._is_over(Rule.REJECTED, row.form_id, thrown_at) else None
        if row.state == "held" or row.of_form is None or row.conflicts or row.record_id in self.busy:
            return None
        rules = (rule for rule in _holding(row, file, shown) if self._is_over(rule, row.of_form, row.updated_at))
        return next(rules, None)

    def _is_over(self, rule: Rule, form_id: str, since: datetime) -> bool:
        before = self.terms.before(self.project.number, form_id, rule, self.now)
        return before is not None and since < before


def _holding(row: Row[Any], file: Mapping[str, Any], shown: Mapping[str, bool]) -> Iterator[Rule]:
    """The rules under which a file falls as its record stands now."""
    if row.is_deleted:
        yield Rule.DELETED
    if row.review_state == "rejected":
        yield Rule.REJECTED
    # What came along although no answer ever named it has been replaced by nothing.
    if _is_replaced(row, file, shown):
        yield Rule.SUPERSEDED
    if row.review_state == "approved":
        yield Rule.APPROVED


def _is_replaced(row: Row[Any], file: Mapping[str, Any], shown: Mapping[str, bool]) -> bool:
    is_expected = shown.get(str(file["sha256"]))
    if is_expected is None:
        return True
    return not is_expected and any(mentions(value, str(file["name"])) for value in row.changes.values())


def _named(project_id: str) -> Any:
    """The operations that name files, each beside the record that it is part of."""
    of_record = and_(Submission.project_id == Operation.project_id, Submission.instance_id == Operation.record_id)
    columns = (Operation.op_id, Operation.record_id, Operation.state, Operation.why, Operation.form_id)
    more = (Operation.attachments, Operation.changes, Operation.received_at)
    shown = (Submission.is_deleted, Submission.review_state, Submission.conflicts, Submission.updated_at)
    return (
        select(*columns, *more, *shown, Submission.form_id.label("of_form"))
        .outerjoin(Submission, of_record)
        .where(Operation.project_id == project_id, cast(Operation.attachments, Text) != "[]")
        .execution_options(yield_per=AT_ONCE)
    )


def _shown(session: Session, project_id: str, records: Iterable[str]) -> Mapping[str, Mapping[str, bool]]:
    """Record -> the files that it has now, by hash: whether an answer names them."""
    file = SubmissionAttachment
    rows = session.execute(
        select(file.instance_id, file.sha256, file.is_expected).where(
            file.project_id == project_id, file.instance_id.in_(sorted(records)), file.sha256.is_not(None)
        )
    )
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for instance_id, sha256, is_expected in rows:
        found[instance_id][str(sha256)] = is_expected or found[instance_id].get(str(sha256), False)
    return found


def _waited_for(session: Session, project_id: str) -> Iterator[str]:
    """Records that something is about which is held: what it shows nobody knows yet."""
    held = select(Operation.record_id).where(Operation.project_id == project_id, Operation.state == "held").distinct()
    yield from session.scalars(held)
    roots = select(SubmissionAlias.instance_id).where(
        SubmissionAlias.project_id == project_id, SubmissionAlias.alias.in_(held)
    )
    yield from session.scalars(roots)


def _inbox(session: Session, project_id: str) -> Iterable[Row[Any]]:
    """What has landed, or was put aside, may name files too, readable or not."""
    columns = (InboxItem.raw, InboxItem.detail, InboxItem.state, InboxItem.judged_at)
    return session.execute(select(*columns).where(InboxItem.project_id == project_id).execution_options(yield_per=100))


def _hashes(item: Row[Any]) -> set[str]:
    return {found[1].decode() for text in (item.raw, item.detail.encode()) for found in HASH.finditer(text)}


def _blobs(session: Session, project_id: str, hashes: Iterable[str]) -> Iterator[Row[str, int, str]]:
    """Those of them that are here: sha256, size, media_type."""
    wanted = sorted(hashes)
    for start in range(0, len(wanted), AT_ONCE):
        here = Blob.project_id == project_id, Blob.sha256.in_(wanted[start : start + AT_ONCE])
        yield from session.execute(select(Blob.sha256, Blob.size, Blob.media_type).where(*here)).all()


def _delete_rows(session: Session, project: Project, gone: list[Due], *, now: datetime) -> list[Due]:
    for one in gone:
        session.execute(delete(Blob).where(Blob.project_id == project.project_id, Blob.sha256 == one.sha256))
        known = {"size": one.size, "media_type": one.media_type, "rule": one.rule.value, "removed_at": now}
        is_refused = one.rule is not Rule.ORPHAN
        key = {"project_id": project.project_id, "sha256": one.sha256}
        session.add(RemovedBlob(**key, **known, is_refused=is_refused, is_on_disk=True))
        detail = {"size": one.size, "rule": one.rule.value} | ({"form": one.form_id} if one.form_id else {})
        target = ("attachment", one.sha256)
        record(session, ACTION, actor=SYSTEM, at=now, project_id=project.project_id, target=target, detail=detail)
    return gone


def _on_disk(engine: Engine, project_id: str) -> Sequence[str]:
    with Session(reader(engine)) as session:
        return session.scalars(
            select(RemovedBlob.sha256).where(RemovedBlob.project_id == project_id, RemovedBlob.is_on_disk)
        ).all()


def _drop(session: Session, *, blobs: BlobStore, key: tuple[str, str], before: datetime) -> None:
    """The bytes are gone, unless somebody has brought them again: nobody can while the project is locked."""
    project_id, sha256 = key
    lock_project(session, project_id)
    row = session.get(RemovedBlob, key)
    if row is not None and attach.blob(session, *key) is None and blobs.drop(project_id, sha256, before=before):
        row.is_on_disk = False


def left_behind(session: Session, *, before: datetime) -> int:
    """Of how many files, deleted before then, the bytes may still lie on disk."""
    rows = select(func.count()).where(RemovedBlob.is_on_disk, RemovedBlob.removed_at < before)
    return session.scalar(rows) or 0


def weighed(found: Iterable[Due]) -> Mapping[tuple[Rule, str], tuple[int, int]]:
    """How many files, and how many bytes, by rule and form."""
    counts: Counter[tuple[Rule, str]] = Counter()
    sizes: Counter[tuple[Rule, str]] = Counter()
    for one in found:
        counts[one.rule, one.form_id] += 1
        sizes[one.rule, one.form_id] += one.size
    return {key: (counts[key], sizes[key]) for key in sorted(counts, key=lambda key: (key[1], key[0].value))}
