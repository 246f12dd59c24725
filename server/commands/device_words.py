"""What the field client tells the person who uses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import TaskID

from server.commands.finding import question
from server.commands.screen import attention, done, out, progress, size, table
from server.commands.screen import gettext as _
from sync.device import (
    Assigned,
    FieldDevice,
    Membership,
    OwnRecord,
    Progress,
    Pulled,
    Pushed,
    Received,
    Stage,
    Status,
    Synced,
)

REASONS: Mapping[str, str] = {
    "invalid_json": "The server could not read it.",
    "invalid_operation": "The server could not read it.",
    "malformed_xml": "The server could not read it.",
    "no_instance_id": "The server could not read it.",
    "instance_id_too_long": "The server could not read it.",
    "unknown_kind": "The server does not know yet what this is. Tell the supervisor: it must be updated.",
    "unknown_form": "The server has no such form.",
    "form_closed": "The form is closed.",
    "other_form": "The same record came with another form.",
    "other_file": "Another file of this name had come already.",
    "not_permitted": "This device may not do that.",
    "revoked_device": "This device's access was taken back.",
    "number_reused": "It looks like a copy of this folder is in use elsewhere.",
    "poison": "The server could not work on it.",
    "set_aside": "A supervisor has put it aside.",
    "same_instance": "It had come by another way too, and is counted once.",
    "waits_for_predecessor": "It waits for an earlier record.",
    "waits_for_base": "It waits for the record that it changes.",
    "waits_for_version": "It waits for its form version.",
    "waits_for_record": "It waits for the record that it is about.",
    "busy": "The server has no time to look at it now.",
    "too_large": "It is too large for the server. Tell the supervisor.",
}


class Bar:
    """A progress bar over a whole sync: text, then files, then what comes back."""

    def __init__(self) -> None:
        self._progress = progress()
        self._task: TaskID | None = None
        self._stage: Stage | None = None

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.__exit__(kind, error, at)

    def watch(self, told: Progress) -> None:
        """One step of the field client, shown."""
        words = STAGES.get(told.stage)
        if words is None:
            return
        if self._task is None:
            self._task = self._progress.add_task("", about="")
        about = told.about
        if told.stage in (Stage.UPLOAD, Stage.UPLOADED, Stage.ASK_FILES):
            about = f"{size(told.done)} / {size(told.total)} {told.about}"
        elif told.total:
            about = f"{told.done} / {told.total} {told.about}"
        self._progress.update(
            self._task, description=_(words), completed=told.done, total=told.total or None, about=about.strip()
        )


STAGES: Mapping[Stage, str] = {
    Stage.PUSH: "Sending records",
    Stage.RECEIPTS_KEPT: "Sending records",
    Stage.ASK_FILES: "Sending photos",
    Stage.UPLOAD: "Sending photos",
    Stage.UPLOADED: "Sending photos",
    Stage.PULL: "Receiving",
    Stage.PULLED: "Receiving",
    Stage.FETCH_FORM: "Getting forms",
    Stage.WAIT: "The line is bad; waiting a little",
}


def show_status(member: Membership, status: Status) -> None:
    """In one look: what is safe and what is not yet."""
    out.print(f"[bold]{escape(member.project_name)}[/] – {escape(member.device_name)} – {escape(member.base)}")
    _tell_waiting(status)
    if status.kept:
        done(_("Records on the server: %(count)d.", count=status.kept))
    if status.attention:
        attention(_("For the supervisor to look at: %(count)d.", count=status.attention))
    _tell_others(status)


def show_synced(synced: Synced) -> None:
    """What arrived, in honest words."""
    _tell_pushed(synced.pushed)
    if synced.uploaded.files:
        sent = {"count": synced.uploaded.files, "size": size(synced.uploaded.size)}
        done(_("Photos and files sent: %(count)d (%(size)s).", **sent))
    if synced.uploaded.lost:
        attention(_("Files that are no longer on this device: %(count)d.", count=synced.uploaded.lost))
    if synced.pulled.records:
        done(_("Changes received: %(count)d.", count=synced.pulled.records))
    show_ended(synced.pulled)
    if synced.pulled.repaired:
        count = synced.pulled.repaired
        attention(_("Records that had become different here, and were fetched again: %(count)d.", count=count))
    _tell_waiting(synced.status)
    _tell_others(synced.status)


def _tell_pushed(pushed: Pushed) -> None:
    if pushed.items:
        done(_("Records sent: %(count)d.", count=sum(1 for item in pushed.items if item.get("safe"))))
    again, put_aside, flagged = pushed.count("duplicate"), pushed.count("quarantined"), pushed.flagged()
    if again:
        done(_("Of these, %(count)d had arrived before and are counted once.", count=again))
    if put_aside:
        attention(_("Records put aside for the supervisor: %(count)d. See: lapangan device receipts", count=put_aside))
    if flagged:
        attention(_("Records in which the server noticed something: %(count)d.", count=flagged))


def show_ended(pulled: Pulled) -> None:
    """The forms that the supervisor has closed meanwhile."""
    for form_id in pulled.ended:
        attention(_("Closed form: %(form)s. Nothing new is collected with it.", form=form_id))


def _tell_waiting(status: Status) -> None:
    if not status.waiting and not status.files_waiting:
        done(_("Nothing waits on this device: everything is on the server."))
    if status.waiting:
        attention(
            _("Records that wait on this device: %(count)d. Send them with: lapangan device sync", count=status.waiting)
        )
    if status.files_waiting:
        told = {"count": status.files_waiting, "size": size(status.bytes_waiting)}
        attention(_("Photos and files that wait: %(count)d (%(size)s).", **told))


def _tell_others(status: Status) -> None:
    if status.refused:
        attention(
            _("Records that the server will not take: %(count)d. See: lapangan device receipts", count=status.refused)
        )
    if status.to_do:
        told = {"count": status.to_do, "overdue": status.overdue}
        attention(_("Assignments to do: %(count)d, overdue: %(overdue)d. See: lapangan device assignments", **told))
    if status.returned:
        attention(_("Records that came back: %(count)d. See: lapangan device inbox", count=status.returned))


def show_assignments(found: Sequence[Assigned]) -> None:
    """Each with how far it has got; the first letters of its ID are enough to name it."""
    if not found:
        out.print(_("Nothing is assigned to you. Ask again with: lapangan device pull"))
        return
    shown = table(_("ID"), _("Whom"), _("Form"), _("By"), _("Done"), _("Note"))
    for column in (0, 3):
        shown.columns[column].no_wrap = True
    today = date.today()
    short = _shortest([one.assignment_id for one in found])
    for one in found:
        done = _("%(done)d of %(wanted)d", done=one.done, wanted=one.target)
        if one.waiting:
            waiting = _("%(count)d not sent yet", count=one.waiting)
            done += f"\n{waiting}"
        due = one.due.isoformat() if one.due else ""
        style = "red" if one.is_overdue(today) else "dim" if one.is_done else ""
        about = escape(one.about or _("anybody"))
        shown.add_row(
            one.assignment_id[:short],
            about,
            escape(one.form_title.partition(" / ")[0]),
            due,
            done,
            escape(one.note),
            style=style,
        )
    out.print(shown)


def _shortest(ids: Sequence[str], least: int = 4) -> int:
    """How many letters tell them all apart."""
    most = max(map(len, ids))
    return next((length for length in range(least, most) if len({id_[:length] for id_ in ids}) == len(ids)), most)


def show_receipts(records: Sequence[OwnRecord]) -> None:
    """Each record with what became of it."""
    if not records:
        out.print(_("Nothing has been collected on this device yet."))
        return
    shown = table(_("Made"), _("Record"), _("What became of it"), _("Photos"))
    for record in records:
        made = f"{record.made_at.astimezone():%m-%d %H:%M}"
        files = f"{record.files_sent}/{record.files}" if record.files else ""
        name = record.instance_name or record.instance_id
        shown.add_row(made, name, "\n".join(receipt_lines(record)), files, style=_style(record))
    out.print(shown)


def receipt_lines(record: OwnRecord) -> list[str]:
    """What the server said about one record."""
    if record.state == "waiting":
        return [_("Waits to be sent")]
    if record.state == "refused":
        taken = _("Not taken") if record.verdict == "rejected" else _("Not taken; stays here and is sent again")
        return [taken, _reason(record.why)]
    if record.is_shown_since:
        return [_("Safe on the server, and shown there by now")]
    said = {
        "held": _("Safe; shown as soon as what it waits for arrives"),
        "quarantined": _("Safe, but the supervisor must look at it"),
        "conflict": _("Safe; somebody else changed the same thing"),
    }
    lines = [said.get(record.verdict, _("Safe on the server"))]
    if record.why:
        lines.append(_reason(record.why))
    if record.errors or record.warnings:
        lines.append(_("noticed: errors: %(errors)d, to look at: %(warnings)d", **_counts(record)))
    return lines


def _reason(why: str) -> str:
    """A newer server may have reasons that this program cannot tell."""
    if why in REASONS:
        return _(REASONS[why])
    return _("The server says why in words that this program does not know. Update the program.")


def _counts(record: OwnRecord) -> dict[str, int]:
    return {"errors": record.errors, "warnings": record.warnings}


def _style(record: OwnRecord) -> str:
    if record.state == "waiting":
        return "dim"
    is_open = record.verdict in ("quarantined", "conflict") and not record.is_shown_since
    needs_eye = record.state == "refused" or is_open or record.errors
    return "yellow" if needs_eye else ""


def show_inbox(opened: FieldDevice) -> None:
    """The returned records, each with its remarks and how to correct it."""
    returned = opened.returned()
    if not returned:
        done(_("Nothing came back: there is nothing to correct."))
    for received in returned:
        _show_returned(opened, received)


def _show_returned(opened: FieldDevice, received: Received) -> None:
    definition = opened.library.compiled(received.form_id, received.version).definition
    state = _("rejected") if received.review_state == "rejected" else _("to be corrected")
    out.print(f"[bold]{escape(received.instance_name or received.instance_id)}[/] ({escape(state)})")
    for remark in received.remarks:
        where = question(definition, remark.path)
        out.print(f"  [yellow]{escape(where)}[/]: {escape(remark.body)} [dim]{escape(remark.author)}[/]")
    command = f"lapangan device correct {received.instance_id} --answers FILE"
    out.print(f"  {escape(_('Correct it with:'))} [dim]{escape(command)}[/]", soft_wrap=True)
