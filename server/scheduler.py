"""The clock: APScheduler says when, sync.consolidate says what, and a lease says which process.

Every process may run one. Only the leader starts jobs; when it dies the next one leads within seconds, and what it
missed is made up for once. A slot that has been run, by whomever, is never run again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor as Pool
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from config import Settings
from server.clock import now
from server.log import log
from sync.attach import BlobStore
from sync.backup import Shelf
from sync.bundles.key import NAME, own_key
from sync.consolidate import JOBS, Job, JobBusy, Keeping, lease, run_job
from sync.engine import in_transaction, reader
from sync.models import Installation, JobRun
from sync.retention import Terms

_wishes = Pool(max_workers=1, thread_name_prefix="run now")
"""What people ask for runs one after the other: a page may be opened by many, the machine is one."""

LEADER = "leader"
LEADER_TTL = timedelta(seconds=15)
LEADER_BEAT_S = 5
ON_TIME = timedelta(minutes=2)
"""A slot that starts later than this has been caught up."""

LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=8), timedelta(days=32), timedelta(days=366))


class Scheduler:
    """Runs the catalogue's jobs when they are due, while this process leads. `start` makes one."""

    def __init__(self, settings: Settings, engine: Engine, blobs: BlobStore) -> None:
        self._settings, self._engine, self._blobs = settings, engine, blobs
        self._lease: lease.Lease | None = None
        self._leading = threading.Lock()
        self._open: set[str] = set()
        """Jobs whose latest slot is to be looked at with the next beat."""
        self._pool = Pool(max_workers=len(JOBS) + 1, thread_name_prefix="job")
        self._clock = BackgroundScheduler(
            timezone=ZoneInfo(settings.timezone),
            # A clock that woke up late (the laptop slept) fires once, however often it should have.
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    @property
    def is_leader(self) -> bool:
        return self._lease is not None

    def begin(self) -> Scheduler:
        """Let the clock run. What was missed while nobody ran is caught up as soon as this process leads."""
        logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it tells of every beat
        for name, job in JOBS.items():
            self._clock.add_job(partial(self._submit, self._due, name), trigger(job, self._settings), id=name)
        self._clock.add_job(partial(self._submit, self._beat), "interval", seconds=LEADER_BEAT_S, id=LEADER)
        self._submit(self._beat)
        self._clock.start()
        return self

    def stop(self) -> None:
        """No job starts any more; the ones that run are finished; the next process may lead at once."""
        self._clock.shutdown(wait=True)
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._leading:
            held, self._lease = self._lease, None
            if held is not None:
                in_transaction(self._engine, partial(lease.release, lease=held))

    def _submit(self, act: Callable[..., None], *arguments: str) -> None:
        """Work is done in a pool of our own: what runs in the clock's must not wait for the clock, which waits for it
        when it is shut down."""
        self._pool.submit(act, *arguments).add_done_callback(_tell_failure)

    def _beat(self) -> None:
        """Take the lead or keep it, and look at what is still open."""
        with self._leading:
            if self._take_or_renew():
                log.info("this process runs the scheduled jobs")
                self._open |= set(JOBS)
            due, self._open = self._open, set()
        for name in sorted(due):
            self._due(name)

    def _take_or_renew(self) -> bool:
        """Whether this process has just become the leader."""
        if self._lease is not None:
            keep = partial(lease.renew, lease=self._lease, now=now(), ttl=LEADER_TTL)
            if in_transaction(self._engine, keep):
                return False
            self._lease = None
        self._lease = in_transaction(self._engine, partial(lease.take, name=LEADER, now=now(), ttl=LEADER_TTL))
        return self._lease is not None

    def _due(self, name: str) -> None:
        """Run the job's latest slot unless that has been done; earlier ones are never made up for."""
        slot = last_slot(JOBS[name], self._settings, now()) if self.is_leader else None
        if slot is None or not self._is_undone(name, slot):
            return
        cause = "schedule" if now() - slot <= ON_TIME else "catch_up"
        try:
            run = self._run(name, slot=slot.isoformat(), cause=cause)
        except JobBusy:
            self._look_again(name)
            return
        if run.outcome == "running":
            self._look_again(name)
        log.info("job", job=name, slot=run.slot, outcome=run.outcome, error=run.error)

    def _look_again(self, name: str) -> None:
        """Another run, perhaps of a process that was killed, stands in the way: with the next beat, then."""
        with self._leading:
            self._open.add(name)

    def _is_undone(self, name: str, slot: datetime) -> bool:
        """Nobody has finished this slot, and it lies after the installation was made: a new one has missed nothing."""
        with Session(reader(self._engine)) as session:
            known = session.get(JobRun, (name, slot.isoformat()))
            began = session.scalar(select(Installation.created_at).limit(1))
        return (known is None or known.outcome == "running") and began is not None and began < slot

    def _run(self, name: str, *, slot: str, cause: str) -> JobRun:
        return run_job(
            self._engine,
            name,
            slot=slot,
            cause=cause,
            account_id=None,
            now=now(),
            folder=exports(self._settings),
            blobs=self._blobs,
            shelf=shelf(self._settings),
            secret_key=self._settings.secret_key,
            keeping=keeping(self._settings),
        )


def _tell_failure(done: Future[None]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.error("the scheduler failed; it tries again", exc_info=error)


def start(settings: Settings, engine: Engine, blobs: BlobStore) -> Scheduler:
    """A running scheduler; call its `stop` before the process ends."""
    return Scheduler(settings, engine, blobs).begin()


def run_once(
    settings: Settings,
    engine: Engine,
    blobs: BlobStore,
    name: str,
    *,
    account_id: str | None = None,
    project_id: str | None = None,
    is_all: bool = False,
) -> JobRun:
    """One run at somebody's wish, now. Refuses NoSuchJob, and JobBusy while the job is running."""
    return run_job(
        engine,
        name,
        slot=f"manual-{uuid4().hex}",
        cause="person",
        account_id=account_id,
        now=now(),
        folder=exports(settings),
        project_id=project_id,
        is_all=is_all,
        blobs=blobs,
        shelf=shelf(settings),
        secret_key=settings.secret_key,
        keeping=keeping(settings),
    )


def begin_once(
    settings: Settings,
    engine: Engine,
    blobs: BlobStore,
    name: str,
    *,
    account_id: str,
    project_id: str | None = None,
    is_all: bool = False,
) -> Future[JobRun]:
    """As `run_once`, beside the request that asked for it. The process ends only when it has finished."""
    who = {"account_id": account_id, "project_id": project_id}
    return _wishes.submit(partial(run_once, settings, engine, blobs, name, **who, is_all=is_all))


def exports(settings: Settings) -> Path:
    """Where the files of the consolidation lie."""
    return settings.data_dir / "exports"


def keeping(settings: Settings) -> Keeping:
    """What the settings say of how long things are kept."""
    return Keeping(deletions=timedelta(days=settings.tombstone_days), files=Terms(settings.retention))


def shelf(settings: Settings) -> Shelf:
    """Where the scheduled backups go."""
    return Shelf(settings.backups, settings.backups_kept, keys(settings))


def keys(settings: Settings) -> tuple[Path, ...]:
    """What makes this installation itself, beside its database: a key that no backup holds could not be had again."""
    own_key(settings.data_dir)
    return tuple(settings.data_dir / name for name in ("secret-key", NAME))


def trigger(job: Job, settings: Settings) -> CronTrigger:
    """When the job is due, in the zone of the settings."""
    line = getattr(settings, job.cron_setting) if job.cron_setting else job.cron
    return CronTrigger.from_crontab(line, timezone=ZoneInfo(settings.timezone))


def next_slot(job: Job, settings: Settings, after: datetime) -> datetime | None:
    found: datetime | None = trigger(job, settings).get_next_fire_time(None, after)
    return found


def last_slot(job: Job, settings: Settings, until: datetime) -> datetime | None:
    """The latest planned instant that is not after `until`, in UTC; None when there was none for a year."""
    following = _following(trigger(job, settings))
    for window in LOOK_BACK:
        slot, later = None, following(until - window)
        while later is not None and later <= until:
            slot, later = later, following(later + timedelta(microseconds=1))
        if slot is not None:
            return slot.astimezone(UTC)
    return None


def _following(cron: CronTrigger) -> Callable[[datetime], datetime | None]:
    return lambda instant: cron.get_next_fire_time(None, instant)
