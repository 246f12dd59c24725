"""What the person with this device is to do, and how far that has got here: records on their way included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import orjson

from forms.about import placed_about, said_about
from forms.definition import Answers
from forms.flat import unflatten
from sync.device.errors import AssignmentNotHere, FormNotHere, OtherForm
from sync.device.library import Library


@dataclass(frozen=True, slots=True)
class Assigned:
    """An assignment as this device knows it."""

    assignment_id: str
    form_id: str
    form_title: str
    entity_id: str
    about: str
    """The name of the entry that it is about; its id when the entry is not here, "" for nobody in particular."""
    due: date | None
    target: int
    note: str
    assigned_at: datetime
    sent: int = 0
    """Records that the server has and has not rejected."""
    waiting: int = 0
    """Records that are only here."""

    @property
    def done(self) -> int:
        return self.sent + self.waiting

    @property
    def is_done(self) -> bool:
        return self.done >= self.target

    def is_overdue(self, today: date) -> bool:
        return self.due is not None and self.due < today and not self.is_done


@dataclass(frozen=True, slots=True)
class _Made:
    """A record that may count."""

    form_id: str
    about: frozenset[str]
    received_at: datetime | None
    """None while the server has not said when."""


def assigned(library: Library, today: date) -> list[Assigned]:
    """Overdue ones first, then what is to be done by its day, then what is done."""
    bodies = library.inbox.bodies("assignment")
    if not bodies:
        return []
    titles = {form.form_id: form.title for form in library.forms() if form.is_current}
    labels = {str(body.get("record")): str(body.get("label") or "") for body in library.inbox.bodies("entity")}
    sent, waiting = list(_sent(library)), list(_waiting(library))
    found = []
    for body in bodies:
        one = _assigned(body, titles, labels)
        found.append(replace(one, sent=_count(one, sent), waiting=_count(one, waiting)))
    return sorted(found, key=lambda one: (not one.is_overdue(today), one.is_done, one.due or date.max, one.about))


def named(found: list[Assigned], assignment_id: str) -> Assigned:
    """By its ID or the first letters of it. Refuses AssignmentNotHere."""
    fitting = [one for one in found if assignment_id and one.assignment_id.startswith(assignment_id)]
    if len(fitting) != 1:
        raise AssignmentNotHere(assignment_id)
    return fitting[0]


def answers_for(library: Library, one: Assigned, form_id: str, answers: Answers, version: str = "") -> Answers:
    """The answers, with whom the assignment is about where the form asks for it and nothing is answered yet.

    Refuses OtherForm, FormNotHere."""
    if form_id != one.form_id:
        raise OtherForm(one.form_id)
    if not one.entity_id:
        return answers
    definition = library.compiled(form_id, version).definition
    body = next((body for body in library.inbox.bodies("entity") if body.get("record") == one.entity_id), {})
    return placed_about(definition, answers, str(body.get("list") or ""), one.entity_id)


def _assigned(body: Mapping[str, Any], titles: Mapping[str, str], labels: Mapping[str, str]) -> Assigned:
    form_id, entity_id, due = str(body.get("form") or ""), str(body.get("entity") or ""), str(body.get("due") or "")
    return Assigned(
        assignment_id=str(body.get("record") or ""),
        form_id=form_id,
        form_title=titles.get(form_id, form_id),
        entity_id=entity_id,
        about=labels.get(entity_id) or entity_id,
        due=date.fromisoformat(due) if due else None,
        target=int(body.get("target") or 1),
        note=str(body.get("note") or ""),
        assigned_at=datetime.fromisoformat(str(body["at"])) if body.get("at") else datetime.min.replace(tzinfo=UTC),
    )


def _count(one: Assigned, records: list[_Made]) -> int:
    return sum(1 for record in records if _counts(one, record))


def _counts(one: Assigned, record: _Made) -> bool:
    if record.form_id != one.form_id or (one.entity_id and one.entity_id not in record.about):
        return False
    return record.received_at is None or record.received_at >= one.assigned_at


def _sent(library: Library) -> Iterator[_Made]:
    """The records that the server shows to this device."""
    for body in library.inbox.bodies("submission"):
        if body.get("deleted") or body.get("review_state") == "rejected":
            continue
        form_id, received = str(body.get("form") or ""), body.get("received")
        about = _about(library, form_id, str(body.get("version") or ""), body.get("answers") or {})
        yield _Made(form_id, about, datetime.fromisoformat(str(received)) if received else None)


def _waiting(library: Library) -> Iterator[_Made]:
    """New records of this device that the server has not shown yet."""
    for row in library.inbox.store.rows(
        "SELECT form_id, version, body FROM operation WHERE kind = 'submission' AND state != 'refused'"
        " AND body IS NOT NULL AND record_id NOT IN (SELECT record_id FROM record WHERE kind = 'submission')"
        " AND number IN (SELECT min(number) FROM operation GROUP BY record_id)"
    ):
        try:
            definition = library.compiled(row["form_id"], row["version"]).definition
        except FormNotHere:
            continue
        answers = unflatten(definition, orjson.loads(row["body"])["set"])
        yield _Made(row["form_id"], said_about(definition, answers), None)


def _about(library: Library, form_id: str, version: str, answers: Answers) -> frozenset[str]:
    try:
        return said_about(library.compiled(form_id, version).definition, answers)
    except FormNotHere:
        return frozenset()
