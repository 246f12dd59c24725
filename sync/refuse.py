"""What the REST API refuses before anything is kept, as ODK Central does: its callers are scripts that can react.

Races are settled where submissions are received; this only spares a script's mistake the quarantine."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from forms.instance import Envelope
from sync.errors import FormClosed
from sync.models import Form, FormVersion, Operation, Submission, SubmissionAlias


class NoInstanceId(Problem):
    """This submission has no instance ID. Give it one in meta/instanceID, and send it again."""

    slug = "submission/no-instance-id"


class OtherFile(Problem):
    """Another file of this name is here already. Both are kept: a supervisor decides in the project's quarantine."""

    kind = Kind.CONFLICT
    slug = "attachment/other-file"


class OtherForm(Problem):
    """This submission belongs to another form than the address says. Send it to that form."""

    slug = "submission/other-form"


class UnknownVersion(Problem):
    """This submission was made with a version of the form that is not published here. Publish that version first."""

    kind = Kind.NOT_FOUND
    slug = "submission/unknown-version"


class InstanceIdTaken(Problem):
    """A submission with this instance ID is here already, with other content. Give the new one an ID of its own."""

    kind = Kind.CONFLICT
    slug = "submission/instance-id-taken"


class UnknownBase(Problem):
    """The submission that this one corrects is not here. Check its deprecatedID."""

    kind = Kind.NOT_FOUND
    slug = "submission/unknown-base"


class StaleBase(Problem):
    """The submission has been corrected since. Load its latest version and repeat your change on that one."""

    kind = Kind.CONFLICT
    slug = "submission/stale-base"


def new_submission(session: Session, form: Form, envelope: Envelope, xml: bytes) -> None:
    """Refuse what ODK Central refuses of a new submission; the same one once more is not refused."""
    _refuse_elsewhere(session, form, envelope)
    if envelope.deprecated_id:
        _refuse_base(session, form, envelope)
    _refuse_other_content(session, form, envelope, xml)


def edit(session: Session, form: Form, shown: Submission, envelope: Envelope, xml: bytes) -> None:
    """Refuse an edit of `shown` that was not made from its latest version."""
    _refuse_elsewhere(session, form, envelope)
    if _is_kept(session, form, envelope, xml):
        return
    if not envelope.deprecated_id or _root(session, form, envelope.deprecated_id) != shown.instance_id:
        raise UnknownBase(envelope.deprecated_id)
    _refuse_base(session, form, envelope)
    _refuse_other_content(session, form, envelope, xml)


def latest_id(session: Session, shown: Submission) -> str:
    """The instance ID of the version that is shown."""
    operation = session.get(Operation, (shown.project_id, shown.op_id))
    return (operation.instance_id if operation is not None else "") or shown.instance_id


def _refuse_elsewhere(session: Session, form: Form, envelope: Envelope) -> None:
    if envelope.form_id != form.form_id:
        raise OtherForm(envelope.form_id)
    if not envelope.instance_id:
        raise NoInstanceId
    if form.state == "closed":
        raise FormClosed(form.form_id)
    row = session.get(FormVersion, (form.project_id, form.form_id, envelope.version))
    if row is None or row.state != "published":
        raise UnknownVersion(envelope.version)


def _refuse_base(session: Session, form: Form, envelope: Envelope) -> None:
    shown = session.get(Submission, (form.project_id, _root(session, form, envelope.deprecated_id)))
    if shown is None:
        raise UnknownBase(envelope.deprecated_id)
    if latest_id(session, shown) not in (envelope.deprecated_id, envelope.instance_id):
        raise StaleBase(envelope.deprecated_id)


def _refuse_other_content(session: Session, form: Form, envelope: Envelope, xml: bytes) -> None:
    kept = _kept(session, form, envelope)
    if kept and xml.decode(errors="replace") not in kept:
        raise InstanceIdTaken(envelope.instance_id)


def _is_kept(session: Session, form: Form, envelope: Envelope, xml: bytes) -> bool:
    return xml.decode(errors="replace") in _kept(session, form, envelope)


def _kept(session: Session, form: Form, envelope: Envelope) -> list[str | None]:
    """Every instance that came under this ID."""
    found = select(Operation.xml).where(
        Operation.project_id == form.project_id,
        Operation.kind == "submission",
        Operation.record_id == _root(session, form, envelope.instance_id),
        Operation.instance_id == envelope.instance_id,
    )
    return list(session.scalars(found))


def _root(session: Session, form: Form, instance_id: str) -> str:
    alias = session.get(SubmissionAlias, (form.project_id, instance_id))
    return alias.instance_id if alias is not None else instance_id
