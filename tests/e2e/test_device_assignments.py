"""Assignments on a real field client: they travel, are counted with what is still on the device, and go away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.cli import main
from server.clock import now
from sync.assignments import assign
from sync.assignments.assign import Task
from sync.assignments.progress import Wanted, listed
from sync.device import FieldDevice
from sync.device.errors import AssignmentNotHere, OtherForm
from sync.engine import in_transaction
from sync.models import Assignment, Entity, Project
from tests.conftest import Team
from tests.e2e.fieldwork import add, code, enrolled, visits

YESTERDAY = (date.today() - timedelta(days=2)).isoformat()


@pytest.fixture
def device(address: str, engine: Engine, study: Team, tmp_path: Path) -> Iterator[FieldDevice]:
    """With two informants registered."""
    with enrolled(tmp_path / "device", code(engine, study), address) as device:
        for visit in visits("pendaftaran", "INF-01", "INF-04"):
            add(device, visit)
        device.sync()
        yield device


def give(engine: Engine, team: Team, form_id: str, informant: str = "", **told: str) -> str:
    def act(session: Session) -> str:
        project = session.get_one(Project, team.project_id)
        entity = session.scalar(select(Entity.entity_id).where(Entity.label.startswith(informant))) if informant else ""
        task = Task(form_id, str(team.enumerator.account_id), entity or "", **told)
        return assign.give(session, project, [task], actor=team.supervisor, now=now()).created[0]

    made: str = in_transaction(engine, act)
    return made


def counted(engine: Engine, team: Team) -> dict[str, int]:
    """What the server counts, by assignment."""
    with Session(engine) as session:
        project = session.get_one(Project, team.project_id)
        lines = listed(session, project, Wanted(), today="2026-01-01", actor=team.supervisor)
        return {line.assignment.assignment_id: line.progress.done for line in lines}


def test_what_is_still_on_the_device_counts_there_and_on_the_server_once_it_is_sent(
    device: FieldDevice, engine: Engine, study: Team
) -> None:
    about = give(engine, study, "wawancara", "INF-01", due=YESTERDAY, note="sore")
    other, any_ = give(engine, study, "wawancara", "INF-04"), give(engine, study, "wawancara", target="2")
    device.pull()

    first = device.assignments()[0]
    assert (first.assignment_id, first.about[:6], first.note, first.form_title[:9]) == (
        *(about, "INF-01", "sore", "Wawancara"),
    )
    assert (device.status().to_do, device.status().overdue) == (3, 1)
    add(device, visits("wawancara", "INF-01")[0])

    here = {one.assignment_id: (one.sent, one.waiting) for one in device.assignments()}
    assert here == {about: (0, 1), other: (0, 0), any_: (0, 1)}
    assert counted(engine, study) == {about: 0, other: 0, any_: 0}
    assert (device.status().to_do, device.status().overdue) == (2, 0)

    device.sync()

    here = {one.assignment_id: (one.sent, one.waiting) for one in device.assignments()}
    assert here == {about: (1, 0), other: (0, 0), any_: (1, 0)}
    assert counted(engine, study) == {about: 1, other: 0, any_: 1}


def test_what_is_withdrawn_or_given_to_another_goes_away(device: FieldDevice, engine: Engine, study: Team) -> None:
    withdrawn, moved, kept = (give(engine, study, "observasi", about) for about in ("INF-01", "INF-04", ""))
    device.pull()
    assert len(device.assignments()) == 3

    def change(session: Session) -> None:
        for id_, changes in ((withdrawn, {"state": "withdrawn"}), (moved, {"assignee": study.manager.id})):
            row = session.get_one(Assignment, (study.project_id, id_))
            assign.change(session, row, changes, actor=study.supervisor, now=now())

    in_transaction(engine, change)
    device.pull()

    assert [one.assignment_id for one in device.assignments()] == [kept]


def test_a_record_for_an_assignment_is_about_whom_it_names(device: FieldDevice, engine: Engine, study: Team) -> None:
    id_ = give(engine, study, "wawancara", "INF-01")
    device.pull()
    visit = visits("wawancara", "INF-01")[0]
    blank = {**visit.answers, "visit": {**visit.answers["visit"], "informant": None}}

    answers = device.answers_for(id_[:8], "wawancara", blank)

    assert answers["visit"]["informant"] == visit.answers["visit"]["informant"]
    someone = {**blank, "visit": {"informant": "somebody"}}
    assert device.answers_for(id_, "wawancara", someone) == someone, "what was answered stays"
    with pytest.raises(OtherForm):
        device.answers_for(id_, "observasi", blank)
    with pytest.raises(AssignmentNotHere):
        device.answers_for("nothing", "wawancara", blank)


def test_the_commands_show_them(device: FieldDevice, engine: Engine, study: Team, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        folder = ("device", "--folder", str(tmp_path / "device"))
        environ = {"LANGUAGE": "en", "COLUMNS": "160"}
        ran = CliRunner().invoke(main, [*folder, *arguments], env=environ, catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return ran.output

    assert "Nothing is assigned to you." in run("assignments")
    id_ = give(engine, study, "dokumentasi", "INF-01", due=YESTERDAY, target="2")
    run("pull")
    add(device, visits("dokumentasi", "INF-01")[0])

    shown = run("assignments")
    assert id_[:4] in shown
    assert "1 of 2" in shown
    assert re.search(r"1 not\s+sent yet", shown)
    assert YESTERDAY in shown
    assert "Assignments to do: 1, overdue: 1." in run("status")
