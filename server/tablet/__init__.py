"""What field clients and tablets speak: batches, the feed, attachments, enrolment."""

from __future__ import annotations

from server.tablet import blobs, digest, enrol, forward, pull, push, uploads
from server.tablet.blueprint import bp

__all__ = ["blobs", "bp", "digest", "enrol", "forward", "pull", "push", "uploads"]
