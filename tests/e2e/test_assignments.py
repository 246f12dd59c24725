"""Assignments over HTTP: given by REST, done by a real field client, counted on the server and on the device."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from tests.conftest import Team
from tests.e2e.test_api import Client
from tests.e2e.visits import FORM_ID

LogIn = Callable[[str], requests.Session]


@pytest.fixture
def supervisor(log_in: LogIn, address: str, visits: Team) -> Client:
    return Client(log_in("supervisor"), f"{address}/v1/projects/1")


def give(client: Client, **told: object) -> requests.Response:
    return client.ask("POST", "tasks", json={"tasks": [{"form": FORM_ID, **told}]})


def test_an_assignment_is_given_changed_and_withdrawn(supervisor: Client) -> None:
    given = give(supervisor, person="enumerator@example.org", due="2020-01-31", target=2).json()
    (id_,) = given["created"]

    (told,) = supervisor.ask("GET", "tasks?mark=overdue").json()
    assert (told["id"], told["assignee"], told["target"], told["isOverdue"]) == (id_, "Enumerator", 2, True)
    assert told["progress"] == {"done": 0, "approved": 0, "waiting": 0, "returned": 0, "rejected": 0}

    changed = supervisor.ask("PATCH", f"tasks/{id_}", json={"due": "", "person": "manager", "seq": told["seq"]})
    assert (changed.json()["due"], changed.json()["assignee"]) == (None, "Manager")
    stale = supervisor.ask("PATCH", f"tasks/{id_}", json={"target": 5, "seq": told["seq"]})
    assert stale.status_code == 409

    assert supervisor.ask("DELETE", f"tasks/{id_}").json() == {"success": True}
    assert supervisor.ask("GET", "tasks").json() == []
    assert [one["state"] for one in supervisor.ask("GET", "tasks?state=all").json()] == ["withdrawn"]


def test_a_csv_is_taken_whole_or_not_at_all(supervisor: Client) -> None:
    content = f"form,person,due\n{FORM_ID},enumerator,2026-12-01\n"

    assert len(supervisor.ask("POST", "tasks.csv", data=content.encode()).json()["created"]) == 1
    refused = supervisor.ask("POST", "tasks.csv", data=f"{content}{FORM_ID},nobody,\n".encode())

    assert refused.status_code == 400
    assert refused.json()["details"]["faults"] == [
        {"row": 3, "column": "person", "value": "nobody", "why": "no_such_person"}
    ]


def test_what_cannot_be_assigned_is_refused_by_name(supervisor: Client) -> None:
    for told, status in (
        ({"person": "nobody"}, 404),
        ({"person": "enumerator", "due": "tomorrow"}, 400),
        ({"person": "enumerator", "target": 0}, 400),
        ({"person": "enumerator", "entity": "W-01"}, 404),
        ({}, 400),
    ):
        assert give(supervisor, **told).status_code == status, told
    assert supervisor.ask("GET", "tasks/nothing").status_code == 404


def test_who_only_collects_neither_reads_nor_gives_and_who_reads_gives_nothing(
    log_in: LogIn, address: str, visits: Team
) -> None:
    enumerator, viewer = (Client(log_in(role), f"{address}/v1/projects/1") for role in ("enumerator", "viewer"))

    assert enumerator.ask("GET", "tasks").status_code == 403
    assert viewer.ask("GET", "tasks").json() == []
    for client in (enumerator, viewer):
        assert give(client, person="enumerator").status_code == 403
