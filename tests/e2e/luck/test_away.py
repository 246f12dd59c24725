"""A tablet that was away for longer than the server tells of deletions."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import sync.device.pull
from server.clock import now
from sync import author
from sync.consolidate import run_job
from sync.device import FieldDevice, Progress, Stage
from sync.device.progress import unwatched
from sync.engine import in_transaction
from sync.models import Project, Submission
from tests.conftest import Team
from tests.e2e.fieldwork import add, visits
from tests.e2e.luck.conftest import Enrol


class LineDropped(Exception):
    """The network is gone."""


def _drop_after_a_page(told: Progress) -> None:
    if told.stage is Stage.PULLED:
        raise LineDropped


@dataclass(frozen=True, slots=True)
class Away:
    """A device that comes back after half a year."""

    device: FieldDevice
    gone: str
    stays: str
    late: str


@pytest.fixture
def away(enrol: Enrol, engine: Engine, study: Team, tmp_path: Path) -> Away:
    """It has two records of the server, one of which was deleted, long ago by now; a third waits to be sent."""
    device = enrol()
    gone, stays = (add(device, visit) for visit in visits("pendaftaran")[:2])
    device.sync()

    def delete(session: Session) -> None:
        project, shown = (
            session.get_one(Project, study.project_id),
            session.get_one(Submission, (study.project_id, gone)),
        )
        words = {"kind": "submission", "record_id": gone, "form_id": shown.form_id, "version": shown.version}
        author.write(session, project, **words, changes={}, is_delete=True, actor=study.supervisor, now=now())

    in_transaction(engine, delete)
    told = {"slot": "manual-1", "cause": "person", "account_id": None, "folder": tmp_path}
    run_job(engine, "forget", **told, now=now() + timedelta(days=181))
    return Away(device, gone, stays, add(device, visits("pendaftaran")[2]))


def shown(device: FieldDevice) -> set[str]:
    return {one.instance_id for one in device.inbox.received()}


def test_it_reads_everything_again_and_keeps_what_it_had_not_sent(away: Away) -> None:
    device, before = away.device, away.device.store.setting("cursor")

    synced = device.sync()

    assert [item["verdict"] for item in synced.pushed.items] == ["accepted"]
    assert shown(device) == {away.stays, away.late}
    assert synced.pulled.records > 3  # the forms too: everything came again
    assert device.store.setting("cursor") != before
    assert device.status() == replace(device.status(), waiting=0, files_waiting=0, refused=0)


def test_what_it_has_stands_until_all_has_come_again(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line breaks after each page in turn: the enumerator can go on with the forms, lists and records that were
    there, and each time the reading goes on where it stopped."""
    device, forms = away.device, away.device.forms()
    lists = {name: device.inbox.entities(name) for name in device.inbox.lists()}
    monkeypatch.setattr(sync.device.pull, "PAGE", 2)
    device.watch = _drop_after_a_page

    breaks = 0
    while True:
        try:
            device.pull()
            break
        except LineDropped:
            breaks += 1
            assert shown(device) == {away.gone, away.stays}
            assert device.forms() == forms
            assert {name: device.inbox.entities(name) for name in device.inbox.lists()} == lists
            assert device.status().waiting == 1

    assert breaks > 3
    assert shown(device) == {away.stays}
    assert device.store.number("SELECT count(*) FROM new_record") == 0
    device.watch = unwatched
    device.sync()
    assert shown(device) == {away.stays, away.late}


def test_it_is_killed_while_it_reads_again(away: Away, tmp_path: Path) -> None:
    away.device.store.run("PRAGMA wal_checkpoint(TRUNCATE)")
    folder, copies = str(away.device.folder), str(tmp_path / "copies")

    ran = subprocess.run(
        [sys.executable, "-m", "tests.e2e.killed_client", "read", folder, copies],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) > 5
    assert [one["killed"] for one in told] == [True] * (len(told) - 1) + [False]
    assert {one["waiting"] for one in told} == {1}
    assert {one["forms"] for one in told} == {len(away.device.forms())}
    old, new = sorted([away.gone, away.stays]), [away.stays]
    states = [sorted(one["received"]) for one in told]
    assert states.count(old) > 3
    assert states[states.count(old) :] == [new] * (len(told) - states.count(old))
    for copy in (tmp_path / "copies").iterdir():
        with FieldDevice(copy) as device:
            assert (shown(device), device.status().waiting) == ({away.stays}, 1)
