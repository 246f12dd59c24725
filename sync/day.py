"""A fieldwork day at a glance: who sent what, what was flagged, who has not synchronised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from sync.models import Account, Batch, Conflict, Device, InboxItem, Operation, Project, RemoteName, Submission

Bounds = tuple[datetime, datetime]
"""The first instant of a day, and of the next one."""

Key = tuple[str | None, str | None]
"""(device_id, account_id)."""


@dataclass(slots=True)
class DayLine:
    """One device in the hands of one person."""

    device_id: str | None
    account_id: str | None
    device: str = ""
    is_here: bool = False
    """The device is enrolled at this server; what others pass on is counted for who collected it there."""
    who: str = ""
    records: int = 0
    forms: dict[str, int] = field(default_factory=dict)
    """Records by form ID."""
    first_at: datetime | None = None
    """When the first record was received, and the last."""
    last_at: datetime | None = None
    flagged: int = 0
    """Records with open errors or warnings."""
    conflicts: int = 0
    missing: int = 0
    """Attachments that have not arrived."""
    batches: int = 0
    size: int = 0
    """Bytes on the wire."""
    largest: int = 0
    """Items in the largest batch."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """Items by verdict, from all of its batches."""
    last_seen_at: datetime | None = None
    waiting: int | None = None
    """What the device said was still in its outbox."""
    skew_ms: int | None = None

    @property
    def duplicates(self) -> int:
        return self.verdicts["duplicate"]


@dataclass(frozen=True, slots=True)
class Day:
    """All lines, the busiest first; devices that sent nothing come last."""

    lines: tuple[DayLine, ...]
    states: Mapping[str, int]
    """Records of the day by review state."""
    quarantined: int
    """Items now in quarantine, of whichever day; so are the next two."""
    held: int
    conflicts: int

    @property
    def records(self) -> int:
        return sum(line.records for line in self.lines)

    @property
    def flagged(self) -> int:
        return sum(line.flagged for line in self.lines)

    @property
    def duplicates(self) -> int:
        return sum(line.duplicates for line in self.lines)


def day(session: Session, project: Project, bounds: Bounds | None = None) -> Day:
    """What was received between the bounds; without bounds, ever."""
    lines: dict[Key, DayLine] = {}
    _count_records(session, project, bounds, lines)
    _count_batches(session, project, bounds, lines)
    _add_devices(session, project, lines)
    shown = [line for line in lines.values() if line.records or line.is_here]
    _name(session, project, shown)
    return Day(
        lines=tuple(sorted(shown, key=lambda line: (-line.records, -line.batches, line.who, line.device))),
        states=_states(session, project, bounds),
        quarantined=_number(session, InboxItem, InboxItem.project_id == project.project_id, _in_quarantine()),
        held=_number(session, Operation, Operation.project_id == project.project_id, Operation.state == "held"),
        conflicts=_number(session, Conflict, Conflict.project_id == project.project_id),
    )


def _count_records(session: Session, project: Project, bounds: Bounds | None, lines: dict[Key, DayLine]) -> None:
    is_flagged = case((or_(Submission.errors > 0, Submission.warnings > 0), 1), else_=0)
    found = (
        select(
            Submission.device_id,
            Submission.account_id,
            Submission.form_id,
            func.count(),
            func.min(Submission.received_at),
            func.max(Submission.received_at),
            func.sum(is_flagged),
            func.sum(Submission.conflicts),
            func.sum(Submission.attachments_missing),
        )
        .where(*_within(project, bounds))
        .group_by(Submission.device_id, Submission.account_id, Submission.form_id)
    )
    for device_id, account_id, form_id, count, first, last, flagged, conflicts, missing in session.execute(found):
        line = _line(lines, device_id, account_id)
        line.forms[form_id] = count
        line.records += count
        line.first_at = min(filter(None, (line.first_at, first)), default=None)
        line.last_at = max(filter(None, (line.last_at, last)), default=None)
        line.flagged += int(flagged or 0)
        line.conflicts += int(conflicts or 0)
        line.missing += int(missing or 0)


def _count_batches(session: Session, project: Project, bounds: Bounds | None, lines: dict[Key, DayLine]) -> None:
    found = select(Batch.device_id, Batch.account_id, Batch.size, Batch.items, Batch.verdicts).where(
        Batch.project_id == project.project_id
    )
    if bounds is not None:
        found = found.where(Batch.received_at >= bounds[0], Batch.received_at < bounds[1])
    by_device = defaultdict(list)
    for line in lines.values():
        by_device[line.device_id].append(line)
    for device_id, account_id, size, items, verdicts in session.execute(found):
        known = lines.get((device_id, account_id)) or next(iter(by_device[device_id]), None)
        line = known or _line(lines, device_id, account_id)
        line.batches += 1
        line.size += size
        line.largest = max(line.largest, items)
        line.verdicts.update({name: int(count) for name, count in verdicts.items()})


def _add_devices(session: Session, project: Project, lines: dict[Key, DayLine]) -> None:
    """Devices by name; one that is in use but has sent nothing gets a line too. A server collects nothing itself."""
    wanted = select(Device).where(Device.project_id == project.project_id, Device.kind != "server")
    devices = session.scalars(wanted).all()
    by_device = defaultdict(list)
    for line in lines.values():
        by_device[line.device_id].append(line)
    for device in devices:
        if device.device_id not in by_device and device.revoked_at is None:
            by_device[device.device_id].append(_line(lines, device.device_id, device.account_id))
        for line in by_device[device.device_id]:
            line.is_here, line.device = True, device.name
            line.waiting, line.skew_ms = device.waiting, device.skew_ms
            line.last_seen_at = device.last_seen_at


def _name(session: Session, project: Project, lines: Iterable[DayLine]) -> None:
    """People, those of other servers too, and their devices."""
    lines = list(lines)
    ids = {line.account_id for line in lines if line.account_id}
    found = select(Account.account_id, Account.name).where(Account.account_id.in_(ids))
    ids |= {line.device_id for line in lines if line.device_id}
    strangers = select(RemoteName.id, RemoteName.name).where(
        RemoteName.project_id == project.project_id, RemoteName.id.in_(ids)
    )
    names = {str(id_): str(name) for asked in (strangers, found) for id_, name in session.execute(asked).all()}
    for line in lines:
        line.who = names.get(line.account_id or "", "")
        line.device = line.device or names.get(line.device_id or "", "")


def _states(session: Session, project: Project, bounds: Bounds | None) -> dict[str, int]:
    found = select(Submission.review_state, func.count()).where(*_within(project, bounds))
    return dict(session.execute(found.group_by(Submission.review_state)).all())


def _within(project: Project, bounds: Bounds | None) -> list[ColumnElement[bool]]:
    mine = [Submission.project_id == project.project_id, Submission.is_deleted.is_(False)]
    if bounds is None:
        return mine
    return [*mine, Submission.received_at >= bounds[0], Submission.received_at < bounds[1]]


def _in_quarantine() -> ColumnElement[bool]:
    return InboxItem.state == "quarantined"


def _number(session: Session, model: type[InboxItem | Operation | Conflict], *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def _line(lines: dict[Key, DayLine], device_id: str | None, account_id: str | None) -> DayLine:
    key = (device_id, account_id)
    return lines.setdefault(key, DayLine(device_id, account_id))
