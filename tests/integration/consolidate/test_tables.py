"""Approved records become files and indicators, on both databases."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync.consolidate import lease
from sync.models import Event, Indicator, JobRun
from tests.conftest import Team
from tests.integration.consolidate.conftest import Keep, RunIt, all_runs, an_interview, indicator


def read(exports: Path, run: JobRun, file: str) -> list[dict[str, str]]:
    (path,) = [exports / one["name"] for one in run.files if one["name"].endswith(f"/{file}")]
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def test_only_approved_records_are_released(keep: Keep, consolidated: RunIt, exports: Path) -> None:
    keep(an_interview())
    for state in ("received", "edited", "has_issues", "rejected"):
        keep(an_interview(), review_state=state)
    keep(an_interview(), is_deleted=True)

    run = consolidated()

    assert [row["KEY"] for row in read(exports, run, "wawancara.csv")] == ["uuid:0001"]


def test_somebody_may_say_otherwise_and_that_is_logged_with_his_name(
    engine: Engine, study: Team, keep: Keep, consolidated: RunIt, exports: Path
) -> None:
    keep(an_interview())
    keep(an_interview(), review_state="received")
    keep(an_interview(), review_state="rejected")

    run = consolidated(is_all=True, account_id=study.supervisor.account_id)

    rows = read(exports, run, "wawancara.csv")
    assert [(row["KEY"], row["ReviewState"]) for row in rows] == [("uuid:0001", "approved"), ("uuid:0002", "received")]
    with Session(engine) as session:
        event = session.scalars(select(Event).where(Event.action == "consolidate.all")).one()
    assert (event.actor_name, event.detail) == ("Supervisor", {"records": 2, "not_approved": 1})


def test_a_row_says_where_it_came_from(keep: Keep, consolidated: RunIt, exports: Path) -> None:
    keep(an_interview(), revision=3, device_id="d-1")

    (row,) = read(exports, consolidated(), "wawancara.csv")

    assert row["SubmitterName"] == "Enumerator"
    assert (row["DeviceID"], row["Edits"], row["FormVersion"], row["OperationID"]) == ("d-1", "2", "2026112601", "op-1")
    assert row["SubmissionDate"] == "2026-11-23T12:01:00.000Z"


def test_labels_come_in_both_languages_and_repeats_in_tables_of_their_own(
    keep: Keep, consolidated: RunIt, exports: Path
) -> None:
    keep(an_interview(aid="grant credit"))

    run = consolidated()

    (codes,) = read(exports, run, "wawancara.csv")
    assert (codes["aid-aid_types"], codes["aid-aid_types/grant"], codes["aid-aid_types/none"]) == (
        "grant credit",
        "1",
        "0",
    )
    (use,) = read(exports, run, "wawancara-credit-use.csv")
    assert (use["purpose"], use["KEY"], use["PARENT_KEY"]) == ("raw_material", "uuid:0001/credit/use[1]", "uuid:0001")
    (indonesian,) = read(exports, run, "wawancara-credit-use.id.csv")
    (english,) = read(exports, run, "wawancara-credit-use.en.csv")
    assert indonesian["Dipakai untuk apa?"] == "Bahan baku"
    assert "Raw material" in english.values()


def test_every_form_has_a_workbook_that_opens(keep: Keep, consolidated: RunIt, exports: Path) -> None:
    keep(an_interview(name="=1+1"))

    run = consolidated()

    books = [exports / one["name"] for one in run.files if one["name"].endswith(".xlsx")]
    assert len(books) == 5
    for book in books:
        assert "codebook" in openpyxl.load_workbook(book).sheetnames
    cells = [cell for row in openpyxl.load_workbook(books[3])["wawancara"].iter_rows() for cell in row]
    assert any(cell.value == "'=1+1" for cell in cells)
    assert not any(cell.data_type == "f" for cell in cells)


def test_records_of_an_older_version_stand_in_the_same_table(keep: Keep, consolidated: RunIt, exports: Path) -> None:
    keep(an_interview(), version="2026100101")
    keep(an_interview())

    rows = read(exports, consolidated(), "wawancara.csv")

    assert [row["FormVersion"] for row in rows] == ["2026100101", "2026112601"]


def test_the_indicators_come_from_the_same_records(
    engine: Engine, study: Team, keep: Keep, consolidated: RunIt
) -> None:
    keep(an_interview("1000000", "1400000"))
    keep(an_interview("800000", "1000000", aid="grant"))
    keep(an_interview("900000", "9000000"), review_state="received")

    consolidated()

    change = indicator(engine, study, "income_change")
    assert (change.n, change.mean, change.median) == (2, 300_000, 300_000)
    assert indicator(engine, study, "income_change_pct", "aid", "grant").mean == 25
    assert [(one["instance_id"], one["op_id"], one["value"]) for one in change.evidence] == [
        ("uuid:0001", "op-1", 400_000),
        ("uuid:0002", "op-2", 200_000),
    ]


def test_an_indicator_of_yesterday_that_nothing_stands_behind_today_is_gone(
    engine: Engine, keep: Keep, consolidated: RunIt
) -> None:
    record = keep(an_interview())
    consolidated()
    with Session(engine) as session, session.begin():
        session.merge(record).review_state = "rejected"

    consolidated()

    with Session(engine) as session:
        assert session.scalars(select(Indicator)).all() == []


def test_the_files_of_the_last_ten_runs_are_kept(keep: Keep, consolidated: RunIt, exports: Path) -> None:
    keep(an_interview())

    runs = [consolidated() for _again in range(12)]

    folders = sorted(folder.name for folder in (exports / "1").iterdir())
    assert folders == sorted({run.files[0]["name"].split("/")[1] for run in runs[2:]})


def test_what_a_crash_left_half_made_is_never_shown(keep: Keep, consolidated: RunIt, exports: Path) -> None:
    keep(an_interview())
    half = exports / "1" / ".making-yesterday"
    half.mkdir(parents=True)
    (half / "wawancara.csv").write_text("half a fi")

    run = consolidated()

    assert not half.exists()
    assert all((exports / one["name"]).stat().st_size == one["size"] for one in run.files)


KILLED_WHILE_IT_WROTE = """
import sys, time
from datetime import datetime
from pathlib import Path
from sync.consolidate import release, run_job
from sync.engine import connect

def never_publish(making, folder):
    print("written", flush=True)
    time.sleep(60)

release._publish_folder = never_publish
run_job(connect(sys.argv[1]), "consolidate", slot="slot", cause="schedule", account_id=None,
        now=datetime.fromisoformat(sys.argv[2]), folder=Path(sys.argv[3]))
"""


def test_a_process_that_is_killed_leaves_no_half_made_files_and_its_slot_is_run_again(
    engine: Engine, database_url: str, keep: Keep, consolidated: RunIt, exports: Path, now: datetime
) -> None:
    keep(an_interview())
    command = [sys.executable, "-c", KILLED_WHILE_IT_WROTE, database_url, now.isoformat(), str(exports)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "written\n"
        victim.kill()
    assert [folder.name[:8] for folder in (exports / "1").iterdir()] == [".making-"]
    assert [run.outcome for run in all_runs(engine)] == ["running"]

    run = consolidated(slot="slot", now=now + lease.TTL + timedelta(seconds=1))

    assert run.outcome == "done"
    assert [folder.name[0] for folder in (exports / "1").iterdir()] == ["2"]
    assert len(read(exports, run, "wawancara.csv")) == 1
