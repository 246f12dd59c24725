"""`lapangan quarantine`: what could not be placed, and what waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import click
from sqlalchemy.orm import Session

from forms.errors import Kind, Problem
from server.clock import now
from server.commands.database import opened
from server.commands.database import project as project_of
from server.commands.screen import attention, done, out, table
from server.commands.screen import gettext as _
from sync import find, release
from sync.access import SYSTEM
from sync.models import InboxItem, Operation
from sync.verdict import Why

Found: TypeAlias = InboxItem | Operation

NUMBER = click.option("--project", "number", type=int, default=1, show_default=True, help="The project's number.")


class NoSuchItem(Problem):
    """Nothing in quarantine and nothing that waits has this ID. Look for it with "lapangan quarantine list --items"."""

    kind = Kind.NOT_FOUND
    slug = "quarantine/no-such-id"


@click.group()
def quarantine() -> None:
    """What arrived but could not be placed, and what waits for something that has not arrived."""


@quarantine.command("list")
@NUMBER
@click.option("--items", "with_items", is_flag=True, help="Each item with its ID, and what waits.")
@click.option("--discarded", is_flag=True, help="What somebody has discarded.")
def list_(number: int, with_items: bool, discarded: bool) -> None:
    """The reasons, and how many items were put aside for each."""
    if with_items or discarded:
        _list_items(number, discarded)
        return
    with opened() as installation, installation.reading() as session:
        reasons = find.quarantine_reasons(session, project_of(session, number))
    if not reasons:
        done(_("Nothing is in quarantine."))
        return
    shown = table(_("Reason"), _("Items"), numbers=frozenset({1}))
    for why, count in reasons.items():
        shown.add_row(why, str(count))
    out.print(shown)


def _list_items(number: int, discarded: bool) -> None:
    with opened() as installation, installation.reading() as session:
        project = project_of(session, number)
        aside = find.quarantine(session, project, state="discarded" if discarded else "quarantined")
        waiting = find.set_aside(session, project) if discarded else find.held(session, project)
        lines = [(item.item_id, item.why, item.landed_at) for item in aside]
        lines += [(one.op_id, one.why, one.received_at) for one in waiting]
    if not lines:
        done(_("There is nothing."))
        return
    shown = table(_("ID"), _("Reason"), _("Arrived"))
    for id_, why, at in lines:
        shown.add_row(id_, why, f"{at:%Y-%m-%d %H:%M}")
    out.print(shown)


@quarantine.command()
@click.argument("item_id")
@click.option("--form", "form_id", default="", help="Of an instance that does not say which form it belongs to.")
@click.option("--version", help="The version of the form to read it by, where its own is not here.")
@NUMBER
def apply(item_id: str, form_id: str, version: str | None, number: int) -> None:
    """Release an item, or apply what waits without what it waits for: a new change, which never overwrites."""

    def act(session: Session, found: Found) -> None:
        if isinstance(found, InboxItem):
            release.release(session, found, actor=SYSTEM, now=now())
        else:
            release.apply_without(session, found, form_id=form_id, version=version, actor=SYSTEM, now=now())

    _decide(item_id, number, act)
    done(_("Applied. If others have changed the same, both are shown."))


@quarantine.command()
@click.argument("item_id")
@click.option("--reason", required=True, help="Why, for those who ask later.")
@NUMBER
def discard(item_id: str, reason: str, number: int) -> None:
    """Put it out of sight; it is kept, and can be taken back."""

    def act(session: Session, found: Found) -> None:
        if isinstance(found, InboxItem):
            release.discard(session, found, note=reason, actor=SYSTEM, now=now())
        else:
            release.discard_held(session, found, note=reason, actor=SYSTEM, now=now())

    _decide(item_id, number, act)
    done(_("Discarded. It is kept, out of sight."))


@quarantine.command("take-back")
@click.argument("item_id")
@NUMBER
def take_back(item_id: str, number: int) -> None:
    """What was discarded is in quarantine, or waits, again."""

    def act(session: Session, found: Found) -> None:
        if isinstance(found, InboxItem):
            release.put_back(session, found, actor=SYSTEM, now=now())
        else:
            release.take_back(session, found, actor=SYSTEM, now=now())

    _decide(item_id, number, act)
    done(_("Taken back."))


def _decide(item_id: str, number: int, decision: Callable[[Session, Found], None]) -> None:
    with opened() as installation, installation.writing() as session:
        project_id = project_of(session, number).project_id
        found = session.get(InboxItem, (project_id, item_id)) or session.get(Operation, (project_id, item_id))
        if found is None:
            raise NoSuchItem(item_id)
        decision(session, found)


@quarantine.command()
@click.argument("why", type=click.Choice([why.value for why in Why if why is not Why.NONE]))
@NUMBER
def replay(why: str, number: int) -> None:
    """Judge again all that was put aside for this reason: after a form was published, for example."""
    with opened() as installation:
        with installation.reading() as session:
            project_id = project_of(session, number).project_id
        found = release.replay(installation.engine, project_id, Why(why), actor=SYSTEM, now=now())
    done(_("Released: %(count)d.", count=found.released))
    if found.stayed:
        attention(_("Still in quarantine, since the reason is still there: %(count)d.", count=found.stayed))
