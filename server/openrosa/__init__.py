"""What ODK Collect speaks: OpenRosa, with ODK's entities."""

from __future__ import annotations

from server.openrosa import forms, submission
from server.openrosa.blueprint import bp

__all__ = ["bp", "forms", "submission"]
