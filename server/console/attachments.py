"""A record's files, served so that nothing that was sent can act as a page of this server."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from textwrap import wrap

from flask import Response, render_template, send_file
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from PIL import Image, ImageOps

from server.auth import actor
from server.console.blueprint import bp
from server.db import session
from server.files import stored
from server.projects import project
from sync import announced, find
from sync.access import require
from sync.errors import NoSuchAttachment
from sync.models import InboxItem, Operation, Project, SubmissionAttachment

SHOWN: Mapping[str, str] = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".amr": "audio/amr",
    ".3gp": "video/3gpp",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
"""What a browser may show in place, by the name's ending; all else is only saved to disk, as plain bytes.

Never SVG, HTML, XML or PDF: those can run scripts or draw a false page."""

LARGEST_SIDE = 640
MOST_PIXELS = 60_000_000
"""A photo of 60 megapixels takes 180 MB to decode; what claims to be larger gets no thumbnail."""

KEPT = "private, max-age=86400"


@bp.get("/projects/<int:number>/submissions/<path:instance_id>/attachments/<name>")
def attachment(number: int, instance_id: str, name: str) -> ResponseReturnValue:
    return _whole(_file(project(number), instance_id, name), name)


@bp.get("/projects/<int:number>/submissions/<path:instance_id>/thumbnails/<name>")
def thumbnail(number: int, instance_id: str, name: str) -> ResponseReturnValue:
    return _thumbnail(_file(project(number), instance_id, name), name)


@bp.get("/projects/<int:number>/submissions/<path:instance_id>/versions/<op_id>/attachments/<name>")
def version_attachment(number: int, instance_id: str, op_id: str, name: str) -> ResponseReturnValue:
    """The file as this change of the record brought it, whatever is shown now."""
    return _whole(_brought(project(number), instance_id, op_id, name), name)


@bp.get("/projects/<int:number>/submissions/<path:instance_id>/versions/<op_id>/thumbnails/<name>")
def version_thumbnail(number: int, instance_id: str, op_id: str, name: str) -> ResponseReturnValue:
    return _thumbnail(_brought(project(number), instance_id, op_id, name), name)


@bp.get("/projects/<int:number>/quarantine/<item_id>/attachments/<name>")
def quarantined_attachment(number: int, item_id: str, name: str) -> ResponseReturnValue:
    return _whole(_put_aside(project(number), item_id, name), name)


@bp.get("/projects/<int:number>/quarantine/<item_id>/thumbnails/<name>")
def quarantined_thumbnail(number: int, item_id: str, name: str) -> ResponseReturnValue:
    return _thumbnail(_put_aside(project(number), item_id, name), name)


def _whole(file: Path, name: str) -> Response:
    media_type = SHOWN.get(Path(name).suffix.lower(), "")
    response = send_file(
        file,
        mimetype=media_type or "application/octet-stream",
        as_attachment=not media_type,
        download_name=name,
        conditional=True,
        etag=file.name,
    )
    return _guarded(response)


def _thumbnail(file: Path, name: str) -> Response:
    if not is_picture(name):
        raise NoSuchAttachment(name)
    content = _small(str(file))
    return _in_words(file) if content is None else _guarded(Response(content, content_type="image/jpeg"))


def _in_words(file: Path) -> Response:
    """Why there is no picture, in the place of the picture."""
    words = gettext("This picture cannot be shown: it is damaged, far too large, or not what its name says.")
    if not file.stat().st_size:
        words = gettext("This picture is empty: the file that came has no content.")
    drawn = render_template("console/no_picture.svg", lines=wrap(words, 34))
    response = _guarded(Response(drawn, content_type="image/svg+xml"))
    response.headers["Cache-Control"] = "private, no-cache"  # it is in the reader's language
    return response


def is_picture(name: str) -> bool:
    return SHOWN.get(Path(name).suffix.lower(), "").startswith("image/")


def media_kind(name: str) -> str:
    """ "image", "audio", "video", or "" for what is only offered as a download."""
    return SHOWN.get(Path(name).suffix.lower(), "").partition("/")[0]


def _file(owner: Project, instance_id: str, name: str) -> Path:
    require(actor(), "submission.read", owner.project_id)
    found = find.submission(session(), owner, instance_id, actor=actor())
    row = session().get(SubmissionAttachment, (owner.project_id, found.instance_id, name))
    return stored(owner.project_id, row.sha256 if row is not None else None, name)


def _brought(owner: Project, instance_id: str, op_id: str, name: str) -> Path:
    found = find.submission(session(), owner, instance_id, actor=actor())
    change = session().get(Operation, (owner.project_id, op_id))
    is_of_record = change is not None and (change.kind, change.record_id) == ("submission", found.instance_id)
    files = change.attachments if change is not None and is_of_record else []
    return stored(owner.project_id, next((one["sha256"] for one in files if one["name"] == name), None), name)


def _put_aside(owner: Project, item_id: str, name: str) -> Path:
    require(actor(), "quarantine.read", owner.project_id)
    item = session().get(InboxItem, (owner.project_id, item_id))
    files = announced.of_item(session(), item) if item is not None else []
    return stored(owner.project_id, next((file.sha256 for file in files if file.name == name), None), name)


def _guarded(response: Response) -> Response:
    response.headers["Cache-Control"] = KEPT
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; media-src 'self'; sandbox"
    return response


@lru_cache(maxsize=256)
def _small(file: str) -> bytes | None:
    """A JPEG that fits a page, upright; None when the bytes are no picture. The file is named by its content."""
    try:
        with Image.open(file, formats=("JPEG", "PNG", "WEBP", "GIF")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            picture.draft("RGB", (LARGEST_SIDE, LARGEST_SIDE))
            upright = ImageOps.exif_transpose(picture)
            upright.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
            out = io.BytesIO()
            # Saved anew, without the metadata of the original.
            upright.convert("RGB").save(out, "JPEG", quality=82)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return out.getvalue()
