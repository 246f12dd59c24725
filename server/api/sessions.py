"""Opening and closing sessions."""

from __future__ import annotations

from flask.typing import ResponseReturnValue

from schemas.login import CredentialsSchema, LoginSchema
from server import auth
from server.api.blueprint import body, bp, done, shown
from server.db import own_transactions, session
from sync import accounts


@bp.post("/sessions")
@own_transactions
def open_session() -> ResponseReturnValue:
    credentials = body(CredentialsSchema())
    return shown(LoginSchema(), auth.log_in(credentials["email"], credentials["password"]))


@bp.delete("/sessions/current")
def close_session() -> ResponseReturnValue:
    auth.require_login()
    auth.log_out(session())
    return done()


@bp.delete("/sessions/<token>")
def close_session_of(token: str) -> ResponseReturnValue:
    """Whoever shows a token may close its session."""
    auth.require_login()
    accounts.close_login(session(), token)
    return done()
