"""Who works in the project, in which role; and new accounts, made by administrators."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from forms.errors import Problem
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.db import own_transactions, session, writing
from server.problems import STATUS, fault_of
from server.projects import project
from sync import accounts
from sync.access import Role, require
from sync.devices import LETTERS
from sync.models import Account, Membership, Project
from sync.projects import role_named, set_role

PASSWORD_GROUPS = 4
"""Sixteen of 31 letters are 79 random bits: enough for good, and it can be read out on the telephone."""


class NobodyHasThisEmail(Problem):
    """Nobody on this server has this e-mail address. Check it, or ask an administrator to create the account."""

    slug = "account/nobody"


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the project."""

    account: Account
    role: str


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that has just been made, with the password that is shown now and never again."""

    name: str
    email: str
    password: str


@bp.get("/projects/<int:number>/people")
def people(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "member.list", found.project_id)
    return _page(found)


@bp.post("/projects/<int:number>/people")
def add_person(number: int) -> ResponseReturnValue:
    """Somebody who has an account joins the project."""
    found = project(number)
    require(actor(), "member.update", found.project_id)
    role = role_named(request.form.get("role", ""))
    account = accounts.by_email(session(), request.form.get("email", ""))
    if account is None:
        return _refused(found, NobodyHasThisEmail(field="email"), "add")
    set_role(session(), found, account, role, actor=actor(), now=now())
    flash(gettext("%(name)s now works in this project.", name=account.name), "good")
    return redirect(url_for("console.people", number=number), 303)


@bp.post("/projects/<int:number>/people/<int:account_number>")
def change_role(number: int, account_number: int) -> ResponseReturnValue:
    """Another role, or none."""
    found = project(number)
    require(actor(), "member.update", found.project_id)
    account = accounts.by_number(session(), account_number)
    wanted = request.form.get("role", "")
    role: Role | None = role_named(wanted) if wanted else None
    set_role(session(), found, account, role, actor=actor(), now=now())
    words = gettext("Saved.") if role else gettext("%(name)s no longer works in this project.", name=account.name)
    flash(words, "good")
    return redirect(url_for("console.people", number=number), 303)


@bp.post("/projects/<int:number>/people/accounts")
@own_transactions
def create_person(number: int) -> ResponseReturnValue:
    """A new account that joins the project. Its password is on the answer to this request only."""
    found = project(number)
    require(actor(), "account.create")
    role = role_named(request.form.get("role", ""))
    password = one_time_password()
    password_hash = accounts.hashed(password)  # slow on purpose: before the transaction
    try:
        with writing() as opened:
            made = accounts.create_account(
                opened,
                email=request.form.get("email", ""),
                name=request.form.get("name", ""),
                password_hash=password_hash,
                actor=actor(),
                now=now(),
            )
            set_role(opened, opened.get_one(Project, found.project_id), made, role, actor=actor(), now=now())
    except (accounts.BadEmail, accounts.EmailTaken) as problem:
        return _refused(found, problem, "create")
    return _page(found, made=NewAccount(made.name, made.email, password))


@bp.post("/projects/<int:number>/people/<int:account_number>/password")
@own_transactions
def renew_password(number: int, account_number: int) -> ResponseReturnValue:
    """For somebody who has forgotten his: every open session of the account ends."""
    found = project(number)
    require(actor(), "account.update")
    password = one_time_password()
    with writing() as opened:
        account = accounts.by_number(opened, account_number)
        accounts.set_password(opened, account, password, actor=actor(), now=now())
        made = NewAccount(account.name, account.email, password)
    return _page(found, made=made)


def one_time_password() -> str:
    """ "k7qm-x2rd-9fhw-p3tc"."""
    letters = LETTERS.lower()
    return "-".join("".join(secrets.choice(letters) for _letter in range(4)) for _group in range(PASSWORD_GROUPS))


def _refused(found: Project, problem: Problem, where: str) -> ResponseReturnValue:
    fault = fault_of(problem)
    return _page(found, errors={where: fault.title}), STATUS[problem.kind]


def _page(found: Project, *, made: NewAccount | None = None, errors: dict[str, str] | None = None) -> str:
    rows = session().execute(
        select(Account, Membership.role)
        .join(Membership, Membership.account_id == Account.account_id)
        .where(Membership.project_id == found.project_id)
        .order_by(Account.name, Account.number)
    )
    return render_template(
        "console/people.html",
        project=found,
        people=[Person(account, role) for account, role in rows],
        roles=[role.value for role in Role],
        made=made,
        errors=errors or {},
        typed=request.form,
    )
