"""A real S3 server process for the tests, on this machine alone."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

START_S = 60
NAME = "attachments"


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address; one bucket, NAME, is there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _make_bucket(address)
        yield address
    finally:
        process.kill()
        process.wait()


def environment(address: str) -> dict[str, str]:
    """What tells a program where the bucket is and who it is."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "field",
        "AWS_SECRET_ACCESS_KEY": "office",
    }


def _make_bucket(address: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            requests.put(f"{address}/{NAME}", timeout=10).raise_for_status()
            return
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
