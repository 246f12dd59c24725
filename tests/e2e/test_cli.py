"""The command line: what it says, how it ends, and that nobody ever sees a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import orjson
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from forms.library import STUDY
from server.cli import main
from server.clock import now
from server.commands import screen
from sync import form_list
from sync.engine import in_transaction
from sync.models import Project
from tests.conftest import Team
from tests.e2e.fieldwork import code, visits

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`lapangan ...` in an installation of its own, in English."""
    monkeypatch.setenv("LAPANGAN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, typed: str = "") -> Result:
        # The console holds on to the streams that it was made with.
        runner = CliRunner()
        with runner.isolation(input=typed):
            pass
        return runner.invoke(main, arguments, input=typed)

    for console in (screen.out, screen.err):
        monkeypatch.setattr(console, "_width", 200)
    return run


def broken_workbook(file: Path) -> Path:
    return workbook(file, ["text", "name", "Your name"], ["texxt", "age", "Your age"])


def workbook(file: Path, *questions: list[str]) -> Path:
    """An XLSForm of these rows: type, name, label, constraint."""
    book = openpyxl.Workbook()
    survey = book.worksheets[0]
    survey.title = "survey"
    for row in (["type", "name", "label", "constraint"], *questions):
        survey.append(row)
    settings = book.create_sheet("settings")
    settings.append(["form_id", "version"])
    settings.append([file.stem, "1"])
    book.save(file)
    return file


def test_help_names_every_command(run: Run) -> None:
    shown = run("--help")

    assert shown.exit_code == 0
    for name in ("serve", "jobs", "doctor", "demo", "user", "form", "project", "device"):
        assert re.search(rf"^  {name} ", shown.output, re.MULTILINE)


def test_a_wrong_setting_is_one_clear_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPANGAN_PORT", "http")

    shown = run("user", "list")

    assert shown.exit_code == 1
    assert "LAPANGAN_PORT: must be a whole number" in shown.output
    assert "Traceback" not in shown.output


def test_an_unreachable_database_is_one_clear_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAPANGAN_DATABASE_URL", "postgresql://127.0.0.1:1/nowhere?connect_timeout=2")

    shown = run("project", "list")

    assert shown.exit_code == 1
    assert "The database cannot be reached" in shown.output
    assert "Traceback" not in shown.output


def test_a_password_is_asked_for_and_never_shown(run: Run) -> None:
    made = run("user", "create", "ani@example.org", "--name", "Ani", typed="kopi-pagi-hari\nkopi-pagi-hari\n")
    listed = run("user", "list")

    assert made.exit_code == 0
    assert "kopi-pagi-hari" not in made.output
    assert re.search(r"ani@example\.org\s+Ani\s+no\s+yes", listed.output)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("user", "create", "ani@example.org", "--password", "short"), "10 to 1,000 characters"),
        (("user", "create", "ani", "--password", "kopi-pagi-hari"), "not an e-mail address"),
        (("user", "password", "nobody@example.org", "--password", "kopi-pagi-hari"), "no such account"),
        (("device", "status"), "not connected to a project yet"),
        (("device", "enrol", "AAAA-AAAA"), "neither an address nor a code"),
        (("device", "enrol", "AAAA-AAAA", "--server", "http://127.0.0.1:1"), "cannot be reached"),
    ],
)
def test_a_refusal_says_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.setattr("sync.device.link.Link._pause", lambda *_arguments: None)

    shown = run(*arguments)

    assert shown.exit_code == 1
    assert words in shown.output
    assert "Traceback" not in shown.output


def test_a_form_is_published_with_the_files_of_a_folder(run: Run, tmp_path: Path) -> None:
    form = b"| survey |\n| | type | name | label |\n| | select_one_from_file rt.csv | rt | RT |\n"
    (tmp_path / "rt.md").write_bytes(form)
    (tmp_path / "media").mkdir()
    run("project", "create", "P2KP")

    without = run("form", "publish", "rt.md", "--ignore-warnings")
    (tmp_path / "media" / "rt.csv").write_text("name;label\n01;RT \n", "latin-1")
    given = run("form", "publish", "rt.md", "--ignore-warnings", "--media", "media")

    assert (without.exit_code, given.exit_code) == (0, 0), given.output
    assert "still missing: rt.csv" in without.output
    assert "missing" not in given.output


def test_a_good_form_is_published_from_its_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pendaftaran.xlsx").write_bytes(STUDY[0].read())
    run("project", "create", "P2KP")

    checked = run("form", "check", "pendaftaran.xlsx")
    published = run("form", "publish", "pendaftaran.xlsx", "--project", "1")
    again = run("form", "publish", "pendaftaran.xlsx", "--project", "1")

    assert (checked.exit_code, published.exit_code, again.exit_code) == (0, 0, 0), published.output
    assert "it can be published" in checked.output
    assert "is published in P2KP" in published.output


def test_a_broken_form_is_shown_by_sheet_and_row(run: Run, tmp_path: Path) -> None:
    broken_workbook(tmp_path / "broken.xlsx")

    shown = run("form", "check", "broken.xlsx")
    told = run("form", "check", "broken.xlsx", "--json")

    assert shown.exit_code == told.exit_code == 2
    assert re.search(r"survey\s+3", shown.output)
    assert json.loads(told.stdout)["faults"][0]["row"] == 3


def test_warnings_are_shown_by_their_place_and_must_be_confirmed(run: Run, tmp_path: Path) -> None:
    workbook(tmp_path / "loose.xlsx", ["text", "code", "Code", "regex(., '[0-9]+')"])
    run("project", "create", "P2KP")

    checked = run("form", "check", "loose.xlsx")
    told = json.loads(run("form", "check", "loose.xlsx", "--json").stdout)
    refused = run("form", "publish", "loose.xlsx")
    published = run("form", "publish", "loose.xlsx", "--ignore-warnings")

    assert (checked.exit_code, refused.exit_code, published.exit_code) == (1, 1, 0)
    assert re.search(r"warning\s+survey\s+2\s+constraint\s+code", checked.output)
    assert [one["code"] for one in told["faults"] if one["severity"] == "warning"] == ["regex-not-anchored"]
    assert "Nothing was published" in refused.output
    assert "is published in P2KP" in published.output


def test_two_versions_are_compared_in_plain_words(run: Run, tmp_path: Path) -> None:
    newest = next(form for form in STUDY if form.form_id == "wawancara")
    for name, content in newest.workbooks():
        (tmp_path / name).write_bytes(content)

    same = run("form", "compare", "wawancara.xlsx", "wawancara.xlsx", "--json")
    told = run("form", "compare", "wawancara.2026100101.xlsx", "wawancara.xlsx")

    assert {one["code"] for one in json.loads(same.stdout)["changes"]} <= {"version-not-above"}
    assert told.exit_code in (0, 1)
    assert "What changes" in told.output


def test_what_is_no_form_is_refused_in_one_clear_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.xlsx").write_bytes(b"PK\x03\x04 hello")

    shown = run("form", "check", "notes.xlsx")

    assert shown.exit_code == 2
    assert "not a readable XLSForm" in shown.output


def test_the_mistakes_of_a_form_are_told_in_indonesian(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "id_ID")
    workbook(tmp_path / "salah.xlsx", ["text", "code", "Kode", "selectd(., 'a')"])

    shown = run("form", "check", "salah.xlsx")

    assert "tidak ada fungsi selectd(); mungkin maksudnya selected?" in shown.output


def test_a_form_needs_a_project_that_is_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pendaftaran.xlsx").write_bytes(STUDY[0].read())

    nowhere = run("form", "publish", "pendaftaran.xlsx")
    run("project", "create", "P2KP Pakis")
    shown = run("form", "publish", "pendaftaran.xlsx", "--project", "7")

    assert (nowhere.exit_code, shown.exit_code) == (1, 1)
    assert "There is no project on this server yet" in nowhere.output
    assert "no project with this number" in shown.output


def test_the_doctor_finds_a_fresh_installation_healthy_once_it_has_tables(run: Run) -> None:
    before = run("doctor")
    run("project", "list")
    after = run("doctor")

    assert before.exit_code == 1
    assert "Run: lapangan serve" in before.output
    assert after.exit_code == 0, after.output
    assert "SQLite 3." in after.output


def test_the_doctor_sees_a_secret_that_others_can_read(run: Run, tmp_path: Path) -> None:
    run("project", "list")
    (tmp_path / "data" / "secret-key").chmod(0o644)

    shown = run("doctor")

    assert shown.exit_code == 1
    assert "chmod 600" in shown.output


def test_jobs_are_listed_and_run_at_wish(run: Run) -> None:
    run("project", "create", "P2KP")

    listed, ran = run("jobs", "list"), run("jobs", "once", "consolidate")

    assert re.search(r"consolidate.*never", listed.output)
    assert ran.exit_code == 0, ran.output
    assert "consolidate is done" in ran.output


def test_an_enumerator_works_through_the_commands(
    run: Run, address: str, engine: Engine, study: Team, tmp_path: Path
) -> None:
    visit = visits("pendaftaran", "INF-01")[0]
    (tmp_path / "answers.json").write_bytes(orjson.dumps(visit.answers))

    enrolled = run("device", "enrol", code(engine, study), "--server", address)
    added = run("device", "add", "pendaftaran", "--answers", "answers.json")
    waiting = run("device", "status")
    sent = run("device", "sync")
    receipts = run("device", "receipts")
    inbox = run("device", "inbox")

    assert enrolled.exit_code == 0, enrolled.output
    assert "New form: wawancara, version 2026112601" in enrolled.output
    assert "Kept: INF-01 Siti Aminah" in added.output
    assert "Records that wait on this device: 1" in waiting.output
    assert sent.exit_code == 0, sent.output
    assert "everything is on the server" in sent.output
    assert re.search(r"INF-01 Siti Aminah\s+Safe on the server", receipts.output)
    assert "nothing to correct" in inbox.output


def test_broken_answers_are_shown_by_the_words_of_the_form(
    run: Run, address: str, engine: Engine, study: Team, tmp_path: Path
) -> None:
    visit = visits("pendaftaran", "INF-01")[0]
    wrong = {**visit.answers, "address": {**visit.answers["address"], "rt": "2"}}
    (tmp_path / "wrong.json").write_bytes(orjson.dumps(wrong))
    run("device", "enrol", code(engine, study), "--server", address)

    refused = run("device", "add", "pendaftaran", "--answers", "wrong.json")
    kept = run("device", "add", "pendaftaran", "--answers", "wrong.json", "--as-is")

    assert refused.exit_code == 1
    assert "(address/rt)" in refused.output
    assert "Records kept: 0 of 1" in refused.output
    assert kept.exit_code == 0


@pytest.mark.parametrize("state", ["closing", "closed"])
def test_who_collects_learns_that_a_form_was_closed_and_what_became_of_the_rest(
    run: Run, address: str, engine: Engine, study: Team, tmp_path: Path, state: str
) -> None:
    one, other = (visits("pendaftaran")[number].answers for number in range(2))
    wrong = {**other, "address": {**other["address"], "rt": "2"}}
    (tmp_path / "two.json").write_bytes(orjson.dumps([one, wrong]))
    (tmp_path / "one.json").write_bytes(orjson.dumps([one]))
    run("device", "enrol", code(engine, study), "--server", address)
    added = run("device", "add", "pendaftaran", "--answers", "two.json")

    def set_state(to: str) -> None:
        def act(session: Session) -> None:
            project = session.get_one(Project, study.project_id)
            form = form_list.form(session, project, "pendaftaran", actor=study.manager)
            form_list.set_state(session, form, to, actor=study.manager, now=now())

        in_transaction(engine, act)

    set_state(state)
    sent, listed = run("device", "sync"), run("device", "forms")
    refused = run("device", "add", "pendaftaran", "--answers", "one.json")
    set_state("open")
    run("device", "pull")
    opened = run("device", "add", "pendaftaran", "--answers", "one.json")

    assert "Records kept: 1 of 2." in added.output
    assert "take those out of the file" in added.output
    assert ("put aside for the supervisor: 1. See: lapangan device receipts" in sent.output) == (state == "closed")
    assert "Closed form: pendaftaran. Nothing new is collected with it." in sent.output
    assert re.search(r"pendaftaran .* closed", listed.output)
    assert "the supervisor has closed it" in refused.output
    assert "Kept: " in opened.output
