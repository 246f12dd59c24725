"""A day of one field client, as a process of its own: some records with photos, then the sync.

Arguments: the enrolled folder, and the names of the people it visits. It prints one line of JSON: what was made, and
whether the server could be reached."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

from sync.device import FieldDevice, Work
from sync.device.errors import ServerUnreachable
from tests.e2e.visits import FORM_ID


def main(folder: Path, names: list[str]) -> None:
    with FieldDevice(folder, user="rina") as device:
        made = {}
        for name in names:
            answers = {"nama": name, "umur": str(20 + len(name)), "foto": "rumah.jpg", "warga": None}
            photo = f"{name} {uuid.uuid4()} ".encode() * 2000
            made[device.add(FORM_ID, answers, {"rumah.jpg": photo}, Work(as_is=True)).instance_id] = name
        try:
            device.sync()
        except ServerUnreachable:
            print(json.dumps({"made": made, "waiting": device.status().waiting, "is_reached": False}))
            return
        print(json.dumps({"made": made, "waiting": device.status().waiting, "is_reached": True}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
