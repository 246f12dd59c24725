"""The database as views see it: one transaction for each unsafe request, a reading session for all others.

The transaction is opened and closed by a wrapper *around the view*, so it is committed before the response leaves:
a constraint that fails at the commit is still an honest 409."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, g, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Session

from server.services import services
from sync.engine import AWAY, reader, writer
from sync.models import Base

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

View = TypeVar("View", bound=Callable[..., Any])


class Tables(DeclarativeBase):
    """Our tables for Flask-SQLAlchemy: it copies the base that it is given, and cannot copy a type_annotation_map."""

    metadata = Base.metadata


db = SQLAlchemy(model_class=Tables, add_models_to_shell=False)


def engine() -> Engine:
    """For what opens transactions itself, such as sync.receive."""
    return services().engine


def session() -> Session:
    """The session of this request: writing in a view of an unsafe method, else reading (never committed)."""
    if "session" not in g:
        g.session = Session(reader(engine()), expire_on_commit=False)
    return cast(Session, g.session)


@contextmanager
def reading() -> Iterator[Session]:
    """A reading session of its own: one snapshot on SQLite, nothing is ever committed."""
    with Session(reader(engine()), expire_on_commit=False) as opened:
        yield opened


@contextmanager
def writing() -> Iterator[Session]:
    """A transaction of its own: the writer lock held, committed at the end, rolled back by any exception.

    Hash, parse and convert before you enter: on SQLite everybody else waits."""
    with writer(engine()), Session(engine(), expire_on_commit=False) as opened, opened.begin():
        yield opened


def own_transactions(view: View) -> View:
    """Mark a view that runs its transactions itself; its `session()` only reads."""
    view.runs_own_transactions = True  # type: ignore[attr-defined]  # functions carry attributes
    return view


def wrap_views(app: Flask) -> None:
    """Put the wrapper around every view that is registered by now, and close reading sessions at the end."""
    for endpoint, view in app.view_functions.items():
        if not getattr(view, "runs_own_transactions", False):
            app.view_functions[endpoint] = _in_one_transaction(view)
    app.teardown_request(_close)


def _in_one_transaction(view: View) -> View:
    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if request.method in SAFE_METHODS:
            return view(*args, **kwargs)
        with _replacing_session(writing()):
            return view(*args, **kwargs)

    return cast(View, wrapped)


@contextmanager
def _replacing_session(transaction: AbstractContextManager[Session]) -> Iterator[None]:
    """`session()` is the session of `transaction` inside, and a fresh reading one afterwards."""
    _close()
    with transaction as opened:
        g.session = opened
        try:
            yield
        finally:
            g.pop("session")


def end_reading() -> None:
    """Let go of this request's snapshot; `session()` takes a fresh one."""
    _close()


def _close(_error: BaseException | None = None) -> None:
    opened = g.pop("session", None)
    if opened is None:
        return
    try:
        opened.close()
    except AWAY:
        # The database went away after all was read: that is no reason to fail.
        opened.invalidate()
