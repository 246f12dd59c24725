"""The supervisors' pages, over HTTP and on both databases."""

from __future__ import annotations

import io
import re
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from PIL import Image
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from server.services import services
from sync.models import Comment, Conflict, Entity, Event, InboxItem, Operation, Submission, SubmissionFinding
from tests import desk
from tests.conftest import NOW, PASSWORD, Team
from tests.desk import CLASHING, FLAGGED, GOOD, PHOTO
from tests.e2e.reader import Reader
from tests.e2e.visits import instance

PAGES = (
    "/",
    "/projects/1/day",
    "/projects/1/submissions",
    f"/projects/1/submissions/{GOOD}",
    f"/projects/1/submissions/{FLAGGED}?all=yes&n=1&form=kunjungan",
    f"/projects/1/submissions/{CLASHING}",
    "/projects/1/conflicts",
    "/projects/1/entities/rumah",
    "/projects/1/quarantine",
    "/projects/1/audit",
)


FOREIGN = r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|https?://(?!www\.w3\.org)"
"""What the Content-Security-Policy would refuse, or what another server would have to answer."""


@pytest.fixture
def reader(client: FlaskClient) -> Reader:
    return Reader(client)


@pytest.fixture
def full_desk(app: Flask, engine: Engine, a_project: Team) -> Team:
    desk.fill(engine, a_project, services(app).blobs)
    return a_project


def found(engine: Engine, instance_id: str) -> Submission:
    with Session(engine) as session:
        return session.scalars(select(Submission).where(Submission.instance_id == instance_id)).one()


def test_every_page_opens_in_both_languages(full_desk: Team, client: FlaskClient) -> None:
    for language, words in (("en", "Log out"), ("id", "Keluar")):
        reader = Reader(client, language).log_in("supervisor")

        for page in PAGES:
            assert words in reader.get(page), page


def test_no_page_has_a_style_or_script_of_its_own(full_desk: Team, reader: Reader) -> None:
    reader.log_in("supervisor")

    for page in PAGES:
        assert not re.search(FOREIGN, reader.get(page)), page


def test_every_form_that_changes_something_carries_the_token(full_desk: Team, reader: Reader) -> None:
    reader.log_in("supervisor")

    for page in PAGES:
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", reader.get(page), re.DOTALL):
            assert 'name="csrf"' in form, (page, form[:200])


def test_empty_pages_say_what_to_do_next(a_project: Team, reader: Reader) -> None:
    reader.log_in("supervisor")

    assert "To the devices" in reader.get("/projects/1/day")
    assert "Publish a form, enrol a device" in reader.get("/projects/1/submissions")
    assert "No open conflict" in reader.get("/projects/1/conflicts")
    assert "Nothing is in quarantine" in reader.get("/projects/1/quarantine")
    assert "There is no registry yet" in reader.get("/projects/1/entities")


def test_a_stranger_is_led_to_the_log_in_and_back(full_desk: Team, client: FlaskClient) -> None:
    answer = client.get("/projects/1/day?day=2026-11-23")
    there = answer.headers["Location"]
    again = client.post(there, data={"email": "supervisor@example.org", "password": PASSWORD})

    assert answer.status_code == 303
    assert again.headers["Location"] == "/projects/1/day?day=2026-11-23"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"])
def test_the_log_in_leads_to_no_other_server(a_project: Team, client: FlaskClient, elsewhere: str) -> None:
    fields = {"email": "supervisor@example.org", "password": PASSWORD, "next": elsewhere}

    assert client.post("/login", data=fields).headers["Location"] == "/"


def test_a_wrong_password_is_said_on_the_page(a_project: Team, reader: Reader) -> None:
    fields = {"email": "supervisor@example.org", "password": "not this one"}

    answer = reader.client.post("/login", data=fields, headers=reader.headers)

    assert answer.status_code == 401
    assert "The e-mail address or the password is not right." in answer.text
    assert "not this one" not in answer.text


def test_whoever_logs_out_is_a_stranger_again(a_project: Team, reader: Reader) -> None:
    reader.log_in("supervisor")

    assert reader.send("/logout", "/").status_code == 303
    assert reader.client.get("/").status_code == 303


def test_the_language_stays_with_the_account(a_project: Team, reader: Reader) -> None:
    reader.log_in("supervisor")

    reader.send("/language", "/", language="id", next="/")

    assert "Semua proyek" in reader.log_in("supervisor").get("/")


def test_the_day_tells_what_was_flagged_and_why(full_desk: Team, reader: Reader) -> None:
    page = reader.log_in("supervisor").get("/projects/1/day")

    assert "Pak Budi" in page
    assert "Umur terlalu besar" in page
    assert "1 conflict to resolve" in page
    assert "1 item in quarantine" in page
    assert "Tablet Anggrek" in page


def test_the_list_can_be_narrowed(full_desk: Team, reader: Reader) -> None:
    reader.log_in("supervisor")

    flagged = reader.get("/projects/1/submissions?mark=errors")
    named = reader.get("/projects/1/submissions?text=siti")
    nobody = reader.get("/projects/1/submissions?text=nobody&day=not-a-day&offset=x")

    assert "Pak Budi" in flagged
    assert "Bu Siti" not in flagged
    assert "Bu Siti" in named
    assert "Pak Budi" not in named
    assert "No record fits this filter" in nobody


def test_a_record_shows_the_finding_with_rule_question_and_answer(full_desk: Team, reader: Reader) -> None:
    page = reader.log_in("supervisor").get(f"/projects/1/submissions/{FLAGGED}")

    assert "Umur terlalu besar" in page
    assert "Rule of the form" in page
    assert "200" in page
    assert ". &lt; 120" in page


def test_a_record_leads_to_its_neighbours_in_the_filter(full_desk: Team, reader: Reader) -> None:
    reader.log_in("supervisor")
    ids = re.findall(r'submissions/(uuid:[^"?]+)\?', reader.get("/projects/1/submissions?form=kunjungan"))

    page = reader.get(f"/projects/1/submissions/{ids[1]}?form=kunjungan&n=1")
    late = reader.get(f"/projects/1/submissions/{ids[0]}?form=kunjungan&n=1")

    assert "2 of 3" in page
    assert f"{ids[0]}?n=0" in page
    assert f"{ids[2]}?n=2" in page
    assert "1 of 3" in late


def test_a_record_that_left_the_list_still_leads_on(full_desk: Team, reader: Reader) -> None:
    reader.log_in("supervisor")
    ids = re.findall(r'submissions/(uuid:[^"?]+)\?', reader.get("/projects/1/submissions?state=received"))
    here = f"/projects/1/submissions/{ids[0]}"

    page = reader.follow(reader.send(f"{here}/review", here, decision="approved", state="received", n="0"))

    assert f"{ids[1]}?n=0&amp;state=received" in page


def test_a_record_is_approved_returned_and_rejected(full_desk: Team, reader: Reader, engine: Engine) -> None:
    reader.log_in("supervisor")
    here = f"/projects/1/submissions/{GOOD}"

    for decision, words in (("approved", "Approved."), ("has_issues", "Returned."), ("rejected", "Rejected.")):
        page = reader.follow(reader.send(f"{here}/review", here, decision=decision, note="Cek lagi"))

        assert words in page
        assert "Cek lagi" in page
        assert found(engine, GOOD).review_state == decision


def test_a_decision_keeps_the_readers_filter(full_desk: Team, reader: Reader) -> None:
    here = f"/projects/1/submissions/{GOOD}"

    answer = reader.log_in("supervisor").send(f"{here}/review", here, decision="approved", form="kunjungan", n="2")

    assert answer.headers["Location"].endswith("?n=2&form=kunjungan")


def test_a_comment_stands_beside_its_question(full_desk: Team, reader: Reader, engine: Engine) -> None:
    here = f"/projects/1/submissions/{FLAGGED}"

    page = reader.log_in("supervisor").send(f"{here}/comments", here, path="umur", body="Tolong\ncek <KTP>")

    assert page.headers["Location"].endswith("#q-umur")
    assert "Tolong<br>cek &lt;KTP&gt;" in reader.follow(page)
    with Session(engine) as session:
        assert session.scalars(select(Comment.path)).one() == "umur"


def test_a_finding_is_dismissed_with_a_reason_only(full_desk: Team, reader: Reader, engine: Engine) -> None:
    reader.log_in("supervisor")
    here = f"/projects/1/submissions/{FLAGGED}"
    finding = {"rule": "constraint", "path": "umur", "position": "0"}

    without = reader.send(f"{here}/findings", here, note=" ", **finding)
    page = reader.follow(reader.send(f"{here}/findings", here, note="Umur pohon", **finding))

    assert without.status_code == 400
    assert "Umur pohon" in page
    assert found(engine, FLAGGED).errors == 0
    with Session(engine) as session:
        assert session.scalars(select(SubmissionFinding.state)).all() == ["dismissed"]


def test_a_conflict_shows_both_values_and_takes_one(full_desk: Team, reader: Reader, engine: Engine) -> None:
    here = f"/projects/1/submissions/{CLASHING}"
    page = reader.log_in("supervisor").get(here)
    choice = re.search(r'value="([0-9a-f-]{36})"[^>]*>\s*<span class="side-text">\s*<strong[^>]*>41<', page)
    assert choice is not None
    assert ">44<" in page

    reader.send(f"{here}/conflicts", here, path="umur", choice=choice[1])

    assert found(engine, CLASHING).answers["umur"] == "41"
    assert found(engine, CLASHING).conflicts == 0
    with Session(engine) as session:
        assert session.scalars(select(Conflict)).all() == []


def test_a_conflict_takes_another_value_from_the_list_of_conflicts(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    fields = {"kind": "submission", "record": CLASHING, "path": "umur", "choice": "other", "value": "43"}

    page = reader.log_in("supervisor").send("/projects/1/conflicts", "/projects/1/conflicts", **fields)

    assert "No open conflict" in reader.follow(page)
    assert found(engine, CLASHING).answers["umur"] == "43"


def test_a_conflict_takes_no_value_that_nobody_wrote(full_desk: Team, reader: Reader) -> None:
    fields = {"kind": "submission", "record": CLASHING, "path": "umur", "choice": "somebody-elses"}

    page = reader.log_in("supervisor").send("/projects/1/conflicts", "/projects/1/conflicts", **fields)

    assert page.status_code == 404


def changed_and_deleted(engine: Engine, team: Team) -> str:
    """The address of a record that one changed and another deleted, without seeing each other."""
    seen = dict(found(engine, GOOD).vector)
    desk.send(engine, team, instance("uuid:edit-of-good", name="Bu Siti Aminah", photo=PHOTO, corrects=GOOD))
    desk.delete(engine, team, GOOD, seen)
    return f"/projects/1/submissions/{GOOD}"


@pytest.mark.parametrize(("choice", "is_deleted"), [("keep", False), ("delete", True)])
def test_what_one_changed_and_another_deleted_is_kept_or_deleted(
    full_desk: Team, reader: Reader, engine: Engine, choice: str, is_deleted: bool
) -> None:
    here = changed_and_deleted(engine, full_desk)
    page = reader.log_in("supervisor").get(here)
    shown_meanwhile = found(engine, GOOD).is_deleted

    answer = reader.send(f"{here}/conflicts", here, path="", choice=choice)

    assert re.search(r">Changed<.*Nama: Bu Siti Aminah.*>Deleted<.*Keep it.*Delete it", page, re.DOTALL)
    assert (shown_meanwhile, answer.status_code) == (False, 303)
    assert (found(engine, GOOD).is_deleted, found(engine, GOOD).conflicts) == (is_deleted, 0)
    assert found(engine, GOOD).answers["nama"] == "Bu Siti Aminah"


def test_what_one_changed_and_another_deleted_is_settled_by_an_answer_of_the_page_only(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    here = changed_and_deleted(engine, full_desk)
    reader.log_in("supervisor")

    answers = [reader.send(f"{here}/conflicts", here, path="", choice=choice) for choice in ("", "other", "42")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert found(engine, GOOD).conflicts == 1


def test_an_entry_names_the_record_that_made_it(full_desk: Team, reader: Reader, engine: Engine) -> None:
    with Session(engine) as session:
        entity_id = session.scalars(select(Entity.entity_id).where(Entity.label == "Bu Siti")).one()
    reader.log_in("supervisor")

    page = reader.get(f"/projects/1/entities/rumah/{entity_id}")
    led = reader.client.get(f"/projects/1/entity/{entity_id}")

    assert "Version 1" in page
    assert f"/projects/1/submissions/{GOOD}" in page
    assert "Devices get these entries" not in reader.get(f"/projects/1/submissions/{GOOD}")
    assert led.headers["Location"] == f"/projects/1/entities/rumah/{entity_id}"


def test_a_record_names_the_entries_that_wait_for_its_approval(full_desk: Team, reader: Reader, engine: Engine) -> None:
    settings, record = "/projects/1/entities/rumah/settings", f"/projects/1/submissions/{GOOD}"
    reader.log_in("manager")
    reader.send(settings, settings, access="yes", needs_approval="yes")
    typed = {"type-nama": "select_one", "choices-nama": "rumah", "merge-nama": "flag"}
    reader.send(settings, settings, **typed)

    waiting, registry = reader.get(record), reader.get("/projects/1/entities/rumah?mark=waiting")
    (here,) = re.findall(r'Devices get these entries.*?href="([^"]+)"', waiting, re.DOTALL)
    entry = reader.get(here)
    reader.send(f"{record}/review", record, decision="approved")

    assert "entries wait for approval." in registry
    assert "No device gets this entry yet" in entry
    assert "Does not fit: One of the choices" in entry
    assert "No device gets this entry yet" not in reader.get(here)
    assert "Devices get these entries" not in reader.get(record)


def test_an_entry_shows_what_was_merged_and_what_waits(full_desk: Team, reader: Reader, engine: Engine) -> None:
    with Session(engine) as session:
        entity_id = session.scalars(select(Entity.entity_id).where(Entity.label == "Bu Siti")).one()
    reader.log_in("manager")
    here = f"/projects/1/entities/rumah/{entity_id}"
    reader.send("/projects/1/entities/rumah/columns", "/projects/1/entities/rumah/settings", name="kios", type="text")
    reader.send(f"{here}/edit", f"{here}/edit", label="Bu Siti", version="1", **{"p-kios": "9"})
    for name, base in (("Bu Siti Aminah", "1"), ("Bu Ani", "7")):
        told = instance(str(uuid.uuid4()), name=name, entity_id=entity_id)
        desk.send(engine, full_desk, told.replace(b'create="1"', f'update="1" baseVersion="{base}"'.encode()))

    merged = reader.get(here)
    agreed = reader.follow(reader.send(f"{here}/agree", here))

    assert "people changed different things" in merged
    assert "Changes that wait" in merged
    assert "Bu Ani" in merged
    assert "people changed different things" not in agreed
    held = re.search(r'action="(/projects/1/held/[^"]+/apply)"', agreed)
    assert held is not None
    reader.send(held[1], here)
    assert "Bu Ani" in reader.get(here)
    assert "Changes that wait" not in reader.get(here)


def test_quarantine_says_why_and_shows_the_bytes(full_desk: Team, reader: Reader, engine: Engine) -> None:
    reader.log_in("supervisor")
    item = desk.item_id(engine)

    assert "Not readable" in reader.get("/projects/1/quarantine")
    assert "not an operation" in reader.get(f"/projects/1/quarantine/{item}")
    raw = reader.client.get(f"/projects/1/quarantine/{item}/raw")
    assert raw.data == desk.GARBAGE
    assert raw.headers["Content-Disposition"].startswith("attachment")


def test_what_cannot_be_placed_stays_and_can_be_discarded(full_desk: Team, reader: Reader, engine: Engine) -> None:
    reader.log_in("supervisor")
    here = f"/projects/1/quarantine/{desk.item_id(engine)}"

    stays = reader.send(f"{here}/release", here)
    gone = reader.send(f"{here}/discard", here, note="Percobaan")

    assert stays.status_code == 409
    assert "Nothing is in quarantine" in reader.follow(gone)
    with Session(engine) as session:
        assert session.scalars(select(InboxItem.raw)).one() == desk.GARBAGE


def test_all_items_of_one_reason_are_judged_again_from_the_page(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    record = "uuid:44444444-4444-4444-8444-444444444444"
    desk.send(engine, full_desk, instance(record, form_id="belum-ada"))
    here = "/projects/1/quarantine"
    page = reader.log_in("supervisor").get(here)

    stays = reader.follow(reader.send(f"{here}/replay", here, why="unknown_form"))
    desk.publish_form(engine, full_desk, "belum-ada")
    released = reader.follow(reader.send(f"{here}/replay", here, why="unknown_form"))
    nonsense = reader.send(f"{here}/replay", here, why="no such reason")

    assert "Judge all again" in page
    assert "1 stays: its reason is still there." in stays
    assert "1 item was judged again and released." in released
    assert nonsense.status_code == 404
    assert found(engine, record).form_id == "belum-ada"


def test_what_waits_too_long_is_applied_without_what_it_waits_for(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    desk.send(engine, full_desk, instance("uuid:an-edit", corrects="uuid:never-sent"))
    with Session(engine) as session, session.begin():
        session.execute(
            update(Operation).where(Operation.state == "held").values(received_at=NOW - timedelta(days=400))
        )
        op_id = session.scalars(select(Operation.op_id).where(Operation.state == "held")).one()
    here = "/projects/1/quarantine"

    viewed = reader.log_in("viewer").get("/projects/1/day")
    day = reader.log_in("supervisor").get("/projects/1/day")
    page = reader.get(here)
    after = reader.follow(reader.send(f"/projects/1/held/{op_id}/apply", here))

    assert "1 change has waited for more than two weeks" in day
    assert "waits for an earlier one" not in day
    assert "two weeks" not in viewed
    assert "for more than two weeks" in page
    assert "Apply without it" in page
    assert "Apply without it" not in after
    assert found(engine, "uuid:never-sent").answers["nama"] == "Bu Siti"


def test_what_waits_is_read_discarded_with_a_reason_and_taken_back(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    desk.send(engine, full_desk, instance("uuid:an-edit", corrects="uuid:never-sent", age="41"))
    with Session(engine) as session:
        op_id = session.scalars(select(Operation.op_id).where(Operation.state == "held")).one()
    here, there = f"/projects/1/held/{op_id}", "/projects/1/quarantine"

    page, raw = reader.log_in("supervisor").get(here), reader.client.get(f"{here}/raw")
    unexplained = reader.send(f"{here}/discard", here, note=" ")
    after = reader.follow(reader.send(f"{here}/discard", here, note="Uji coba"))
    listed, discarded = reader.get(f"{there}?show=discarded"), reader.get(here)
    back = reader.follow(reader.send(f"{here}/take-back", here))

    assert "Bu Siti" in page
    assert "It corrects a record that has not arrived." in page
    assert raw.data.decode() == instance("uuid:an-edit", corrects="uuid:never-sent", age="41").decode()
    assert unexplained.status_code == 400
    assert here not in after
    assert here in listed
    assert "Reason: Uji coba" in discarded
    assert here in back
    audit = reader.get("/projects/1/audit")
    assert "Discarded a change that waited" in audit
    assert "Let a discarded change wait again" in audit


def test_what_was_made_with_a_version_that_never_comes_is_read_by_one_that_is_here(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    record = "uuid:55555555-5555-4555-8555-555555555555"
    desk.send(engine, full_desk, instance(record, version="99"))
    with Session(engine) as session:
        op_id = session.scalars(select(Operation.op_id).where(Operation.state == "held")).one()
    here = f"/projects/1/held/{op_id}"

    page = reader.log_in("supervisor").get(here)
    alone = reader.send(f"{here}/apply", here)
    reader.send(f"{here}/apply", here, version="1")

    assert "Its own version, 99, is not here." in page
    assert alone.status_code == 409
    assert found(engine, record).version == "1"


def test_what_was_discarded_from_quarantine_is_listed_and_put_back(
    full_desk: Team, reader: Reader, engine: Engine
) -> None:
    here, there = f"/projects/1/quarantine/{desk.item_id(engine)}", "/projects/1/quarantine"
    reader.log_in("supervisor").send(f"{here}/discard", here, note="Percobaan")

    listed, page = reader.get(f"{there}?show=discarded"), reader.get(here)
    back = reader.follow(reader.send(f"{here}/put-back", here))

    assert here in listed
    assert "Reason: Percobaan" in page
    assert here in back


def test_the_audit_log_tells_of_a_decision(full_desk: Team, reader: Reader, engine: Engine) -> None:
    here = f"/projects/1/submissions/{GOOD}"
    reader.log_in("supervisor").send(f"{here}/review", here, decision="approved")

    page = reader.get("/projects/1/audit?action=submission.approve")

    assert "Bu Siti" in page
    assert "Supervisor" in page
    with Session(engine) as session:
        assert len(session.scalars(select(Event).where(Event.action == "submission.approve")).all()) == 1


def test_the_audit_log_names_what_was_in_quarantine(full_desk: Team, reader: Reader, engine: Engine) -> None:
    here, garbage = "/projects/1/quarantine", desk.item_id(engine)
    record = f"uuid:{uuid.uuid4()}"
    reader.log_in("supervisor").send(f"{here}/{garbage}/discard", f"{here}/{garbage}", note="Percobaan")
    desk.send(engine, full_desk, instance(record, name="Bu Tini").replace(b"kunjungan", b"lain"))
    desk.publish_form(engine, full_desk, "lain")
    reader.follow(reader.send(f"{here}/replay", here, why="unknown_form"))

    page = reader.get("/projects/1/audit")

    assert f'<a href="/projects/1/submissions/{record}">Bu Tini</a>' in page
    assert f'<a href="{here}/{garbage}">an item in quarantine</a>' in page


def test_a_viewer_reads_but_decides_nothing(full_desk: Team, reader: Reader, engine: Engine) -> None:
    reader.log_in("viewer")
    here = f"/projects/1/submissions/{GOOD}"

    page = reader.get(here)
    refused = [
        reader.send(f"{here}/review", here, decision="approved"),
        reader.send(f"{here}/comments", here, body="Halo"),
        reader.send("/projects/1/conflicts", here, kind="submission", record=CLASHING, path="umur", choice="other"),
    ]

    assert "Approve" not in page
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert found(engine, GOOD).review_state == "received"
    for path in ("/projects/1/quarantine", "/projects/1/audit"):
        assert "You have no permission for this" in reader.get(path, 403)


def test_who_collects_is_told_where_the_work_is_and_led_to_no_closed_door(full_desk: Team, reader: Reader) -> None:
    page = reader.log_in("enumerator").get("/")
    managed = reader.log_in("supervisor").get("/")

    assert "You collect for this project" in page
    assert "to review" not in page
    assert 'href="/projects/' not in page.partition("<main")[2]
    assert 'href="/projects/1/day"' in managed


def test_an_enumerator_and_a_stranger_see_no_records(full_desk: Team, reader: Reader) -> None:
    reader.log_in("enumerator")

    for path in PAGES[1:]:
        reader.get(path, 403)
    assert "There is no such project" in reader.get("/projects/99/day", 404)


def test_a_form_without_the_token_changes_nothing(full_desk: Team, reader: Reader, engine: Engine) -> None:
    reader.log_in("supervisor")

    answer = reader.client.post(f"/projects/1/submissions/{GOOD}/review", data={"decision": "approved"})

    assert answer.status_code == 403
    assert found(engine, GOOD).review_state == "received"


def test_a_photo_is_served_with_a_small_copy(full_desk: Team, reader: Reader) -> None:
    reader.log_in("supervisor")
    here = f"/projects/1/submissions/{GOOD}"

    get = reader.client.get
    with get(f"{here}/attachments/{PHOTO}") as whole, get(f"{here}/thumbnails/{PHOTO}") as small:
        assert whole.data == desk.jpeg()
        assert whole.headers["Content-Type"] == "image/jpeg"
        assert max(Image.open(io.BytesIO(small.data)).size) == 640

    for answer in (whole, small):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"<svg onload=alert(1)>", "cannot be shown"), (desk.jpeg()[:900], "damaged"), (b"", "is empty")],
)
def test_where_there_is_no_picture_stands_why(
    full_desk: Team, app: Flask, reader: Reader, content: bytes, words: str
) -> None:
    reader.log_in("supervisor")
    blobs = services(app).blobs
    file = next((blobs.root / full_desk.project_id).rglob("*/*"))
    file.write_bytes(content)

    shown = reader.client.get(f"/projects/1/submissions/{GOOD}/thumbnails/{PHOTO}", headers={"Accept-Language": "en"})

    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/svg+xml")
    assert words in " ".join("".join(etree.fromstring(shown.data).itertext()).split())
    assert "sandbox" in shown.headers["Content-Security-Policy"]


def test_a_file_that_has_not_arrived_is_said_so(full_desk: Team, reader: Reader, engine: Engine) -> None:
    waiting = "uuid:44444444-4444-4444-8444-444444444444"
    desk.send(engine, full_desk, instance(waiting, name="Bu Tini", photo="halaman.jpg"))
    reader.log_in("supervisor")

    page = reader.get(f"/projects/1/submissions/{waiting}")
    refused = reader.get(f"/projects/1/submissions/{waiting}/attachments/halaman.jpg", 404)

    assert "Not here yet" in page
    assert "Synchronise the device" in refused
    assert "1 file has not arrived yet" in reader.get("/projects/1/day")
    assert "Bu Tini" in reader.get("/projects/1/submissions?mark=missing")


def test_a_static_file_may_be_kept_and_its_address_changes_with_it(a_project: Team, client: FlaskClient) -> None:
    page = client.get("/login").text
    sheet = re.search(r'href="(/static/console\.css\?v=[0-9a-f]+)"', page)
    assert sheet is not None

    with client.get(sheet[1]) as answer:
        assert answer.content_length

    assert answer.headers["Cache-Control"] == "public, max-age=31536000"
    assert answer.headers["Content-Type"].startswith("text/css")


def test_a_manager_makes_and_fills_a_registry(full_desk: Team, reader: Reader) -> None:
    reader.log_in("manager")
    here = "/projects/1/entities/pasar"
    file = (io.BytesIO(b"label,kios\nPasar Pujasera,40\n"), "pasar.csv")

    page = reader.follow(reader.send("/projects/1/entities", "/projects/1/entities/rumah", name="pasar", file=file))
    assert "Pasar Pujasera" in page
    assert "New: 1." in page
    page = reader.follow(reader.send(f"{here}/new", f"{here}/new", label="Pasar Pakis", **{"p-kios": "9"}))
    assert "Pasar Pakis" in page
    edit = re.search(rf'href="({here}/[^"]+/edit)"', page)
    assert edit is not None
    page = reader.follow(reader.send(edit[1], edit[1], label="Pasar Pakis", version="1", **{"p-kios": "11"}))
    assert "11" in page
    page = reader.follow(reader.send(edit[1], edit[1], label="Pasar Pakis", version="1", **{"p-kios": "12"}))
    assert "1 conflict" in page

    typed = {"type-kios": "integer", "merge-kios": "max", "choices-kios": ""}
    page = reader.follow(reader.send(f"{here}/settings", f"{here}/settings", **typed))
    assert '<option value="integer" selected>' in page
    answer = reader.send(edit[1], edit[1], label="Pasar Pakis", version="2", **{"p-kios": "dua"})
    assert answer.status_code == 400
    assert "Write a whole number, such as 42." in answer.text

    access = {"access": "yes", "needs_approval": "yes", "filter": "kios"}
    page = reader.follow(reader.send(f"{here}/settings", f"{here}/settings", **access))
    assert 'name="needs_approval" type="checkbox" value="yes" checked' in page
    assert '<option value="integer" selected>' in page
    device = re.search(r'href="(/projects/1/devices/\d+/registries)"', reader.get("/projects/1/devices"))
    assert device is not None
    reader.follow(reader.send(device[1], device[1], **{"p-kios": "9, 11"}))
    assert 'value="9, 11"' in reader.get(device[1])

    wrong = (io.BytesIO(b"label,kois\nPasar Sapi,1\n"), "pasar.csv")
    answer = reader.send(f"{here}/csv", here, file=wrong)
    assert answer.status_code == 400
    assert "kois" in answer.text
    page = reader.follow(reader.send(edit[1].replace("/edit", "/delete"), edit[1]))
    assert "Pasar Pakis is deleted" in page
