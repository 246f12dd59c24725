"""Assignments: given and changed by supervisors, merged like everything else, counted from the records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from sync import find, rebuild, review
from sync.access import Actor, NotAllowed, Role
from sync.assignments import assign, assign_csv, progress
from sync.assignments.assign import BadDue, BadTarget, FormDoesNotAsk, Given, NoSuchAssignee, NotOffered, Task
from sync.assignments.progress import Line, Wanted
from sync.engine import in_transaction
from sync.entities import declare_list, register
from sync.entities.register import Entry
from sync.errors import NoSuchEntity, NoSuchForm, StaleEdit
from sync.form_table import BadTable, FaultyRows
from sync.models import Assignment, Conflict, Event, InboxItem, Project, RemoteName
from sync.operations import after, names_of
from sync.receive import receive
from sync.verdict import Outcome, Sender
from tests.integration.sync.field import FORM, Field, Tablet, instance, new_id, outcomes
from tests.integration.sync.test_feed import named, pull

VISIT = "kunjungan"
SITI, BUDI = (f"{number:08}-1111-4111-8111-111111111111" for number in (1, 2))
TODAY = "2026-11-23"

XFORM = f"""<?xml version="1.0" encoding="UTF-8"?>
<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
  xmlns:jr="http://openrosa.org/javarosa">
  <h:head><h:title>Kunjungan</h:title>
    <model>
      <instance><data id="{VISIT}" version="1">
        <visit><warga/></visit><others><tetangga/></others><catatan/><meta><instanceID/></meta>
      </data></instance>
      <instance id="warga" src="jr://file-csv/warga.csv"/>
      <bind nodeset="/data/visit/warga" type="string"/>
      <bind nodeset="/data/others/tetangga" type="string"/>
      <bind nodeset="/data/catatan" type="string"/>
      <bind nodeset="/data/meta/instanceID" type="string" readonly="true()" jr:preload="uid"/>
    </model>
  </h:head>
  <h:body>
    <group ref="/data/visit"><select1 ref="/data/visit/warga"><label>Siapa</label>
      <itemset nodeset="instance('warga')/root/item"><value ref="name"/><label ref="label"/></itemset></select1></group>
    <group ref="/data/others"><repeat nodeset="/data/others"><select ref="/data/others/tetangga"><label>Tetangga</label>
      <itemset nodeset="instance('warga')/root/item"><value ref="name"/><label ref="label"/></itemset>
    </select></repeat></group>
    <input ref="/data/catatan"><label>Catatan</label></input>
  </h:body>
</h:html>
"""


@pytest.fixture
def desk(field: Field) -> Field:
    """Two neighbours in the list, and a form that asks whom it is about."""
    field.publish(XFORM.encode())

    def act(session: Session) -> None:
        project = session.get_one(Project, field.project_id)
        by = {"actor": field.manager, "now": field.now}
        declare_list.create_list(session, project, "warga", ["code"], **by)
        entries = [Entry("Bu Siti", {"code": "W-01"}, SITI), Entry("Pak Budi", {"code": "W-02"}, BUDI)]
        register.create(session, project, "warga", entries, **by)

    in_transaction(field.engine, act)
    return field


def do(field: Field, verb: Callable[..., Any], *given: Any, by: Actor | None = None, **named_: Any) -> Any:
    """A verb of the desk, a minute later."""
    field.now += timedelta(minutes=1)

    def act(session: Session) -> Any:
        project = session.get_one(Project, field.project_id)
        first = (
            [session.get_one(Assignment, (field.project_id, given[0]))] if verb in CHANGES else [project, *given[:1]]
        )
        return verb(session, *first, *given[1:], actor=by or field.supervisor, now=field.now, **named_)

    return in_transaction(field.engine, act)


CHANGES = (assign.change, assign.withdraw)


def give(field: Field, *tasks: Task) -> Given:
    given = do(field, assign.give, tasks)
    assert isinstance(given, Given)
    return given


def lines(field: Field, **wanted: str) -> list[Line]:
    with Session(field.engine) as session:
        project = session.get_one(Project, field.project_id)
        return progress.listed(session, project, Wanted(**wanted), today=TODAY, actor=field.supervisor)


def records(field: Field, assignment_id: str, state: str | None = None) -> set[str]:
    with Session(field.engine) as session:
        project = session.get_one(Project, field.project_id)
        wanted = find.Filter(assignment_id=assignment_id, review_state=state)
        return {row.instance_id for row in find.submissions(session, project, wanted, actor=field.supervisor).rows}


def visit(field: Field, tablet: Tablet, warga: str = "", *others: str) -> str:
    record = new_id()
    told = "".join(f"<others><tetangga>{one}</tetangga></others>" for one in others)
    xml = (
        f'<data id="{VISIT}" version="1"><visit><warga>{warga}</warga></visit>{told}<catatan>x</catatan>'
        f"<meta><instanceID>{record}</instanceID></meta></data>"
    )
    field.now += timedelta(minutes=1)
    field.push(tablet, tablet.op(record, form=VISIT, xml=xml))
    return record


def decide(field: Field, record: str, state: str) -> None:
    def act(session: Session) -> None:
        submission = find.submission(
            session, session.get_one(Project, field.project_id), record, actor=field.supervisor
        )
        review.set_state(session, submission, state, actor=field.supervisor, now=field.now)

    in_transaction(field.engine, act)


def test_what_was_done_is_counted_from_the_records_that_it_opens(desk: Field, tablet: Tablet) -> None:
    early = visit(desk, tablet, SITI)
    (about, all_) = give(desk, Task(VISIT, "d-siti", SITI, target="3"), Task(VISIT, "d-siti", target="9")).created

    approved, returned, rejected = (visit(desk, tablet, SITI) for _ in range(3))
    neighbour, other = visit(desk, tablet, "", BUDI, f"{BUDI} {SITI}"), visit(desk, tablet, BUDI)
    for record, state in ((approved, "approved"), (returned, "has_issues"), (rejected, "rejected")):
        decide(desk, record, state)

    found = {line.assignment.assignment_id: line for line in lines(desk)}
    progress = found[about].progress
    assert (progress.done, progress.approved, progress.waiting, progress.returned, progress.rejected) == (3, 1, 1, 1, 1)
    assert (found[about].is_done, found[about].about, found[all_].progress.done) == (True, "Bu Siti", 4)
    assert records(desk, about) == {approved, returned, rejected, neighbour}
    assert records(desk, about, "standing") == {approved, returned, neighbour}
    assert records(desk, about, "undecided") == {neighbour}
    assert records(desk, all_, "standing") == {approved, returned, neighbour, other}
    assert early not in records(desk, all_)


def test_only_the_work_of_the_person_counts(desk: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    (id_,) = give(desk, Task(VISIT, "d-siti", SITI)).created

    visit(desk, other_tablet, SITI)

    assert lines(desk)[0].progress.done == 0
    assert records(desk, id_) == set()


def test_what_is_overdue_comes_first_and_what_is_done_last(desk: Field, tablet: Tablet, other_tablet: Tablet) -> None:
    done = Task(VISIT, "d-siti", SITI, due="2026-11-01")
    late = Task(VISIT, "d-budi", SITI, due="2026-11-22")
    today = Task(VISIT, "d-budi", BUDI, due=TODAY)
    give(desk, Task(VISIT, "d-budi"), today, done, late)
    visit(desk, tablet, SITI)

    assert [(line.assignment.due, line.is_overdue, line.is_done) for line in lines(desk)] == [
        ("2026-11-22", True, False),
        (TODAY, False, False),
        ("", False, False),
        ("2026-11-01", False, True),
    ]
    assert [line.assignment.due for line in lines(desk, mark="overdue")] == ["2026-11-22"]
    assert [line.assignment.due for line in lines(desk, mark="done")] == ["2026-11-01"]
    assert len(lines(desk, assignee_id="d-budi", mark="to_do")) == 3


def test_the_same_task_is_not_given_twice(desk: Field, tablet: Tablet) -> None:
    task = Task(VISIT, "d-siti", SITI, due="2026-11-30")
    (id_,) = give(desk, task, task).created

    assert give(desk, task) == Given([], [], [id_])
    assert give(desk, Task(VISIT, "d-siti", SITI, due="2026-12-05", target="2")).updated == [id_]
    visit(desk, tablet, SITI), visit(desk, tablet, SITI)
    assert len(give(desk, Task(VISIT, "d-siti", SITI, due="2026-12-20")).created) == 1


def test_what_could_never_be_done_is_refused(desk: Field, tablet: Tablet) -> None:
    for task, refusal in (
        (Task("nothing", "d-siti"), NoSuchForm),
        (Task(VISIT, "nobody"), NoSuchAssignee),
        (Task(VISIT, "d-siti", "nobody"), NoSuchEntity),
        (Task(FORM, "d-siti", SITI), FormDoesNotAsk),
        (Task(VISIT, "d-siti", due="30/11/2026"), BadDue),
        (Task(VISIT, "d-siti", target="0"), BadTarget),
    ):
        with pytest.raises(refusal):
            give(desk, Task(VISIT, "d-siti"), task)
    assert lines(desk) == []
    with pytest.raises(NotAllowed):
        do(desk, assign.give, [Task(VISIT, "d-siti")], by=Actor("account", roles={desk.project_id: Role.ENUMERATOR}))


def test_whom_the_form_itself_leaves_out_is_not_assigned(desk: Field, tablet: Tablet) -> None:
    of_one = XFORM.replace('root/item"', "root/item[code = 'W-01']\"").replace(f'id="{VISIT}"', 'id="inti"')
    desk.publish(of_one.encode())

    assert len(give(desk, Task("inti", "d-siti", SITI)).created) == 1
    with pytest.raises(NotOffered):
        give(desk, Task("inti", "d-siti", BUDI))


def test_a_file_says_it_in_words_and_the_same_file_again_changes_nothing(desk: Field, tablet: Tablet) -> None:
    content = b"form,person,entity,due,target\nKunjungan,D-SITI,w-01,2026-11-30,\nkunjungan,enumerator,Pak Budi,,2\n"

    given = do(desk, assign_csv.take_csv, content)

    assert len(given.created) == 2
    found = {line.about: line.assignment for line in lines(desk)}
    assert (found["Bu Siti"].assignee_id, found["Bu Siti"].due, found["Pak Budi"].target) == ("d-siti", "2026-11-30", 2)
    assert len(do(desk, assign_csv.take_csv, content).unchanged) == 2


def test_every_fault_of_a_file_is_named_and_nothing_is_assigned(desk: Field, tablet: Tablet) -> None:
    content = (
        b"form,person,entity,due,target\nxx,d-siti,,,\nkunjungan,xx,,,\nkunjungan,d-siti,xx,,\n"
        b"rumah_tangga,d-siti,W-01,,\nkunjungan,d-siti,,soon,\nkunjungan,d-siti,,,many\nkunjungan,d-siti,,,1\n"
    )

    with pytest.raises(FaultyRows) as refusal:
        do(desk, assign_csv.take_csv, content)

    assert [(one["row"], one["column"], one["why"]) for one in refusal.value.members["faults"]] == [
        (2, "form", "no_such_form"),
        (3, "person", "no_such_person"),
        (4, "entity", "no_such_entity"),
        (5, "form", "form_does_not_ask"),
        (6, "due", "bad_due"),
        (7, "target", "bad_target"),
    ]
    assert lines(desk) == []
    for content in (b"", b"form\nkunjungan\n", b"\xff\xfe", b"PK\x03\x04"):
        with pytest.raises(BadTable):
            do(desk, assign_csv.take_csv, content)


def test_a_device_gets_its_own_and_hears_when_it_is_taken_away(
    desk: Field, tablet: Tablet, other_tablet: Tablet
) -> None:
    before = {name: pull(desk, one).cursor for name, one in (("siti", tablet), ("budi", other_tablet))}
    (id_,) = give(desk, Task(VISIT, "d-siti", SITI, due="2026-11-30", target="2", note="sore")).created

    page = pull(desk, tablet, before["siti"])
    assert named(page) == [("assignment", id_)]
    told = page.records[0]
    assert [told[name] for name in ("form", "entity", "due", "target", "note")] == [
        *(VISIT, SITI, "2026-11-30", 2, "sore"),
    ]
    silent = pull(desk, other_tablet, before["budi"])
    assert (silent.records, silent.drop) == ([], [])

    do(desk, assign.change, id_, {"assignee": "d-budi"})
    moved = pull(desk, tablet, page.cursor)
    assert (moved.records, moved.drop) == ([], [{"kind": "assignment", "record": id_}])
    mine = pull(desk, other_tablet, silent.cursor)
    assert named(mine) == [("assignment", id_)]

    do(desk, assign.withdraw, id_)
    assert pull(desk, other_tablet, mine.cursor).drop == [{"kind": "assignment", "record": id_}]
    assert pull(desk, tablet, moved.cursor).records == []
    assert pull(desk, tablet).records[0]["kind"] == "form"
    do(desk, assign.change, id_, {"state": "open"})
    assert ("assignment", id_) in named(pull(desk, other_tablet))


def test_two_days_said_at_once_are_a_conflict_until_somebody_settles_it(desk: Field, tablet: Tablet) -> None:
    (id_,) = give(desk, Task(VISIT, "d-siti", SITI, due="2026-11-30")).created
    seen = lines(desk)[0].assignment.vector
    do(desk, assign.change, id_, {"due": "2026-12-01"})
    far_away = Sender(desk.project_id, Actor("device", id="peer", serves=desk.project_id), "server")
    other = tablet.op(id_, kind="assignment", form="", version="", context=seen, set={"due": "2026-12-24"}, rank=1)

    receipt = receive(desk.engine, far_away, [_line(other)], size=1, now=desk.now)

    assert outcomes(receipt) == [Outcome.CONFLICT]
    (line,) = lines(desk)
    assert (line.assignment.conflicts, line.assignment.due) == (1, "2026-12-01")
    assert sorted(desk.conflicts(id_)["due"]) == ["2026-12-01", "2026-12-24"]

    def settle(session: Session) -> None:
        conflict = session.scalars(select(Conflict)).one()
        review.resolve(session, conflict, "2026-12-24", actor=desk.supervisor, now=desk.now)

    in_transaction(desk.engine, settle)
    (line,) = lines(desk)
    assert (line.assignment.conflicts, line.assignment.due, line.assignment.form_id) == (0, "2026-12-24", VISIT)


def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(desk: Field, tablet: Tablet) -> None:
    (id_,) = give(desk, Task(VISIT, "d-siti")).created
    seq = lines(desk)[0].assignment.seq
    do(desk, assign.change, id_, {"target": "4"}, base_seq=seq)

    with pytest.raises(StaleEdit):
        do(desk, assign.change, id_, {"target": "5"}, base_seq=seq)
    assert lines(desk)[0].assignment.target == 4


def test_what_was_typed_on_a_page_undoes_nothing_that_was_changed_since_it_was_opened(
    desk: Field, tablet: Tablet
) -> None:
    (id_,) = give(desk, Task(VISIT, "d-siti", due="2026-12-01")).created
    seq = lines(desk)[0].assignment.seq
    do(desk, assign.change, id_, {"target": "4", "due": "2026-12-05"})

    typed = {"target": "1", "due": "2026-12-09", "note": "The blue house."}
    do(desk, assign.change, id_, typed, base_seq=seq, merges=True)

    (line,) = lines(desk)
    assert (line.assignment.target, line.assignment.note, line.assignment.conflicts) == (4, "The blue house.", 1)
    with Session(desk.engine) as session:
        conflict = session.scalars(select(Conflict)).one()
        assert (conflict.path, {one["value"] for one in conflict.siblings}) == ("due", {"2026-12-05", "2026-12-09"})
    with pytest.raises(StaleEdit):
        do(desk, assign.change, id_, typed, base_seq=seq - 1, merges=True)


def test_a_device_assigns_nothing(desk: Field, tablet: Tablet) -> None:
    said = {"form": VISIT, "assignee": "d-siti", "state": "open"}

    receipt = desk.push(tablet, tablet.op(SITI, kind="assignment", set=said))

    assert outcomes(receipt) == [Outcome.QUARANTINED]
    assert [item.why for item in desk.all(InboxItem)] == ["not_permitted"]
    assert lines(desk) == []


def test_another_server_gets_them_with_the_names_of_whom_they_are_for(desk: Field, tablet: Tablet) -> None:
    give(desk, Task(VISIT, "d-siti", SITI))

    with Session(desk.engine) as session:
        sent = after(session, desk.project_id, 0, limit=100)
        names = names_of(session, desk.project_id, sent.operations)

    assert sent.operations[-1].kind == "assignment"
    assert names["d-siti"] == "d-siti"


def test_people_of_another_server_are_known_by_their_records(desk: Field, tablet: Tablet) -> None:
    def name(session: Session) -> None:
        session.add_all(RemoteName(project_id=desk.project_id, id=id_, name=id_) for id_ in ("acc-ani", "dev-ani"))

    in_transaction(desk.engine, name)
    far_away = Sender(desk.project_id, Actor("device", id="peer", serves=desk.project_id), "server")
    record = new_id()
    op = tablet.op(record, xml=instance(record, nama="x"), account="acc-ani", device="dev-ani")
    receive(desk.engine, far_away, [_line(op)], size=1, now=desk.now)

    (id_,) = give(desk, Task(FORM, "acc-ani")).created

    assert lines(desk)[0].assignment.assignment_id == id_
    with pytest.raises(NoSuchAssignee):
        give(desk, Task(FORM, "dev-ani"))


def test_all_of_it_can_be_made_again_and_is_in_the_audit_log(desk: Field, tablet: Tablet) -> None:
    (id_, *_rest) = give(desk, Task(VISIT, "d-siti", SITI), Task(VISIT, "d-siti", BUDI, due=TODAY)).created
    do(desk, assign.change, id_, {"due": "2026-12-01", "note": "x"})
    do(desk, assign.withdraw, id_)
    do(desk, assign_csv.take_csv, b"form,person\nkunjungan,d-siti\n")

    made = in_transaction(desk.engine, lambda session: rebuild.rebuild(session, desk.project_id, now=desk.now))

    assert made.is_same, made.changed
    assert made.rows["assignment"] == 3
    assert [event.action for event in sorted(desk.all(Event), key=lambda one: one.event_id)][-5:] == [
        *("assignment.create", "assignment.create", "assignment.update", "assignment.withdraw", "assignment.import"),
    ]


def _line(op: dict[str, Any]) -> bytes:
    return orjson.dumps(op)
