"""Resumable uploads by tus 1.0 (tus.io/protocols/resumable-upload), at the address that the file's hash gives.

With the extensions creation and creation-with-upload; a reinstalled app finds its upload again by the hash alone."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import PreconditionFailed

from forms.errors import Kind, Problem
from server.address import project_url
from server.auth import device
from server.clock import now
from server.db import own_transactions, session, writing
from server.projects import project
from server.sender import require_file_sender
from server.services import services
from server.tablet.blobs import chunks_of, keep
from server.tablet.blueprint import bp
from sync import attach, removed
from sync.errors import BlobTooLarge, NoSuchAttachment, WrongOffset
from sync.models import Project

TUS = "1.0.0"
OFFSET_STREAM = "application/offset+octet-stream"
ADDRESS = "/projects/<int:number>/sync/uploads/<sha256>"


class NoLength(Problem):
    """The header Upload-Length is missing or wrong. Say in it how many bytes the whole file has."""

    slug = "upload/no-length"


class NoOffset(Problem):
    """The header Upload-Offset is missing or wrong. Say in it how many bytes the server already has."""

    slug = "upload/no-offset"


class NotAnUpload(Problem):
    """Pieces of a file are sent as application/offset+octet-stream. Set this Content-Type and send it again."""

    kind = Kind.UNSUPPORTED
    slug = "upload/wrong-type"


@bp.route(ADDRESS, methods=["OPTIONS"])
@bp.route("/projects/<int:number>/sync/uploads", methods=["OPTIONS"])
def tell_protocol(number: int, sha256: str = "") -> ResponseReturnValue:
    """What this server can do; tus asks it of strangers too."""
    response = _answer(204)
    response.headers["Tus-Version"] = TUS
    response.headers["Tus-Extension"] = "creation,creation-with-upload"
    response.headers["Tus-Max-Size"] = str(services().settings.max_blob_bytes)
    return response


@bp.after_request
def _speak_tus(response: Response) -> Response:
    """Refusals say the version too, and whoever asked in another one hears which there is: tus 1.0, Tus-Resumable."""
    if request.url_rule is not None and request.url_rule.rule.endswith(ADDRESS):
        response.headers.setdefault("Tus-Resumable", TUS)
        if response.status_code == 412:
            response.headers["Tus-Version"] = TUS
    return response


@bp.route(ADDRESS, methods=["HEAD"])
@own_transactions
def show_offset(number: int, sha256: str) -> ResponseReturnValue:
    """How far the upload has got. Refuses NoSuchAttachment when none has begun."""
    found = _project(number, sha256)
    whole = _whole(found, sha256)
    if whole is not None:
        return _answer(200, offset=whole, length=whole)
    begun = attach.upload(session(), found.project_id, sha256)
    if begun is None:
        raise NoSuchAttachment(sha256)
    return _answer(200, offset=_reached(found, sha256, begun.size), length=begun.size)


@bp.post(ADDRESS)
@own_transactions
def begin_upload(number: int, sha256: str) -> ResponseReturnValue:
    """The upload has begun, or goes on from where it was; a first piece may come along."""
    found = _project(number, sha256)
    whole = _whole(found, sha256)
    response = _answer(201, offset=_first_offset(found, sha256, _length()) if whole is None else whole)
    response.headers["Location"] = f"{project_url(number)}/sync/uploads/{sha256}"
    return response


@bp.patch(ADDRESS)
@own_transactions
def append_to_upload(number: int, sha256: str) -> ResponseReturnValue:
    """One more piece. With its last byte the file is checked against its hash and is known from then on."""
    found = _project(number, sha256)
    if request.mimetype != OFFSET_STREAM:
        raise NotAnUpload
    offset = _counted("Upload-Offset")
    if offset is None:
        raise NoOffset
    return _answer(204, offset=_append(found, sha256, offset, _size(found, sha256)))


def _project(number: int, sha256: str) -> Project:
    if request.headers.get("Tus-Resumable", TUS) != TUS:
        raise PreconditionFailed(f"Tus-Resumable: {TUS}")
    found = project(number)
    require_file_sender(found, sha256)
    return found


def _whole(found: Project, sha256: str) -> int | None:
    """The size of a file of which no more is to be sent: it is here, or was deleted on purpose."""
    known = attach.blob(session(), found.project_id, sha256)
    if known is not None:
        return known.size
    gone = removed.among(session(), found.project_id, [sha256]).get(sha256)
    return gone.size if gone is not None and gone.is_refused else None


def _first_offset(found: Project, sha256: str, size: int) -> int:
    _begin(found, sha256, size)
    offset = _reached(found, sha256, size)
    if request.mimetype == OFFSET_STREAM and offset == 0:
        return _append(found, sha256, 0, size)
    return offset


def _reached(found: Project, sha256: str, size: int) -> int:
    """The offset. Whoever hears that all is here takes the file for kept: so it is kept then, also where the server
    died after the last piece, or could not write the row. An empty file has no piece that could be the last one."""
    blobs = services().blobs
    reached = blobs.offset(found.project_id, sha256)
    if reached == size or (not reached and blobs.is_here(found.project_id, sha256)):
        _finish(found, sha256)
        return size
    return reached


def _size(found: Project, sha256: str) -> int:
    """What the whole file was announced to have."""
    begun = attach.upload(session(), found.project_id, sha256)
    if begun is not None:
        return begun.size
    whole = _whole(found, sha256)
    if whole is not None:
        # The last piece had arrived, though its answer had not.
        raise WrongOffset(offset=whole)
    size = _counted("Upload-Length")
    if size is None:
        raise NoSuchAttachment(sha256)
    # Who says the length with the first piece need not begin in a request of its own.
    _begin(found, sha256, size)
    return size


def _begin(found: Project, sha256: str, size: int) -> None:
    limit, own = services().settings.max_blob_bytes, device()
    if size > limit:
        raise BlobTooLarge(limit=limit)
    require_file_sender(found, sha256, size)
    services().blobs.check_room(size)
    with writing() as opened:
        attach.begin(
            opened,
            found.project_id,
            sha256,
            size,
            device_id=own.device_id if own else None,
            limit=limit,
            now=now(),
        )


def _append(found: Project, sha256: str, offset: int, size: int) -> int:
    limit = services().settings.max_blob_bytes
    request.max_content_length = limit
    reached = services().blobs.append(found.project_id, sha256, offset, chunks_of(request), size=size, limit=limit)
    if reached == size:
        _finish(found, sha256)
    return reached


def _finish(found: Project, sha256: str) -> None:
    keep(found.project_id, services().blobs.finish(found.project_id, sha256), "")


def _length() -> int:
    size = _counted("Upload-Length")
    if size is None:
        raise NoLength
    return size


def _counted(header: str) -> int | None:
    text = request.headers.get(header, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _answer(status: int, *, offset: int | None = None, length: int | None = None) -> Response:
    response = Response(status=status)
    response.headers["Tus-Resumable"] = TUS
    response.headers["Cache-Control"] = "no-store"
    if offset is not None:
        response.headers["Upload-Offset"] = str(offset)
    if length is not None:
        response.headers["Upload-Length"] = str(length)
    return response
