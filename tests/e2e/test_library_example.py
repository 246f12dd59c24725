"""The example of the README, run as it stands there, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.clock import now
from sync.assignments import assign
from sync.assignments.assign import Task
from sync.engine import in_transaction
from sync.models import Device, Project, Submission, SubmissionAttachment
from tests import desk
from tests.conftest import Team
from tests.e2e.visits import FORM_ID

ROOT = Path(__file__).parents[2]


def example() -> str:
    section = (ROOT / "README.md").read_text().partition("### The field client as a library")[2]
    found = re.search(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(
        command, cwd=script.parent, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_example_of_the_readme_sends_a_record_with_its_photo(
    visits: Team, enrolment_code: str, address: str, engine: Engine, tmp_path: Path
) -> None:
    script, photo = tmp_path / "visit.py", tmp_path / "rumah.jpg"
    script.write_text(example())
    photo.write_bytes(desk.jpeg())

    ran = run(script, f"{address}/enrol#{enrolment_code}", str(photo))

    assert ran.returncode == 0, ran.stderr
    with Session(engine) as session:
        (record,) = session.scalars(select(Submission))
        (file,) = session.scalars(select(SubmissionAttachment))
    assert ran.stdout == f"Bu Siti accepted 1/1 photos {record.instance_id}\n"
    assert (record.answers["umur"], file.name, file.arrived_at is not None) == ("41", "rumah.jpg", True)


def test_the_example_tells_what_is_to_be_done(
    visits: Team, enrolment_code: str, address: str, engine: Engine, tmp_path: Path
) -> None:
    """Its second half, for a device that has work: the folder is enrolled already."""
    script, photo = tmp_path / "visit.py", tmp_path / "rumah.jpg"
    script.write_text(example())
    photo.write_bytes(desk.jpeg())
    run(script, f"{address}/enrol#{enrolment_code}", str(photo))

    def give(session: Session) -> None:
        project = session.get_one(Project, visits.project_id)
        device_id = session.scalars(select(Device.device_id)).one()
        assign.give(session, project, [Task(FORM_ID, device_id, target="3")], actor=visits.supervisor, now=now())

    in_transaction(engine, give)
    script.write_text(example().replace("    device.enrol(address)", "    # enrolled"))

    ran = run(script, "", str(photo))

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"to do: {FORM_ID}  0/3\n")
    assert ran.stdout.count("accepted 1/1 photos") == 2
