"""What arrived but cannot be placed: why, the bytes as they came, and the ways out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy import select

from forms.errors import Kind, Problem
from server.auth import actor
from server.clock import now
from server.console.attachments import is_picture
from server.console.blueprint import bp
from server.console.names import Names
from server.db import engine, own_transactions, session
from server.projects import project
from sync import announced, find, release
from sync.access import require
from sync.lost import waiting_in_vain
from sync.models import Entity, InboxItem, Project
from sync.verdict import Why

SHOWN_BYTES = 20_000
PATIENCE = timedelta(days=14)
"""What waits longer than this, somebody should look at."""

REASONS: Mapping[str, tuple[str, str]] = {
    "invalid_json": (lazy_gettext("Not readable"), lazy_gettext("The bytes are not the JSON that a device sends.")),
    "invalid_operation": (
        lazy_gettext("Incomplete"),
        lazy_gettext("It is readable, but parts that every record needs are missing or wrong."),
    ),
    "malformed_xml": (lazy_gettext("Broken XML"), lazy_gettext("The record's XML is damaged and cannot be read.")),
    "no_instance_id": (
        lazy_gettext("No instance ID"),
        lazy_gettext("The record does not say which one it is, so it could be counted twice."),
    ),
    "instance_id_too_long": (
        lazy_gettext("Instance ID too long"),
        lazy_gettext("The record's own number is longer than 249 characters."),
    ),
    "unknown_kind": (
        lazy_gettext("Unknown kind"),
        lazy_gettext(
            "A newer program sent something that this server does not know yet. Update the server, then judge it again."
        ),
    ),
    "unknown_form": (
        lazy_gettext("Unknown form"),
        lazy_gettext("There is no such form in this project. Publish it, then release the item."),
    ),
    "form_closed": (
        lazy_gettext("Form is closed"),
        lazy_gettext("The form takes no more records. Open it again, then release the item; or discard it."),
    ),
    "other_form": (
        lazy_gettext("Another form"),
        lazy_gettext("The record says that it belongs to another form than the one it was sent to."),
    ),
    "other_file": (
        lazy_gettext("Another file of this name"),
        lazy_gettext(
            "The record came once more with another file of a name that it has already. Release it, and both are shown "
            "side by side for you to choose; or discard it."
        ),
    ),
    "not_permitted": (
        lazy_gettext("Not permitted"),
        lazy_gettext("Who sent it may not do this in the project. Give the role first, or decide for them."),
    ),
    "revoked_device": (
        lazy_gettext("Revoked device"),
        lazy_gettext("It came from a device that was revoked. Release it if the work is real."),
    ),
    "number_reused": (
        lazy_gettext("Number used twice"),
        lazy_gettext(
            "Two different changes carry the same number: perhaps a tablet was copied. Both are kept. Release this one "
            "if it is real, and connect the copy with a code of its own."
        ),
    ),
    "waits_for_predecessor": (
        lazy_gettext("Waits"),
        lazy_gettext("An earlier change by the same device has not arrived. Let that device synchronise."),
    ),
    "waits_for_base": (
        lazy_gettext("Waits"),
        lazy_gettext("It corrects a record that has not arrived. Let the device that made it synchronise."),
    ),
    "waits_for_version": (
        lazy_gettext("Waits"),
        lazy_gettext(
            "It was made on a version of the form that is not published here. Publish it, and the record is shown."
        ),
    ),
    "waits_for_record": (
        lazy_gettext("Waits"),
        lazy_gettext("It belongs to a record that has not arrived. Let the device that made it synchronise."),
    ),
    "set_aside": (
        lazy_gettext("Discarded"),
        lazy_gettext("Somebody has discarded it while it waited. What was made after it does not wait for it."),
    ),
    "poison": (
        lazy_gettext("Stopped the server"),
        lazy_gettext("The server failed three times over this item and has put it aside."),
    ),
}


class NoSuchItem(Problem):
    """This item is no longer in quarantine. Somebody has released it; look at the list again."""

    kind = Kind.NOT_FOUND
    slug = "quarantine/no-such-item"


@bp.get("/projects/<int:number>/quarantine")
def quarantine(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.read", found.project_id)
    is_discarded = request.args.get("show") == "discarded"
    held = find.set_aside(session(), found) if is_discarded else find.held(session(), found)
    return render_template(
        "console/quarantine.html",
        project=found,
        items=find.quarantine(session(), found, state="discarded" if is_discarded else "quarantined"),
        reasons={} if is_discarded else find.quarantine_reasons(session(), found),
        is_discarded=is_discarded,
        held=held,
        entries=_labels(found, [row.record_id for row in held if row.kind == "entity"]),
        lost=waiting_in_vain(session(), held),
        overdue=now() - PATIENCE,
        names=Names.of(session(), found),
    )


@bp.get("/projects/<int:number>/quarantine/<item_id>")
def quarantined(number: int, item_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.read", found.project_id)
    item = _item(found, item_id)
    return render_template(
        "console/quarantined.html",
        project=found,
        item=item,
        reason=find.reason(session(), found, "quarantine.discard", item_id),
        names=Names.of(session(), found),
        facts=_facts(item.raw),
        files=announced.of_item(session(), item),
        text=_readable(item.raw),
        is_cut=len(item.raw) > SHOWN_BYTES,
        is_picture=is_picture,
    )


@bp.get("/projects/<int:number>/quarantine/<item_id>/raw")
def quarantined_raw(number: int, item_id: str) -> ResponseReturnValue:
    """The bytes exactly as they came."""
    found = project(number)
    require(actor(), "quarantine.read", found.project_id)
    response = Response(_item(found, item_id).raw, content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename={item_id}.bin"
    return response


@bp.post("/projects/<int:number>/quarantine/replay")
@own_transactions
def replay_quarantined(number: int) -> ResponseReturnValue:
    """All that was put aside for one reason, judged again."""
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    try:
        why = Why(request.form.get("why", ""))
    except ValueError:
        raise NoSuchItem from None
    done = release.replay(engine(), found.project_id, why, actor=actor(), now=now())
    words = ngettext(
        "%(num)s item was judged again and released.", "%(num)s items were judged again and released.", done.released
    )
    if done.stayed:
        words += " " + ngettext(
            "%(num)s stays: its reason is still there.", "%(num)s stay: their reason is still there.", done.stayed
        )
    flash(words, "good" if done.released else "warn")
    return redirect(url_for("console.quarantine", number=number), 303)


@bp.post("/projects/<int:number>/quarantine/<item_id>/release")
def release_quarantined(number: int, item_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    release.release(session(), _item(found, item_id), actor=actor(), now=now())
    flash(gettext("Released. The item was judged anew; what came of it stands in the list of records."), "good")
    return redirect(url_for("console.quarantine", number=number), 303)


@bp.post("/projects/<int:number>/quarantine/<item_id>/discard")
def discard_quarantined(number: int, item_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    note = request.form.get("note", "").strip()
    release.discard(session(), _item(found, item_id), note=note, actor=actor(), now=now())
    flash(gettext("Discarded. The bytes are kept, out of sight, with your reason."), "good")
    return redirect(url_for("console.quarantine", number=number), 303)


@bp.post("/projects/<int:number>/quarantine/<item_id>/put-back")
def put_back_quarantined(number: int, item_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "quarantine.release", found.project_id)
    release.put_back(session(), _item(found, item_id), actor=actor(), now=now())
    flash(gettext("It is in quarantine again."), "good")
    return redirect(url_for("console.quarantine", number=number), 303)


@bp.app_template_filter()
def why_title(why: str) -> str:
    """A typed reason in a few words."""
    return str(REASONS.get(why, (why, ""))[0])


@bp.app_template_filter()
def why_sentence(why: str) -> str:
    """A typed reason in a sentence, with what to do."""
    return str(REASONS.get(why, ("", ""))[1])


def _item(found: Project, item_id: str) -> InboxItem:
    item = session().get(InboxItem, (found.project_id, item_id))
    if item is None or item.state not in ("quarantined", "discarded"):
        raise NoSuchItem(item_id)
    return item


def _labels(found: Project, entity_ids: Sequence[str]) -> dict[str, str]:
    """Of those entities that are here."""
    mine = Entity.project_id == found.project_id, Entity.entity_id.in_(entity_ids)
    return dict(session().execute(select(Entity.entity_id, Entity.label).where(*mine)).all())


def _facts(raw: bytes) -> dict[str, Any]:
    """What the item says about itself, as far as it can be read."""
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    keys = ("kind", "record", "form", "version", "origin", "n", "at")
    return {key: said[key] for key in keys if said.get(key)} if isinstance(said, dict) else {}


def _readable(raw: bytes) -> str:
    """The beginning of the bytes, JSON with indents; what is not UTF-8 becomes a mark."""
    try:
        text = orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        text = raw[: SHOWN_BYTES * 4].decode("utf-8", "replace")
    return text[:SHOWN_BYTES].replace("\\n", "\n")
