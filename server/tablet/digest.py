"""The tripwire: whether a device holds what it was told."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from schemas.sync import ComparedSchema, DigestSchema
from server.auth import actor, device
from server.clock import now
from server.db import own_transactions, session, writing
from server.log import log
from server.projects import project
from server.tablet.blueprint import bp, shown
from sync import tripwire


@bp.post("/projects/<int:number>/sync/digest")
@own_transactions
def compare_digests(number: int) -> ResponseReturnValue:
    """The buckets in which the device holds something else than the server tells; that is noted."""
    found, told = project(number), DigestSchema().load(request.get_json(force=True, silent=True) or {})
    own = device()
    compared = tripwire.compare(
        session(), found, device=own, actor=actor(), cursor=told["cursor"], told=told["buckets"]
    )
    if compared.differing:
        log.warning("a device holds something else", device=own.name if own is not None else "")
        with writing() as opened:
            tripwire.note(opened, found.project_id, compared.differing, device=own, actor=actor(), now=now())
    return shown(ComparedSchema().dump(compared))


@bp.get("/projects/<int:number>/sync/buckets/<name>")
def read_bucket(number: int, name: str) -> ResponseReturnValue:
    """All that the device should hold in this bucket."""
    records = tripwire.bucket(session(), project(number), device=device(), actor=actor(), name=name)
    return shown({"records": records})
