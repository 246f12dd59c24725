"""Field clients for tests: devices enrolled on the server of the test, and the study's records to fill in."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from forms.library.picture import picture
from forms.library.sample import FieldworkDay, Visit, fieldwork_day
from server.clock import now
from sync import devices
from sync.device import FieldDevice, Watch, Work
from sync.device.progress import unwatched
from sync.engine import in_transaction
from sync.models import Project
from tests.conftest import Team


@cache
def day() -> FieldworkDay:
    return fieldwork_day()


def visits(form_id: str, *codes: str) -> list[Visit]:
    """The day's visits on a form, of these informants if named."""
    return [visit for visit in day().visits if visit.form_id == form_id and (not codes or visit.informant in codes)]


def code(engine: Engine, team: Team, name: str = "Tablet 1") -> str:
    """A fresh enrolment code."""

    def create(session: Session) -> str:
        project = session.get_one(Project, team.project_id)
        return devices.create_enrolment(
            session, project, name=name, account_id=team.enumerator.id, actor=team.manager, now=now()
        ).code

    made: str = in_transaction(engine, create)
    return made


def add(device: FieldDevice, visit: Visit, *, as_is: bool = False) -> str:
    """The instance ID of the visit's record, kept on the device with its photos."""
    photos: dict[str, bytes | Path] = {photo.name: picture(photo) for photo in visit.photos}
    added = device.add(visit.form_id, visit.answers, photos, replace(work(visit), as_is=as_is))
    return added.instance_id


def work(visit: Visit) -> Work:
    return Work(
        version=visit.version,
        instance_id=visit.instance_id,
        entity_id=visit.creates_entity,
        started_at=visit.started_at,
        ended_at=visit.ended_at,
    )


def enrolled(folder: Path, code_: str, address: str, watch: Watch = unwatched) -> FieldDevice:
    """A device that belongs to the project and has its forms."""
    device = FieldDevice(folder, watch=watch, user="rina")
    device.enrol(code_, address)
    device.pull()
    return device
