"""What a new version of a form would say to the records that exist: they are read, never touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from forms.check import CompiledForm
from forms.definition import Answers
from forms.finding import Finding, Rule, Severity
from forms.outline import Branch, Leaf, outline
from sync import access
from sync.access import Actor
from sync.definitions import compiled
from sync.entities import entity_lists
from sync.filling import Times, asks_lists, examine
from sync.models import Project, Submission

PAGE = 200
_OTHER_MATTERS = frozenset({Rule.CALCULATE, Rule.ATTACHMENT, Rule.UNDECIDABLE})
"""A calculation is worked out again when a record is edited; files are the same in every version."""


@dataclass(frozen=True, slots=True)
class Failing:
    """A record that the new version would find something in that its own version does not."""

    instance_id: str
    instance_name: str
    version: str
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class Outlook:
    """One page of records, looked at; `after` continues behind it, "" at the end."""

    total: int
    checked: int = 0
    failing: list[Failing] = field(default_factory=list)
    after: str = ""


def outlook(
    session: Session, project: Project, new: CompiledForm, *, actor: Actor, after: str = "", limit: int = PAGE
) -> Outlook:
    """The records of the form behind `after`, at most `limit`, judged by `new`. Refuses NotAllowed."""
    access.require(actor, "submission.list", project.project_id)
    mine = (
        Submission.project_id == project.project_id,
        Submission.form_id == new.definition.form_id,
        Submission.is_deleted.is_(False),
    )
    found = Outlook(session.scalar(select(func.count()).select_from(Submission).where(*mine)) or 0)
    wanted = select(Submission).where(*mine, Submission.instance_id > after)
    rows = session.scalars(wanted.order_by(Submission.instance_id).limit(limit + 1)).all()
    for row in rows[:limit]:
        found.checked += 1
        findings = _found_anew(session, row, new)
        if findings:
            found.failing.append(Failing(row.instance_id, row.instance_name, row.version, findings))
    found.after = rows[limit - 1].instance_id if len(rows) > limit else ""
    return found


def _found_anew(session: Session, row: Submission, new: CompiledForm) -> tuple[Finding, ...]:
    own = compiled(session, row.project_id, row.form_id, row.version)
    known = {(one.rule, one.path) for one in _examined(session, row, own)} if own is not None else set()
    return tuple(
        one
        for one in _examined(session, row, new)
        if one.severity is not Severity.INFO and one.rule not in _OTHER_MATTERS and (one.rule, one.path) not in known
    )


def _examined(session: Session, row: Submission, form: CompiledForm) -> tuple[Finding, ...]:
    definition = form.definition
    times = Times(row.started_at, row.ended_at, row.received_at)
    lists = entity_lists.tables(session, row.project_id, definition) if asks_lists(definition) else {}
    answers = _fitted(outline(definition), row.answers)
    return examine(form, answers, times, announced=None, is_edited=row.revision > 1, lists=lists)


def _fitted(branch: Branch, answers: Mapping[str, Any]) -> Answers:
    """The answers that the form asks for, where it asks for them: what it does not ask is no fault of theirs."""
    fitted = branch.blank()
    for child in branch.children:
        value = answers.get(child.name)
        if isinstance(child, Leaf):
            fitted[child.name] = value if isinstance(value, str) else None
        elif child.is_repeat:
            entries = value if isinstance(value, list) else []
            fitted[child.name] = [_fitted(child, entry) for entry in entries]
        elif isinstance(value, dict):
            fitted[child.name] = _fitted(child, value)
    return fitted
