"""Stored files, going out."""

from __future__ import annotations

from flask import Response, send_file

from server.services import services
from sync.errors import NoSuchAttachment

INLINE = ("image/jpeg", "image/png", "image/webp", "image/gif", "audio/", "video/")
"""What a browser may show by itself. Everything else, above all HTML and SVG from strangers, is only saved."""


def send_blob(project_id: str, sha256: str, *, name: str, media_type: str) -> Response:
    """The bytes, with their hash as the ETag, in parts if asked. Refuses NoSuchAttachment."""
    path = services().blobs.local(project_id, sha256)
    if path is None:
        raise NoSuchAttachment(name)
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


def _plain(media_type: str) -> str:
    return media_type if media_type in ("text/csv", "application/pdf") else "application/octet-stream"
