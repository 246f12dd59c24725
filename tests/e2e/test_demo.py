"""The demonstration, as a newcomer runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import requests
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.library.sample import OLD_VERSION, fieldwork_day
from sync.access import SYSTEM
from sync.assignments import progress
from sync.assignments.progress import Wanted
from sync.device import FieldDevice
from sync.engine import connect
from sync.models import Conflict, Indicator, Project, Submission, SubmissionAttachment

pytestmark = pytest.mark.slow


def environ(data_dir: Path, database_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LAPANGAN_")}
    return kept | {
        "LAPANGAN_DATA_DIR": str(data_dir),
        "LAPANGAN_DATABASE_URL": database_url,
        "LAPANGAN_PORT": "0",
        "LANGUAGE": "en",
        "COLUMNS": "160",
    }


def demo(data_dir: Path, database_url: str) -> str:
    command = [sys.executable, "-m", "server.cli", "demo", "--once"]
    ran = subprocess.run(
        command, env=environ(data_dir, database_url), capture_output=True, text=True, timeout=180, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stdout


def test_the_day_is_played_through_the_real_door_and_kept(database_url: str, tmp_path: Path) -> None:
    day = fieldwork_day()

    shown = demo(tmp_path, database_url)
    again = demo(tmp_path, database_url)

    engine = connect(database_url)
    with Session(engine) as session:
        (project,) = session.scalars(select(Project))
        submissions = session.scalars(select(Submission)).all()
        (clash,) = session.scalars(select(Conflict))
        waiting = session.scalar(
            select(func.count()).select_from(SubmissionAttachment).where(SubmissionAttachment.arrived_at.is_(None))
        )
        change = session.get_one(Indicator, (project.project_id, "income_change_pct", "all", ""))
        tasks = progress.listed(session, project, Wanted(), today="2000-01-01", actor=SYSTEM)
    engine.dispose()
    assert project.is_synthetic
    assert {one.instance_id for one in submissions} == {visit.instance_id for visit in day.visits}
    assert [one.version for one in submissions].count(OLD_VERSION) == 1
    assert waiting == 0
    assert (clash.kind, clash.path) == ("entity", "phone")
    states = Counter(one.review_state for one in submissions)
    assert states["has_issues"] == 1
    assert states["approved"] > 25
    assert change.n >= 5
    assert 20 < (change.mean or 0) < 50
    assert [
        (line.assignment.form_id, line.progress.done, line.assignment.target) for line in tasks if not line.is_done
    ] == [
        ("dokumentasi", 0, 1),
        ("dokumentasi", 0, 1),
        ("dokumentasi", 4, 5),
    ]
    assert sum(line.is_done for line in tasks) == 27
    assert "Rina Wulandari" in shown
    assert "already; its data are kept" in again


def test_a_demonstration_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "demo", "--once"], env=environ(tmp_path, ""), stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while _collected(tmp_path / "demo" / "device-2") < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()

    demo(tmp_path, "")

    engine = connect(f"sqlite:///{tmp_path / 'lapangan.sqlite3'}")
    with Session(engine) as session:
        kept = session.scalars(select(Submission.instance_id)).all()
        projects = session.scalar(select(func.count()).select_from(Project))
    engine.dispose()
    assert sorted(kept) == sorted(visit.instance_id for visit in fieldwork_day().visits)
    assert projects == 1


def _collected(folder: Path) -> int:
    if not (folder / "device.sqlite3").exists():
        return 0
    with FieldDevice(folder) as device:
        return device.status().waiting


def test_the_log_ins_on_the_screen_open_the_server_that_runs(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "server.cli", "demo"],
        env=environ(tmp_path, ""),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        shown = _until(process, "Stop it with Ctrl-C")
        address = re.search(r"running at (http://\S+)", shown)
        log_ins = re.findall(r"(\S+@lapangan\.example)\s+(\S+)", shown)
        assert address is not None
        assert len(log_ins) == 6
        for email, password in log_ins:
            told = requests.post(f"{address[1]}/v1/sessions", json={"email": email, "password": password}, timeout=10)
            assert told.status_code == 200, email
    finally:
        process.send_signal(signal.SIGINT)
        rest, _nothing = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    assert "Stopped" in rest
    with FieldDevice(tmp_path / "demo" / "device-1") as device:
        assert device.status().waiting == 0


def _until(process: subprocess.Popen[str], words: str) -> str:
    shown, deadline = "", time.monotonic() + 120
    assert process.stdout is not None
    while words not in shown and time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        shown += line
    return shown
