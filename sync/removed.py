"""Files that were deleted on purpose: what is still known of them, and which of them nobody wants any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sync.models import RemovedBlob

ASK_AT_ONCE = 500
ELSEWHERE = "elsewhere"
"""The rule by which another server has deleted it, before it came here."""


def among(session: Session, project_id: str, hashes: Iterable[str]) -> Mapping[str, RemovedBlob]:
    """What is known of those of them that were deleted."""
    found: dict[str, RemovedBlob] = {}
    for part in _parts(hashes):
        rows = select(RemovedBlob).where(RemovedBlob.project_id == project_id, RemovedBlob.sha256.in_(part))
        found.update((row.sha256, row) for row in session.scalars(rows))
    return found


def refused(session: Session, project_id: str, hashes: Iterable[str]) -> set[str]:
    """Those of them that nobody wants any more: whoever offers one may drop it."""
    found: set[str] = set()
    for part in _parts(hashes):
        rows = select(RemovedBlob.sha256).where(
            RemovedBlob.project_id == project_id, RemovedBlob.sha256.in_(part), RemovedBlob.is_refused
        )
        found.update(session.scalars(rows))
    return found


def may_come(row: RemovedBlob) -> bool:
    """Whether somebody is expected to bring it once more."""
    return not row.is_refused and row.rule != ELSEWHERE


def welcome(session: Session, project_id: str, hashes: Iterable[str]) -> None:
    """Somebody has named these anew: they are taken again, should they come."""
    for part in _parts(hashes):
        same = RemovedBlob.project_id == project_id, RemovedBlob.sha256.in_(part)
        session.execute(update(RemovedBlob).where(*same).values(is_refused=False))


def lies_here_again(session: Session, project_id: str, sha256: str) -> None:
    """Its bytes were sent once more beside something that is known: the next run deletes them."""
    same = RemovedBlob.project_id == project_id, RemovedBlob.sha256 == sha256
    session.execute(update(RemovedBlob).where(*same).values(is_on_disk=True))


def _parts(hashes: Iterable[str]) -> Iterator[Sequence[str]]:
    wanted = sorted(set(hashes))
    for start in range(0, len(wanted), ASK_AT_ONCE):
        yield wanted[start : start + ASK_AT_ONCE]
