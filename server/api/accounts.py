"""People."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from schemas.account import AccountSchema, NewAccountSchema
from server.api.blueprint import body, bp, shown
from server.auth import Unauthenticated, account, actor, require_login
from server.clock import now
from server.db import own_transactions, session, writing
from sync import access, accounts


@bp.get("/users/current")
def show_myself() -> ResponseReturnValue:
    person = account()
    if person is None:
        raise Unauthenticated
    return shown(AccountSchema(), person)


@bp.get("/users")
def list_accounts() -> ResponseReturnValue:
    require_login()
    access.require(actor(), "account.list")
    return shown(AccountSchema(), accounts.matching(session(), request.args.get("q", "")), many=True)


@bp.post("/users")
@own_transactions
def create_account() -> ResponseReturnValue:
    require_login()
    access.require(actor(), "account.create")
    wanted = body(NewAccountSchema())
    password_hash = accounts.hashed(wanted["password"]) if wanted["password"] else ""
    with writing() as opened:
        made = accounts.create_account(
            opened,
            email=wanted["email"],
            name=wanted["name"],
            password_hash=password_hash,
            actor=actor(),
            now=now(),
        )
        return shown(AccountSchema(), made)


@bp.get("/users/<int:account_number>")
def show_account(account_number: int) -> ResponseReturnValue:
    require_login()
    access.require(actor(), "account.list")
    return shown(AccountSchema(), accounts.by_number(session(), account_number))
