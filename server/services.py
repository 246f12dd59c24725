"""What every request may use, made once by `create_app`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app
from sqlalchemy import Engine

from config import Settings
from sync.attach import BlobStore


@dataclass(frozen=True, slots=True)
class Services:
    """Kept under `app.extensions["lapangan"]`."""

    settings: Settings
    engine: Engine
    blobs: BlobStore


def services(app: Flask | None = None) -> Services:
    """The services of `app`, or of the application that handles this request."""
    return cast(Services, (app or current_app).extensions["lapangan"])
