"""What has come before: a repeated push is answered from what is kept, without landing it again, parsing or a lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlalchemy.orm import Session

from sync.draft import Draft, Unreadable, derived_origin, draft_of
from sync.rows import OPERATION, SUBMISSION
from sync.verdict import Line, Outcome, Sender, Why

SHOWN = ("instance_name", "errors", "warnings", "conflicts")
"""What an answer says of the submission."""
_KNOWN = (
    select(
        *(OPERATION.c[name] for name in ("op_id", "kind", "record_id", "form_id", "version", "attachments")),
        *(OPERATION.c[name] for name in ("state", "why", "verdict", "seq", "via")),
        *(SUBMISSION.c[name] for name in SHOWN),
    )
    .outerjoin(
        SUBMISSION,
        and_(
            OPERATION.c.kind == "submission",
            SUBMISSION.c.project_id == OPERATION.c.project_id,
            SUBMISSION.c.instance_id == OPERATION.c.record_id,
        ),
    )
    .where(
        OPERATION.c.project_id == bindparam("project_id"), OPERATION.c.op_id.in_(bindparam("op_ids", expanding=True))
    )
)


def first_verdicts(session: Session, sender: Sender, told: Iterable[Mapping[str, Any]]) -> dict[str, Line]:
    """The lines, by op_id, of those that are known and bring nothing new. `told` are operations as JSON values."""
    sent = list(told)
    if not sent:
        return {}
    found = session.connection().execute(
        _KNOWN, {"project_id": sender.project_id, "op_ids": sorted({one["op"] for one in sent})}
    )
    names = list(found.keys())
    # Plain rows: mappings take as long as the query.
    rows = {row.op_id: dict(zip(names, row, strict=True)) for row in found}
    going_on = {one["op"] for one in sent if one["op"] in rows and _goes_on(rows[one["op"]], one, sender)}
    return {op_id: repeated(row, _shown(row)) for op_id, row in rows.items() if op_id not in going_on}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    if row["state"] != "ready" or row["errors"] is None:
        return {}
    return {name: row[name] for name in SHOWN}


def _goes_on(row: Mapping[str, Any], told: Mapping[str, Any], sender: Sender) -> bool:
    """Whether it has to be judged once more. What takes part already, and a device has made, never has: to read it as
    an operation takes a third of a batch that is sent again."""
    if row["state"] == "ready" and told.get("origin") != derived_origin(row["op_id"]):
        return False
    try:
        return _is_news(row, draft_of(told), sender)
    except Unreadable:
        return True


def _is_news(row: Mapping[str, Any], draft: Draft, sender: Sender) -> bool:
    has_files = new_files(draft, row) or other_files(draft, row, sender)
    return bool(has_files) or gives_way(row, draft, sender) or is_set_aside(row, draft, sender)


def gives_way(row: Mapping[str, Any], draft: Draft, sender: Sender) -> bool:
    """Whether what is known of it is but a marker, and the operation itself has to be judged.

    What one server has taken is taken: wherever else it was put aside, its marker gives way. So does the marker that
    came from another server, when the operation comes here by itself."""
    is_marker = row["state"] == "void" and row["why"] != Why.SAME_INSTANCE.value
    is_elsewhere = row["via"] is not None and row["verdict"] == Outcome.QUARANTINED.value
    return is_marker and not draft.void and (bool(sender.actor.serves) or is_elsewhere)


def is_set_aside(row: Mapping[str, Any], draft: Draft, sender: Sender) -> bool:
    """Whether it waits here, and a supervisor at another server has discarded it."""
    return row["state"] == "held" and draft.void == Why.SET_ASIDE.value and bool(sender.actor.serves)


def new_files(draft: Draft, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Files that continue a known submission: Collect sends large media in further requests with the same XML."""
    if not draft.is_derived or row["state"] == "void":
        return []
    return files_beside(draft, row)


def files_beside(draft: Draft, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Files that are announced here and not there."""
    have = {attachment["name"] for attachment in row["attachments"]}
    return [dict(one) for one in draft.attachments if one["name"] not in have]


def other_files(draft: Draft, row: Mapping[str, Any], sender: Sender) -> list[dict[str, Any]]:
    """Files that come with a known submission under a name of which it announced another file.

    Of what servers exchange each keeps what it took first."""
    if not draft.is_derived or row["state"] == "void" or sender.actor.serves:
        return []
    known = {(one["name"], one["sha256"]) for one in row["attachments"]}
    names = {name for name, _sha256 in known}
    return [
        dict(one) for one in draft.attachments if one["name"] in names and (one["name"], one["sha256"]) not in known
    ]


def repeated(row: Mapping[str, Any], shown: Mapping[str, Any], missing: tuple[str, ...] = ()) -> Line:
    """The answer to an operation that is known: its first verdict."""
    first = Outcome(row["verdict"])
    if row["state"] == "void":
        return Line(row["op_id"], Outcome.DUPLICATE, why=Why(row["why"]), first=first)
    return line_of(row, shown, missing, outcome=Outcome.DUPLICATE, first=first)


def line_of(
    row: Mapping[str, Any],
    shown: Mapping[str, Any],
    missing: tuple[str, ...],
    *,
    outcome: Outcome,
    first: Outcome | None = None,
) -> Line:
    """An operation as it is answered; `shown` is the submission that it is part of, if it is part of one already."""
    return Line(
        row["op_id"],
        outcome,
        seq=row["seq"],
        form_id=row["form_id"],
        version=row["version"],
        why=Why(row["why"]),
        instance_id=row["record_id"],
        missing=missing,
        first=first,
        **shown,
    )
