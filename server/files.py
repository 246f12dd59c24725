"""Stored files, going out."""

from __future__ import annotations

from pathlib import Path

from flask import Response, send_file

from server.db import session
from server.services import services
from sync import attach, removed
from sync.errors import FileRemoved, NoSuchAttachment

INLINE = ("image/jpeg", "image/png", "image/webp", "image/gif", "audio/", "video/")
"""What a browser may show by itself. Everything else, above all HTML and SVG from strangers, is only saved."""


def send_blob(project_id: str, sha256: str, *, name: str, media_type: str) -> Response:
    """The bytes, with their hash as the ETag, in parts if asked. Refuses NoSuchAttachment, FileRemoved."""
    path = stored(project_id, sha256, name)
    is_inline = media_type.startswith(INLINE)
    response = send_file(
        path,
        mimetype=media_type if is_inline else _plain(media_type),
        as_attachment=not is_inline,
        download_name=name,
        etag=sha256,
        conditional=True,
        max_age=0,
    )
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def stored(project_id: str, sha256: str | None, name: str) -> Path:
    """Where the bytes are. Refuses NoSuchAttachment, FileRemoved.

    What has no row may still lie in a folder: half uploaded, or deleted and not yet wiped."""
    if sha256 and attach.blob(session(), project_id, sha256) is not None:
        path = services().blobs.local(project_id, sha256)
        if path is not None:
            return path
    gone = removed.among(session(), project_id, [sha256] if sha256 else ()).get(sha256 or "")
    if gone is not None and not removed.may_come(gone):
        raise FileRemoved(name, rule=gone.rule, removed_at=gone.removed_at.isoformat())
    raise NoSuchAttachment(name)


def _plain(media_type: str) -> str:
    return media_type if media_type in ("text/csv", "application/pdf") else "application/octet-stream"
