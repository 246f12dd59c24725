"""Other servers of a project: the one above this one, and the field offices below."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from forms.errors import Problem
from server.address import base_url
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.db import engine, own_transactions, session, writing
from server.problems import InvalidRequest
from server.projects import project
from server.services import services, signing_key
from sync import devices, peers
from sync.access import may, require
from sync.bundles.key import fingerprint, word
from sync.models import Peer, Project


@bp.get("/projects/<int:number>/servers")
def servers(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "peer.manage", found.project_id)
    return page(found)


@bp.post("/projects/<int:number>/servers/codes")
def create_server_code(number: int) -> ResponseReturnValue:
    """The code is shown on the answer to this request, and never again."""
    found = project(number)
    name = request.form.get("name", "").strip()
    if not 1 <= len(name) <= 255:
        raise InvalidRequest(gettext("A field office needs a name, such as “Kantor Pakis”."), field="name")
    code = devices.create_enrolment(session(), found, name=name, is_server=True, actor=actor(), now=now())
    return page(found, code=code, address=f"{base_url()}/enrol#{code.code}")


@bp.post("/projects/<int:number>/servers/above")
@own_transactions
def connect_server(number: int) -> ResponseReturnValue:
    """Connected for the first time, or again after the access was lost."""
    found = project(number)
    require(actor(), "project.create")
    settings = services().settings
    try:
        added = peers.add(
            engine(),
            request.form.get("address", ""),
            public_key=signing_key(settings).public,
            secret_key=settings.secret_key,
            actor=actor(),
            now=now(),
        )
    except Problem as problem:
        flash(f"{gettext(problem.title())} {problem.detail}".strip(), "bad")
    else:
        flash(gettext("Connected to %(name)s.", name=added.name), "good")
        if added.project_id != found.project_id:
            flash(gettext("That server's project is another one than this; it stands in the list of projects."), "info")
    return redirect(url_for("console.servers", number=number), 303)


@bp.post("/projects/<int:number>/servers/<peer_id>/sync")
@own_transactions
def sync_peer(number: int, peer_id: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "peer.manage", found.project_id)
    try:
        peer, secret_key = _peer(found, peer_id), services().settings.secret_key
        carried = peers.sync(engine(), services().blobs, peer, secret_key=secret_key, clock=now)
    except Problem as problem:
        flash(f"{gettext(problem.title())} {problem.detail}".strip(), "bad")
    else:
        counts = {"sent": carried.sent, "received": carried.received}
        flash(gettext("Sent %(sent)s operations, received %(received)s.", **counts), "good")
    return redirect(url_for("console.servers", number=number), 303)


@bp.post("/projects/<int:number>/servers/<peer_id>/remove")
@own_transactions
def remove_peer(number: int, peer_id: str) -> ResponseReturnValue:
    found = project(number)
    with writing() as opened:
        peers.remove(opened, _named(opened, found, peer_id), actor=actor(), now=now())
    flash(gettext("Nothing is exchanged with that server any more. What came from it stays."), "good")
    return redirect(url_for("console.servers", number=number), 303)


def page(found: Project, **more: object) -> str:
    """The page Servers, with what there is to say just now."""
    above = peers.listed(session(), found.project_id)
    below = devices.listed(session(), found, kind="server")
    known = peers.known(session(), found.project_id) if may(actor(), "bundle.carry") else []
    public = signing_key(services().settings).public
    return render_template(
        "console/servers.html",
        project=found,
        above=[(peer, _lag(peer), _is_readable(peer)) for peer in above],
        below=[device for device in below if device.revoked_at is None],
        known=[(peer, fingerprint(peer.public_key) if peer.public_key else "", _lag(peer)) for peer in known],
        own_word=word(peers.own_id(session()), public),
        own_fingerprint=fingerprint(public),
        **more,
    )


def _lag(peer: Peer) -> peers.Lag:
    return peers.lag(session(), peer)


def _is_readable(peer: Peer) -> bool:
    """Whether the access to it can be used with the secret key that is here."""
    try:
        peers.token_of(peer, services().settings.secret_key)
    except peers.TokenUnreadable:
        return False
    return True


def _peer(found: Project, peer_id: str) -> Peer:
    peer = _named(session(), found, peer_id)
    session().expunge(peer)
    return peer


def _named(opened: Session, found: Project, peer_id: str) -> Peer:
    peer = opened.get(Peer, (found.project_id, peer_id))
    if peer is None:
        raise peers.NoSuchPeer(peer_id)
    return peer
