"""`lapangan peer`."""

from __future__ import annotations

import click

from forms.errors import Problem
from server.clock import now
from server.commands.database import Opened, opened, project
from server.commands.screen import done, out, refuse, say, size, table
from server.commands.screen import gettext as _
from server.services import signing_key
from sync import devices, peers
from sync.access import SYSTEM
from sync.models import Peer


@click.group()
def peer() -> None:
    """Other servers: a field office sends to its centre, and gets what the centre has."""


@peer.command()
@click.option("--project", "number", type=int, default=1, show_default=True, help="The project to share.")
@click.option("--name", default="Field office", show_default=True, help="What the other server is called here.")
def invite(number: int, name: str) -> None:
    """At the centre: make a code for another server. It works once."""
    with opened() as installation, installation.writing() as session:
        found = project(session, number)
        code = devices.create_enrolment(session, found, name=name, is_server=True, actor=SYSTEM, now=now())
    settings = installation.settings
    base = settings.base_url or f"http://{settings.host}:{settings.port}"
    address = f"{base}/enrol#{code.code}"
    done(_("On the other server, run: lapangan peer add %(address)s", address=address))


@peer.command()
@click.argument("url_or_code")
@click.option("--server", default="", help="The other server's address, when only a code was given.")
@click.option("--name", default="", help="What it is called here.")
def add(url_or_code: str, server: str, name: str) -> None:
    """In the field office: connect this server to the centre, and get its project."""
    with opened() as installation:
        added = peers.add(
            installation.engine,
            url_or_code,
            server,
            name=name,
            public_key=signing_key(installation.settings).public,
            secret_key=installation.settings.secret_key,
            actor=SYSTEM,
            now=now(),
        )
        done(_("Connected to %(name)s.", name=added.name))
        _sync(installation, added)


@peer.command()
@click.argument("name", default="")
def sync(name: str) -> None:
    """Send and get everything now, with all other servers or with the one named."""
    with opened() as installation:
        with installation.reading() as session:
            wanted = [peers.named(session, name)] if name else peers.listed(session)
        if not wanted:
            _tell_alone()
        failed = [one for one in wanted if not _sync(installation, one)]
    raise SystemExit(int(bool(failed)))


@peer.command("list")
def list_() -> None:
    """The other servers, and what they have not got yet."""
    with opened() as installation, installation.reading() as session:
        found = peers.known(session)
        if not found:
            _tell_alone()
            return
        shown = table(_("Server"), _("Address"), _("Last exchange"), _("Waiting"), _("Trouble"))
        for one in found:
            waiting = peers.lag(session, one)
            met = peers.met_at(session, one)
            when = f"{met:%Y-%m-%d %H:%M} UTC" if met else _("never")
            told = {"operations": waiting.operations, "files": waiting.files, "size": size(waiting.size)}
            counts = _("%(operations)d operations, %(files)d files (%(size)s)", **told)
            shown.add_row(one.name, one.base or _where(one), when, counts, _trouble(one))
    out.print(shown)


@peer.command()
@click.argument("name")
def remove(name: str) -> None:
    """Exchange nothing with this server any more. What came from it stays."""
    with opened() as installation, installation.writing() as session:
        found = peers.named(session, name)
        peers.remove(session, found, actor=SYSTEM, now=now())
    done(_("%(name)s is no longer connected. Shut this server out there too.", name=name))


def _tell_alone() -> None:
    say(_("This server is not connected to another one. Ask the centre for a code, then: lapangan peer add"))


def _trouble(one: Peer) -> str:
    title, _newline, detail = one.error.partition("\n")
    return f"{_(title)} {detail}".strip() if title else ""


def _where(one: Peer) -> str:
    return _("enrolled here") if one.here_id else _("by bundles")


def _sync(installation: Opened, one: Peer) -> bool:
    try:
        secret_key = installation.settings.secret_key
        carried = peers.sync(installation.engine, installation.blobs, one, secret_key=secret_key, clock=now)
    except Problem as problem:
        refuse(problem)
        return False
    counts = {"sent": carried.sent, "received": carried.received}
    files = {"up": carried.files_sent, "down": carried.files_received}
    done(
        _(
            "%(name)s: sent %(sent)d operations and %(up)d files, received %(received)d and %(down)d.",
            name=one.name,
            **counts,
            **files,
        )
    )
    return True
