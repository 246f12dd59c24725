"""What waits on one of two servers waits on both: whoever wipes one of them loses none of it (I3, I12)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.clock import now
from sync import operations, peers, release
from sync.access import SYSTEM
from sync.device.link import Answer, Link
from sync.engine import in_transaction
from sync.models import Operation
from tests.e2e.carried import CENTRE, VILLAGE, carry, pack
from tests.e2e.offices import SECRET, Office, agree
from tests.e2e.visits import FORM_ID, instance, new_id
from tests.integration.sync.field import Tablet


def held(office: Office) -> set[str]:
    with Session(office.engine) as session:
        return set(session.scalars(select(Operation.op_id).where(Operation.state == "held")))


class Asking(Link):
    """A line that notes what is asked over it."""

    asked: list[str]

    def ask(self, method: str, path: str, **more: Any) -> Answer:
        self.asked.append(path.rpartition("/sync/")[2])
        return super().ask(method, path, **more)


def lag(office: Office) -> int:
    with Session(office.engine) as session:
        return peers.lag(session, office.peer()).operations


def chain(tablet: Tablet, count: int) -> list[dict[str, Any]]:
    """A new record and changes of it, each of which waits for the one before."""
    record = new_id()
    made = [tablet.op(record, form=FORM_ID, xml=instance(record).decode())]
    return made + [tablet.op(record, form=FORM_ID, set={"umur": f"{age}"}) for age in range(40, 39 + count)]


def test_what_waits_at_a_field_office_waits_at_the_centre_too_and_the_other_way_round(
    centre: Office, field_office: Office
) -> None:
    below, above = (chain(office.tablet("d-siti"), 2) for office in (field_office, centre))
    assert field_office.push("d-siti", below[1]) == ["held"]
    assert centre.push("d-siti", above[1]) == ["held"]
    assert lag(field_office) == 1

    carried = field_office.sync()

    assert (carried.sent, carried.received) == (1, 1)
    assert held(centre) == held(field_office) == {below[1]["op"], above[1]["op"]}
    assert lag(field_office) == 0
    assert agree(centre, field_office)


def test_what_waits_applies_wherever_what_it_waits_for_comes(centre: Office, field_office: Office) -> None:
    one, other = chain(field_office.tablet("d-siti"), 3), chain(centre.tablet("d-budi"), 3)
    field_office.push("d-siti", one[2], other[2])
    centre.push("d-siti", one[1], other[1])
    field_office.sync()

    assert centre.push("d-siti", one[0]) == field_office.push("d-siti", other[0]) == ["accepted"]
    for _time in range(2):
        field_office.sync()

    assert held(centre) == held(field_office) == set()
    assert agree(centre, field_office)
    assert {answers["umur"] for answers, *_more in centre.shown()["records"].values()} == {"41"}


def test_nothing_is_asked_while_the_same_waits_on_both(centre: Office, field_office: Office) -> None:
    waiting = chain(field_office.tablet("d-siti"), 2)[1]
    for office in (centre, field_office):
        assert office.push("d-siti", waiting) == ["held"]
    Asking.asked = []

    peers.sync(
        field_office.engine, field_office.blobs, field_office.peer(), secret_key=SECRET, connect=Asking, clock=now
    )

    assert Asking.asked
    assert "operations/waiting" not in Asking.asked
    assert held(centre) == held(field_office) == {waiting["op"]}


def test_more_waits_than_one_question_can_tell_of(centre: Office, field_office: Office) -> None:
    for office, name in ((centre, "d-budi"), (field_office, "d-siti")):
        tablet = office.tablet(name)
        changes = [chain(tablet, 2)[1] for _time in range(operations.MOST_TOLD + 20)]
        assert set(office.push(name, *changes)) == {"held"}

    field_office.sync()

    assert len(held(centre)) == 2 * (operations.MOST_TOLD + 20)
    assert agree(centre, field_office)


def test_what_was_discarded_here_takes_part_once_the_other_server_has_taken_it(
    centre: Office, field_office: Office
) -> None:
    first, second = chain(field_office.tablet("d-siti"), 2)
    field_office.push("d-siti", second)
    field_office.sync()

    def discard(session: Session) -> None:
        waiting = session.get_one(Operation, (field_office.project_id, second["op"]))
        release.discard_held(session, waiting, note="it never came", actor=SYSTEM, now=now())

    in_transaction(field_office.engine, discard)
    assert centre.push("d-siti", first) == ["accepted"]
    for _time in range(2):
        field_office.sync()

    assert agree(centre, field_office)
    assert {answers["umur"] for answers, *_more in field_office.shown()["records"].values()} == {"40"}


def test_a_marker_frees_what_waits_for_it_at_another_server(centre: Office, field_office: Office) -> None:
    """The tablet moved on to the field office after the centre had put something of it aside."""
    first, second, third = chain(centre.tablet("d-siti"), 3)
    assert centre.push("d-siti", first) == ["accepted"]
    field_office.sync()
    assert centre.push("d-siti", second | {"set": None, "xml": "<data"}) == ["quarantined"]

    assert field_office.push("d-siti", third) == ["held"]
    for _time in range(2):
        field_office.sync()

    assert held(field_office) == held(centre) == set()
    assert agree(centre, field_office)


def test_what_waits_goes_by_bundle_too(centre: Office, village: Office, tmp_path: Path) -> None:
    first, second, third = chain(village.tablet("d-siti"), 3)
    assert village.push("d-siti", second) == ["held"]
    taken = carry(centre, pack(village, tmp_path, CENTRE))
    assert (taken.verdicts["held"], held(centre)) == (1, {second["op"]})

    assert centre.push("d-siti", first, third) == ["accepted", "accepted"]
    carry(village, pack(centre, tmp_path, VILLAGE))

    assert held(village) == held(centre) == set()
    assert agree(centre, village)
