"""A tablet that was away for longer than the server tells of deletions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from server.clock import now
from sync import author
from sync.consolidate import run_job
from sync.engine import in_transaction
from sync.models import Project, Submission
from tests.conftest import Team
from tests.e2e.fieldwork import add, visits
from tests.e2e.luck.conftest import Enrol


def test_it_reads_everything_again_and_keeps_what_it_had_not_sent(
    enrol: Enrol, engine: Engine, study: Team, tmp_path: Path
) -> None:
    device = enrol()
    gone, stays = (add(device, visit) for visit in visits("pendaftaran")[:2])
    device.sync()
    before = device.store.setting("cursor")

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
    late = add(device, visits("pendaftaran")[2])

    synced = device.sync()

    assert [item["verdict"] for item in synced.pushed.items] == ["accepted"]
    assert {one.instance_id for one in device.inbox.received()} == {stays, late}
    assert synced.pulled.records > 3  # the forms too: everything came again
    assert device.store.setting("cursor") != before
    assert device.status() == replace(device.status(), waiting=0, files_waiting=0, refused=0)
