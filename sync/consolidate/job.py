"""What a job is, what it is told, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from forms.errors import Kind, Problem
from sync.attach import BlobStore
from sync.backup import Shelf
from sync.models import Project
from sync.retention import KEPT, Terms


class NoSuchJob(Problem):
    """There is no such job. Choose one from the list of jobs."""

    kind = Kind.NOT_FOUND
    slug = "job/not-found"


class JobBusy(Problem):
    """This job is running at the moment. Wait until it has finished, then look at what it made."""

    kind = Kind.CONFLICT
    slug = "job/busy"


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long what nobody needs any more is kept."""

    deletions: timedelta = timedelta(days=180)
    """That a record was deleted."""
    files: Terms = KEPT
    """Attachments."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one run is told."""

    slot: str
    now: datetime
    folder: Path
    """The exports folder."""
    account_id: str | None = None
    is_all: bool = False
    """Take records that are not approved too (rejected and deleted ones stay out)."""
    blobs: BlobStore | None = None
    shelf: Shelf | None = None
    secret_key: str = field(default="", repr=False)
    keeping: Keeping = Keeping()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has to show."""

    summary: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Mapping[str, Any], ...] = ()
    """{"project": number, "form": form ID, "name": path below the exports folder, "size": bytes}"""


@dataclass(frozen=True, slots=True)
class Job:
    """One entry of the catalogue: `run` does the whole installation, `run_project` one project after another."""

    name: str
    title: str
    cron: str
    """Cron line of five fields, "" when a setting says it."""
    cron_setting: str = ""
    run: Callable[[Engine, Task], Outcome] | None = None
    run_project: Callable[[Engine, Project, Task], Outcome] | None = None
    takes_closed: bool = False
    """Closed projects have their turn too."""
