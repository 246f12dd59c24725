"""The daily consolidation of one project: approved records become flat tables and the study's indicators."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, and_, delete, func, select
from sqlalchemy.orm import Session

from forms.definition import FormDefinition
from sync import publish
from sync.access import SYSTEM, Actor
from sync.consolidate.export import Entry, FormExport, facts
from sync.consolidate.indicator import Figure, Observation, figures, observe
from sync.consolidate.job import Outcome, Task
from sync.consolidate.study import INCOME
from sync.consolidate.table import Lookups
from sync.durable import fsync
from sync.engine import in_transaction, snapshots
from sync.models import (
    Account,
    Device,
    Entity,
    Form,
    FormVersion,
    Indicator,
    Project,
    RemovedBlob,
    Submission,
    SubmissionAttachment,
)
from sync.record import record

KEPT_RUNS = 10
"""Files of older runs are deleted."""
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Made:
    """What reading the project came to, before anything of it is in the database."""

    forms: dict[str, dict[str, int]]
    figures: tuple[Figure, ...]
    taken: int
    left_out: int
    """Neither deleted nor rejected, but not approved."""
    cut: list[str]
    files: list[tuple[str, str]]
    """Form ID and file name."""


def consolidate(engine: Engine, project: Project, task: Task) -> Outcome:
    """The project's files are complete in a folder of this run, and its indicators are those of the same records."""
    home = task.folder / str(project.number)
    home.mkdir(parents=True, exist_ok=True)
    for leftover in home.glob(".making-*"):
        shutil.rmtree(leftover)
    making, folder = home / f".making-{_folder_name(task)}", home / _folder_name(task)
    making.mkdir()
    with _reading(engine) as session:
        made = _make(session, project, task, making)
    _publish_folder(making, folder)
    in_transaction(engine, partial(_keep, project=project, task=task, made=made))
    _forget_old(home)
    files = tuple(_listed(folder / file, form_id, task.folder, project.number) for form_id, file in made.files)
    summary = {
        "records": made.taken,
        "left_out": made.left_out,
        "forms": made.forms,
        "cut": made.cut,
        "indicators": len(made.figures),
        "computed_at": task.now.isoformat(),
    }
    return Outcome(summary, files)


def chosen(project_id: str, *, is_all: bool) -> tuple[ColumnElement[bool], ...]:
    """Which records are released: the approved ones, or all but the rejected when somebody says so."""
    of_project = (Submission.project_id == project_id, Submission.is_deleted.is_(False))
    if is_all:
        return (*of_project, Submission.review_state != "rejected")
    return (*of_project, Submission.review_state == "approved")


def _reading(engine: Engine) -> Session:
    """One snapshot for all files and indicators. On SQLite a reading transaction is one anyway."""
    return Session(snapshots(engine))


def _make(session: Session, project: Project, task: Task, folder: Path) -> _Made:
    where = chosen(project.project_id, is_all=task.is_all)
    lookups, names = _lookups(session, project), _names(session, project)
    counts: dict[str, dict[str, int]] = {}
    seen: list[Observation] = []
    cut: list[str] = []
    files: list[tuple[str, str]] = []
    forms = session.scalars(select(Form).where(Form.project_id == project.project_id).order_by(Form.form_id)).all()
    for form, stem in _stems(forms):
        versions = _versions(session, form)
        if not versions:
            continue
        with FormExport(folder, stem, versions, lookups) as export:
            seen += _write(export, session.execute(_records(where, form.form_id)).yield_per(AT_ONCE), names)
        counts[form.form_id] = {"records": export.records, "rows": export.rows}
        files += [(form.form_id, file) for file in export.files]
        cut += [f"{stem}.xlsx: {sheet}" for sheet in export.cut]
    taken = sum(count["records"] for count in counts.values())
    found = tuple(figures(INCOME, seen)) if seen else ()
    return _Made(counts, found, taken, _left_out(session, project), cut, files)


def _write(export: FormExport, records: Iterable[Any], names: Mapping[str, str]) -> Iterator[Observation]:
    """Every record into the files of its form; those that the study measures come out as observations."""
    newest = export.versions[0]
    is_measured = newest.form_id == INCOME.form_id and any(INCOME.fits(version) for version in export.versions)
    for row in records:
        export.write(Entry(row.instance_id, row.answers, facts(row, names)))
        observation = _observed(row) if is_measured else None
        if observation is not None:
            yield observation


def _observed(row: Any) -> Observation | None:
    return observe(INCOME, row.answers, row.instance_id, row.op_id, row.revision)


def _records(where: Sequence[ColumnElement[bool]], form_id: str) -> Select[Any]:
    """Every released record of a form with what its columns need, in an order that never changes."""
    has_come = and_(
        RemovedBlob.project_id == SubmissionAttachment.project_id,
        RemovedBlob.sha256 == SubmissionAttachment.sha256,
        SubmissionAttachment.arrived_at.is_not(None),
    )
    attached = (
        select(
            SubmissionAttachment.project_id,
            SubmissionAttachment.instance_id,
            func.count().label("expected"),
            (func.count(SubmissionAttachment.arrived_at) - func.count(RemovedBlob.sha256)).label("present"),
            func.count(RemovedBlob.sha256).label("removed"),
        )
        .outerjoin(RemovedBlob, has_come)
        .group_by(SubmissionAttachment.project_id, SubmissionAttachment.instance_id)
        .subquery()
    )
    is_own = (attached.c.project_id == Submission.project_id) & (attached.c.instance_id == Submission.instance_id)
    return (
        select(
            Submission.instance_id,
            Submission.instance_name,
            Submission.version,
            Submission.answers,
            Submission.op_id,
            Submission.revision,
            Submission.review_state,
            Submission.account_id,
            Submission.device_id,
            Submission.received_at,
            attached.c.expected,
            attached.c.present,
            attached.c.removed,
        )
        .outerjoin(attached, is_own)
        .where(*where, Submission.form_id == form_id)
        .order_by(Submission.received_at, Submission.instance_id)
    )


def _versions(session: Session, form: Form) -> list[FormDefinition]:
    """Every published version, the newest first."""
    wanted = (
        select(FormVersion.version)
        .where(
            FormVersion.project_id == form.project_id,
            FormVersion.form_id == form.form_id,
            FormVersion.state == "published",
        )
        .order_by(FormVersion.published_at.desc(), FormVersion.version.desc())
    )
    read = (
        publish.definition(session, form.project_id, form.form_id, version) for version in session.scalars(wanted).all()
    )
    return [definition for definition in read if definition is not None]


def _stems(forms: Sequence[Form]) -> Iterator[tuple[Form, str]]:
    """Each form with the beginning of its files' names: its id, made fit for a file system and unlike the others."""
    used: set[str] = set()
    for form in forms:
        plain = re.sub(r"[^\w-]+", "_", form.form_id)[:80].strip("_") or "form"
        stem, number = plain, 1
        while stem.lower() in used:
            number += 1
            stem = f"{plain}_{number}"
        used.add(stem.lower())
        yield form, stem


def _lookups(session: Session, project: Project) -> Lookups:
    """The labels of entities, for selects that choose from an entity list."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    wanted = select(Entity.list_name, Entity.entity_id, Entity.label).where(Entity.project_id == project.project_id)
    for list_name, entity_id, label in session.execute(wanted):
        found.setdefault(list_name, {})[entity_id] = {"": label}
    return found


def _names(session: Session, project: Project) -> dict[str, str]:
    """People and devices by id."""
    people = session.execute(select(Account.account_id, Account.name))
    devices = session.execute(select(Device.device_id, Device.name).where(Device.project_id == project.project_id))
    return {identity: name for rows in (people, devices) for identity, name in rows}


def _left_out(session: Session, project: Project) -> int:
    waiting = (*chosen(project.project_id, is_all=True), Submission.review_state != "approved")
    return session.scalar(select(func.count()).select_from(Submission).where(*waiting)) or 0


def _keep(session: Session, *, project: Project, task: Task, made: _Made) -> None:
    """The indicators replace the earlier ones, and the log says what was released to whom."""
    session.execute(delete(Indicator).where(Indicator.project_id == project.project_id))
    session.add_all(
        Indicator(project_id=project.project_id, computed_at=task.now, **_columns(figure)) for figure in made.figures
    )
    record(
        session,
        "consolidate.all" if task.is_all else "consolidate.approved",
        actor=_actor(session, task.account_id),
        at=task.now,
        project_id=project.project_id,
        target=("job", task.slot),
        detail={"records": made.taken, "not_approved": made.left_out if task.is_all else 0},
    )


def _columns(figure: Figure) -> dict[str, Any]:
    return {column.name: getattr(figure, column.name) for column in fields(figure)}


def _actor(session: Session, account_id: str | None) -> Actor:
    account = session.get(Account, account_id) if account_id else None
    return SYSTEM if account is None else Actor("account", id=account.account_id, name=account.name)


def _publish_folder(making: Path, folder: Path) -> None:
    """All the files appear at once, on disk for good: a crash never leaves half of them."""
    for file in making.iterdir():
        fsync(file)
    fsync(making)
    if folder.exists():  # of an attempt that was interrupted before the database knew of it
        shutil.rmtree(folder)
    making.rename(folder)
    fsync(folder.parent)


def _forget_old(home: Path) -> None:
    runs = sorted(folder for folder in home.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    for folder in runs[:-KEPT_RUNS]:
        shutil.rmtree(folder)


def _folder_name(task: Task) -> str:
    """Sorts by time, and tells two runs of one second apart."""
    return f"{task.now:%Y%m%dT%H%M%SZ}-{re.sub('[^0-9A-Za-z]+', '', task.slot)[-12:]}"


def _listed(file: Path, form_id: str, folder: Path, number: int) -> dict[str, Any]:
    name, size = file.relative_to(folder).as_posix(), file.stat().st_size
    return {"project": number, "form": form_id, "name": name, "size": size}
