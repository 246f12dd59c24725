"""A bucket for finished attachments: S3 and what speaks like it, Google's or Azure's, by one URL.

The bucket holds them all; the folder beside the database then holds unfinished uploads and copies of what was used
lately. Credentials and the endpoint come from the environment as these services name them (AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, ...)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from sync.errors import BucketUnreachable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CHUNK = 4 * 2**20
TIMEOUT = "30s"
RETRY: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
"""Then the device is told to come again later: a request does not wait for ever."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Files under `<project>/<first two digits>/<sha256>`, as in the folder. Every method refuses BucketUnreachable."""

    store: Any
    """An ObjectStore of obstore."""

    def put(self, name: str, file: Path) -> None:
        """The file's bytes are durable under this name; a large one goes in parts."""
        with _reached():
            obstore.put(self.store, name, file)

    def has(self, name: str) -> bool:
        with _reached():
            try:
                obstore.head(self.store, name)
            except FileNotFoundError:
                return False
            return True

    def delete(self, name: str, *, before: datetime) -> bool:
        """The file is gone, unless it came again since `before`; whether it is."""
        with _reached(), suppress(FileNotFoundError):
            if obstore.head(self.store, name)["last_modified"] >= before:
                return False
            obstore.delete(self.store, name)
        return True

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes, in constant memory; none at all where there is no such file."""
        with _reached(), suppress(FileNotFoundError):
            for chunk in obstore.get(self.store, name).stream(min_chunk_size=CHUNK):
                yield bytes(chunk)

    def probe(self) -> None:
        """A small file can be written, read and deleted."""
        name, content = f"probe-{uuid.uuid4().hex}", b"lapangan"
        with _reached():
            obstore.put(self.store, name, content)
            found = bytes(obstore.get(self.store, name).bytes())
            obstore.delete(self.store, name)
        if found != content:
            raise BucketUnreachable(name)


def open_bucket(url: str) -> Bucket:
    """The bucket at `url`, such as s3://bucket/prefix; nothing is asked of it yet. Refuses BucketUnreachable."""
    options: ClientConfig = {"timeout": TIMEOUT}
    if os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://"):
        options["allow_http"] = True  # a bucket on this machine or in this office
    with _reached():
        store: Any = from_url(url, client_options=options, retry_config=RETRY)
        return Bucket(store)


@contextmanager
def _reached() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        # The first line names the trouble; the rest may repeat addresses and signatures.
        raise BucketUnreachable(str(error).splitlines()[0][:200]) from error
