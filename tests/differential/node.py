"""Engines that run in Node, asked over lines of JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.differential.samples import NOW

FOLDER = Path(__file__).parent
NEWER = FOLDER / "newer_node"
OLDEST = 20
ZONE = "Asia/Jakarta"
"""The zone of the moment at which the clock of both sides stands."""


class NotHere(Exception):
    """Node, or a package of it, is missing; the words say what to install."""


class Engine:
    """One process. An answer is what the engine made of a request, or {"error": words}."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the engine ended with {self._process.wait(10)}")
        found: dict[str, Any] = json.loads(line)
        return found


def _version(node: str) -> int:
    """20 of v20.19.3."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
    return int(said.removeprefix("v").partition(".")[0])


def new_enough(newer: Path) -> str | None:
    """The machine's own Node, or the one that is installed in a folder for machines whose own is too old."""
    found = [shutil.which("node"), *map(str, newer.glob("node_modules/node-linux-*/bin/node"))]
    return next((node for node in found if node is not None and _version(node) >= OLDEST), None)


@contextmanager
def engine(script: str) -> Iterator[Engine]:
    """An engine at work. Raises NotHere."""
    node = new_enough(NEWER)
    if node is None:
        raise NotHere(f"needs Node {OLDEST} or later: install the package nodejs, or run npm ci in {NEWER.name}")
    if not (FOLDER / "node_modules").is_dir():
        raise NotHere("needs the packages of tests/differential: run npm ci there")
    process = subprocess.Popen(
        [node, str(FOLDER / script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=FOLDER,
        env={**os.environ, "TZ": ZONE, "NOW": NOW.isoformat()},
    )
    try:
        yield Engine(process)
    finally:
        process.kill()
        process.communicate()
