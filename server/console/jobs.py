"""Scheduled work: what ran, what runs next, what it made; and the button that runs it now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from flask import flash, redirect, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy import select

from server import scheduler
from server.auth import actor
from server.clock import now
from server.console.blueprint import bp
from server.console.names import Names
from server.db import engine, own_transactions, session
from server.problems import NoSuchPage
from server.projects import project
from server.services import services
from sync.access import NotAllowed, may, require
from sync.consolidate import JOBS, Job, JobBusy, NoSuchJob
from sync.models import Form, JobRun, Project

PATIENCE_S = 4.0
"""A small project is consolidated by then and the reader sees the result at once."""
SHOWN_RUNS = 12
READ_RUNS = 200

TITLES: Mapping[str, tuple[str, str]] = {
    "consolidate": (
        lazy_gettext("Consolidation"),
        lazy_gettext("Turns the approved records into tables to download and into the study's indicators."),
    ),
    "sweep": (
        lazy_gettext("Late judgement"),
        lazy_gettext("Checks what arrived while the server was being interrupted."),
    ),
    "replay": (
        lazy_gettext("Second judgement"),
        lazy_gettext("Takes out of quarantine what arrived before its form was published."),
    ),
    "backup": (
        lazy_gettext("Backup"),
        lazy_gettext("Saves everything in one file, so that no accident costs more than what devices still have."),
    ),
    "peers": (
        lazy_gettext("Other servers"),
        lazy_gettext("Sends to other servers what they lack, and gets what they have."),
    ),
    "forget": (
        lazy_gettext("Old deletions"),
        lazy_gettext("Stops telling devices of what was deleted long ago."),
    ),
    "retention": (
        lazy_gettext("Retention of attachments"),
        lazy_gettext("Deletes photos, sound and other files whose time is over, if so set. The records stay."),
    ),
    "cleanup": (
        lazy_gettext("Tidying up"),
        lazy_gettext("Deletes ended sessions, expired codes and uploads that nobody finished."),
    ),
}

CAUSES: Mapping[str, str] = {
    "schedule": lazy_gettext("on schedule"),
    "catch_up": lazy_gettext("made up for a missed time"),
    "person": lazy_gettext("by hand"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """A file that a run made. `is_kept` tells whether it still lies there: only the latest runs' files do."""

    href: str
    name: str
    size: int
    kind: str
    language: str
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run as one project sees it."""

    row: JobRun
    summary: Mapping[str, Any]
    error: str
    files: Sequence[tuple[str, Sequence[Export]]]
    """By the title of their form."""

    @property
    def is_all(self) -> bool:
        return bool(self.row.summary.get("is_all"))

    @property
    def outcome(self) -> str:
        if self.row.outcome == "running":
            return "running"
        return "failed" if self.error else "done"


@dataclass(frozen=True, slots=True)
class Planned:
    """A job of the catalogue with its latest run and its next time."""

    name: str
    title: str
    about: str
    last: Run | None
    next_at: datetime | None
    may_run: bool


@bp.get("/projects/<int:number>/jobs")
def jobs(number: int) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "job.read", found.project_id)
    runs = runs_of(found, "consolidate")
    return render_template(
        "console/jobs.html",
        project=found,
        planned=[_planned(found, job) for job in JOBS.values()],
        runs=runs[:SHOWN_RUNS],
        newest=next((run for run in runs if run.files), None),
        is_running=any(run.outcome == "running" for run in runs),
        causes=CAUSES,
        names=Names.of(session(), found),
        runs_here=services().settings.run_jobs,
    )


@bp.get("/projects/<int:number>/jobs/<name>/<path:slot>")
def job_run(number: int, name: str, slot: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "job.read", found.project_id)
    row = session().get(JobRun, (name, slot))
    if row is None or name not in JOBS or not _concerns(row, found):
        raise NoSuchPage
    run = _seen(found, row, _titles(found))
    return render_template(
        "console/job_run.html",
        project=found,
        run=run,
        title=TITLES[name][0],
        causes=CAUSES,
        names=Names.of(session(), found),
    )


@bp.post("/projects/<int:number>/jobs/<name>/run")
@own_transactions
def run_job_now(number: int, name: str) -> ResponseReturnValue:
    found = project(number)
    require(actor(), "job.run", found.project_id)
    if name not in JOBS:
        raise NoSuchJob(name)
    if not _may_run(JOBS[name], found):
        raise NotAllowed(verb="job.run")
    begun = scheduler.begin_once(
        services().settings,
        engine(),
        services().blobs,
        name,
        account_id=actor().account_id or "",
        project_id=found.project_id,
        is_all=request.form.get("is_all") == "yes",
    )
    try:
        _tell(begun.result(timeout=PATIENCE_S))
    except NotYet:
        flash(gettext("It has begun and goes on by itself. This page shows when it has finished."), "info")
    except JobBusy as problem:
        flash(gettext(problem.title()), "warn")
    return redirect(url_for("console.jobs", number=number), 303)


@bp.get("/projects/<int:number>/exports/<path:name>")
def export_file(number: int, name: str) -> ResponseReturnValue:
    """A file of the consolidation. `name` is run/file."""
    found = project(number)
    require(actor(), "file.read", found.project_id)
    if any(part.startswith(".") for part in PurePosixPath(name).parts):
        raise NoSuchPage
    return send_from_directory(_home(found), name, as_attachment=True, max_age=0)


def runs_of(found: Project, name: str) -> list[Run]:
    """The runs of a job that concern the project, the newest first."""
    wanted = select(JobRun).where(JobRun.name == name).order_by(JobRun.started_at.desc()).limit(READ_RUNS)
    titles = _titles(found)
    return [_seen(found, row, titles) for row in session().scalars(wanted) if _concerns(row, found)]


def _concerns(row: JobRun, found: Project) -> bool:
    """A run for other projects only is not this project's business; one that is going on may become so."""
    return row.outcome == "running" or "projects" not in row.summary or found.project_id in row.summary["projects"]


def _seen(found: Project, row: JobRun, titles: Mapping[str, str]) -> Run:
    summary = row.summary.get("projects", {}).get(found.project_id)
    if summary is None:
        return Run(row, row.summary, row.error, ())
    files = [file for file in row.files if file["project"] == found.number]
    return Run(row, summary, summary.get("error", ""), _by_form(found, files, titles))


def _by_form(
    found: Project, files: Sequence[Mapping[str, Any]], titles: Mapping[str, str]
) -> list[tuple[str, list[Export]]]:
    grouped: dict[str, list[Export]] = {}
    for file in files:
        path = PurePosixPath(file["name"]).relative_to(str(found.number))
        form_id = file["form"]
        grouped.setdefault(titles.get(form_id, form_id), []).append(_export(found, path, file["size"]))
    return list(grouped.items())


def _export(found: Project, path: PurePosixPath, size: int) -> Export:
    stem, *tags, kind = path.name.split(".")
    return Export(
        href=url_for("console.export_file", number=found.number, name=path.as_posix()),
        name=path.name,
        size=size,
        kind=kind,
        language=tags[0] if tags else "",
        is_kept=(_home(found) / path).is_file(),
    )


def _titles(found: Project) -> dict[str, str]:
    rows = session().execute(select(Form.form_id, Form.title).where(Form.project_id == found.project_id))
    return {row.form_id: row.title for row in rows}


def _planned(found: Project, job: Job) -> Planned:
    title, about = TITLES[job.name]
    runs = runs_of(found, job.name)
    next_at = scheduler.next_slot(job, services().settings, now())
    return Planned(job.name, str(title), str(about), next(iter(runs), None), next_at, _may_run(job, found))


def _may_run(job: Job, found: Project) -> bool:
    """A job for the whole installation is the administrator's."""
    return actor().is_administrator or (job.run_project is not None and may(actor(), "job.run", found.project_id))


def _home(found: Project) -> Path:
    return scheduler.exports(services().settings) / str(found.number)


def _tell(row: JobRun) -> None:
    if row.outcome == "failed":
        flash(gettext("It failed. The reason stands below; nothing was half done."), "bad")
    else:
        flash(gettext("Done. What it made stands below."), "good")
