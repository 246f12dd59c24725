"""Records of the study, put into the tables directly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from forms.definition import Answers
from sync.consolidate import run_job
from sync.engine import in_transaction
from sync.models import Indicator, JobRun, Submission
from tests.conftest import Team

Keep = Callable[..., Submission]
RunIt = Callable[..., JobRun]


def an_interview(
    before: str | None = "1000000", after: str | None = "1400000", *, aid: str = "credit", name: str = "INF-01"
) -> Answers:
    return {
        "visit": {"informant_name": name},
        "opening": {"consent": "yes", "consent_extra": "photo gps"},
        "aid": {"aid_types": aid, "received": [{"kind": "credit", "amount": "2000000"}]},
        "credit": {"use": [{"purpose": "raw_material", "item": "kedelai", "use_amount": "1500000"}]},
        "income": {"income_before": before, "income_after": after},
    }


@pytest.fixture
def keep(engine: Engine, study: Team, now: datetime) -> Keep:
    """A record as it stands, approved unless said otherwise; each a minute after the one before."""
    kept: list[str] = []

    def write(answers: Answers, **columns: Any) -> Submission:
        kept.append(f"uuid:{len(kept) + 1:04d}")
        values: dict[str, Any] = {
            "instance_id": kept[-1],
            "form_id": "wawancara",
            "version": "2026112601",
            "instance_name": f"Wawancara {len(kept)}",
            "answers": answers,
            "op_id": f"op-{len(kept)}",
            "vector": {},
            "revision": 1,
            "review_state": "approved",
            "account_id": study.enumerator.account_id,
            "received_at": now + timedelta(minutes=len(kept)),
            "updated_at": now,
            **columns,
        }
        record = Submission(project_id=study.project_id, **values)
        in_transaction(engine, lambda session: session.add(record))
        return record

    return write


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def consolidated(engine: Engine, now: datetime, exports: Path) -> RunIt:
    """Run the consolidation, for a fresh slot unless one is named."""
    runs: list[str] = []

    def run(**values: Any) -> JobRun:
        runs.append(f"manual-{len(runs) + 1}")
        wanted: dict[str, Any] = {
            "slot": runs[-1],
            "cause": "person",
            "account_id": None,
            "now": now + timedelta(hours=len(runs)),
            "folder": exports,
            **values,
        }
        return run_job(engine, "consolidate", **wanted)

    return run


def indicator(engine: Engine, team: Team, name: str, dimension: str = "all", category: str = "") -> Indicator:
    with Session(engine) as session:
        return session.get_one(Indicator, (team.project_id, name, dimension, category))


def all_runs(engine: Engine, name: str = "consolidate") -> list[JobRun]:
    with Session(engine) as session:
        return list(session.scalars(select(JobRun).where(JobRun.name == name).order_by(JobRun.slot)))
