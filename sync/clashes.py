"""Open conflicts as rows: all that was written, by whom and from which base, the shown value first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.flat import is_mark
from sync.ledger import Ledger, Record, Row
from sync.merge import Clash, Op, View, is_whole
from sync.models import Conflict
from sync.namesakes import FILE, is_file
from sync.rows import CONFLICT


def lay_clashes(ledger: Ledger, record: Record, view: View) -> None:
    """The record's rows in `conflict` are those of the view. What was open before keeps its opening."""
    key = record.kind, record.record_id
    opened = {row["path"]: row["opened_at"] for row in ledger.rows(CONFLICT, key)}
    rows = [
        {
            "project_id": ledger.project_id,
            "kind": record.kind,
            "record_id": record.record_id,
            "path": clash.path[:255],
            "siblings": _siblings(ledger, clash),
            "base": clash.base,
            "opened_at": _opened_at(ledger, clash) or opened.get(clash.path[:255], ledger.now),
        }
        for clash in view.clashes
    ]
    ledger.lay(CONFLICT, key, rows)


@dataclass(frozen=True, slots=True)
class Disputed:
    """A file that an open conflict of a record shows, and who brought it."""

    record_id: str
    op_id: str
    sha256: str
    media_type: str


def disputed(session: Session, project_id: str) -> list[Disputed]:
    """The files that open conflicts show: those of the losing sides stand in no record."""
    found = select(Conflict).where(Conflict.project_id == project_id, Conflict.kind == "submission")
    return [
        Disputed(row.record_id, side["op"], str(side["file"]["sha256"]), str(side["file"].get("type") or ""))
        for row in session.scalars(found)
        for side in row.siblings
        if "file" in side
    ]


def made_at(op: Op, received_at: datetime) -> datetime:
    """When the author made it, by the author's clock; when we received it, if that clock says nothing."""
    try:
        at_ms = int(op.at.partition("-")[0], 16)
        return datetime.fromtimestamp(at_ms / 1000, UTC) if at_ms else received_at
    except (ValueError, OverflowError, OSError):
        return received_at


def _opened_at(ledger: Ledger, clash: Clash) -> datetime | None:
    """Files may come long after what names them, in a request that the feed does not tell of: a clash of files is as
    old as the second of its operations, whenever it was noticed."""
    if not is_file(clash.path):
        return None
    at: datetime = sorted(ledger.acts[op.op_id].row["received_at"] for op in clash.siblings)[1]
    return at


def _siblings(ledger: Ledger, clash: Clash) -> list[dict[str, Any]]:
    rows = ((op, ledger.acts[op.op_id].row) for op in clash.siblings)
    return [_sibling(op, row, clash.path, is_shown=not at) for at, (op, row) in enumerate(rows)]


def _sibling(op: Op, row: Row, path: str, *, is_shown: bool) -> dict[str, Any]:
    inside = (at for at in op.set if at.startswith(path) and at != path and not is_file(at))
    whole = {"changes": {at: op.set[at] for at in inside}} if is_whole(path) else {}
    name = path.removeprefix(FILE) if is_file(path) else op.set.get(path)
    brought = [{"file": dict(one)} for one in row["attachments"] if one["name"] == name][-1:]
    said = {
        "op": op.op_id,
        "value": op.set.get(path),
        "is_delete": op.is_delete or (is_mark(path) and op.set.get(path, "") is None),
        "at": made_at(op, row["received_at"]).isoformat(timespec="milliseconds"),
        "account": row["account_id"],
        "device": row["device_id"],
        "instance": row["instance_id"],
        "is_shown": is_shown,
    }
    return whole | said | (brought[0] if brought else {})
