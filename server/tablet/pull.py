"""What changed since a device was here last."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue

from schemas.sync import PageSchema, PullSchema
from server.auth import actor, device
from server.clock import now
from server.db import session
from server.projects import project
from server.tablet.blueprint import bp, shown
from sync import access, feed


@bp.get("/projects/<int:number>/sync/pull")
def pull(number: int) -> ResponseReturnValue:
    found = project(number)
    access.require(actor(), "sync", found.project_id)
    wanted = PullSchema().load(request.args.to_dict())
    page = feed.pull(
        session(),
        found,
        device=device(),
        actor=actor(),
        cursor=wanted["cursor"],
        limit=wanted["limit"],
        now=now(),
    )
    return shown(PageSchema().dump(page))
