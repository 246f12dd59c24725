"""The pages of jobs, indicators, forms, devices and people, over HTTP and on both databases."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.library import STUDY
from sync.engine import in_transaction
from sync.models import Account, Device, Event, Form, FormVersion, JobRun, Membership, Submission
from tests.conftest import NOW, Team
from tests.e2e.reader import Reader


@pytest.fixture
def reader(client: FlaskClient) -> Reader:
    return Reader(client)


@pytest.fixture
def interviews(engine: Engine, study: Team) -> Team:
    """Three approved interviews and one that nobody has reviewed."""

    def write(session: Session) -> None:
        for number, (before, after) in enumerate((("1000000", "1400000"), ("800000", "1000000"), ("500000", None)), 1):
            session.add(_record(study, number, before, after))
        session.add(_record(study, 4, "100", "900", review_state="received"))

    in_transaction(engine, write)
    return study


def _record(study: Team, number: int, before: str, after: str | None, review_state: str = "approved") -> Submission:
    answers = {
        "opening": {"consent": "yes"},
        "aid": {"aid_types": "credit" if number == 1 else "grant"},
        "income": {"income_before": before, "income_after": after},
    }
    return Submission(
        project_id=study.project_id,
        instance_id=f"uuid:{number}",
        form_id="wawancara",
        version="2026112601",
        instance_name=f"Wawancara {number}",
        answers=answers,
        op_id=f"op-{number}",
        vector={},
        review_state=review_state,
        received_at=NOW + timedelta(minutes=number),
        updated_at=NOW,
    )


def test_run_now_makes_tables_that_can_be_downloaded(reader: Reader, interviews: Team) -> None:
    reader.log_in("supervisor")

    page = reader.follow(reader.send("/projects/1/jobs/consolidate/run", "/projects/1/jobs"))

    assert "3 approved records." in page
    assert "1 is not approved yet and stayed out." in page
    link = re.search(r'href="(/projects/1/exports/[^"]+wawancara\.xlsx)"', page)
    assert link is not None
    with reader.client.get(link[1]) as file:
        assert file.headers["Content-Disposition"].startswith("attachment")
        rows = list(openpyxl.load_workbook(io.BytesIO(file.data))["wawancara"].iter_rows(values_only=True))
    assert len(rows) == 1 + 3


def test_taking_unapproved_records_is_shown_and_logged(reader: Reader, interviews: Team, engine: Engine) -> None:
    reader.log_in("supervisor")

    reader.follow(reader.send("/projects/1/jobs/consolidate/run", "/projects/1/jobs", is_all="yes"))

    assert "not only approved" in reader.get("/projects/1/jobs")
    assert "also count records that were not approved" in reader.get("/projects/1/indicators")
    with Session(engine) as session:
        assert session.scalars(select(Event.actor_name).where(Event.action == "consolidate.all")).all() == [
            "Supervisor"
        ]


def test_a_number_opens_the_records_behind_it_with_their_versions(reader: Reader, interviews: Team) -> None:
    reader.log_in("supervisor")
    reader.follow(reader.send("/projects/1/jobs/consolidate/run", "/projects/1/jobs"))

    page = reader.get("/projects/1/indicators")
    evidence = reader.get("/projects/1/indicators/income_change_pct/all")

    assert "Synthetic data" in page
    assert "+32.5\u00a0%" in page
    assert "/projects/1/indicators/income_change_pct/aid?category=credit" in page
    assert [name in evidence for name in ("Wawancara 1", "Wawancara 2", "Wawancara 3", "Wawancara 4")] == [
        True,
        True,
        True,
        False,
    ]
    assert "+40\u00a0%" in evidence
    assert "missing" in evidence
    assert 'title="op-1"' in evidence


def test_a_record_that_changed_after_it_was_counted_is_marked(reader: Reader, interviews: Team, engine: Engine) -> None:
    reader.log_in("supervisor")
    reader.follow(reader.send("/projects/1/jobs/consolidate/run", "/projects/1/jobs"))
    assert "changed since" not in reader.get("/projects/1/indicators/income_after/all")

    def edit(session: Session) -> None:
        session.get_one(Submission, (interviews.project_id, "uuid:1")).op_id = "op-9"

    in_transaction(engine, edit)

    assert reader.get("/projects/1/indicators/income_after/all").count("changed since") == 1


def test_before_anything_was_computed_the_page_says_what_to_do(reader: Reader, study: Team) -> None:
    page = reader.log_in("viewer").get("/projects/1/indicators")

    assert "No indicators yet" in page
    assert "Approve some, then run the consolidation." in page


@pytest.mark.parametrize("name", ["../../secret-key", "..%2F..%2Fsecret-key", ".making-x/wawancara.csv", "2/x.csv"])
def test_only_what_was_exported_for_this_project_can_be_downloaded(
    reader: Reader, study: Team, app: Flask, name: str
) -> None:
    folder = app.extensions["lapangan"].settings.data_dir
    (folder / "secret-key").write_text("secret")
    (folder / "exports" / "1" / ".making-x").mkdir(parents=True)
    (folder / "exports" / "1" / ".making-x" / "wawancara.csv").write_text("half")

    reader.log_in("viewer").get(f"/projects/1/exports/{name}", 404)


def test_a_viewer_reads_numbers_but_runs_nothing(reader: Reader, interviews: Team, engine: Engine) -> None:
    reader.log_in("viewer")

    assert reader.send("/projects/1/jobs/consolidate/run", "/projects/1/indicators").status_code == 403
    reader.get("/projects/1/jobs", 403)
    with Session(engine) as session:
        assert session.scalars(select(JobRun)).all() == []


def test_only_an_administrator_runs_what_concerns_the_whole_server(reader: Reader, study: Team) -> None:
    assert reader.log_in("manager").send("/projects/1/jobs/cleanup/run", "/projects/1/jobs").status_code == 403

    page = reader.log_in("administrator").follow(reader.send("/projects/1/jobs/cleanup/run", "/projects/1/jobs"))

    assert "Done. What it made stands below." in page


def test_an_xlsform_becomes_a_draft_and_then_a_version(reader: Reader, a_project: Team, engine: Engine) -> None:
    reader.log_in("manager")
    workbook = (io.BytesIO(STUDY[0].read()), "pendaftaran.xlsx")

    page = reader.follow(reader.send("/projects/1/forms", "/projects/1/forms/new", file=workbook))
    assert "Publish version 2026112601" in page
    page = reader.follow(
        reader.send("/projects/1/forms/pendaftaran/publish", "/projects/1/forms/pendaftaran", confirmed="yes")
    )

    assert "in use" in page
    with Session(engine) as session:
        assert session.get_one(Form, (a_project.project_id, "pendaftaran")).version == "2026112601"
    got = reader.client.get("/projects/1/forms/pendaftaran/download.xlsx?version=2026112601")
    assert got.data == STUDY[0].read()


def test_a_draft_s_page_says_what_it_changes(reader: Reader, study: Team) -> None:
    newest = next(form for form in STUDY if form.form_id == "pendaftaran")
    book = openpyxl.load_workbook(io.BytesIO(newest.read()))
    book["settings"]["C2"].value = "2026112501"
    names = [cell.value for cell in book["survey"]["B"]]
    header = [cell.value for cell in book["survey"][1]]
    book["survey"].cell(names.index("rt") + 1, header.index("constraint") + 1).value = ". = '999'"
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    reader.log_in("manager").send("/projects/1/forms", "/projects/1/forms/new", file=(file, "pendaftaran.xlsx"))

    page = reader.get("/projects/1/forms/pendaftaran/changes")

    assert "May touch answers that exist" in page
    assert "constraint was" in page


def test_a_broken_workbook_is_explained_by_sheet_and_row_and_nothing_is_kept(
    reader: Reader, a_project: Team, engine: Engine
) -> None:
    broken = openpyxl.Workbook()
    survey = broken.active
    assert survey is not None
    survey.title = "survey"
    for row in (("type", "name", "label"), ("text", "name", "Name"), ("teleport", "where", "Where")):
        survey.append(row)
    file = io.BytesIO()
    broken.save(file)
    file.seek(0)

    answer = reader.log_in("manager").send("/projects/1/forms", "/projects/1/forms/new", file=(file, "rusak.xlsx"))

    assert answer.status_code == 400
    assert "What to correct" in answer.text
    assert re.search(r'data-label="Sheet">survey<', answer.text)
    assert re.search(r'data-label="Row">3<', answer.text)
    with Session(engine) as session:
        assert session.scalars(select(FormVersion)).all() == []


def test_what_is_no_form_at_all_is_refused_in_words(reader: Reader, a_project: Team) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("hello.txt", "hello")
    archive.seek(0)

    answer = reader.log_in("manager").send("/projects/1/forms", "/projects/1/forms/new", file=(archive, "x.xlsx"))

    assert answer.status_code == 400
    assert "not a readable XLSForm" in answer.text


def test_a_forms_questions_can_be_read_in_both_languages(reader: Reader, study: Team) -> None:
    page = reader.log_in("viewer").get("/projects/1/forms/wawancara/preview")

    assert "Berapa pendapatan bersih per bulan sebelum P2KP? (Rp)" in page
    assert "Raw material" in page
    assert "Bahan baku" in page


def test_a_form_is_closed_by_who_may_and_by_nobody_else(reader: Reader, study: Team, engine: Engine) -> None:
    refused = reader.log_in("supervisor").send("/projects/1/forms/observasi/state", state="closed")
    assert refused.status_code == 403

    reader.log_in("manager").follow(reader.send("/projects/1/forms/observasi/state", state="closed"))

    with Session(engine) as session:
        assert session.get_one(Form, (study.project_id, "observasi")).state == "closed"


def test_a_code_is_shown_once_with_its_picture(reader: Reader, a_project: Team) -> None:
    reader.log_in("manager")

    answer = reader.send("/projects/1/devices/codes", "/projects/1/devices", name="Tablet 9")

    code = re.search(r'class="big-code">([0-9A-Z]{4}-[0-9A-Z]{4})<', answer.text)
    assert code is not None
    assert "<svg" in answer.text
    later = reader.get("/projects/1/devices")
    assert "Tablet 9" in later
    assert code[1] not in later


def test_an_app_user_gets_a_qr_code_until_it_is_shut_out(reader: Reader, a_project: Team, engine: Engine) -> None:
    reader.log_in("manager")
    page = reader.follow(reader.send("/projects/1/devices/app-users", "/projects/1/devices", name="HP Sari"))
    assert "<svg" in page
    assert "/v1/key/" in page

    reader.follow(reader.send("/projects/1/devices/1/revoke", "/projects/1/devices/1/revoke"))

    reader.get("/projects/1/devices/1/collect", 404)
    with Session(engine) as session:
        assert session.scalars(select(Device)).one().revoked_at is not None


def test_a_supervisor_sees_devices_but_no_qr_code(reader: Reader, a_project: Team) -> None:
    reader.log_in("manager")
    reader.send("/projects/1/devices/app-users", "/projects/1/devices", name="HP Sari")

    assert "HP Sari" in reader.log_in("supervisor").get("/projects/1/devices")
    reader.get("/projects/1/devices/1/collect", 403)


def test_a_new_account_gets_a_password_that_is_shown_once_and_works(reader: Reader, a_project: Team) -> None:
    reader.log_in("administrator")

    page = reader.send(
        "/projects/1/people/accounts", "/projects/1/people", name="Rina", email="rina@example.org", role="supervisor"
    ).text

    password = re.search(r'class="big-code is-long">([0-9a-z-]{19})<', page)
    assert password is not None
    assert password[1] not in reader.get("/projects/1/people")
    reader.client.delete_cookie("lapangan")
    answer = reader.client.post("/login", data={"email": "rina@example.org", "password": password[1]})
    assert answer.status_code == 303


def test_a_manager_adds_people_who_have_an_account_but_makes_none(
    reader: Reader, a_project: Team, engine: Engine
) -> None:
    reader.log_in("manager")
    fields = {"name": "Rina", "email": "rina@example.org", "role": "viewer"}
    assert reader.send("/projects/1/people/accounts", "/projects/1/people", **fields).status_code == 403
    unknown = reader.send("/projects/1/people", "/projects/1/people", email="rina@example.org", role="viewer")
    assert "Nobody on this server has this e-mail address" in unknown.text

    page = reader.follow(
        reader.send("/projects/1/people", "/projects/1/people", email="administrator@example.org", role="viewer")
    )

    assert "Administrator now works in this project." in page
    with Session(engine) as session:
        account = session.scalars(select(Account).where(Account.email == "administrator@example.org")).one()
        assert session.get_one(Membership, (a_project.project_id, account.account_id)).role == "viewer"


def test_an_email_that_is_taken_is_said_beside_the_field_and_what_was_typed_stays(
    reader: Reader, a_project: Team
) -> None:
    answer = reader.log_in("administrator").send(
        "/projects/1/people/accounts", "/projects/1/people", name="Rina", email="viewer@example.org", role="viewer"
    )

    assert answer.status_code == 409
    assert "already an account with this e-mail address" in answer.text
    assert 'value="viewer@example.org"' in answer.text


@pytest.mark.parametrize(
    "name", ["jobs", "indicators", "forms", "forms/wawancara", "forms/wawancara/preview", "devices", "people"]
)
def test_every_page_is_there_in_indonesian_and_needs_a_login(reader: Reader, interviews: Team, name: str) -> None:
    assert reader.client.get(f"/projects/1/{name}").status_code == 303
    reader.headers = {"Accept-Language": "id"}

    text = reader.log_in("manager").get(f"/projects/1/{name}")

    assert '<html lang="id">' in text
    assert " style=" not in text
