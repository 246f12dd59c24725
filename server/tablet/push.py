"""A device's batch comes in, its receipt goes out."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from schemas.batch import receipt_of
from server.auth import actor, device
from server.clock import now
from server.db import end_reading, engine, own_transactions, session, writing
from server.projects import project
from server.sender import require_sender, sender
from server.tablet import batch
from server.tablet.blueprint import bp, shown
from sync import operations, peers
from sync.receive import receive


@bp.post("/projects/<int:number>/sync/push")
@own_transactions
def push(number: int) -> ResponseReturnValue:
    """Every item of the batch is kept and has its verdict; a batch that did not arrive whole changes nothing."""
    found = project(number)
    require_sender(found, "sync")
    sent = batch.read(request, batch.OF_SERVER if actor().serves else batch.OF_DEVICE)
    skew_ms = sent.skew_ms(now())
    by = sender(found, "sync", skew_ms=skew_ms, waiting=sent.waiting, is_batch=True)
    if sent.names and actor().serves:
        end_reading()
        with writing() as opened:
            operations.keep_names(opened, found.project_id, sent.names)
    own = device()
    if sent.read and actor().serves and own is not None:
        with writing() as opened:
            peers.note_read(opened, own, sent.read)
    receipt = receive(engine(), by, sent.items, size=sent.size, now=now(), reading=session())
    return shown(receipt_of(receipt))
