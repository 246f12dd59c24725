"""One item of the inbox with all that can be found out before the project is locked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from forms.errors import Problem
from forms.finding import Finding
from forms.instance import Envelope, open_instance
from sync import definitions
from sync.draft import LONGEST_NAME, Draft, Unreadable, read_draft
from sync.filling import Filling, Times, asks_lists, examine, read_filling
from sync.verdict import Sender, Why


@dataclass(frozen=True, slots=True)
class Landed:
    """A row of the inbox, committed before anybody looks further into it."""

    item_id: str
    raw: bytes
    draft: Draft | None = None
    """What has been read of it already."""
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """`why` is a reason to quarantine it whatever else is known; then `draft` may be missing."""

    item_id: str
    batch_id: str
    sender: Sender
    raw: bytes
    draft: Draft | None
    why: Why = Why.NONE
    detail: str = ""
    envelope: Envelope | None = None
    filling: Filling | None = None
    findings: tuple[Finding, ...] | None = None
    """The checks of an instance that asks nothing outside itself."""
    form_key: tuple[str, str, str] | None = None
    """Under which its version of the form was found."""


def prepare(session: Session, sender: Sender, batch_id: str, landed: Iterable[Landed], *, now: datetime) -> list[Item]:
    """Parse, read and check; `session` only reads."""
    return [_prepare(session, sender, batch_id, one, now) for one in landed]


def _prepare(session: Session, sender: Sender, batch_id: str, landed: Landed, now: datetime) -> Item:
    known = (landed.item_id, batch_id, sender, landed.raw)
    try:
        draft = landed.draft or read_draft(landed.raw)
    except Unreadable as error:
        return Item(*known, error.draft, error.why, error.detail)
    if draft.xml is None:
        return Item(*known, draft)
    try:
        envelope = landed.envelope or open_instance(draft.xml)
    except Problem as error:
        return Item(*known, draft, Why.MALFORMED_XML, error.detail or error.title())
    why, detail = _fault(envelope)
    if why is not Why.NONE:
        return Item(*known, draft, why, detail)
    key = (sender.project_id, draft.form_id or envelope.form_id, draft.version or envelope.version)
    compiled = definitions.compiled(session, *key)
    if compiled is None:
        return Item(*known, draft, envelope=envelope)
    filling = read_filling(compiled, envelope)
    findings = _check(draft, filling, now)
    return Item(*known, draft, envelope=envelope, filling=filling, findings=findings, form_key=key)


def _fault(envelope: Envelope) -> tuple[Why, str]:
    """What is too long for its column; not every database would say so."""
    if len(envelope.instance_id) > LONGEST_NAME:
        return Why.INSTANCE_ID_TOO_LONG, envelope.instance_id[:80]
    if max(len(envelope.form_id), len(envelope.version)) > LONGEST_NAME:
        return Why.INVALID_OPERATION, "the id of the form, or its version: too long"
    return Why.NONE, ""


def _check(draft: Draft, filling: Filling, now: datetime) -> tuple[Finding, ...] | None:
    if filling.envelope.is_sealed:
        return filling.findings
    if draft.prev or draft.context or asks_lists(filling.compiled.definition):
        return None
    times = Times(filling.started_at, filling.ended_at, now)
    announced = None if draft.is_derived else [str(one["name"]) for one in draft.attachments]
    found = examine(filling.compiled, filling.answers, times, announced=announced, is_edited=False, lists={})
    return (*filling.findings, *found)
