"""What every request may use, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from sqlalchemy import Engine

from config import Settings
from sync.attach import BlobStore
from sync.bundles.key import SigningKey, own_key


@dataclass(frozen=True, slots=True)
class Services:
    """Kept under `app.extensions["lapangan"]`."""

    settings: Settings
    engine: Engine
    blobs: BlobStore


def blob_store(settings: Settings) -> BlobStore:
    """Where this installation keeps its attachments."""
    folder = settings.data_dir / "blobs"
    if not settings.blob_url:
        return BlobStore(folder)
    # Imported here: who has no bucket need not have what speaks with buckets in memory.
    from sync.bucket import open_bucket

    return BlobStore(folder, bucket=open_bucket(settings.blob_url))


def signing_key(settings: Settings) -> SigningKey:
    """With which this installation signs its bundles."""
    return own_key(settings.data_dir)


def services(app: Flask | None = None) -> Services:
    """The services of `app`, or of the application that handles this request."""
    return cast(Services, (app or current_app).extensions["lapangan"])
