"""A process in which everything is loaded, and which forks one server after another: then a hundred can be killed in a
minute. Run as a module with the settings of `lapangan serve` in its environment.

For each line on its input it starts a server, prints its process id, and prints "dead" when it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from config import from_env
from server.app import create_app
from server.serving import Serving


@dataclass(slots=True)
class Nursery:
    """As its user sees it. One server at a time."""

    database_url: str
    data_dir: Path
    port: int
    process: subprocess.Popen[str] | None = None
    child: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LAPANGAN_")}
        environ |= {
            "LAPANGAN_DATABASE_URL": self.database_url,
            "LAPANGAN_DATA_DIR": str(self.data_dir),
            "LAPANGAN_PORT": str(self.port),
            "LAPANGAN_RUN_JOBS": "false",
            "LAPANGAN_LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "tests.e2e.nursery"]
        with (self.data_dir / "nursery.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start(self) -> None:
        """A server runs."""
        self._tell("start")
        self.child = int(self._hear())

    def kill(self) -> None:
        """As the power does it."""
        if self.child:
            os.kill(self.child, 9)
            assert self._hear() == "dead"
            self.child = 0

    def close(self) -> None:
        self.kill()
        if self.process is not None and self.process.stdin is not None and self.process.stdout is not None:
            self.process.stdin.close()
            self.process.wait(20)
            self.process.stdout.close()

    def _tell(self, words: str) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()

    def _hear(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        heard = self.process.stdout.readline().strip()
        if not heard:
            raise RuntimeError((self.data_dir / "nursery.log").read_text())
        return heard


def main() -> None:
    settings = from_env()
    app = create_app(settings)  # opens no connection and starts no thread: it may be forked
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                Serving(settings, app).run()
            finally:
                os._exit(1)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
