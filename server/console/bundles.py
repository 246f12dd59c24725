"""Where there is no line: bundles are made and taken, and the keys of other servers are trusted, by administrators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Response, flash, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from werkzeug.datastructures import FileStorage

from forms.errors import Problem
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.peers import page
from server.console.words import size
from server.db import own_transactions, session, writing
from server.problems import InvalidRequest
from server.projects import project
from server.services import services, signing_key
from sync import peers
from sync.access import require
from sync.bundles.errors import UnknownSigner
from sync.bundles.key import fingerprint, read_word
from sync.bundles.pack import export
from sync.bundles.take import Taken, take
from sync.identity import uuid7
from sync.models import Peer, Project
from sync.parcel import OtherContent
from sync.verdict import Outcome

TAKE = "console.take_bundle"


@bp.url_value_preprocessor
def _make_room(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """A bundle is larger than what people send otherwise; this is asked before anybody reads the request."""
    if endpoint == TAKE:
        request.max_content_length = services().settings.max_blob_bytes


@bp.post("/projects/<int:number>/servers/bundles")
@own_transactions
def make_bundle(number: int) -> ResponseReturnValue:
    """A new bundle, for one server or with everything, as a download."""
    found = project(number)
    require(actor(), "bundle.carry", found.project_id)
    file = _place(f"lapangan-{now():%Y%m%d-%H%M%S}-{uuid7()[-4:]}.zip")
    own = services()
    told: dict[str, Any] = {"key": signing_key(own.settings), "actor": actor(), "now": now()}
    try:
        export(own.engine, own.blobs, file, found.project_id, peer=_peer(found), **told)
    except Problem as problem:
        file.unlink(missing_ok=True)
        flash(f"{gettext(problem.title())} {problem.detail}".strip(), "bad")
        return redirect(url_for("console.servers", number=number), 303)
    return _sent_once(file)


@bp.post("/projects/<int:number>/servers/bundles/take")
@own_transactions
def take_bundle(number: int) -> ResponseReturnValue:
    """The bundle is written to disk, checked, and taken; what became of it is said on the page."""
    found = project(number)
    require(actor(), "bundle.carry", found.project_id)
    uploaded = request.files.get("file")
    if uploaded is None or not uploaded.filename:
        raise InvalidRequest(gettext("Choose the file of a bundle."), field="file")
    own = services()
    told: dict[str, Any] = {"own_key": signing_key(own.settings).public, "actor": actor(), "now": now()}
    with _kept(uploaded) as file:
        try:
            _tell(take(own.engine, own.blobs, file, project_id=found.project_id, **told))
        except UnknownSigner as problem:
            return page(found, stranger=problem.members), 403
        except Problem as problem:
            flash(f"{gettext(problem.title())} {problem.detail}".strip(), "bad")
    return redirect(url_for("console.servers", number=number), 303)


@bp.post("/projects/<int:number>/servers/keys")
@own_transactions
def trust_server(number: int) -> ResponseReturnValue:
    found = project(number)
    name = request.form.get("name", "").strip()
    if not 1 <= len(name) <= 255:
        raise InvalidRequest(gettext("A server needs a name, such as “Kantor Pakis”."), field="name")
    try:
        told = read_word(request.form.get("key", ""))
        with writing() as opened:
            trusted = peers.trust(opened, found.project_id, name, told, actor=actor(), now=now())
    except Problem as problem:
        flash(f"{gettext(problem.title())} {problem.detail}".strip(), "bad")
    else:
        shown = {"name": trusted.name, "fingerprint": fingerprint(told.public_key)}
        flash(gettext("Bundles of %(name)s (%(fingerprint)s) are taken from now on.", **shown), "good")
    return redirect(url_for("console.servers", number=number), 303)


def _peer(found: Project) -> Peer | None:
    peer_id = request.form.get("peer", "")
    if not peer_id:
        return None
    known = session().get(Peer, (found.project_id, peer_id))
    if known is None:
        raise peers.NoSuchPeer(peer_id)
    session().expunge(known)
    return known


def _place(name: str) -> Path:
    folder = services().settings.data_dir / "bundles"
    folder.mkdir(mode=0o700, exist_ok=True, parents=True)
    return folder / name


def _sent_once(file: Path) -> Response:
    """As a download; on this server nothing of it stays."""
    opened = file.open("rb")
    file.unlink()
    response = send_file(opened, mimetype="application/zip", as_attachment=True, download_name=file.name)
    response.headers["Cache-Control"] = "no-store"
    return response


@contextmanager
def _kept(uploaded: FileStorage) -> Iterator[Path]:
    """On disk for as long as it is being taken."""
    file = _place(f"taken-{uuid7()}.zip")
    try:
        uploaded.save(file)
        yield file
    finally:
        file.unlink(missing_ok=True)


def _tell(taken: Taken) -> None:
    """The words of `lapangan bundle import`."""
    counts = {"new": taken.new, "known": taken.verdicts[Outcome.DUPLICATE.value]}
    name = taken.name or gettext("this server")
    flash(
        gettext("From %(name)s: %(new)d new operations; %(known)d were here already.", name=name, **counts),
        "good" if taken.is_whole else "warn",
    )
    if taken.files:
        told = {"count": taken.files, "size": size(taken.files_size)}
        flash(gettext("Photos and files received: %(count)d (%(size)s).", **told), "good")
    aside, held = (taken.verdicts[one.value] for one in (Outcome.QUARANTINED, Outcome.HELD))
    if aside:
        flash(ngettext("%(num)d is in quarantine.", "%(num)d are in quarantine.", aside), "warn")
    if held:
        flash(ngettext("%(num)d waits for what it builds on.", "%(num)d wait for what they build on.", held), "info")
    if taken.clashing:
        flash(f"{gettext(OtherContent.title())} {', '.join(taken.clashing)}", "warn")
    for named, why in taken.refused_forms:
        flash(gettext("The form %(form)s could not be taken. %(why)s", form=named, why=why), "bad")
    if taken.has_gap:
        words = "An earlier bundle of that server is missing here. Import it, or bring that server a bundle from here."
        flash(gettext(words), "warn")
    if not taken.is_whole and not taken.refused_forms:
        flash(gettext("Not everything could be taken now. Upload the bundle again."), "bad")
