"""What happened to a record, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext, lazy_gettext, ngettext

from forms.flat import plain
from server.console.answers import Reader
from server.console.blueprint import bp
from sync.find import HistoryLine
from sync.namesakes import FILE, is_file

DEEDS: Mapping[str, str] = {
    "merged": lazy_gettext("Received and merged with other changes"),
    "conflict": lazy_gettext("Received; it clashes with another change"),
    "held": lazy_gettext("Received; it waits for an earlier change"),
    "submission.create": lazy_gettext("Received"),
    "submission.edit": lazy_gettext("Changed"),
    "submission.delete": lazy_gettext("Deleted"),
    "submission.approve": lazy_gettext("Approved"),
    "submission.reject": lazy_gettext("Rejected"),
    "submission.return": lazy_gettext("Returned to the enumerator"),
    "submission.receive": lazy_gettext("Put back to be reviewed"),
    "submission.review": lazy_gettext("Reviewed"),
    "comment.create": lazy_gettext("Commented"),
    "finding.dismiss": lazy_gettext("Dismissed a finding"),
    "finding.reopen": lazy_gettext("Opened a finding again"),
    "conflict.resolve": lazy_gettext("Resolved a conflict"),
    "assignment.create": lazy_gettext("Assigned"),
    "assignment.update": lazy_gettext("Changed an assignment"),
    "assignment.withdraw": lazy_gettext("Withdrew an assignment"),
    "assignment.import": lazy_gettext("Assigned from a CSV"),
    "quarantine.release": lazy_gettext("Released from quarantine"),
    "attachment.delete": lazy_gettext("Deleted files whose time was over"),
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of a history."""

    at: datetime
    who: str
    what: str
    note: str
    rule: str
    """Why files were deleted; else ""."""
    questions: tuple[str, ...]
    op_id: str = ""
    files: tuple[str, ...] = ()
    """The names of those that it brought, or that were deleted."""
    gone: frozenset[str] = frozenset()
    """Those of them that are not here any more."""


def deeds(lines: Sequence[HistoryLine], reader: Reader | None) -> list[Deed]:
    """The history, as it came."""
    return [_deed(line, reader) for line in lines]


def _deed(line: HistoryLine, reader: Reader | None) -> Deed:
    detail: Mapping[str, Any] = line.detail or {}
    return Deed(
        at=line.at,
        who=line.who or gettext("Lapangan"),
        what=str(DEEDS.get(line.what, line.what)),
        note=str(detail.get("note") or detail.get("body") or ""),
        rule=str(detail.get("rule", "")),
        questions=_questions(line, reader),
        op_id=line.op_id,
        files=tuple(detail.get("files", ())),
        gone=frozenset(detail.get("removed", ())),
    )


def _questions(line: HistoryLine, reader: Reader | None) -> tuple[str, ...]:
    if line.what == "submission.create":
        return ()
    detail = line.detail or {}
    paths = detail.get("paths") or ([detail["path"]] if detail.get("path") else [])
    names = list(dict.fromkeys(_question(reader, str(path)) for path in paths))
    if len(names) > 6:
        rest = len(names) - 5
        names = [*names[:5], ngettext("%(num)s more", "%(num)s more", rest)]
    return tuple(names)


def _question(reader: Reader | None, path: str) -> str:
    if reader is None or is_file(path):
        return path.removeprefix(FILE)
    return reader.question((plain(reader.definition, path) or path).rstrip("/"))


@bp.app_template_filter()
def action_title(action: str) -> str:
    """An event's action in words; one that has none yet reads as it is written."""
    return str(ACTIONS.get(action) or DEEDS.get(action) or action)


ACTIONS: Mapping[str, str] = {
    "login": lazy_gettext("Logged in"),
    "login.fail": lazy_gettext("Failed to log in"),
    "logout": lazy_gettext("Logged out"),
    "account.create": lazy_gettext("Created an account"),
    "account.password": lazy_gettext("Changed a password"),
    "account.update": lazy_gettext("Changed an account"),
    "project.create": lazy_gettext("Created the project"),
    "project.update": lazy_gettext("Changed the project"),
    "member.update": lazy_gettext("Changed a role"),
    "form.draft": lazy_gettext("Saved a draft of a form"),
    "form.create": lazy_gettext("Created a form"),
    "form.publish": lazy_gettext("Published a form"),
    "form.update": lazy_gettext("Changed a form"),
    "form.attach": lazy_gettext("Attached a file to a form"),
    "form.discard": lazy_gettext("Discarded a draft"),
    "device.enrol": lazy_gettext("Enrolled a device"),
    "device.create": lazy_gettext("Created a device"),
    "device.diverge": lazy_gettext("A device held something else than it was told; it was read again"),
    "device.update": lazy_gettext("Set what a device gets"),
    "device.revoke": lazy_gettext("Revoked a device"),
    "enrolment.create": lazy_gettext("Made an enrolment code"),
    "held.apply": lazy_gettext("Applied a change without what it waited for"),
    "held.discard": lazy_gettext("Discarded a change that waited"),
    "held.take_back": lazy_gettext("Let a discarded change wait again"),
    "quarantine.discard": lazy_gettext("Discarded from quarantine"),
    "quarantine.take_back": lazy_gettext("Put a discarded item back into quarantine"),
    "entity.update": lazy_gettext("Changed an entity"),
    "entity.create": lazy_gettext("Added an entity"),
    "entity.delete": lazy_gettext("Deleted an entity"),
    "entity.agree": lazy_gettext("Agreed to what stands of an entity"),
    "entity.import": lazy_gettext("Uploaded entities"),
    "entity_list.create": lazy_gettext("Made a registry"),
    "entity_list.update": lazy_gettext("Changed a registry"),
    "project.delete": lazy_gettext("Closed the project"),
    "form.state": lazy_gettext("Opened or closed a form"),
    "consolidate.approved": lazy_gettext("Consolidated the approved records"),
    "consolidate.all": lazy_gettext("Consolidated all records, approved or not"),
    "job.run": lazy_gettext("Ran a job"),
    "peer.add": lazy_gettext("Connected to another server"),
    "peer.clash": lazy_gettext("Found a form that another server has published differently"),
    "peer.trust": lazy_gettext("Trusted the key of another server"),
    "bundle.export": lazy_gettext("Made a bundle"),
    "bundle.import": lazy_gettext("Took a bundle"),
    "peer.remove": lazy_gettext("Disconnected from another server"),
    "server.restore": lazy_gettext("Restored a backup"),
}
