"""What other servers ask for beside a device's endpoints: operations as they are, form versions, attachments."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from schemas.sync import OperationsSchema, RecordsSchema, WaitingSchema
from server.auth import device
from server.clock import now
from server.db import own_transactions, session, writing
from server.files import send_blob
from server.projects import project
from server.sender import require_reader
from server.services import services
from server.tablet.blueprint import bp, shown
from sync import operations, parcel
from sync.epochs import standing
from sync.models import Device, Peer
from sync.peers.lag import ways_of

LARGEST_QUESTION = 256 * 1024
LARGEST_PARCEL = 32 * 2**20


@bp.get("/projects/<int:number>/sync/operations")
def read_operations(number: int) -> ResponseReturnValue:
    """A page of the feed, operation by operation; void markers on the same records come along."""
    found = project(number)
    require_reader(found, "operation.forward")
    wanted = OperationsSchema().load(request.args.to_dict())
    told = standing(session(), found.project_id)
    own = device()
    beside = _ways_of(own) if own is not None and not wanted["whole"] else frozenset()
    since = operations.since(wanted["cursor"], told)
    sent = operations.after(session(), found.project_id, since, limit=wanted["limit"], beside=beside)
    page = {
        "epoch": told.epoch,
        "forks": list(told.forks),
        "cursor": f"e{told.epoch}.{sent.until}",
        "head": told.head,
        "durable_seq": told.durable_seq,
        "durable_by": told.durable_by,
        "operations": [operations.shape_of(one) for one in sent.operations],
        "names": operations.names_of(session(), found.project_id, sent.operations),
        "waiting": operations.digest_of(operations.waiting(session(), found.project_id)),
    }
    return shown(page)


@bp.post("/projects/<int:number>/sync/operations/of")
@own_transactions
def read_operations_of(number: int) -> ResponseReturnValue:
    """The operations that name files of these records, as they are now: Collect sends files after their record."""
    found = project(number)
    require_reader(found, "operation.forward")
    request.max_content_length = LARGEST_QUESTION
    asked = RecordsSchema().load(request.get_json(force=True, silent=True) or {})
    written = operations.of_records(session(), found.project_id, asked["records"])
    return shown({"operations": [operations.shape_of(one) for one in written]})


@bp.post("/projects/<int:number>/sync/operations/waiting")
@own_transactions
def compare_waiting(number: int) -> ResponseReturnValue:
    """What waits here and not at the server that asks, and which of those that wait there are not here at all."""
    found = project(number)
    require_reader(found, "operation.forward")
    request.max_content_length = LARGEST_QUESTION
    asked = WaitingSchema().load(request.get_json(force=True, silent=True) or {})
    part = {"after": asked["after"], "until": asked["until"]}
    difference = operations.compare(session(), found.project_id, asked["operations"], **part)
    told = {
        "operations": [operations.shape_of(one) for one in difference.only_here],
        "names": operations.names_of(session(), found.project_id, difference.only_here),
        "unknown": list(difference.unknown_here),
        "until": difference.until,
    }
    return shown(told)


@bp.get("/projects/<int:number>/sync/blobs/<sha256>")
def read_blob(number: int, sha256: str) -> ResponseReturnValue:
    """An attachment, in parts if asked. Refuses NoSuchAttachment, and FileRemoved: then it does not come any more."""
    found = project(number)
    require_reader(found, "operation.forward")
    return send_blob(found.project_id, sha256, name=sha256, media_type="application/octet-stream")


@bp.get("/projects/<int:number>/sync/forms/<form_id>/<version>")
def read_form(number: int, form_id: str, version: str) -> ResponseReturnValue:
    found = project(number)
    require_reader(found, "operation.forward")
    return shown(parcel.pack(session(), found.project_id, form_id, _named(version)))


@bp.put("/projects/<int:number>/sync/forms/<form_id>/<version>")
@own_transactions
def take_form(number: int, form_id: str, version: str) -> ResponseReturnValue:
    """The version is here; its operation follows. Refuses BrokenParcel, OtherContent."""
    found = project(number)
    require_reader(found, "operation.forward")
    request.max_content_length = LARGEST_PARCEL
    told = request.get_json(force=True, silent=True) or {}
    if (told.get("form"), told.get("version")) != (form_id, _named(version)):
        raise parcel.BrokenParcel(form_id)
    with writing() as opened:
        parcel.take(opened, services().blobs, found.project_id, told, now=now())
    return shown({"form": form_id, "version": _named(version)}, 201)


def _ways_of(own: Device) -> frozenset[str]:
    """By which ways the operations of the server that asks have come here: its line, and its bundles."""
    found = select(Peer).where(Peer.project_id == own.project_id, Peer.here_id == own.device_id)
    known = session().scalars(found).first()
    return frozenset({own.device_id}) | (ways_of(known) if known is not None else frozenset())


def _named(version: str) -> str:
    # As in the REST API, a version without a name is written with three low lines.
    return "" if version == "___" else version
