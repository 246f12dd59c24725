"""Log in, log out, choose a language."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.wrappers import Response

from forms.errors import Problem
from server import auth
from server.console.blueprint import bp
from server.db import own_transactions, session, writing
from server.language import LANGUAGES
from server.problems import STATUS
from sync.accounts import TooManyAttempts
from sync.models import Account

A_YEAR_S = 365 * 86400


@bp.get("/login")
def log_in() -> ResponseReturnValue:
    if auth.account() is not None:
        return redirect(_safe_next(), 303)
    return render_template("console/login.html", next=request.args.get("next", ""), email="", problem="")


@bp.post("/login")
@own_transactions
def log_in_now() -> ResponseReturnValue:
    email = request.form.get("email", "")
    try:
        opened = auth.log_in(email, request.form.get("password", ""))
    except (auth.WrongCredentials, TooManyAttempts) as problem:
        return _again(email, problem)
    return auth.remember(redirect(_safe_next(), 303), opened)  # type: ignore[arg-type]  # werkzeug's Response is flask's here


@bp.post("/logout")
def log_out() -> ResponseReturnValue:
    auth.log_out(session())
    return auth.forget(redirect(url_for("console.log_in"), 303))  # type: ignore[arg-type]  # as above


@bp.post("/language")
@own_transactions
def choose_language() -> ResponseReturnValue:
    """For this browser, and for the account when one is logged in."""
    wanted = request.form.get("language", "")
    response: Response = redirect(_safe_next(), 303)
    if wanted not in LANGUAGES:
        return response
    person = auth.account()
    if person is not None:
        with writing() as opened:
            account = opened.get(Account, person.id)
            if account is not None:
                account.language = wanted
    response.set_cookie("language", wanted, max_age=A_YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure)
    return response


def _again(email: str, problem: Problem) -> ResponseReturnValue:
    words = " ".join(filter(None, (gettext(problem.title()), problem.detail)))
    page = render_template("console/login.html", next=request.form.get("next", ""), email=email, problem=words)
    return page, STATUS[problem.kind]


def _safe_next() -> str:
    """Where the reader wanted to go, on this server only."""
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted.replace("\\", "/"))
    is_ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_ours else url_for("console.home")
