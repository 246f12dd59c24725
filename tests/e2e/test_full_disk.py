"""A full disk: nothing is acknowledged that is not kept, nothing breaks, and with room again all goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config import Settings
from server.app import create_app
from sync.engine import connect, in_transaction
from sync.identity import digest
from sync.models import Device, InboxItem, Operation
from tests.conftest import NOW, make_team
from tests.desk import publish_visits
from tests.e2e.visits import instance, new_id

SIZE = "24m"
HEADER = b'{"v":1}\n'


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let even root mount a disk")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_loses_nothing(small_disk: Path, sqlite_template: Path) -> None:
    file = small_disk / "lapangan.sqlite3"
    shutil.copyfile(sqlite_template, file)
    engine = connect(f"sqlite:///{file}")
    team = in_transaction(engine, make_team)
    publish_visits(engine, team)
    token = "a-token-of-this-test"
    in_transaction(engine, lambda session: session.add(_device(team.project_id, token)))
    app = create_app(Settings(data_dir=small_disk, secret_key="k" * 64, port=0, log_level="CRITICAL"))
    client = app.test_client()
    ballast = small_disk / "ballast"
    _fill(ballast)

    statuses: set[int] = set()
    safe: set[str] = set()
    sent: list[dict[str, object]] = []
    for number in range(1, 60):
        op = _op(number)
        sent.append(op)
        answer = client.post(
            f"/v1/projects/{team.number}/sync/push",
            data=HEADER + orjson.dumps(op),
            headers={"Authorization": f"Bearer {token}"},
        )
        statuses.add(answer.status_code)
        if answer.status_code == 200:
            safe |= {line["op"] for line in answer.get_json()["items"] if line["safe"]}
    kept_when_full = _kept(engine)
    ballast.unlink()
    again = client.post(
        f"/v1/projects/{team.number}/sync/push",
        data=HEADER + b"\n".join(orjson.dumps(op) for op in sent),
        headers={"Authorization": f"Bearer {token}"},
    )

    assert statuses <= {200, 507}
    assert 507 in statuses
    assert safe <= kept_when_full
    assert {line["op"] for line in again.get_json()["items"] if line["safe"]} == {op["op"] for op in sent}
    assert _kept(engine) == {op["op"] for op in sent}
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    app.extensions["lapangan"].engine.dispose()
    engine.dispose()


def _device(project_id: str, token: str) -> Device:
    return Device(
        project_id=project_id,
        device_id="d-1",
        number=1,
        kind="tablet",
        name="Tablet",
        token_sha256=digest(token),
        enrolled_at=NOW,
    )


def _fill(ballast: Path) -> None:
    """All of the disk but a little."""
    with ballast.open("wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass
    os.truncate(ballast, max(0, ballast.stat().st_size - 400_000))


def _op(number: int) -> dict[str, object]:
    record = new_id()
    return {
        "op": f"op-{number}",
        "origin": "d-1~1",
        "n": number,
        "prev": 0,
        "kind": "submission",
        "record": record,
        "context": {},
        "at": "019a3f2c1b20-0003",
        "form": "kunjungan",
        "version": "1",
        "xml": instance(record, name="Bu Siti " + "x" * 4_000).decode(),
    }


def _kept(engine: object) -> set[str]:
    with Session(engine) as session:  # type: ignore[arg-type]
        landed = session.scalars(select(InboxItem.raw)).all()
        judged = session.scalars(select(Operation.op_id).where(Operation.kind == "submission")).all()
        return {orjson.loads(raw)["op"] for raw in landed} | set(judged)
