"""A verdict on one submission, as the REST API answers it."""

from __future__ import annotations

from collections.abc import Mapping

from forms.errors import Kind, MalformedXml, Problem
from server.openrosa.submission import NotKept
from sync.access import NotAllowed
from sync.errors import FormClosed, NoSuchForm
from sync.refuse import NoInstanceId, OtherFile, OtherForm, StaleBase, UnknownBase, UnknownVersion
from sync.verdict import Line, Outcome, Why


class NotPlaced(Problem):
    """This submission is kept, but it cannot be shown yet. Look for it in the project's quarantine."""

    kind = Kind.CONFLICT
    slug = "submission/not-placed"


REFUSALS: Mapping[Why, type[Problem]] = {
    Why.MALFORMED_XML: MalformedXml,
    Why.NO_INSTANCE_ID: NoInstanceId,
    Why.UNKNOWN_FORM: NoSuchForm,
    Why.OTHER_FORM: OtherForm,
    Why.OTHER_FILE: OtherFile,
    Why.FORM_CLOSED: FormClosed,
    Why.NOT_PERMITTED: NotAllowed,
    Why.REVOKED_DEVICE: NotAllowed,
    Why.WAITS_FOR_BASE: UnknownBase,
    Why.WAITS_FOR_PREDECESSOR: StaleBase,
    Why.WAITS_FOR_VERSION: UnknownVersion,
}


def require_shown(line: Line) -> None:
    """Refuse what cannot be seen now; what came in between is kept all the same, and is in the quarantine."""
    if line.outcome is Outcome.REJECTED:
        raise NotKept(line.detail)
    if not (line.first or line.outcome).is_shown:
        raise REFUSALS.get(line.why, NotPlaced)(line.detail)
