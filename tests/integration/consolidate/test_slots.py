"""A slot runs once, whoever tries; failures are kept in words; a missed slot is made up for once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from config import Settings
from server import scheduler
from sync import consolidate
from sync.attach import BlobStore
from sync.consolidate import JOBS, Job, JobBusy, Outcome, Task, lease, run_job
from sync.engine import connect, in_transaction
from sync.models import JobLease, JobRun, Login
from tests.conftest import Team
from tests.integration.consolidate.conftest import all_runs

Does = Callable[[Engine, Task], Outcome]


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[[Does], None]:
    """Put a job named "probe" into the catalogue."""

    def add(does: Does) -> None:
        probe = Job("probe", "A probe", "0 21 * * *", run=does)
        monkeypatch.setattr(consolidate, "JOBS", {**JOBS, "probe": probe})
        monkeypatch.setattr(scheduler, "JOBS", {"probe": probe})

    return add


def _noting(done: list[str]) -> Does:
    """A job that writes down the slots that it was run for."""

    def does(_engine: Engine, task: Task) -> Outcome:
        done.append(task.slot)
        return Outcome()

    return does


def run(engine: Engine, folder: Path, slot: str, now: datetime, cause: str = "schedule") -> JobRun:
    return run_job(engine, "probe", slot=slot, cause=cause, account_id=None, now=now, folder=folder)


def test_two_who_start_the_same_slot_run_it_once(
    engine: Engine, database_url: str, job: Callable[[Does], None], now: datetime, tmp_path: Path
) -> None:
    done: list[str] = []
    together = threading.Barrier(4)
    job(_noting(done))

    def as_another_process(_number: int) -> JobRun:
        own = connect(database_url)
        try:
            together.wait()
            return run(own, tmp_path, "2026-11-23T14:00:00+00:00", now)
        finally:
            own.dispose()

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(as_another_process, range(4)))

    assert done == ["2026-11-23T14:00:00+00:00"]
    assert {one.slot for one in runs} == {"2026-11-23T14:00:00+00:00"}
    assert [one.outcome for one in all_runs(engine, "probe")] == ["done"]


def test_a_slot_that_is_done_is_not_run_again(
    engine: Engine, job: Callable[[Does], None], now: datetime, tmp_path: Path
) -> None:
    done: list[str] = []
    job(_noting(done))

    for _again in range(3):
        run(engine, tmp_path, "slot", now)

    assert done == ["slot"]


def test_another_slot_is_refused_while_the_job_is_running(
    engine: Engine, job: Callable[[Does], None], now: datetime, tmp_path: Path
) -> None:
    refused: list[type[BaseException]] = []

    def does(inner: Engine, task: Task) -> Outcome:
        if task.slot == "first":
            with pytest.raises(JobBusy) as problem:
                run(inner, tmp_path, "second", now)
            refused.append(problem.type)
        return Outcome()

    job(does)
    run(engine, tmp_path, "first", now)

    assert refused == [JobBusy]
    assert run(engine, tmp_path, "second", now).outcome == "done"


def test_a_failure_is_kept_in_words_and_the_next_slot_runs(
    engine: Engine, job: Callable[[Does], None], now: datetime, tmp_path: Path
) -> None:
    def does(_engine: Engine, task: Task) -> Outcome:
        if task.slot == "bad":
            raise OSError(28, "No space left on device", str(task.folder))
        return Outcome()

    job(does)
    failed = run(engine, tmp_path, "bad", now)

    assert (failed.outcome, failed.error) == ("failed", f"No space left on device: {tmp_path}")
    assert failed.finished_at is not None
    assert run(engine, tmp_path, "good", now).outcome == "done"


def test_a_run_whose_process_was_killed_is_run_again_when_its_lease_has_lapsed(
    engine: Engine, job: Callable[[Does], None], now: datetime, tmp_path: Path
) -> None:
    job(lambda _engine, _task: Outcome({"ran": True}))
    _die_in_the_middle(engine, "slot", now)

    too_early = run(engine, tmp_path, "slot", now + timedelta(seconds=5))
    later = run(engine, tmp_path, "slot", now + lease.TTL + timedelta(seconds=1))

    assert too_early.outcome == "running"
    assert (later.outcome, later.summary) == ("done", {"ran": True, "attempts": 2})


def test_a_run_whose_process_was_killed_is_closed_by_the_next_one(
    engine: Engine, job: Callable[[Does], None], now: datetime, tmp_path: Path
) -> None:
    job(lambda _engine, _task: Outcome())
    _die_in_the_middle(engine, "yesterday", now)

    run(engine, tmp_path, "zoday", now + timedelta(days=1))

    yesterday, today = all_runs(engine, "probe")
    assert (yesterday.outcome, yesterday.error) == ("failed", "The server stopped while this was running.")
    assert today.outcome == "done"


def _die_in_the_middle(engine: Engine, slot: str, now: datetime) -> None:
    """What a killed process leaves behind: a run that goes on for ever and a lease that nobody renews."""

    def leave(session: Session) -> None:
        assert lease.take(session, "probe", now=now) is not None
        session.add(
            JobRun(
                name="probe", slot=slot, cause="schedule", outcome="running", summary={"attempts": 1}, started_at=now
            )
        )

    in_transaction(engine, leave)


def test_a_lease_is_held_by_one_and_renewed_only_by_its_holder(engine: Engine, now: datetime) -> None:
    def story(session: Session) -> tuple[object, object, bool, bool]:
        mine = lease.take(session, "probe", now=now)
        theirs = lease.take(session, "probe", now=now)
        assert mine is not None
        renewed = lease.renew(session, lease=mine, now=now + timedelta(seconds=20))
        later = lease.take(session, "probe", now=now + timedelta(seconds=60))
        return theirs, later, renewed, lease.renew(session, lease=mine, now=now + timedelta(seconds=61))

    theirs, later, renewed, renewed_again = in_transaction(engine, story)

    assert theirs is None
    assert renewed
    assert later is not None
    assert not renewed_again
    with Session(engine) as session:
        assert session.get_one(JobLease, "probe").epoch == 2


def test_of_many_missed_slots_the_latest_is_made_up_for_once(
    engine: Engine,
    settings: Settings,
    job: Callable[[Does], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    job(lambda _engine, _task: Outcome())
    monkeypatch.setattr(scheduler, "now", lambda: datetime(2026, 11, 27, 8, 30, tzinfo=UTC))

    for _start in range(2):
        clock = scheduler.start(settings, engine, BlobStore(tmp_path / "blobs"))
        _wait_for(lambda: bool(all_runs(engine, "probe")))
        clock.stop()

    (made_up,) = all_runs(engine, "probe")
    assert (made_up.slot, made_up.cause) == ("2026-11-26T14:00:00+00:00", "catch_up")


def test_a_new_installation_has_missed_nothing(
    engine: Engine,
    settings: Settings,
    job: Callable[[Does], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    job(lambda _engine, _task: Outcome())
    monkeypatch.setattr(scheduler, "now", lambda: datetime(2026, 11, 23, 13, 59, tzinfo=UTC))

    clock = scheduler.start(settings, engine, BlobStore(tmp_path / "blobs"))
    _wait_for(lambda: clock.is_leader)
    clock.stop()

    assert all_runs(engine, "probe") == []


def test_one_process_leads_and_the_next_one_does_when_it_has_stopped(
    engine: Engine, settings: Settings, job: Callable[[Does], None], tmp_path: Path
) -> None:
    job(lambda _engine, _task: Outcome())
    blobs = BlobStore(tmp_path / "blobs")
    first = scheduler.start(settings, engine, blobs)
    _wait_for(lambda: first.is_leader)
    second = scheduler.start(settings, engine, blobs)
    try:
        threading.Event().wait(0.3)
        assert not second.is_leader
    finally:
        first.stop()
        second.stop()

    third = scheduler.start(settings, engine, blobs)
    _wait_for(lambda: third.is_leader)
    third.stop()


def test_the_last_and_the_next_slot_are_reckoned_in_the_zone_of_the_fieldwork(settings: Settings) -> None:
    jakarta = replace(settings, timezone="Asia/Jakarta", consolidate_at="0 21 * * *")
    at = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)

    assert scheduler.last_slot(JOBS["consolidate"], jakarta, at) == at
    assert scheduler.last_slot(JOBS["consolidate"], jakarta, at - timedelta(seconds=1)) == at - timedelta(days=1)
    assert scheduler.next_slot(JOBS["consolidate"], jakarta, at + timedelta(seconds=1)) == at + timedelta(days=1)


def test_a_yearly_schedule_has_a_last_slot_too(settings: Settings) -> None:
    yearly = replace(settings, consolidate_at="0 0 1 1 *")

    slot = scheduler.last_slot(JOBS["consolidate"], yearly, datetime(2026, 11, 23, tzinfo=UTC))

    assert slot == datetime(2025, 12, 31, 17, 0, tzinfo=UTC)


def test_the_cleanup_ends_what_has_expired_and_leaves_the_rest(
    engine: Engine, a_project: Team, now: datetime, tmp_path: Path
) -> None:
    def log_in(session: Session) -> None:
        for name, hours in (("old", -1), ("new", 1)):
            session.add(
                Login(
                    token_sha256=name,
                    account_id=a_project.viewer.id,
                    csrf="x",
                    created_at=now,
                    expires_at=now + timedelta(hours=hours),
                )
            )

    in_transaction(engine, log_in)

    done = run_job(
        engine, "cleanup", slot="manual-1", cause="person", account_id=None, now=now, folder=tmp_path, blobs=None
    )

    assert (done.outcome, done.summary["logins"]) == ("done", 1)
    with Session(engine) as session:
        assert [login.token_sha256 for login in session.query(Login)] == ["new"]


def _wait_for(is_true: Callable[[], bool], *, at_most_s: float = 8.0) -> None:
    pause = threading.Event()
    for _try in range(int(at_most_s / 0.05)):
        if is_true():
            return
        pause.wait(0.05)
    raise AssertionError("it did not happen in time")
