"""`lapangan form answers`: what it writes is what `lapangan device add` reads."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from forms.check import Context, compile_form
from forms.finding import Rule
from forms.form_file import read_form_file
from forms.instance import open_instance, read_answers
from forms.library import STUDY
from sync.device import read_answers_file
from tests.differential.samples import samples
from tests.e2e.test_cli import Run, run  # noqa: F401  # the fixture

REGISTRATION, INTERVIEW = STUDY[0], STUDY[1]


@pytest.fixture
def workbook(tmp_path: Path, run: Run) -> Path:  # noqa: F811
    """The interview beside the list that it looks informants up in."""
    sample = next(one for one in samples() if one.name == INTERVIEW.form_id)
    for name, content in sample.attachments.items():
        (tmp_path / name).write_bytes(content)
    file = tmp_path / "interview.xlsx"
    file.write_bytes(INTERVIEW.read())
    return file


@pytest.mark.parametrize("format_", ["json", "csv", "xlsx"])
def test_answers_are_read_back_from_each_format(run: Run, workbook: Path, tmp_path: Path, format_: str) -> None:  # noqa: F811
    made = run("form", "answers", str(workbook), "-n", "8", "--seed", "5", "--as", format_, "-o", "out")

    assert made.exit_code == 0, made.output
    definition = read_form_file(workbook.read_bytes(), workbook.name).definition
    records = read_answers_file(tmp_path / "out" / f"answers.{format_}", definition)
    plain = run("form", "answers", str(workbook), "-n", "8", "--seed", "5")
    assert len(records) == 8
    assert [one["visit"] for one in records] == [one["visit"] for one in json.loads(plain.stdout)]
    compiled = compile_form(definition)
    moment = datetime.now().astimezone()
    found = [one for answers in records for one in compiled.check(answers, Context(moment, moment))]
    # Without the list at hand, the choice of an informant cannot be judged; nothing else is said.
    assert {(one.rule, one.params.get("list")) for one in found} <= {(Rule.UNDECIDABLE, "informan")}
    assert len(records) == 8


def test_the_files_that_answers_name_lie_beside_them(run: Run, workbook: Path, tmp_path: Path) -> None:  # noqa: F811
    run("form", "answers", str(workbook), "-n", "20", "--seed", "1", "-o", "out")

    named = {
        one["closing"]["photo"]
        for one in json.loads((tmp_path / "out/answers.json").read_text())
        if "photo" in one.get("closing", {})
    }
    assert named
    assert named <= {file.name for file in (tmp_path / "out/media").iterdir()}


def test_xml_is_a_submission_as_a_client_sends_it(run: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "registration.xlsx").write_bytes(REGISTRATION.read())

    run("form", "answers", "registration.xlsx", "-n", "10", "--seed", "2", "--as", "xml", "-o", "out")

    definition = read_form_file(REGISTRATION.read(), "registration.xlsx").definition
    envelopes = [open_instance(file.read_bytes()) for file in sorted((tmp_path / "out").glob("*.xml"))]
    assert [read_answers(definition, envelope).findings for envelope in envelopes] == [()] * 10
    assert len({envelope.instance_id for envelope in envelopes}) == 10
    assert any(b"<entity " in file.read_bytes() for file in (tmp_path / "out").glob("*.xml"))


def test_invalid_answers_say_which_rule_they_break(run: Run, workbook: Path, tmp_path: Path) -> None:  # noqa: F811
    made = run("form", "answers", str(workbook), "-n", "3", "--seed", "5", "--rule", "required", "-o", "out")

    told = json.loads((tmp_path / "out" / "broken.json").read_text())
    assert [one["rule"] for one in told] == ["required"] * 3
    assert "This question must be answered" in made.stderr


def test_a_list_that_is_missing_is_told(run: Run, workbook: Path, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "informan.csv").unlink()

    made = run("form", "answers", str(workbook), "-n", "1")

    assert "informan.csv is not here" in made.stderr
    assert json.loads(made.stdout)


def test_a_published_form_is_found_by_its_id(run: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "registration.xlsx").write_bytes(REGISTRATION.read())
    run("project", "create", "Study")
    run("form", "publish", "registration.xlsx")

    made = run("form", "answers", REGISTRATION.form_id, "-n", "2", "--as", "csv")

    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("start,end,today,visit/visited_on")
    assert len(made.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nothing.xlsx"], "neither a file nor a published form"), (["nothing"], "no project on this server yet")],
)
def test_a_form_that_is_not_there_is_told(run: Run, arguments: list[str], words: str) -> None:  # noqa: F811
    made = run("form", "answers", *arguments)

    assert made.exit_code == 1
    assert words in made.stderr
