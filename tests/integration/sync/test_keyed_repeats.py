"""Entries of a repeat that has a key merge one by one; a repeat without one is a single answer."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import review
from sync.engine import in_transaction
from sync.models import Conflict
from sync.verdict import Outcome
from tests.integration.sync.field import Field, Tablet, new_id, outcomes, xform

NAMESPACE = b'xmlns:lapangan="urn:lapangan:forms" lapangan:merge='


def keyed() -> bytes:
    """Loans with a code as their key, a sum merged by the larger, and interest worked out from the sum and the rate."""
    return (
        xform("2")
        .replace(b"<jenis/>", b"<jenis/><jumlah/><bunga/>")
        .replace(
            b'<bind nodeset="/data/usaha/jenis" type="string"/>',
            b'<bind nodeset="/data/usaha/jenis" type="string" ' + NAMESPACE + b'"key"/>'
            b'<bind nodeset="/data/usaha/jumlah" type="int"/>'
            b'<bind nodeset="/data/usaha/bunga" type="int" calculate="../jumlah * /data/before"/>',
        )
    )


def filled(record: str, *loans: tuple[str, str], rate: str = "2", name: str = "Siti") -> str:
    entries = "".join(
        f"<usaha><jenis>{code}</jenis><jumlah>{amount}</jumlah><bunga>{int(amount) * int(rate)}</bunga></usaha>"
        for code, amount in loans
    )
    return (
        f'<data id="rumah_tangga" version="2"><nama>{name}</nama><before>{rate}</before>{entries}'
        f"<meta><instanceID>{record}</instanceID></meta></data>"
    )


@pytest.fixture
def field(field: Field) -> Field:
    field.publish(keyed())
    return field


def send(field: Field, tablet: Tablet, record: str, xml: str, seen: dict[str, int]) -> Outcome:
    return outcomes(field.push(tablet, tablet.op(record, version="2", context=seen, xml=xml)))[0]


def a_record(field: Field, tablet: Tablet, *loans: tuple[str, str]) -> tuple[str, dict[str, int]]:
    record = new_id()
    field.push(tablet, tablet.op(record, version="2", xml=filled(record, *loans)))
    return record, field.shown(record).vector


def entries(field: Field, record: str) -> list[tuple[Any, ...]]:
    return [(entry["jenis"], entry["jumlah"], entry["bunga"]) for entry in field.shown(record).answers["usaha"]]


def test_two_that_change_different_entries_are_merged_and_the_sums_worked_out_again(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet, ("A", "10"), ("B", "20"))

    send(field, tablet, record, filled(new_id(), ("B", "20"), ("A", "11"), ("C", "30")), seen)
    outcome = send(field, other_tablet, record, filled(new_id(), ("A", "10"), ("B", "22"), ("D", "40"), rate="3"), seen)

    assert outcome is Outcome.MERGED
    assert field.conflicts(record) == {}
    assert sorted(entries(field, record)) == [
        ("A", "11", "33"),
        ("B", "22", "66"),
        ("C", "30", "90"),
        ("D", "40", "120"),
    ]
    assert ("calculate", "usaha[1]/bunga") not in field.rules(record)


def test_two_that_change_one_answer_of_an_entry_clash_there_only(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet, ("A", "10"), ("B", "20"))

    send(field, tablet, record, filled(new_id(), ("A", "11"), ("B", "21")), seen)
    send(field, other_tablet, record, filled(new_id(), ("A", "12"), ("B", "20")), seen)

    assert {path: sorted(str(value) for value in values) for path, values in field.conflicts(record).items()} == {
        "usaha/A/jumlah": ["11", "12"]
    }


@pytest.mark.parametrize(("choice", "left"), [(review.KEEP, ["A", "B"]), (review.DELETE, ["B"])])
def test_an_entry_that_one_changed_and_another_removed_stays_until_somebody_decides(
    field: Field, tablet: Tablet, other_tablet: Tablet, choice: str, left: list[str]
) -> None:
    record, seen = a_record(field, tablet, ("A", "10"), ("B", "20"))
    send(field, tablet, record, filled(new_id(), ("B", "20")), seen)
    outcome = send(field, other_tablet, record, filled(new_id(), ("A", "12"), ("B", "20")), seen)
    meanwhile = entries(field, record)

    def resolve(session: Session) -> None:
        conflict = session.scalars(select(Conflict)).one()
        assert conflict.path == "usaha/A/"
        review.resolve(session, conflict, choice, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, resolve)

    assert outcome is Outcome.CONFLICT
    assert meanwhile == [("A", "12", "24"), ("B", "20", "40")]
    assert [entry[0] for entry in entries(field, record)] == left
    assert field.conflicts(record) == {}


def test_another_order_is_shown_as_it_was_sent_and_is_no_change(field: Field, tablet: Tablet) -> None:
    record, seen = a_record(field, tablet, ("A", "10"), ("B", "20"))

    op = tablet.op(record, version="2", context=seen, xml=filled(new_id(), ("B", "20"), ("A", "10")))
    field.push(tablet, op)

    assert field.operation(op["op"]).changes == {}
    assert [entry[0] for entry in entries(field, record)] == ["B", "A"]


def test_a_repeat_without_a_key_is_one_answer(field: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    record = new_id()
    xml = filled(record, ("A", "1")).replace('version="2"', 'version="1"').replace("<jumlah>1</jumlah>", "")
    field.push(tablet, tablet.op(record, xml=xml.replace("<bunga>2</bunga>", "")))
    seen = field.shown(record).vector

    field.push(tablet, tablet.op(record, context=seen, set={"usaha": '[{"jenis":"A"},{"jenis":"B"}]'}))
    field.push(other_tablet, other_tablet.op(record, context=seen, set={"usaha": '[{"jenis":"C"},{"jenis":"A"}]'}))

    assert set(field.conflicts(record)) == {"usaha"}
    assert len(field.shown(record).answers["usaha"]) == 2


def test_who_knows_nothing_of_keys_changes_the_entries_that_are_different(
    field: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    record, seen = a_record(field, tablet, ("A", "10"), ("B", "20"))
    whole = '[{"jenis":"A","jumlah":"11","bunga":"22"},{"jenis":"C","jumlah":"1","bunga":"2"}]'

    op = tablet.op(record, version="2", context=seen, set={"usaha": whole, "umur": "50"})
    field.push(tablet, op)
    send(field, other_tablet, record, filled(new_id(), ("A", "10"), ("B", "20"), ("D", "4")), seen)

    changes = field.operation(op["op"]).changes
    assert {path: changes[path] for path in ("umur", "usaha/A/jumlah", "usaha/B/")} == {
        "umur": "50",
        "usaha/A/jumlah": "11",
        "usaha/B/": None,
    }
    assert "usaha" not in changes
    assert sorted(entry[0] for entry in entries(field, record)) == ["A", "C", "D"]
