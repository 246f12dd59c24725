"""This server as its administrator sees it: backups, whether they can be restored, and what became of it before."""

from __future__ import annotations

from concurrent.futures import TimeoutError as NotYet
from datetime import timedelta
from pathlib import Path

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select

from forms.errors import Problem
from server import scheduler
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.db import engine, own_transactions, session
from server.services import services
from sync import backup, tripwire
from sync.access import require
from sync.consolidate import JOBS, JobBusy
from sync.models import Epoch, Installation
from sync.restore import drill

SHOWN = 15
PATIENCE_S = 8.0
WORRY_AFTER_H = 48


@bp.get("/server")
def server() -> ResponseReturnValue:
    require(actor(), "server.read")
    backups = backup.listed(session())[:SHOWN]
    return render_template(
        "console/server.html",
        installation=session().scalars(select(Installation)).one(),
        backups=backups,
        latest=next(iter(backups), None),
        is_late=not backups or (now() - backups[0].made_at).total_seconds() > WORRY_AFTER_H * 3600,
        epochs=session().scalars(select(Epoch).order_by(Epoch.opened_at.desc())).all(),
        next_at=scheduler.next_slot(JOBS["backup"], services().settings, now()),
        folder=services().settings.backups,
        diverged=tripwire.noted(session(), since=now() - timedelta(days=30)),
    )


@bp.post("/server/backup")
@own_transactions
def back_up_now() -> ResponseReturnValue:
    require(actor(), "server.read")
    begun = scheduler.begin_once(
        services().settings, engine(), services().blobs, "backup", account_id=actor().account_id or ""
    )
    try:
        run = begun.result(timeout=PATIENCE_S)
        failed = gettext("The backup failed: %(error)s", error=run.error)
        flash(failed if run.error else gettext("The backup is made."), "bad" if run.error else "good")
    except NotYet:
        flash(gettext("It has begun and goes on by itself. This page shows when it has finished."), "info")
    except JobBusy as problem:
        flash(gettext(problem.title()), "warn")
    return redirect(url_for("console.server"), 303)


@bp.post("/server/drill")
@own_transactions
def try_backup_now() -> ResponseReturnValue:
    """The latest backup is restored in a temporary place and compared."""
    require(actor(), "server.read")
    latest = backup.latest(session())
    if latest is not None:
        _try(Path(latest.file))
    return redirect(url_for("console.server"), 303)


def _try(file: Path) -> None:
    try:
        drill(file, engine=engine(), now=now())
    except Problem as problem:
        flash(f"{gettext(problem.title())} {problem.detail}".strip(), "bad")
    else:
        flash(gettext("This backup can be restored: every row and every file is as it was."), "good")
