"""What time has made worthless is deleted: ended sessions, unused codes, uploads that nobody finished."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, Engine, delete, select
from sqlalchemy.orm import Session

from sync.consolidate.job import Outcome, Task
from sync.engine import in_transaction
from sync.models import Enrolment, JobRun, Login, LoginFailure, Upload

UPLOAD_AGE = timedelta(days=14)
"""A tablet may be offline for days in the middle of an upload."""
COPY_AGE = timedelta(days=7)
"""Of a file that a bucket keeps: what was looked at lately need not be fetched again."""
CODE_AGE = timedelta(days=7)
"""The page of devices shows for a while that a code has expired."""
FAILURE_AGE = timedelta(days=1)
KEPT_RUNS = 200


def cleanup(engine: Engine, task: Task) -> Outcome:
    """Rows first, files last: a file without a row is found again, a row without a file is not."""
    summary: dict[str, int] = in_transaction(engine, lambda session: _delete_rows(session, task.now))
    if task.blobs is not None:
        summary["files"] = task.blobs.sweep(before=task.now - UPLOAD_AGE)
        summary["copies"] = task.blobs.drop_copies(before=task.now - COPY_AGE)
    return Outcome(summary)


def _delete_rows(session: Session, now: datetime) -> dict[str, int]:
    doomed = {
        "logins": delete(Login).where(Login.expires_at <= now),
        "login_failures": delete(LoginFailure).where(LoginFailure.last_at <= now - FAILURE_AGE),
        "codes": delete(Enrolment).where(Enrolment.expires_at <= now - CODE_AGE, Enrolment.device_id.is_(None)),
        "uploads": delete(Upload).where(Upload.created_at <= now - UPLOAD_AGE),
    }
    gone = {what: cast("CursorResult[tuple[()]]", session.execute(rows)).rowcount for what, rows in doomed.items()}
    return {**gone, "runs": _forget_runs(session)}


def _forget_runs(session: Session) -> int:
    """Of each job the latest runs stay."""
    gone = 0
    for name in session.scalars(select(JobRun.name).distinct()).all():
        starts = select(JobRun.started_at).where(JobRun.name == name).order_by(JobRun.started_at.desc())
        oldest = session.scalar(starts.offset(KEPT_RUNS - 1).limit(1))
        if oldest is not None:
            done = delete(JobRun).where(JobRun.name == name, JobRun.started_at < oldest, JobRun.outcome != "running")
            gone += cast("CursorResult[tuple[()]]", session.execute(done)).rowcount
    return gone
