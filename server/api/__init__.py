"""The REST API under /v1, shaped as ODK Central's where Central has the thing."""

from __future__ import annotations

from flask import Blueprint

bp = Blueprint("api", __name__, url_prefix="/v1")
