"""A field client that is killed: run as a module, it forks one client after another, each dying a step later.

Arguments: what it does (collect, or read), the enrolled folder, and a folder for its copies. It prints one line of JSON
for each copy, with what stands in it after the death."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import sync.device.pull
from sync.device import FieldDevice, Progress
from tests.e2e.fieldwork import visits, work

MOST_STEPS = 60
STAGE = "killed-at"
"""The name of a file."""


Work = Callable[[FieldDevice], None]


def main(work_: Work, template: Path, copies: Path) -> None:
    for step in range(1, MOST_STEPS):
        folder = copies / f"copy-{step}"
        shutil.copytree(template, folder)
        was_killed = _run(work_, folder, step)
        print(json.dumps({"step": step, "killed": was_killed, **_here(folder)}), flush=True)
        _run(work_, folder, 0)
        if not was_killed:
            return


def _here(folder: Path) -> Mapping[str, Any]:
    stage = folder / STAGE
    with FieldDevice(folder) as device:
        return {
            "stage": stage.read_text() if stage.exists() else "",
            "received": [one.instance_id for one in device.inbox.received()],
            "forms": len(device.forms()),
            "waiting": device.status().waiting,
        }


def _run(work_: Work, folder: Path, step: int) -> bool:
    """Whether the client was killed."""
    child = os.fork()
    if child == 0:
        try:
            _work(work_, folder, step)
        except BaseException as error:  # noqa: BLE001  # a fork must never run on into its parent's code
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    if os.WEXITSTATUS(status):
        raise SystemExit(f"the client failed in {folder}")
    return False


def _work(work_: Work, folder: Path, step: int) -> None:
    steps = 0

    def watch(progress: Progress) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            (folder / STAGE).write_text(progress.stage.value)
            os.kill(os.getpid(), signal.SIGKILL)

    with FieldDevice(folder, watch=watch, user="rina") as device:
        work_(device)


def collect(device: FieldDevice) -> None:
    """Two records with a photo each, sent."""
    made = {record.instance_id for record in device.receipts()}
    for index, visit in enumerate(visits("dokumentasi")[:2]):
        # Each copy of the folder has records and bytes of its own.
        instance_id = f"uuid:{device.folder.name}-{index}"
        if instance_id in made:
            continue
        size = 700_000 if index else 1000
        photos = {photo.name: f"{instance_id} {'x' * size}".encode() for photo in visit.photos}
        device.add(visit.form_id, visit.answers, photos, replace(work(visit), instance_id=instance_id, as_is=True))
    device.sync()


def read(device: FieldDevice) -> None:
    """What is new on the server, in many pages."""
    sync.device.pull.PAGE = 2
    device.pull()


WORKS: Mapping[str, Work] = {"collect": collect, "read": read}

if __name__ == "__main__":
    main(WORKS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3]))
