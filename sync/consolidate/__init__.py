"""Scheduled work. `JOBS` is the catalogue; `run_job` runs one of them once for a slot of its schedule."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from sync import backup, peers, receive
from sync.access import SYSTEM
from sync.attach import BlobStore
from sync.backup import NoShelf, Shelf
from sync.consolidate import run
from sync.consolidate.cleanup import cleanup
from sync.consolidate.job import Job, JobBusy, Keeping, NoSuchJob, Outcome, Task
from sync.consolidate.release import consolidate
from sync.engine import in_transaction, reader
from sync.forget import forget_deletions
from sync.models import JobRun, Project
from sync.release import replay
from sync.retention import remove_due
from sync.verdict import Why

__all__ = ["JOBS", "Job", "JobBusy", "Keeping", "NoSuchJob", "Outcome", "Task", "run_job"]

RETENTION = "retention"


def _sweep(engine: Engine, task: Task) -> Outcome:
    """Judge what landed while nobody was there to judge it."""
    return Outcome({"judged": receive.sweep(engine, now=task.now)})


def _replay(engine: Engine, project: Project, task: Task) -> Outcome:
    """What came before its form was published is judged again once it is."""
    found = replay(engine, project.project_id, Why.UNKNOWN_FORM, actor=SYSTEM, now=task.now)
    return Outcome({"released": found.released, "stayed": found.stayed})


def _forget(engine: Engine, project: Project, task: Task) -> Outcome:
    """Devices that were away for longer than that read everything again."""
    before = task.now - task.keeping.deletions
    until = in_transaction(engine, lambda session: forget_deletions(session, project.project_id, before=before))
    return Outcome({"until": until})


def _remove(engine: Engine, project: Project, task: Task) -> Outcome:
    """The bytes of attachments whose time was over are gone."""
    was_over_at = _trusted(engine, task)
    if task.blobs is None or was_over_at is None:
        return Outcome()
    gone = remove_due(engine, task.blobs, project, task.keeping.files, as_of=was_over_at, now=task.now)
    return Outcome({"files": len(gone), "size": sum(one.size for one in gone)})


def _trusted(engine: Engine, task: Task) -> datetime | None:
    """The instant of the run before this one: what is deleted by night was due then, too. Nothing brings it back, and
    for a night a clock may be years ahead. A person who runs the job has looked at what would go."""
    with Session(reader(engine)) as session:
        own = session.scalar(select(JobRun.cause).where(JobRun.name == RETENTION, JobRun.slot == task.slot))
        if own == "person":
            return task.now
        earlier = JobRun.name == RETENTION, JobRun.outcome == "done", JobRun.started_at < task.now
        return session.scalar(select(func.max(JobRun.started_at)).where(*earlier, JobRun.slot != task.slot))


def _back_up(engine: Engine, task: Task) -> Outcome:
    """A backup of this instant lies on the shelf; the oldest there made room."""
    if task.shelf is None or task.blobs is None:
        raise NoShelf
    file = task.shelf.folder / f"lapangan-{task.now:%Y%m%d-%H%M%S}.zip"
    made = backup.back_up(
        engine, task.blobs, file, keys=task.shelf.keys, is_inside=False, cause="schedule", now=task.now
    )
    gone = backup.tidy(engine, task.shelf)
    return Outcome({"rows": made.rows, "files": made.files, "size": made.size, "deleted": gone})


def _meet_peers(engine: Engine, task: Task) -> Outcome:
    """What other servers lack is sent, and what they have is here; who could not be reached is tried again later."""
    if task.blobs is None:
        return Outcome()
    began = time.monotonic()

    def clock() -> datetime:
        return task.now + timedelta(seconds=time.monotonic() - began)

    return Outcome(peers.sync_due(engine, task.blobs, secret_key=task.secret_key, clock=clock))


_CATALOGUE = (
    Job("consolidate", "Consolidate the approved records", "", "consolidate_at", run_project=consolidate),
    Job("sweep", "Judge what arrived during an interruption", "*/5 * * * *", run=_sweep),
    Job("replay", "Judge again what came before its form", "17 * * * *", run_project=_replay),
    Job("backup", "Back up the database and the attachments", "", "backup_at", run=_back_up),
    Job("peers", "Exchange with other servers", "*/5 * * * *", run=_meet_peers),
    Job("forget", "Forget what was deleted long ago", "50 3 * * *", run_project=_forget),
    Job(
        RETENTION,
        "Delete attachments whose time is over",
        "55 3 * * *",
        run_project=_remove,
        takes_closed=True,
    ),
    Job("cleanup", "Delete expired sessions, codes and uploads", "40 3 * * *", run=cleanup),
)

JOBS: Mapping[str, Job] = {job.name: job for job in _CATALOGUE}


def run_job(
    engine: Engine,
    name: str,
    *,
    slot: str,
    cause: str,
    account_id: str | None,
    now: datetime,
    folder: Path,
    project_id: str | None = None,
    is_all: bool = False,
    blobs: BlobStore | None = None,
    shelf: Shelf | None = None,
    secret_key: str = "",
    keeping: Keeping | None = None,
) -> JobRun:
    """The run of this slot: done now, or found as another process has done or begun it.

    `cause` is "schedule", "catch_up" or "person"; `folder` holds the exports; `project_id` keeps a job that goes
    through the projects to one of them. Refuses NoSuchJob, and JobBusy while another slot of the job is running."""
    if name not in JOBS:
        raise NoSuchJob(name)
    task = Task(slot, now, folder, account_id, is_all, blobs, shelf, secret_key, keeping or Keeping())
    return run.run(engine, JOBS[name], task, cause=cause, project_id=project_id)
