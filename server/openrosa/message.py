"""What an enumerator reads in ODK Collect after sending: one line, in words."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext, lazy_gettext, ngettext
from flask_babel.speaklater import LazyString

from schemas.openrosa import SUCCESS
from sync.verdict import Line, Outcome, Why

REASONS: Mapping[Why, LazyString] = {
    Why.MALFORMED_XML: lazy_gettext("it cannot be read"),
    Why.NO_INSTANCE_ID: lazy_gettext("it has no instance ID"),
    Why.INSTANCE_ID_TOO_LONG: lazy_gettext("its instance ID is too long"),
    Why.UNKNOWN_FORM: lazy_gettext("this project has no such form"),
    Why.FORM_CLOSED: lazy_gettext("the form is closed"),
    Why.OTHER_FORM: lazy_gettext("it belongs to another form"),
    Why.OTHER_FILE: lazy_gettext("another file of this name is here already"),
    Why.NOT_PERMITTED: lazy_gettext("you may not send this form"),
    Why.REVOKED_DEVICE: lazy_gettext("this device has been revoked"),
    Why.WAITS_FOR_BASE: lazy_gettext("the record that it corrects has not arrived"),
    Why.WAITS_FOR_VERSION: lazy_gettext("this version of the form is not on the server yet"),
    Why.WAITS_FOR_PREDECESSOR: lazy_gettext("an earlier change has not arrived"),
    Why.WAITS_FOR_RECORD: lazy_gettext("the record that it is about has not arrived"),
}


def said(line: Line, *, is_incomplete: bool) -> str:
    """The message. Exactly SUCCESS when there is nothing to tell: Collect says that in the reader's own language."""
    became = line.first or line.outcome
    if became is Outcome.QUARANTINED:
        return _with_reason(gettext("received and kept; your supervisor must look at it"), line)
    if became is Outcome.HELD:
        return _with_reason(gettext("received and kept; it will appear later"), line)
    told = list(_told(line, is_incomplete=is_incomplete))
    return ", ".join([gettext("received"), *told]) if told else SUCCESS


def _told(line: Line, *, is_incomplete: bool) -> list[str]:
    failed, conflicts, missing = line.errors + line.warnings, line.conflicts, len(line.missing)
    told = []
    if failed:
        told.append(ngettext("%(num)d check failed", "%(num)d checks failed", failed))
    if conflicts:
        told.append(ngettext("%(num)d answer differs", "%(num)d answers differ", conflicts))
    if missing and not is_incomplete:
        told.append(ngettext("%(num)d file is missing", "%(num)d files are missing", missing))
    return told


def _with_reason(words: str, line: Line) -> str:
    reason = REASONS.get(line.why)
    return f"{words}: {reason}" if reason else words
