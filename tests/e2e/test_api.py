"""The REST API, called as pyODK and scripts call it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from forms.library import STUDY
from sync.models import Entity, InboxItem, Submission
from tests.conftest import PASSWORD, Team
from tests.e2e.collect import Collect
from tests.e2e.visits import FORM_ID, LAUGHS, instance, new_id, xform

LogIn = Callable[[str], requests.Session]


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody's calls on one project."""

    session: requests.Session
    project: str

    def ask(self, method: str, path: str, **request: Any) -> requests.Response:
        return self.session.request(method, f"{self.project}/{path}", timeout=30, **request)

    def send(self, xml: bytes, method: str = "POST", path: str = "") -> requests.Response:
        headers = {"Content-Type": "application/xml"}
        return self.ask(method, f"forms/{FORM_ID}/submissions{path}", data=xml, headers=headers)

    def submission(self, instance_id: str, path: str = "", method: str = "GET", **request: Any) -> requests.Response:
        return self.ask(method, f"forms/{FORM_ID}/submissions/{instance_id}{path}", **request)


@pytest.fixture
def manager(log_in: LogIn, address: str, visits: Team) -> Client:
    return Client(log_in("manager"), f"{address}/v1/projects/1")


@pytest.fixture
def enumerator(log_in: LogIn, address: str, visits: Team) -> Client:
    return Client(log_in("enumerator"), f"{address}/v1/projects/1")


def count(engine: Engine, table: type) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_session_is_opened_used_and_closed(address: str, visits: Team) -> None:
    credentials = {"email": "manager@example.org", "password": PASSWORD}
    told = requests.post(f"{address}/v1/sessions", json=credentials, timeout=10).json()
    bearer = {"Authorization": f"Bearer {told['token']}"}

    assert requests.get(f"{address}/v1/users/current", headers=bearer, timeout=10).json()["displayName"] == "Manager"
    requests.delete(f"{address}/v1/sessions/current", headers=bearer, timeout=10).raise_for_status()
    after = requests.get(f"{address}/v1/users/current", headers=bearer, timeout=10)

    assert (after.status_code, after.json()["code"]) == (401, 401.2)


@pytest.mark.parametrize("content", [b'{"name": "half \\ud800"}', b'{"name": "cut', b'{"name": "\xff"}'])
def test_a_body_that_is_no_json_is_refused_with_what_is_wrong_in_it(manager: Client, content: bytes) -> None:
    answer = manager.ask("POST", "datasets", data=content)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("JSON: ")


def test_wrong_passwords_close_the_door_for_a_while(address: str, visits: Team) -> None:
    credentials = {"email": "manager@example.org", "password": "wrong password"}

    tries = [requests.post(f"{address}/v1/sessions", json=credentials, timeout=10) for _try in range(6)]

    assert [answer.status_code for answer in tries] == [401] * 5 + [429]
    assert int(tries[-1].headers["Retry-After"]) > 0


def test_a_workbook_is_published_in_one_request(manager: Client) -> None:
    form = next(form for form in STUDY if form.form_id == "pendaftaran")

    answer = manager.ask("POST", "forms?publish=true&ignoreWarnings=true", data=form.read())

    assert answer.status_code == 200, answer.text
    assert (answer.json()["xmlFormId"], answer.json()["state"]) == ("pendaftaran", "open")
    assert manager.ask("GET", "forms/pendaftaran.xlsx").content == form.read()


def test_a_broken_form_is_refused_with_its_faults_and_nothing_is_kept(manager: Client) -> None:
    broken = xform("2").replace(b". &lt; 120", b". &lt; ((")

    answer = manager.ask("POST", "forms?publish=true", data=broken)

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [form["version"] for form in manager.ask("GET", "forms").json()] == ["1"]


def test_warnings_of_a_form_are_to_be_ignored_knowingly(manager: Client) -> None:
    loose = xform("2").replace(b". &lt; 120", b"regex(., '[0-9]+')")

    refused = manager.ask("POST", "forms", data=loose)
    saved = manager.ask("POST", "forms?ignoreWarnings=true", data=loose)

    told = refused.json()
    assert (refused.status_code, told["code"]) == (400, 400.16)
    assert ["anywhere in the answer" in one for one in told["details"]["warnings"]["xlsFormWarnings"]] == [True]
    assert told["details"]["notices"][0]["column"] == "constraint"
    assert saved.status_code == 200
    assert "regex-not-anchored" in {one["code"] for one in saved.json()["notices"]}


def test_a_draft_tells_what_it_changes_and_for_which_records(manager: Client) -> None:
    strict = xform("2").replace(b". &lt; 120", b". &lt; 1")
    manager.ask("POST", f"forms/{FORM_ID}/draft?ignoreWarnings=true", data=strict).raise_for_status()

    changes = manager.ask("GET", f"forms/{FORM_ID}/draft/changes").json()
    records = manager.ask("GET", f"forms/{FORM_ID}/draft/outlook?limit=1000").json()

    assert (changes["old"], changes["new"]) == ("1", "2")
    assert [(one["code"], one["path"]) for one in changes["changes"]] == [("rule", "umur")]
    assert records["total"] == records["checked"]
    assert {finding["path"] for one in records["failing"] for finding in one["findings"]} <= {"umur"}


def test_a_type_that_answers_do_not_fit_is_refused_by_centrals_number(manager: Client) -> None:
    changed = xform("2").replace(b'"/data/umur" type="int"', b'"/data/umur" type="date"')

    refused = manager.ask("POST", "forms?ignoreWarnings=true", data=changed)

    assert (refused.status_code, refused.json()["code"]) == (400, 400.17)


def test_billion_laughs_as_a_form_are_refused(manager: Client) -> None:
    assert manager.ask("POST", "forms", data=LAUGHS).json()["type"] == "/problems/xml/unsafe"


def test_a_file_of_a_form_is_attached_and_read_back(manager: Client) -> None:
    slot = f"forms/{FORM_ID}/attachments/warga.csv"
    before = {file["name"]: file["exists"] for file in manager.ask("GET", f"forms/{FORM_ID}/attachments").json()}

    manager.ask("POST", slot, data=b"name,label\n1,Siti\n", headers={"Content-Type": "text/csv"}).raise_for_status()
    read = manager.ask("GET", slot)

    assert before == {"rumah.csv": True, "warga.csv": False}
    assert (read.content, read.headers["Content-Type"]) == (b"name,label\n1,Siti\n", "text/csv; charset=utf-8")
    assert manager.ask("GET", slot, headers={"If-None-Match": read.headers["ETag"]}).status_code == 304


def test_a_submission_is_created_listed_and_read_back(manager: Client) -> None:
    instance_id = new_id()
    xml = instance(instance_id)

    made = manager.send(xml)

    assert made.status_code == 200, made.text
    assert (made.json()["instanceId"], made.json()["submitterName"]) == (instance_id, "Manager")
    assert [one["instanceId"] for one in manager.ask("GET", f"forms/{FORM_ID}/submissions").json()] == [instance_id]
    assert manager.submission(instance_id, ".xml").content == xml
    assert manager.submission(instance_id).json()["reviewState"] is None


def test_the_same_submission_again_is_answered_as_the_first_time(manager: Client, engine: Engine) -> None:
    xml = instance(new_id())

    first, again = manager.send(xml), manager.send(xml)

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["instanceId"] == again.json()["instanceId"]
    assert count(engine, Submission) == 1


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        (b"<data", 400.1),
        (LAUGHS, 400.1),
        (instance("uuid:1", form_id="lain"), 400.1),
        (instance(""), 400.1),
        (instance("uuid:1", version="9"), 404.6),
        (instance("uuid:1", corrects="uuid:0"), 404.5),
        (instance("uuid:here", name="Pak Budi"), 409.1),
        (instance("uuid:2", corrects="uuid:here"), 409.9),
    ],
    ids=["malformed", "laughs", "form", "no-id", "version", "base", "taken", "stale"],
)
def test_what_central_refuses_is_refused_by_its_number_and_not_kept(
    manager: Client, engine: Engine, xml: bytes, code: float
) -> None:
    manager.send(instance("uuid:here")).raise_for_status()
    manager.send(instance("uuid:newer", corrects="uuid:here"), "PUT", "/uuid:here").raise_for_status()

    answer = manager.send(xml)

    assert answer.json()["code"] == code
    assert answer.status_code == int(code)
    assert count(engine, InboxItem) == 0


def test_a_closed_form_takes_nothing_from_scripts(manager: Client) -> None:
    manager.ask("PATCH", f"forms/{FORM_ID}", json={"state": "closed"}).raise_for_status()

    answer = manager.send(instance(new_id()))

    assert (answer.status_code, answer.json()["code"]) == (409, 409.2)


def test_a_correction_is_a_new_version_of_its_submission(manager: Client) -> None:
    first, second = new_id(), new_id()
    manager.send(instance(first))

    edited = manager.send(instance(second, name="Bu Sri", corrects=first), "PUT", f"/{first}")

    assert edited.status_code == 200, edited.text
    assert (edited.json()["instanceId"], edited.json()["edits"]) == (first, 1)
    assert edited.json()["reviewState"] == "edited"
    versions = manager.submission(first, "/versions").json()
    assert [(one["instanceId"], one["current"]) for one in versions] == [(second, True), (first, False)]
    assert b"Bu Siti" in manager.submission(first, f"/versions/{first}.xml").content
    assert b"Bu Sri" in manager.submission(first, ".xml").content


def test_a_review_with_its_reason_and_a_comment_stand_in_the_history(manager: Client) -> None:
    instance_id = new_id()
    manager.send(instance(instance_id, age="130"))
    note = {"X-Action-Notes": "berapa%20umur%3F"}

    reviewed = manager.submission(instance_id, method="PATCH", json={"reviewState": "hasIssues"}, headers=note)
    said = manager.submission(instance_id, "/comments", "POST", json={"body": "Tanyakan lagi.", "path": "umur"})

    assert reviewed.json()["reviewState"] == "hasIssues"
    assert (said.json()["body"], said.json()["actorName"]) == ("Tanyakan lagi.", "Manager")
    assert [one["body"] for one in manager.submission(instance_id, "/comments").json()] == ["Tanyakan lagi."]
    history = {one["action"]: one["details"] for one in manager.submission(instance_id, "/audits").json()}
    assert {"submission.create", "submission.return", "comment.create"} <= history.keys()
    assert history["submission.return"]["note"] == "berapa umur?"


def test_what_the_server_found_is_told(manager: Client) -> None:
    instance_id = new_id()
    manager.send(instance(instance_id, age="130"))

    (finding,) = manager.submission(instance_id, "/findings").json()

    assert (finding["path"], finding["rule"], finding["value"]) == ("umur", "constraint", "130")


def test_a_photo_is_listed_and_served_but_never_as_a_page(
    manager: Client, address: str, log_in: LogIn, engine: Engine
) -> None:
    instance_id, photo = new_id(), os.urandom(5000)
    sender = Collect(f"{address}/v1/projects/1", log_in("enumerator"))
    sender.send(instance(instance_id, photo="rumah.jpg"), {"rumah.jpg": photo, "evil.html": b"<script>1</script>"})

    listed = {file["name"]: file for file in manager.submission(instance_id, "/attachments").json()}
    served = manager.submission(instance_id, "/attachments/rumah.jpg")

    assert (listed["rumah.jpg"]["exists"], listed["rumah.jpg"]["isExpected"]) == (True, True)
    assert (served.content, served.headers["Content-Type"]) == (photo, "image/jpeg")
    part = manager.submission(instance_id, "/attachments/rumah.jpg", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, photo[:10])
    assert manager.submission(instance_id, "/attachments/none.jpg").status_code == 404


def test_a_late_file_is_added_to_its_submission(manager: Client) -> None:
    instance_id, photo = new_id(), os.urandom(5000)
    manager.send(instance(instance_id, photo="rumah.jpg"))
    assert manager.submission(instance_id).json()["attachmentsMissing"] == 1

    sent = manager.submission(
        instance_id, "/attachments/rumah.jpg", "POST", data=photo, headers={"Content-Type": "image/jpeg"}
    )

    assert (sent.status_code, sent.json()) == (200, {"success": True})
    assert manager.submission(instance_id, "/attachments/rumah.jpg").content == photo
    assert manager.submission(instance_id).json()["attachmentsMissing"] == 0


def test_another_file_of_a_name_is_kept_for_a_supervisor_and_the_script_is_told(manager: Client) -> None:
    instance_id = new_id()
    manager.send(instance(instance_id, photo="rumah.jpg"))
    path, jpeg = "/attachments/rumah.jpg", {"Content-Type": "image/jpeg"}
    manager.submission(instance_id, path, "POST", data=b"the first", headers=jpeg)

    sent = manager.submission(instance_id, path, "POST", data=b"another one", headers=jpeg)

    assert (sent.status_code, sent.json()["type"].rpartition("/problems/")[2]) == (409, "attachment/other-file")
    assert manager.submission(instance_id, path).content == b"the first"


def test_app_users_are_made_listed_and_revoked(manager: Client, address: str) -> None:
    made = manager.ask("POST", "app-users", json={"displayName": "Ani"}).json()
    collect = Collect(f"{address}/v1/key/{made['token']}/projects/1")
    assert [form.form_id for form in collect.forms()] == [FORM_ID]

    manager.ask("DELETE", f"app-users/{made['id']}").raise_for_status()

    (listed,) = manager.ask("GET", "app-users").json()
    assert (listed["displayName"], listed["token"]) == ("Ani", None)
    assert {"projectId", "type", "createdAt", "updatedAt", "deletedAt"} <= listed.keys()


def test_entities_are_a_csv_and_a_list(manager: Client) -> None:
    entity_id = "11111111-1111-4111-8111-111111111111"
    manager.send(instance(new_id(), entity_id=entity_id))

    (dataset,) = manager.ask("GET", "datasets").json()
    csv = manager.ask("GET", "datasets/rumah/entities.csv")
    (entity,) = manager.ask("GET", "datasets/rumah/entities").json()

    assert (dataset["name"], dataset["entities"], dataset["properties"][0]["name"]) == ("rumah", 1, "nama")
    assert csv.text == f"name,label,__version,nama\n{entity_id},Bu Siti,1,Bu Siti\n"
    assert (entity["uuid"], entity["currentVersion"]["label"]) == (entity_id, "Bu Siti")
    assert manager.ask("GET", f"datasets/rumah/entities/{entity_id}/versions").json()[0]["version"] == 1


def test_a_list_is_made_and_filled_by_a_script(manager: Client) -> None:
    assert manager.ask("POST", "datasets", json={"name": "pasar"}).json()["name"] == "pasar"
    assert manager.ask("POST", "datasets", json={"name": "pasar"}).json()["code"] == 409.3
    manager.ask("POST", "datasets/pasar/properties", json={"name": "kios"}).raise_for_status()

    one = manager.ask(
        "POST", "datasets/pasar/entities", json={"label": "Pasar Pujasera", "data": {"kios": "40"}}
    ).json()
    several = {"entities": [{"label": "Pasar Blambangan"}, {"label": "Pasar Pakis", "data": {"kios": "9"}}]}
    manager.ask("POST", "datasets/pasar/entities", json=several).raise_for_status()
    taken = manager.ask("POST", "datasets/pasar/entities.csv?newProperties=true", data=b"label,hari\nPasar Sapi,Rabu\n")

    assert taken.json() == {"created": 1, "updated": 0, "unchanged": 0}
    path = f"datasets/pasar/entities/{one['uuid']}"
    stale = manager.ask("PATCH", path, json={"data": {"kios": "41"}})
    assert (stale.status_code, stale.json()["code"], "?baseVersion=" in stale.text) == (409, 409.15, True)
    changed = manager.ask("PATCH", f"{path}?baseVersion=1", json={"data": {"kios": "41"}}).json()
    current = {"label": "Pasar Pujasera", "version": 2, "data": {"kios": "41"}}
    assert changed["currentVersion"].items() >= current.items()
    manager.ask("DELETE", path).raise_for_status()
    events = manager.ask("GET", f"{path}/audits").json()
    assert [one["action"] for one in events] == ["entity.delete", "entity.update", "entity.create"]
    labels = [one["currentVersion"]["label"] for one in manager.ask("GET", "datasets/pasar/entities").json()]
    assert labels == ["Pasar Blambangan", "Pasar Pakis", "Pasar Sapi"]
    wrong = manager.ask("POST", "datasets/pasar/entities", json={"label": "x", "data": {"kois": "1"}})
    assert (wrong.status_code, "kios" in wrong.text) == (400, True)


def test_entities_are_told_as_clients_of_central_read_them(manager: Client, engine: Engine) -> None:
    """pyODK 1.3 refuses a list in which one of these is missing or null, also where a field office knows the person."""
    manager.ask("POST", "datasets", json={"name": "pasar"}).raise_for_status()
    manager.ask("POST", "datasets/pasar/entities", json={"label": "Pasar Sapi"}).raise_for_status()
    manager.send(instance(new_id()))
    with Session(engine) as session, session.begin():
        for row in (*session.scalars(select(Entity)), *session.scalars(select(Submission))):
            row.account_id, row.device_id = "somebody-elsewhere", "d-elsewhere"

    (entity,) = manager.ask("GET", "datasets/pasar/entities").json()
    (submission,) = manager.ask("GET", f"forms/{FORM_ID}/submissions").json()

    current = entity["currentVersion"]
    assert {name: type(entity[name]) for name in ("uuid", "creatorId", "createdAt")} == {
        "uuid": str,
        "creatorId": int,
        "createdAt": str,
    }
    assert (current["current"], type(current["creatorId"]), current["creatorId"] > 0) == (True, int, True)
    assert {type(current[name]) for name in ("createdAt", "userAgent", "label")} == {str}
    assert (submission["submitterId"], entity["creatorId"]) == (0, 0)


def test_the_table_of_a_list_is_read_in_parts(manager: Client) -> None:
    manager.ask("POST", "datasets", json={"name": "pasar"}).raise_for_status()
    manager.ask("POST", "datasets/pasar/properties", json={"name": "kios"}).raise_for_status()
    several = [{"label": f"Pasar {letter}", "data": {"kios": f"{n}"}} for n, letter in enumerate("ABCD")]
    manager.ask("POST", "datasets/pasar/entities", json={"entities": several}).raise_for_status()
    table = "datasets/pasar.svc/Entities"

    whole = manager.ask("GET", table).json()["value"]
    part = manager.ask("GET", table, params={"$skip": 1, "$top": 2, "$count": "true", "$select": "label,kios"}).json()
    refused = manager.ask("GET", table, params={"$filter": "kios eq '1'"})

    assert [row["label"] for row in whole] == ["Pasar A", "Pasar B", "Pasar C", "Pasar D"]
    assert {"__id", "label", "__system", "kios"} == whole[0].keys()
    assert {name: whole[0]["__system"][name] for name in ("version", "updates", "conflict", "creatorName")} == {
        "version": 1,
        "updates": 0,
        "conflict": None,
        "creatorName": "Manager",
    }
    assert part == {
        "value": [{"label": "Pasar B", "kios": "1"}, {"label": "Pasar C", "kios": "2"}],
        "@odata.count": 4,
    }
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/entity/no-conditions")


def test_a_soft_conflict_is_told_until_it_is_resolved(manager: Client) -> None:
    entity_id = "11111111-1111-4111-8111-111111111111"
    here = f"datasets/rumah/entities/{entity_id}"
    manager.send(instance(new_id(), entity_id=entity_id))
    manager.ask("POST", "datasets/rumah/properties", json={"name": "kios"}).raise_for_status()
    manager.ask("PATCH", f"{here}?baseVersion=1", json={"data": {"kios": "9"}}).raise_for_status()
    update = instance(new_id(), name="Bu Siti A.", entity_id=entity_id)
    manager.send(update.replace(b'create="1"', b'update="1" baseVersion="1"')).raise_for_status()

    merged = manager.ask("GET", here).json()
    resolved = manager.ask("PATCH", f"{here}?resolve=true", json={}).json()

    assert (merged["conflict"], merged["currentVersion"]["version"]) == ("soft", 3)
    assert merged["currentVersion"]["data"] == {"nama": "Bu Siti A.", "kios": "9"}
    assert (resolved["conflict"], resolved["currentVersion"]["data"]) == (None, merged["currentVersion"]["data"])


def test_a_scripts_properties_have_types_and_policies(manager: Client) -> None:
    manager.ask("POST", "datasets", json={"name": "pasar"}).raise_for_status()
    new = {"name": "kios", "type": "integer", "merge": "max"}
    manager.ask("POST", "datasets/pasar/properties", json=new).raise_for_status()
    manager.ask("POST", "datasets/pasar/properties", json={"name": "hari"}).raise_for_status()

    said = {"type": "select_multiple", "choices": ["rabu", "sabtu"], "merge": "union"}
    told = manager.ask("PATCH", "datasets/pasar/properties/hari", json=said).json()
    bad_merge = manager.ask("PATCH", "datasets/pasar/properties/kios", json={"merge": "union"})
    entry = {"label": "Pasar Pakis", "data": {"kios": "empat"}}
    bad_value = manager.ask("POST", "datasets/pasar/entities", json=entry)
    bad_csv = manager.ask("POST", "datasets/pasar/entities.csv", data=b"label,kios,hari\nPakis,4,rabu\nSapi,5,jumat\n")

    as_central = {"publishedAt": told["createdAt"], "forms": []}
    assert told["properties"] == [
        {"name": "kios", "odataName": "kios", "type": "integer", "merge": "max", **as_central},
        {"name": "hari", "odataName": "hari", **said, **as_central},
    ]
    assert (bad_merge.status_code, bad_merge.json()["type"]) == (400, "/problems/entity/bad-merge")
    assert (bad_value.status_code, bad_value.json()["details"]["field"]) == (400, "kios")
    (fault,) = bad_csv.json()["details"]["faults"]
    assert fault == {"row": 3, "column": "hari", "value": "jumat", "why": "choice"}
    assert manager.ask("GET", "datasets/pasar/entities").json() == []


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("enumerator", {"POST"}), ("viewer", {"GET"}), ("supervisor", {"POST", "GET", "PATCH"})],
)
def test_each_role_does_what_it_may(manager: Client, log_in: LogIn, address: str, role: str, allowed: set[str]) -> None:
    instance_id = new_id()
    manager.send(instance(instance_id))
    somebody = Client(log_in(role), f"{address}/v1/projects/1")

    answers = {
        "POST": somebody.send(instance(new_id())),
        "GET": somebody.submission(instance_id),
        "PATCH": somebody.submission(instance_id, method="PATCH", json={"reviewState": "approved"}),
    }

    assert {name for name, answer in answers.items() if answer.status_code == 200} == allowed
    assert {answer.status_code for name, answer in answers.items() if name not in allowed} <= {403}


def test_nothing_of_a_project_is_told_to_strangers_and_other_teams(address: str, log_in: LogIn, visits: Team) -> None:
    made = log_in("administrator").post(f"{address}/v1/projects", json={"name": "Lain"}, timeout=10).json()
    foreign = f"{address}/v1/projects/{made['id']}"
    manager = log_in("manager")

    for path in ("", "/forms", "/app-users", "/datasets", "/assignments", "/forms/x/submissions", "/audits"):
        assert manager.get(f"{foreign}{path}", timeout=10).status_code == 404
        assert requests.get(f"{address}/v1/projects/1{path}", timeout=10).status_code == 401


def test_a_page_of_another_site_cannot_act_for_who_is_logged_in(address: str, visits: Team) -> None:
    with requests.Session() as browser:
        page = browser.get(f"{address}/login", timeout=10)
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        told = requests.post(
            f"{address}/v1/sessions", json={"email": "manager@example.org", "password": PASSWORD}, timeout=10
        ).json()
        browser.cookies.set("lapangan", told["token"], domain="127.0.0.1")
        url = f"{address}/v1/projects/1/app-users"
        body = {"displayName": "Ani"}

        from_elsewhere = browser.post(url, json=body, headers={"Origin": "https://evil.example"}, timeout=10)
        without_token = browser.post(url, json=body, timeout=10)
        with_token = browser.post(url, json=body, headers={"X-CSRF-Token": told["csrf"]}, timeout=10)

    assert [from_elsewhere.status_code, without_token.status_code, with_token.status_code] == [403, 403, 200]


def test_a_body_larger_than_json_can_be_is_refused(manager: Client) -> None:
    answer = manager.ask("POST", "app-users", data=b'{"displayName": "' + b"x" * 300_000 + b'"}')

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "path",
    ["forms/a%00b", f"app-users/{10**30}", f"forms/{FORM_ID}/submissions/%00", "datasets/%00/entities.csv"],
)
def test_what_no_column_can_hold_is_no_failure_of_the_server(manager: Client, path: str) -> None:
    assert manager.ask("GET", path).status_code in (400, 404)


@pytest.mark.parametrize("body", [b'{"displayName": "a\\u0000b"}', b'{"displayName": "\\ud800"}', b"[]", b"{", b""])
def test_a_strange_body_is_no_failure_of_the_server(manager: Client, body: bytes) -> None:
    assert manager.ask("POST", "app-users", data=body).status_code in (200, 400)
    assert manager.ask("GET", "app-users").status_code == 200
