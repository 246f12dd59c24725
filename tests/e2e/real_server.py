"""The real server as its own process, to be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

START_S = 30


@dataclass(slots=True)
class RealServer:
    """`lapangan serve` over a database, always on the same port."""

    database_url: str
    data_dir: Path
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None
    workers: int = 1

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environ(self) -> dict[str, str]:
        """For commands about this installation."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LAPANGAN_")}
        return environ | {
            "LAPANGAN_DATABASE_URL": self.database_url,
            "LAPANGAN_DATA_DIR": str(self.data_dir),
            "LAPANGAN_PORT": str(self.port),
            "LAPANGAN_LOG_LEVEL": "WARNING",
            "LAPANGAN_WORKERS": str(self.workers),
        }

    def start(self) -> None:
        """It answers."""
        log = (self.data_dir / "server.log").open("ab")
        with log:
            command = [sys.executable, "-m", "server.cli", "serve"]
            self.process = subprocess.Popen(command, env=self.environ(), stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.data_dir / "server.log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        """As the power does it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """As an administrator does it; its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def children(self) -> set[int]:
        """The processes that it has forked."""
        if self.process is None:
            return set()
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def log(self) -> str:
        return (self.data_dir / "server.log").read_text()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/health", timeout=2).ok
        except requests.RequestException:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
