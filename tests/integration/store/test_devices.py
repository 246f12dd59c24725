"""Enrolling, knowing and revoking devices."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync import devices
from sync.access import Actor, NotAllowed, may
from sync.engine import in_transaction
from sync.errors import BadCode, NoSuchDevice
from sync.models import Device, Event, Project
from tests.conftest import Team
from tests.integration.store.races import at_once

SECRET = "s" * 64


@pytest.fixture
def invite(engine: Engine, a_project: Team, now: datetime) -> Callable[..., str]:
    def invite(name: str = "Tablet 1", ttl_s: int = 3600) -> str:
        def make(session: Session) -> str:
            project = session.get_one(Project, a_project.project_id)
            account_id = a_project.enumerator.account_id
            return devices.create_enrolment(
                session, project, name=name, account_id=account_id, actor=a_project.manager, now=now, ttl_s=ttl_s
            ).code

        return str(in_transaction(engine, make))

    return invite


def enrol(engine: Engine, code: str, now: datetime) -> devices.Enrolled:
    return in_transaction(engine, lambda session: devices.enrol(session, code, now=now))  # type: ignore[no-any-return]


def collect_user(engine: Engine, team: Team, now: datetime, actor: Actor | None = None) -> Device:
    def make(session: Session) -> Device:
        project = session.get_one(Project, team.project_id)
        return devices.create_app_user(
            session, project, name="Siti", actor=actor or team.manager, now=now, secret_key=SECRET
        )

    return in_transaction(engine, make)  # type: ignore[no-any-return]


def test_a_code_enrols_a_device_that_is_known_by_its_token(
    engine: Engine, a_project: Team, invite: Callable[..., str], now: datetime
) -> None:
    enrolled = enrol(engine, invite(), now)

    with Session(engine) as session:
        found = devices.by_token(session, a_project.number, enrolled.token)
        assert found is not None
        known, home = found
        assert home.project_id == a_project.project_id
        assert (known.name, known.number, known.account_id) == ("Tablet 1", 1, a_project.enumerator.account_id)
        assert enrolled.token not in (known.token, known.token_sha256)


def test_a_code_may_be_typed_in_any_case_and_grouping(
    engine: Engine, invite: Callable[..., str], now: datetime
) -> None:
    code = invite()

    assert len(code) == 9
    assert enrol(engine, f" {code.replace('-', ' ').lower()} ", now).device.number == 1


def test_a_code_works_once(engine: Engine, invite: Callable[..., str], now: datetime) -> None:
    code = invite()
    enrol(engine, code, now)

    with pytest.raises(BadCode):
        enrol(engine, code, now)


def test_a_code_expires(engine: Engine, invite: Callable[..., str], now: datetime) -> None:
    code = invite(ttl_s=60)

    with pytest.raises(BadCode):
        enrol(engine, code, now + timedelta(seconds=60))


@pytest.mark.parametrize("code", ["", "ABCD-EFGH", "\x00", "a" * 10_000])
def test_a_code_that_nobody_made_is_refused(engine: Engine, a_project: Team, now: datetime, code: str) -> None:
    with pytest.raises(BadCode):
        enrol(engine, code, now)


def test_of_many_devices_with_one_code_one_gets_in(
    engine: Engine, a_project: Team, invite: Callable[..., str], now: datetime
) -> None:
    code = invite()

    outcomes = at_once(8, lambda: _outcome(lambda: enrol(engine, code, now).device.device_id, BadCode))

    assert outcomes.count("refused") == 7
    with Session(engine) as session:
        assert len(devices.listed(session, session.get_one(Project, a_project.project_id))) == 1


def test_devices_enrolled_at_once_get_different_numbers(
    engine: Engine, invite: Callable[..., str], now: datetime
) -> None:
    codes = [invite(f"Tablet {number}") for number in range(8)]

    numbers = at_once(8, lambda: enrol(engine, codes.pop(), now).device.number)

    assert sorted(numbers) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_an_app_user_s_token_can_be_shown_again_but_is_not_kept(engine: Engine, a_project: Team, now: datetime) -> None:
    made = collect_user(engine, a_project, now)

    with Session(engine) as session:
        known = session.get_one(Device, (made.project_id, made.device_id))
        token = devices.app_user_token(known, SECRET)
        found = devices.by_token(session, a_project.number, token)
        assert found is not None
        assert found[0] is known
        assert token not in (known.token, known.token_sha256)
        assert devices.app_user_token(known, "another secret key") != token


def test_a_token_opens_no_other_project(engine: Engine, a_project: Team, now: datetime) -> None:
    token = devices.app_user_token(collect_user(engine, a_project, now), SECRET)

    with Session(engine) as session:
        assert devices.by_token(session, a_project.number + 1, token) is None


def test_a_revoked_device_is_still_known_but_may_nothing(
    engine: Engine, a_project: Team, invite: Callable[..., str], now: datetime
) -> None:
    enrolled = enrol(engine, invite(), now)

    def revoke(session: Session) -> None:
        device = session.get_one(Device, (a_project.project_id, enrolled.device.device_id))
        devices.revoke(session, device, actor=a_project.manager, now=now)

    in_transaction(engine, revoke)

    with Session(engine) as session:
        found = devices.by_token(session, a_project.number, enrolled.token)
        assert found is not None
        assert not may(devices.actor_for(found[0]), "sync", a_project.project_id)


def test_a_revoked_app_user_has_no_token_to_show(engine: Engine, a_project: Team, now: datetime) -> None:
    made = collect_user(engine, a_project, now)
    made.revoked_at = now

    assert devices.app_user_token(made, SECRET) == ""


def test_a_supervisor_may_not_make_or_revoke_devices(engine: Engine, a_project: Team, now: datetime) -> None:
    made = collect_user(engine, a_project, now)

    with pytest.raises(NotAllowed):
        collect_user(engine, a_project, now, actor=a_project.supervisor)
    with pytest.raises(NotAllowed), Session(engine) as session:
        devices.revoke(session, made, actor=a_project.supervisor, now=now)


def test_a_sync_leaves_its_traces_on_the_device(engine: Engine, a_project: Team, now: datetime) -> None:
    made = collect_user(engine, a_project, now)

    told = {"skew_ms": 10**12, "waiting": 3, "now": now + timedelta(hours=1)}
    in_transaction(engine, lambda session: devices.seen(session, made.project_id, made.device_id, **told))

    with Session(engine) as session:
        known = session.get_one(Device, (made.project_id, made.device_id))
        assert (known.last_seen_at, known.waiting) == (now + timedelta(hours=1), 3)
        assert known.skew_ms == 2**31 - 1


def test_every_step_of_a_device_stands_in_the_audit_log(
    engine: Engine, a_project: Team, invite: Callable[..., str], now: datetime
) -> None:
    enrol(engine, invite(), now)

    with Session(engine) as session:
        steps = session.scalars(select(Event.action).where(Event.project_id == a_project.project_id)).all()
        assert {"enrolment.create", "device.enrol"} <= set(steps)


def test_a_number_that_no_device_has_is_refused(engine: Engine, a_project: Team) -> None:
    with Session(engine) as session, pytest.raises(NoSuchDevice):
        devices.by_number(session, session.get_one(Project, a_project.project_id), 99)


def _outcome(act: Callable[[], str], refusal: type[Exception]) -> str:
    try:
        return act()
    except refusal:
        return "refused"
