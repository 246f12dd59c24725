"""Stock ODK Collect and this server."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import requests
from lxml import etree
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from config import Settings
from server.clock import now
from server.openrosa.settings import collect_settings, qr_svg
from sync import announced, form_list, publish
from sync.engine import in_transaction
from sync.models import Conflict, Entity, Form, InboxItem, Operation, Submission, SubmissionAttachment
from sync.receive import sent_xml
from tests.conftest import PASSWORD, Team
from tests.e2e.collect import Collect, NotOpenRosa
from tests.e2e.conftest import Known
from tests.e2e.visits import FORM_ID, LAUGHS, instance, new_id, xform

PHOTO = b"\xff\xd8\xff" + bytes(range(256)) * 40
ACCEPTED = 2**20


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A server that advertises small requests, so that Collect splits what it sends."""
    return replace(settings, max_submission_bytes=ACCEPTED)


@pytest.fixture
def collect(address: str, app_user: Known) -> Collect:
    """The app, set up by its QR code."""
    url = f"{address}/v1/key/{app_user.token}/projects/1"
    return Collect.scan(collect_settings(server_url=url, project_name="P2KP Pakis"))


@pytest.fixture
def shown(engine: Engine, visits: Team) -> Callable[[str], Submission]:
    """The submission as it stands."""

    def act(instance_id: str) -> Submission:
        with Session(engine) as session:
            return session.get_one(Submission, (visits.project_id, instance_id))

    return act


@pytest.fixture
def quarantined(engine: Engine) -> Callable[[], list[InboxItem]]:
    def act() -> list[InboxItem]:
        with Session(engine) as session:
            return list(session.scalars(select(InboxItem).where(InboxItem.state == "quarantined")))

    return act


def count(engine: Engine, table: type) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def set_state(engine: Engine, team: Team, state: str) -> None:
    def act(session: Session) -> None:
        form = session.get_one(Form, (team.project_id, FORM_ID))
        form_list.set_state(session, form, state, actor=team.manager, now=now())

    in_transaction(engine, act)


def test_the_list_names_each_open_form_with_the_digest_of_its_bytes(collect: Collect) -> None:
    (form,) = collect.forms()

    assert (form.form_id, form.name, form.version) == ("kunjungan", "Kunjungan", "1")
    assert collect.blank(form) == xform()


def test_a_draft_is_not_listed(collect: Collect, visits: Team, engine: Engine) -> None:
    def act(session: Session) -> None:
        publish.save_draft(session, visits.project_id, xform("2"), actor=visits.manager, now=now())

    in_transaction(engine, act)

    assert [form.version for form in collect.forms()] == ["1"]


@pytest.mark.parametrize("state", ["closing", "closed"])
def test_a_form_that_is_not_open_is_not_listed(collect: Collect, visits: Team, engine: Engine, state: str) -> None:
    set_state(engine, visits, state)

    assert collect.forms() == []


def test_the_manifest_leaves_out_what_nobody_has_filled(collect: Collect) -> None:
    (form,) = collect.forms()

    (media,) = collect.media(form)

    assert (media.name, media.is_entity_list) == ("rumah.csv", True)
    assert collect.download(media) == b"name,label,__version,nama\n"


def test_an_uploaded_file_is_in_the_manifest_with_the_digest_of_its_bytes(
    collect: Collect, log_in: Callable[[str], requests.Session], address: str
) -> None:
    csv = b"name,label\n1,Bu Siti\n"
    url = f"{address}/v1/projects/1/forms/{FORM_ID}/attachments/warga.csv"
    log_in("manager").post(url, data=csv, headers={"Content-Type": "text/csv"}, timeout=10).raise_for_status()

    (form,) = collect.forms()
    files = {media.name: media for media in collect.media(form)}

    assert not files["warga.csv"].is_entity_list
    assert collect.download(files["warga.csv"]) == csv


def test_a_submission_is_shown_with_its_photo(
    collect: Collect, shown: Callable[[str], Submission], engine: Engine, app_user: Known
) -> None:
    instance_id = new_id()

    said = collect.send(instance(instance_id, photo="rumah.jpg"), {"rumah.jpg": PHOTO})

    assert said == "Success"
    assert collect.posts[-1].status_code == 201
    record = shown(instance_id)
    assert record.answers["nama"] == "Bu Siti"
    assert (record.attachments_missing, record.errors, record.device_id) == (0, 0, app_user.device_id)


def test_the_same_submission_sent_again_is_kept_once(collect: Collect, engine: Engine) -> None:
    xml = instance(new_id())

    assert [collect.send(xml), collect.send(xml)] == ["Success", "Success"]

    assert [post.status_code for post in collect.posts] == [201, 201]
    assert count(engine, Submission) == 1


def test_ten_at_once_with_the_same_submission_keep_it_once(collect: Collect, engine: Engine) -> None:
    xml = instance(new_id())

    with ThreadPoolExecutor(10) as pool:
        said = list(pool.map(lambda _one: Collect(collect.server_url).send(xml), range(10)))

    assert said == ["Success"] * 10
    assert count(engine, Submission) == 1


def test_large_media_arrive_in_several_requests(
    collect: Collect, shown: Callable[[str], Submission], engine: Engine
) -> None:
    instance_id = new_id()
    files = {name: os.urandom(700_000) for name in ("rumah.jpg", "a.m4a", "b.m4a")}

    said = collect.send(instance(instance_id, photo="rumah.jpg"), files)

    assert said == "Success"
    assert [post.status_code for post in collect.posts] == [201, 201, 201]
    with Session(engine) as session:
        kept = session.scalars(select(SubmissionAttachment)).all()
        assert {row.name: row.is_expected for row in kept} == {"rumah.jpg": True, "a.m4a": False, "b.m4a": False}
        assert all(row.arrived_at for row in kept)
    assert shown(instance_id).attachments_missing == 0


def test_a_file_larger_than_any_request_should_be_is_taken_alone(
    collect: Collect, shown: Callable[[str], Submission]
) -> None:
    instance_id = new_id()

    said = collect.send(instance(instance_id, photo="rumah.jpg"), {"rumah.jpg": os.urandom(3 * ACCEPTED)})

    assert said == "Success"
    assert shown(instance_id).attachments_missing == 0


def test_a_photo_that_is_named_but_not_sent_is_told(collect: Collect) -> None:
    assert collect.send(instance(new_id(), photo="rumah.jpg")) == "diterima, 1 berkas belum ada"


def test_a_failed_constraint_is_kept_and_told_in_indonesian(
    collect: Collect, shown: Callable[[str], Submission]
) -> None:
    instance_id = new_id()

    assert collect.send(instance(instance_id, age="130")) == "diterima, 1 pemeriksaan gagal"
    assert shown(instance_id).errors == 1


def test_another_file_of_a_name_is_not_dropped_in_silence(collect: Collect, engine: Engine) -> None:
    xml = instance(new_id(), photo="rumah.jpg")
    collect.session.headers["Accept-Language"] = "en"
    collect.send(xml, {"rumah.jpg": b"the first photo"})

    said = collect.send(xml, {"rumah.jpg": b"another photo"})

    assert said == "received and kept; your supervisor must look at it: another file of this name is here already"
    with Session(engine) as session:
        (item,) = session.scalars(select(InboxItem))
        assert [(file.name, file.is_here) for file in announced.of_item(session, item)] == [("rumah.jpg", True)]


def test_it_is_told_in_english_to_who_asks_for_that(collect: Collect) -> None:
    collect.session.headers["Accept-Language"] = "en"

    assert collect.send(instance(new_id(), age="130")) == "received, 1 check failed"


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        (b"<data id='kunjungan'", "malformed_xml"),
        (b"\x00\xff\xfe not xml at all", "malformed_xml"),
        (b"<data id='kunjungan' version='1'><nama>x</nama></data>", "no_instance_id"),
        (instance(new_id(), form_id="lain"), "unknown_form"),
        (LAUGHS, "malformed_xml"),
        (b"<data>" + b"<a>" * 100_000, "malformed_xml"),
    ],
    ids=["cut", "binary", "no-id", "other-form", "billion-laughs", "deep"],
)
def test_what_cannot_be_placed_is_kept_byte_for_byte_for_the_supervisor(
    collect: Collect, quarantined: Callable[[], list[InboxItem]], xml: bytes, why: str
) -> None:
    said = collect.send(xml, {"rumah.jpg": PHOTO})

    assert collect.posts[-1].status_code == 202
    assert said.startswith("diterima dan disimpan")
    (item,) = quarantined()
    assert item.why == why
    assert sent_xml(item.raw) == xml


def _kept_bytes(item: InboxItem, xml: bytes) -> bool:
    from sync.receive import sent_xml

    return sent_xml(item.raw) == xml


def test_another_submission_under_a_known_id_clashes_with_the_first_and_both_are_kept(
    collect: Collect, shown: Callable[[str], Submission], engine: Engine
) -> None:
    instance_id = new_id()
    collect.send(instance(instance_id, name="Bu Siti"))

    said = collect.send(instance(instance_id, name="Pak Budi"))

    assert said == "diterima, 1 jawaban berbeda"
    assert collect.posts[-1].status_code == 202
    with Session(engine) as session:
        (conflict,) = session.scalars(select(Conflict).where(Conflict.kind == "submission"))
        assert {side["value"] for side in conflict.siblings} == {"Bu Siti", "Pak Budi"}


def test_a_closed_form_still_takes_what_was_walked_for(
    collect: Collect, visits: Team, engine: Engine, quarantined: Callable[[], list[InboxItem]]
) -> None:
    set_state(engine, visits, "closed")

    said = collect.send(instance(new_id()))

    assert said == "diterima dan disimpan; perlu dilihat oleh penyelia: formulir sudah ditutup"
    assert [item.why for item in quarantined()] == ["form_closed"]


def test_an_unknown_version_waits_for_its_form(
    collect: Collect, visits: Team, engine: Engine, shown: Callable[[str], Submission]
) -> None:
    instance_id = new_id()
    collect.send(instance(instance_id, version="2"))
    assert collect.posts[-1].status_code == 202

    def act(session: Session) -> None:
        publish.save_draft(session, visits.project_id, xform("2"), actor=visits.manager, now=now())
        publish.publish(session, visits.project_id, FORM_ID, actor=visits.manager, now=now())

    in_transaction(engine, act)

    assert shown(instance_id).version == "2"


def test_a_correction_is_another_version_of_its_record(collect: Collect, shown: Callable[[str], Submission]) -> None:
    first, second = new_id(), new_id()
    collect.send(instance(first, age="130"))

    said = collect.send(instance(second, age="31", corrects=first))

    assert said == "Success"
    record = shown(first)
    assert (record.answers["umur"], record.review_state, record.errors) == ("31", "edited", 0)


def test_a_correction_that_comes_first_waits_for_what_it_corrects(
    collect: Collect, shown: Callable[[str], Submission]
) -> None:
    first, second = new_id(), new_id()

    collect.send(instance(second, age="31", corrects=first))
    collect.send(instance(first, age="130"))

    assert [post.status_code for post in collect.posts] == [202, 201]
    assert shown(first).answers["umur"] == "31"


def test_a_wrong_token_is_403_and_tells_nothing(collect: Collect, app_user: Known) -> None:
    wrong = Collect(collect.server_url.replace(app_user.token, "x" * 43))

    with pytest.raises(NotOpenRosa, match="403"):
        wrong.forms()
    with pytest.raises(NotOpenRosa):
        wrong.send(instance(new_id()))
    assert wrong.posts[-1].status_code == 403
    assert b"kunjungan" not in wrong.posts[-1].content


def test_a_revoked_app_user_sees_no_forms_but_loses_no_work(
    collect: Collect,
    app_user: Known,
    revoke: Callable[[Known], None],
    quarantined: Callable[[], list[InboxItem]],
) -> None:
    revoke(app_user)

    with pytest.raises(NotOpenRosa, match="403"):
        collect.forms()
    collect.send(instance(new_id()))

    assert collect.posts[-1].status_code == 202
    assert [item.why for item in quarantined()] == ["revoked_device"]


def test_a_token_opens_no_other_project(
    collect: Collect, log_in: Callable[[str], requests.Session], address: str
) -> None:
    made = log_in("administrator").post(f"{address}/v1/projects", json={"name": "Lain"}, timeout=10).json()
    other = Collect(collect.server_url.replace("/projects/1", f"/projects/{made['id']}"))

    with pytest.raises(NotOpenRosa, match="403"):
        other.forms()


def test_integrity_says_which_entities_are_gone_and_nothing_of_strangers(
    collect: Collect, engine: Engine, visits: Team
) -> None:
    here, gone = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    collect.send(instance(new_id(), entity_id=here))
    collect.send(instance(new_id(), entity_id=gone))

    def act(session: Session) -> None:
        session.get_one(Entity, (visits.project_id, gone)).is_deleted = True

    in_transaction(engine, act)
    (form,) = collect.forms()
    (media,) = collect.media(form)

    assert collect.deleted(media, [here, gone, "33333333-3333-4333-8333-333333333333"]) == {here: False, gone: True}


def test_a_person_may_use_the_same_addresses_with_a_password(address: str, visits: Team) -> None:
    plain = Collect(f"{address}/v1/projects/1")
    plain.session.auth = ("enumerator@example.org", PASSWORD)

    assert [form.form_id for form in plain.forms()] == [FORM_ID]
    assert plain.send(instance(new_id())) == "Success"


def test_without_a_password_collect_is_asked_for_one(address: str, visits: Team) -> None:
    answer = requests.head(f"{address}/v1/projects/1/submission", timeout=10)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_bare_xml_body_is_taken_as_well(collect: Collect, shown: Callable[[str], Submission]) -> None:
    instance_id = new_id()

    answer = requests.post(
        f"{collect.server_url}/submission",
        data=instance(instance_id),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        timeout=10,
    )

    assert answer.status_code == 201
    assert shown(instance_id).answers["nama"] == "Bu Siti"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b'--x\r\nContent-Disposition: form-data; name="xml_submission_file"; filename="a"\r\n\r\n<data',
        b'--x\r\nContent-Disposition: form-data; name="a.jpg"; filename="a.jpg"\r\n\r\nabc\r\n--x--\r\n',
        b"--x\r\nNo-Disposition: 1\r\n\r\nabc\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\nX: ' + b"h" * 2**21,
    ],
    ids=["empty", "boundary", "cut", "no-xml", "nameless", "endless-header"],
)
def test_a_body_that_did_not_arrive_whole_changes_nothing(collect: Collect, engine: Engine, body: bytes) -> None:
    answer = requests.post(
        f"{collect.server_url}/submission",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=x"},
        timeout=10,
    )

    assert answer.status_code in (400, 413)
    assert etree.fromstring(answer.content)[0].get("nature") == "error"
    assert (count(engine, InboxItem), count(engine, Operation)) == (0, 1)  # the operation is the form's


def test_a_path_in_a_file_name_goes_nowhere(collect: Collect, engine: Engine) -> None:
    collect.send(instance(new_id(), photo="rumah.jpg"), {"../../rumah.jpg": PHOTO})

    with Session(engine) as session:
        assert [row.name for row in session.scalars(select(SubmissionAttachment))] == ["rumah.jpg"]


def test_the_qr_code_is_a_picture_of_the_settings(
    app_user: Known, log_in: Callable[[str], requests.Session], address: str
) -> None:
    answer = log_in("manager").get(f"{address}/v1/projects/1/app-users/{app_user.number}/qr.svg", timeout=10)

    told = collect_settings(server_url=f"{address}/v1/key/{app_user.token}/projects/1", project_name="P2KP Pakis")
    assert answer.text == qr_svg(told)
    assert etree.fromstring(answer.content).tag == "{http://www.w3.org/2000/svg}svg"


def test_control_characters_in_names_cost_nobody_the_submission(collect: Collect, engine: Engine) -> None:
    url = f"{collect.server_url}/submission?deviceID=a%00b"
    files = {"xml_submission_file": ("a.xml", instance(new_id()), "text/xml"), "a\tb.jpg": ("x", PHOTO, "image/jpeg")}

    answer = requests.post(url, files=files, timeout=10)

    assert answer.status_code == 201
    with Session(engine) as session:
        assert [row.name for row in session.scalars(select(SubmissionAttachment))] == ["ab.jpg"]
