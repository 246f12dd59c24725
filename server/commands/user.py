"""`lapangan user`."""

from __future__ import annotations

import click

from server.clock import now
from server.commands.database import opened, project
from server.commands.screen import done, out, table
from server.commands.screen import gettext as _
from sync import accounts, projects
from sync.access import SYSTEM, Role
from sync.accounts import NoSuchAccount

ROLES = click.Choice([role.value for role in Role])


@click.group()
def user() -> None:
    """The people who may log in."""


@user.command()
@click.argument("email")
@click.option("--name", default="", help="As colleagues know this person.")
@click.option("--admin", is_flag=True, help="May do everything on this server.")
@click.option("--project", "number", type=int, help="Let this person work in the project with this number.")
@click.option("--role", type=ROLES, default="enumerator", show_default=True, help="What the person is there.")
@click.password_option(help="Asked for when it is not given here, where others could read it.")
def create(email: str, name: str, admin: bool, number: int | None, role: str, password: str) -> None:
    """Let somebody log in. The password is asked for."""
    hashed = accounts.hashed(password)
    with opened() as installation, installation.writing() as session:
        found = project(session, number) if number is not None else None
        account = accounts.create_account(
            session, email=email, name=name, password_hash=hashed, is_administrator=admin, actor=SYSTEM, now=now()
        )
        if found is not None:
            projects.set_role(session, found, account, Role(role), actor=SYSTEM, now=now())
    done(_("%(email)s can log in.", email=account.email))


@user.command("list")
def list_() -> None:
    """Who may log in."""
    with opened() as installation, installation.reading() as session:
        shown = table(_("E-mail"), _("Name"), _("Administrator"), _("May log in"))
        for account in accounts.matching(session):
            can = account.is_active and bool(account.password_hash)
            shown.add_row(account.email, account.name, _yes(account.is_administrator), _yes(can))
    out.print(shown)


@user.command()
@click.argument("email")
@click.password_option()
def password(email: str, password: str) -> None:
    """Give somebody a new password. Open sessions of that person end."""
    with opened() as installation, installation.writing() as session:
        account = accounts.by_email(session, email)
        if account is None:
            raise NoSuchAccount(email)
        accounts.set_password(session, account, password, actor=SYSTEM, now=now())
    done(_("The new password of %(email)s is set.", email=email))


def _yes(is_so: bool) -> str:
    return _("yes") if is_so else _("no")
