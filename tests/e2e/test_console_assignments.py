"""The supervisor's page of assignments: given by ticking, counted, changed, and every number opens its records."""

from __future__ import annotations

import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from server.clock import now
from sync import author
from sync.engine import in_transaction
from sync.entities import declare_list, register
from sync.entities.register import Entry
from sync.models import Account, Assignment, Conflict, Project
from sync.projects import set_role
from tests import desk
from tests.conftest import Team
from tests.e2e.reader import Reader
from tests.e2e.test_console import FOREIGN
from tests.e2e.visits import FORM_ID, instance, new_id

HOME = "/projects/1/assignments"


@pytest.fixture
def reader(app: Flask, engine: Engine, a_project: Team, client: FlaskClient) -> Reader:
    desk.publish_visits(engine, a_project)
    return Reader(client).log_in("supervisor")


def kept(engine: Engine) -> list[Assignment]:
    with Session(engine) as session:
        return list(session.scalars(select(Assignment).order_by(Assignment.assigned_at)))


@pytest.fixture
def people(engine: Engine, reader: Reader, a_project: Team) -> dict[str, str]:
    """Two entries of the list that the form asks about, and an enumerator: name -> id."""

    def make(session: Session) -> dict[str, str]:
        project = session.get_one(Project, a_project.project_id)
        declare_list.create_list(session, project, "warga", actor=a_project.manager, now=now())
        entries = [Entry("Bu Siti", {}), Entry("Pak Budi", {})]
        made = register.create(session, project, "warga", entries, actor=a_project.manager, now=now())
        return {one.label: one.entity_id for one in made}

    made: dict[str, str] = in_transaction(engine, make)
    return made | {"ani": str(a_project.enumerator.account_id)}


def visit(engine: Engine, team: Team, name: str, about: str) -> str:
    record = new_id()
    desk.send(engine, team, instance(record, name=name).replace(b"<warga/>", f"<warga>{about}</warga>".encode()))
    return record


def give(reader: Reader, *entities: str, **fields: str) -> TestResponse:
    told = {"form": FORM_ID, "target": "1", "due": "", "note": "", "entity": list(entities), **fields}
    return reader.send(f"{HOME}/new", page=f"{HOME}/new", **told)


def records(reader: Reader, href: str) -> set[str]:
    """What the list of submissions behind a number holds."""
    return set(re.findall(r"/projects/1/submissions/(uuid:[0-9a-f-]{36})", reader.get(href.replace("&amp;", "&"))))


def links(page: str, text: str) -> list[str]:
    return re.findall(rf'<a[^>]*href="([^"]+)"[^>]*>{re.escape(text)}</a>', page)


def test_the_empty_page_says_what_to_do(reader: Reader) -> None:
    page = reader.get(HOME)

    assert "Nobody has been assigned anything yet" in page
    assert f'href="{HOME}/new"' in page


def test_several_are_ticked_at_once_and_each_number_opens_its_records(
    reader: Reader, engine: Engine, a_project: Team, people: dict[str, str]
) -> None:
    answer = give(reader, people["Bu Siti"], people["Pak Budi"], assignee=people["ani"], due="2020-02-01")
    assert "Assigned: 2." in reader.follow(answer)
    assert "2 assignments are overdue" in reader.get("/projects/1/day")

    record = visit(engine, a_project, "Kunjungan ke Siti", people["Bu Siti"])

    page = reader.get(HOME)
    (done,), to_do = links(page, "1 of 1"), links(page, "0 of 1")
    assert records(reader, done) == {record}
    assert [records(reader, href) for href in to_do] == [set()]
    assert page.index("Pak Budi") < page.index("Bu Siti"), "what is overdue comes first"
    assert "1 of 2" in page, "the sum of the person"
    assert re.search(r'<progress value="1" max="2"', page)
    assert "Bu Siti" not in reader.get(f"{HOME}?mark=overdue").partition('id="list"')[2]
    assert "1 assignment is overdue" in reader.get("/projects/1/day")
    assert "has it to do: Enumerator" in reader.get(f"{HOME}/new")


def test_an_assignment_is_changed_and_withdrawn(reader: Reader, engine: Engine, people: dict[str, str]) -> None:
    give(reader, people["Bu Siti"], assignee=people["ani"])
    (row,) = kept(engine)
    here = f"{HOME}/{row.assignment_id}"
    fields = {"due": "2026-12-24", "target": "3", "note": "sore", "assignee": people["ani"], "seq": str(row.seq)}

    assert "Saved." in reader.follow(reader.send(here, page=here, **fields))
    wrong = reader.send(here, page=here, **{**fields, "seq": "", "target": "0", "note": "pagi"})

    assert wrong.status_code == 400
    assert "pagi" in wrong.text, "what was typed is not lost"
    (row,) = kept(engine)
    assert (row.due, row.target, row.note) == ("2026-12-24", 3, "sore")
    history = reader.get(here).partition("History")[2]
    assert history.index("2026-12-24") < history.index("open"), "the newest first"
    assert "Withdrawn." in reader.follow(reader.send(here, page=here, state="withdrawn"))
    assert "Assign again" in reader.get(here)
    assert "Bu Siti" in reader.get(f"{HOME}?state=withdrawn")


def test_what_cannot_be_given_is_said_and_what_was_ticked_stays(reader: Reader, people: dict[str, str]) -> None:
    refused = give(reader, people["Pak Budi"], assignee=people["ani"], target="0")

    assert refused.status_code == 400
    assert "Write one from 1 to 10000" in refused.text
    assert re.search(rf'value="{people["Pak Budi"]}" checked', refused.text)


def test_a_file_is_taken_or_its_faults_are_listed(reader: Reader, engine: Engine, people: dict[str, str]) -> None:
    def upload(content: bytes) -> TestResponse:
        return reader.send(f"{HOME}/csv", page=f"{HOME}/new", file=(io.BytesIO(content), "tugas.csv"))

    assert "Assigned: 1." in reader.follow(upload(b"form,person,entity\nkunjungan,Enumerator,bu siti\n"))
    refused = upload(b"form,person,entity\nkunjungan,Enumerator,bu ani\n")

    assert refused.status_code == 400
    assert "No entry is called so, or more than one." in refused.text
    assert len(kept(engine)) == 1


def test_two_days_said_at_once_are_shown_and_settled(
    reader: Reader, engine: Engine, a_project: Team, people: dict[str, str]
) -> None:
    give(reader, people["Bu Siti"], assignee=people["ani"])
    (row,) = kept(engine)

    def write(session: Session, due: str) -> None:
        project = session.get_one(Project, a_project.project_id)
        said = {"kind": "assignment", "record_id": row.assignment_id, "changes": {"due": due}, "context": row.vector}
        author.write(session, project, actor=a_project.supervisor, now=now(), **said)

    for due in ("2026-12-01", "2026-12-24"):
        in_transaction(engine, lambda session, due=due: write(session, due))

    assert "Two people changed this" in reader.get(f"{HOME}/{row.assignment_id}")
    assert all(text in reader.get("/projects/1/conflicts") for text in ("2026-12-01", "2026-12-24", "Bu Siti"))
    with Session(engine) as session:
        side = next(one for one in session.scalars(select(Conflict)).one().siblings if one["value"] == "2026-12-24")
    fields = {"kind": "assignment", "record": row.assignment_id, "path": "due", "choice": side["op"]}
    reader.follow(reader.send("/projects/1/conflicts", page="/projects/1/conflicts", **fields))
    assert [(one.due, one.conflicts) for one in kept(engine)] == [("2026-12-24", 0)]


def test_every_page_opens_in_both_languages_with_nothing_of_its_own(
    reader: Reader, client: FlaskClient, engine: Engine, people: dict[str, str]
) -> None:
    give(reader, people["Bu Siti"], assignee=people["ani"], due="2020-02-01", note="x")
    (row,) = kept(engine)
    here = f"{HOME}/{row.assignment_id}"
    pages = {"supervisor": (HOME, here, f"{HOME}/new", "/projects/1/audit"), "viewer": (HOME, here)}
    for language, words in (("en", "Assignments"), ("id", "Penugasan")):
        for who in pages:
            reader = Reader(client, language).log_in(who)
            for page in pages[who]:
                text = reader.get(page)
                assert words in text, page
                assert not re.search(FOREIGN, text), page
    assert "To the assignment" in Reader(client).get(f"/projects/1/submissions?assignment={row.assignment_id}")


def test_who_has_left_the_project_is_still_called_by_name(
    reader: Reader, engine: Engine, a_project: Team, people: dict[str, str]
) -> None:
    desk.send(engine, a_project, instance(new_id()))
    give(reader, people["Bu Siti"], assignee=people["ani"])

    def leave(session: Session) -> None:
        project, account = session.get_one(Project, a_project.project_id), session.get_one(Account, people["ani"])
        set_role(session, project, account, None, actor=a_project.manager, now=now())

    in_transaction(engine, leave)

    page = reader.get(HOME)
    assert people["ani"] not in re.sub(r'"[^"]*"', "", page)
    assert "Enumerator" in page.partition('id="list"')[2]
    assert "Enumerator" not in reader.get(f"{HOME}/new")


def test_who_may_not_assign_sees_no_way_to(reader: Reader, client: FlaskClient, people: dict[str, str]) -> None:
    give(reader, people["Bu Siti"], assignee=people["ani"])
    viewer = Reader(client).log_in("viewer")

    assert f"{HOME}/new" not in viewer.get(HOME)
    viewer.get(f"{HOME}/new", status=403)
    Reader(client).log_in("enumerator").get(HOME, status=403)
