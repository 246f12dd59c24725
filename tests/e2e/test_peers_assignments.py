"""The centre assigns, the field office does it: both see the same, and both may change their mind."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import devices, feed, review
from sync.access import SYSTEM
from sync.assignments import assign, assignees
from sync.assignments.assign import Task
from sync.assignments.progress import Progress, Wanted, listed
from sync.engine import in_transaction
from sync.models import Assignment, Conflict, Device, Project
from tests.e2e.offices import Office, agree
from tests.e2e.visits import FORM_ID, new_id


def give(centre: Office, person: str, **told: str) -> str:
    def act(session: Session) -> str:
        project = session.get_one(Project, centre.project_id)
        found = assignees.named(assignees.assignees(session, project), person)
        assert found is not None
        return assign.give(session, project, [Task(FORM_ID, found.id, **told)], actor=SYSTEM, now=now()).created[0]

    made: str = in_transaction(centre.engine, act)
    return made


def change(office: Office, assignment_id: str, **changes: str) -> None:
    def act(session: Session) -> None:
        row = session.get_one(Assignment, (office.project_id, assignment_id))
        assign.change(session, row, changes, actor=SYSTEM, now=now())

    in_transaction(office.engine, act)


def told(office: Office, name: str) -> list[tuple[str, str]]:
    """What the feed tells a device of this office about assignments: (ID, day)."""
    with Session(office.engine) as session:
        project = session.get_one(Project, office.project_id)
        device = session.scalars(select(Device).where(Device.name == name)).one()
        actor = devices.actor_for(device)
        page = feed.pull(session, project, device=device, actor=actor, cursor="", limit=500, now=now())
        return [(one["record"], one["due"]) for one in page.records if one["kind"] == "assignment"]


def progress(office: Office) -> list[tuple[str, int, Progress]]:
    with Session(office.engine) as session:
        project = session.get_one(Project, office.project_id)
        lines = listed(session, project, Wanted(), today="2026-01-01", actor=SYSTEM)
        return [(line.assignment.due, line.assignment.conflicts, line.progress) for line in lines]


def test_what_the_centre_assigns_is_done_in_the_field_and_counted_on_both(centre: Office, field_office: Office) -> None:
    field_office.collect(new_id())
    field_office.sync()
    id_ = give(centre, "collect", due="2026-12-01", target="2")

    field_office.sync()
    assert told(field_office, "collect") == [(id_, "2026-12-01")]
    field_office.collect(new_id())
    field_office.sync()

    assert agree(centre, field_office)
    assert progress(centre) == progress(field_office) == [("2026-12-01", 0, Progress(waiting=1))]


def test_two_offices_that_say_another_day_see_both_until_one_of_them_settles_it(
    centre: Office, field_office: Office
) -> None:
    field_office.collect(new_id())
    field_office.sync()
    id_ = give(centre, "collect")
    field_office.sync()
    change(centre, id_, due="2026-12-01", note="pagi")
    change(field_office, id_, due="2026-12-24")

    field_office.sync()

    assert agree(centre, field_office)
    assert centre.shown()["clashes"] == [(id_, "due")]
    assert progress(centre) == progress(field_office)

    def settle(session: Session) -> None:
        conflict = session.scalars(select(Conflict)).one()
        review.resolve(session, conflict, "2026-12-01", actor=SYSTEM, now=now())

    in_transaction(field_office.engine, settle)
    field_office.sync()

    assert agree(centre, field_office)
    assert progress(centre) == progress(field_office) == [("2026-12-01", 0, Progress())]
