"""Run a job once for a slot: at most one process at a time, failures kept in words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from forms.errors import Problem
from sync.consolidate import lease
from sync.consolidate.job import Job, JobBusy, Outcome, Task
from sync.engine import in_transaction, reader
from sync.models import JobRun, Project

log = logging.getLogger("lapangan.jobs")

MOST_ATTEMPTS = 3
"""A slot whose process is killed again and again is given up."""
INTERRUPTED = "The server stopped while this was running."


@dataclass(frozen=True, slots=True)
class _Begun:
    run: JobRun
    lease: lease.Lease | None
    """None when the slot has been run, or is being run, by somebody else."""


def run(engine: Engine, job: Job, task: Task, *, cause: str, project_id: str | None = None) -> JobRun:
    """The run of this slot, finished now or before, or still going on elsewhere. Refuses JobBusy for another slot."""
    began = time.monotonic()
    begun: _Begun = in_transaction(engine, lambda session: _begin(session, job, task, cause))
    if begun.lease is None:
        return begun.run
    with lease.beating(engine, begun.lease, now=task.now):
        attempt = _do(engine, job, task, project_id)
    finished_at = task.now + timedelta(seconds=time.monotonic() - began)
    finish = partial(_finish, begun=begun, attempt=attempt, finished_at=finished_at)
    return in_transaction(engine, finish)  # type: ignore[no-any-return]


def _begin(session: Session, job: Job, task: Task, cause: str) -> _Begun:
    held = lease.take(session, job.name, now=task.now)
    known = session.get(JobRun, (job.name, task.slot))
    if held is None and known is None:
        raise JobBusy(job.title, job=job.name)
    if held is None or (known is not None and not _may_try_again(known)):
        if held is not None:
            lease.release(session, held)
        return _Begun(_must(known), None)
    _close_interrupted(session, job.name, task)
    fresh = known or JobRun(name=job.name, slot=task.slot)
    attempts = int(fresh.summary["attempts"]) + 1 if known else 1
    fresh.cause, fresh.account_id, fresh.outcome = cause, task.account_id, "running"
    fresh.summary, fresh.files, fresh.error = {"attempts": attempts}, [], ""
    fresh.started_at, fresh.finished_at = task.now, None
    session.add(fresh)
    session.flush()
    return _Begun(fresh, held)


def _may_try_again(known: JobRun) -> bool:
    """We hold the lease, so whoever left this run "running" is gone."""
    return known.outcome == "running" and int(known.summary.get("attempts", 1)) < MOST_ATTEMPTS


def _must(known: JobRun | None) -> JobRun:
    if known is None:
        raise AssertionError("a slot is only left alone when it has a run")
    return known


def _close_interrupted(session: Session, name: str, task: Task) -> None:
    session.execute(
        update(JobRun)
        .where(JobRun.name == name, JobRun.outcome == "running", JobRun.slot != task.slot)
        .values(outcome="failed", error=INTERRUPTED, finished_at=task.now)
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    outcome: Outcome
    error: str = ""


def _do(engine: Engine, job: Job, task: Task, project_id: str | None) -> _Attempt:
    if job.run is not None:
        return _attempt(partial(job.run, engine, task))
    attempts = {
        project: _attempt(partial(job.run_project, engine, project, task))
        for project in _projects(engine, project_id, takes_closed=job.takes_closed)
        if job.run_project is not None
    }
    summary = {
        project.project_id: {**attempt.outcome.summary, "error": attempt.error} for project, attempt in attempts.items()
    }
    files = tuple(file for attempt in attempts.values() for file in attempt.outcome.files)
    errors = [f"{project.name}: {attempt.error}" for project, attempt in attempts.items() if attempt.error]
    return _Attempt(Outcome({"is_all": task.is_all, "projects": summary}, files), "\n".join(errors))


def _projects(engine: Engine, project_id: str | None, *, takes_closed: bool) -> list[Project]:
    wanted = select(Project).order_by(Project.number)
    if not takes_closed:
        wanted = wanted.where(Project.archived_at.is_(None))
    if project_id is not None:
        wanted = wanted.where(Project.project_id == project_id)
    with Session(reader(engine), expire_on_commit=False) as session:
        return list(session.scalars(wanted))


def _attempt(act: Callable[[], Outcome]) -> _Attempt:
    """The one place below the server that catches everything: one project's trouble must not cost the others theirs."""
    try:
        return _Attempt(act())
    except Exception as error:  # a job's failure is kept, shown and never ends the scheduler
        log.exception("a job failed")
        return _Attempt(Outcome(), in_words(error))


def in_words(error: Exception) -> str:
    """What the page of jobs says."""
    if isinstance(error, Problem):
        return f"{error.title()} {error.detail}".strip()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}".strip().removesuffix(":")


def _finish(session: Session, *, begun: _Begun, attempt: _Attempt, finished_at: datetime) -> JobRun:
    done = session.merge(begun.run)
    if begun.lease is None or not lease.release(session, begun.lease):
        return done  # somebody took over: the row is theirs
    summary: dict[str, Any] = {**begun.run.summary, **attempt.outcome.summary}
    done.outcome, done.error = "failed" if attempt.error else "done", attempt.error
    done.summary, done.files, done.finished_at = summary, [dict(file) for file in attempt.outcome.files], finished_at
    session.flush()
    return done
